"""Makes the bundled example video: the mannequin walks in a textured room and waves. Nobody was filmed.

python examples/make_video.py examples/walk.mp4 [--camera still|pan|zoom|handheld] [--frames N] [--track track.npz]

Run it with a Python that has Blender as a module (.venv-bpy/bin/python). Rendered by Cycles with few samples.
"""

from __future__ import annotations

import argparse
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from mvlift.bodies import default_human_skeleton
from mvlift.kinematics.rotations import log_map
from mvlift.motion import Camera, LiftedMotion

from mvlift_blender.scene.body_files import body_mesh
from mvlift_blender.scene.write import WriteOptions, write_motion

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_walk import FPS, walk

SIZE, FOCAL = (640, 360), 740.0
KINDS = ("still", "pan", "zoom", "handheld")
SKIN, SHIRT, TROUSERS, SHOES, HAIR = (
    (0.60, 0.36, 0.24), (0.55, 0.06, 0.05), (0.03, 0.05, 0.13), (0.02, 0.02, 0.02), (0.05, 0.025, 0.01)
)  # fmt: skip


def camera_path(kind: str, root: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K (T, 3, 3), R (T, 3, 3), t (T, 3) with x_camera = R x_world + t; x right, y down, z forward; world z up.

    Args:
        kind: one of KINDS. A handheld camera walks beside the person, sways and trembles.
        root: (T, 3) where the person is.
    """
    frames = len(root)
    time = np.arange(frames) / FPS
    place = np.tile([0.1, -6.3, 1.35], (frames, 1))
    focal = np.full(frames, FOCAL)
    yaw, pitch, roll = np.zeros(frames), np.full(frames, math.radians(-4.0)), np.zeros(frames)
    if kind in ("pan", "handheld"):
        towards = root[:, :2] - place[:, :2]
        yaw = np.arctan2(-towards[:, 0], towards[:, 1]) * 0.9
    if kind == "zoom":
        focal = FOCAL * (1.0 + 0.5 * (0.5 - 0.5 * np.cos(2 * math.pi * time / time[-1])))
    if kind == "handheld":
        place[:, 0] += 0.7 * root[:, 0] + 0.05 * np.sin(2 * math.pi * 0.9 * time)
        place[:, 1] += 0.5 * np.sin(math.pi * time / time[-1])
        place[:, 2] += 0.03 * np.sin(2 * math.pi * 1.8 * time)
        towards = root[:, :2] - place[:, :2]
        yaw = np.arctan2(-towards[:, 0], towards[:, 1]) + 0.02 * np.sin(2 * math.pi * 0.7 * time + 1)
        pitch = pitch + 0.012 * np.sin(2 * math.pi * 1.1 * time)
        roll = 0.015 * np.sin(2 * math.pi * 0.6 * time)
    R = np.stack([_view(*angles) for angles in zip(yaw, pitch, roll, strict=True)])
    K = np.zeros((frames, 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, :, 2] = [SIZE[0] / 2, SIZE[1] / 2, 1.0]
    return K, R, -np.einsum("tab,tb->ta", R, place)


def _view(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """World to camera of a camera that looks along +y, turned left by yaw, up by pitch, and rolled."""
    c, s = math.cos(yaw), math.sin(yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    cp, sp = math.cos(pitch), math.sin(pitch)
    tilt = np.array([[1.0, 0, 0], [0, cp, -sp], [0, sp, cp]])
    cr, sr = math.cos(roll), math.sin(roll)
    spin = np.array([[cr, 0, sr], [0, 1.0, 0], [-sr, 0, cr]])
    axes = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # right, down, forward of the camera at rest
    return axes @ (turn @ tilt @ spin).T


def the_walk(frames: int) -> LiftedMotion:
    """The walk as a motion."""
    skeleton = default_human_skeleton()
    rotations, translation = (a[:frames] for a in walk())
    _, points = skeleton.posed(np.zeros(10), rotations, translation)
    joints, _ = skeleton.shaped(np.zeros(10))
    return LiftedMotion(
        body="smpl",
        joint_names=tuple(skeleton.joint_names),
        parents=tuple(skeleton.parents),
        rest_joints=joints.astype(np.float32),
        betas=np.zeros(10, np.float32),
        translation=translation.astype(np.float32),
        rotations=log_map(rotations).astype(np.float32),
        keypoints=points.astype(np.float32),
        keypoint_names=tuple(skeleton.keypoint_names),
        keypoint_confidence=np.ones(points.shape[:2], np.float32),
        reprojection_error=np.zeros(points.shape[:2], np.float32),
        contacts=np.zeros((frames, 0), np.float32),
        contact_names=(),
        camera=Camera(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.zeros(3, np.float32), SIZE),
        fps=Fraction(FPS),
    )


def _material(name: str, colour: tuple[float, float, float], texture: str = "", scale: float = 1.0) -> Any:
    """A matt material, plain or with one of Blender's procedural textures between the colour and a darker one."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    surface = tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1.0)
    surface.inputs["Roughness"].default_value = 0.8
    if texture:
        node = tree.nodes.new(texture)
        node.inputs["Scale"].default_value = scale
        place = tree.nodes.new("ShaderNodeTexCoord")
        tree.links.new(place.outputs["UV"], node.inputs["Vector"])
        dark = tuple(0.55 * c for c in colour)
        node.inputs["Color1"].default_value, node.inputs["Color2"].default_value = (*colour, 1.0), (*dark, 1.0)
        tree.links.new(node.outputs["Color"], surface.inputs["Base Color"])
    return material


def _box(name: str, middle: tuple[float, float, float], size: tuple[float, float, float], material: Any) -> None:
    bpy.ops.mesh.primitive_cube_add(size=1, location=middle)
    box = bpy.context.object
    box.name, box.scale = name, size
    box.data.materials.append(material)


def furnish() -> None:
    """A tiled floor, brick walls, pictures, a carpet and some boxes, with daylight from the front."""
    floor = _material("Floor", (0.42, 0.33, 0.24), "ShaderNodeTexChecker", 24)
    wall = _material("Wall", (0.62, 0.60, 0.55), "ShaderNodeTexBrick", 9)
    for name, place, turn, size, material in (
        ("Floor", (0, 0, 0), (0, 0, 0), 24, floor),
        ("Back", (0, 5.0, 5), (math.radians(90), 0, 0), 24, wall),
        ("Left", (-6.0, 0, 5), (math.radians(90), 0, math.radians(90)), 24, wall),
        ("Right", (6.0, 0, 5), (math.radians(90), 0, math.radians(-90)), 24, wall),
    ):
        bpy.ops.mesh.primitive_plane_add(size=size, location=place, rotation=turn)
        bpy.context.object.name = name
        bpy.context.object.data.materials.append(material)
    colours = ((0.1, 0.3, 0.5), (0.6, 0.45, 0.05), (0.1, 0.4, 0.15), (0.35, 0.12, 0.4))
    for i, colour in enumerate(colours):
        picture = _material(f"Picture {i}", colour, "ShaderNodeTexChecker", 3 + i)
        _box(f"Picture {i}", (-4.2 + 2.8 * i, 4.95, 1.9 + 0.2 * (i % 2)), (1.1, 0.06, 0.8), picture)
        _box(f"Box {i}", (-4.8 + 3.1 * i, 3.2 + 0.4 * (i % 2), 0.3), (0.6 + 0.1 * i, 0.5, 0.6), picture)
    world = bpy.data.worlds.new("Sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.75, 0.8, 0.9, 1)
    bpy.context.scene.world = world
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle = 2.5, math.radians(5)
    lamp = bpy.data.objects.new("Sun", sun)
    lamp.rotation_euler = (math.radians(48), 0, math.radians(-25))
    bpy.context.scene.collection.objects.link(lamp)


def dress(body: Any, motion: LiftedMotion) -> None:
    """Clothes, skin and hair by the bone that a face hangs on most."""
    for name, colour in (("Shirt", SHIRT), ("Trousers", TROUSERS), ("Skin", SKIN), ("Shoes", SHOES), ("Hair", HAIR)):
        body.data.materials.append(_material(name, colour))
    slot = {m.name.split(".")[0]: i for i, m in enumerate(body.data.materials)}
    groups = {g.index: g.name for g in body.vertex_groups}
    bone = [groups[max(v.groups, key=lambda g: g.weight).group] for v in body.data.vertices]
    height = [v.co.z for v in body.data.vertices]
    top = max(height)
    for face in body.data.polygons:
        names = [bone[v] for v in face.vertices]
        name = max(set(names), key=names.count)
        middle = sum(height[v] for v in face.vertices) / len(face.vertices)
        depth = sum(body.data.vertices[v].co.y for v in face.vertices) / len(face.vertices)
        if "head" in name or "jaw" in name:
            what = "Hair" if middle > top - 0.07 or (depth > 0.02 and middle > top - 0.17) else "Skin"
        elif any(part in name for part in ("neck", "wrist", "hand", "elbow")):
            what = "Skin"
        elif any(part in name for part in ("ankle", "foot")):
            what = "Shoes"
        elif any(part in name for part in ("hip", "knee", "pelvis")):
            what = "Trousers"
        else:
            what = "Shirt"
        face.material_index, face.use_smooth = slot[what], True


def key_camera(K: np.ndarray, R: np.ndarray, t: np.ndarray) -> None:
    """A camera of the scene that sees what (K, R, t) sees, keyed on every frame from 1."""
    data = bpy.data.cameras.new("Camera")
    data.sensor_width, data.sensor_fit = 36.0, "HORIZONTAL"
    camera = bpy.data.objects.new("Camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.rotation_mode = "QUATERNION"
    for i in range(len(R)):
        axes = R[i].T @ np.diag([1.0, -1.0, -1.0])
        camera.location = (-R[i].T @ t[i]).tolist()
        camera.rotation_quaternion = Matrix(axes.tolist()).to_quaternion()
        data.lens = 36.0 * K[i, 0, 0] / SIZE[0]
        camera.keyframe_insert("location", frame=i + 1)
        camera.keyframe_insert("rotation_quaternion", frame=i + 1)
        data.keyframe_insert("lens", frame=i + 1)


def render(output: Path, frames: int, samples: int) -> None:
    """Render the scene's frames as an H.264 video."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.use_persistent_data = True
    scene.cycles.samples, scene.cycles.use_denoising = samples, True
    scene.cycles.max_bounces = scene.cycles.diffuse_bounces = 1
    scene.cycles.use_animated_seed = False
    scene.view_settings.view_transform = "Standard"
    settings = scene.render.image_settings
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor, scene.render.ffmpeg.ffmpeg_preset = "MEDIUM", "BEST"
    scene.render.ffmpeg.audio_codec = "NONE"
    scene.render.filepath, scene.render.use_file_extension = str(output.resolve()), False
    bpy.ops.render.render(animation=True)


def make(output: Path, kind: str = "still", frames: int = 120, samples: int = 4, track: Path | None = None) -> None:
    """Render the walk.

    Args:
        output: the .mp4.
        kind: of the camera.
        frames: of the walk.
        samples: of Cycles per pixel.
        track: npz to write the camera's K, R, t to.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    motion = the_walk(frames)
    mesh = body_mesh(motion)
    written = write_motion(bpy.context, motion, WriteOptions(camera=False, markers=False), mesh)
    dress(written.body, motion)
    furnish()
    K, R, t = camera_path(kind, motion.translation.astype(np.float64))
    key_camera(K, R, t)
    if track is not None:
        np.savez(track, K=K, R=R, t=t, image_size=np.array(SIZE), scale=np.array("metric"), up=np.array([0.0, 0, 1]))
    render(output, frames, samples)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=Path("examples/walk.mp4"))
    parser.add_argument("--camera", choices=KINDS, default="still")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--track", type=Path)
    options = parser.parse_args()
    make(options.output, options.camera, options.frames, options.samples, options.track)
