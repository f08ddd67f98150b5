"""A picture of a lift: some moments of the motion side by side on a floor, as one photograph."""

from __future__ import annotations

from math import cos, radians, sin
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix, Vector
from mvlift.errors import LiftError
from mvlift.typing import F64

from ..scene.animation import current_curves

__all__ = ["render_picture"]


_MOMENTS: Final = 6
_SIZE: Final = (1280, 640)
_LENS: Final = 50.0  # millimetres
_FLOOR: Final = (0.62, 0.64, 0.67, 1.0)
_SKY: Final = (0.42, 0.45, 0.50, 1.0)
_BODY: Final = (np.array([0.16, 0.42, 0.85]), np.array([1.0, 0.50, 0.18]))  # colours of the first moment and the last
_THING: Final = (np.array([0.10, 0.30, 0.28]), np.array([0.45, 0.26, 0.10]))


def render_picture(path: Path, turn: float = 0.0) -> None:
    """Draw the bodies of the scene, and the objects that are keyed beside them, at evenly spaced moments.

    The scene is changed: a floor, a camera and copies of the bodies are added.

    Args:
        path: of the .png.
        turn: radians by which the camera goes round, against the clock from above; 0 is the side that shows most.

    Raises:
        LiftError: the scene has no body.
    """
    scene = bpy.context.scene
    bodies = [o for o in scene.objects if o.type == "MESH" and o.find_armature() is not None]
    if not bodies:
        raise LiftError("There is no body to draw.", "Write the body with the armature.")
    keyed = [o for o in scene.objects if o.type == "MESH" and o not in bodies and current_curves(o) is not None]
    people = _moments(scene, bodies, _BODY)
    copies = people + _moments(scene, keyed, _THING)
    for scene_object in scene.objects:
        scene_object.hide_render = scene_object not in copies
    corners = np.concatenate([_vertices(copy) for copy in copies])
    across, towards = _directions(people)
    c, s = cos(turn), sin(turn)
    across, towards = c * across - s * towards, c * towards + s * across
    _floor(scene)
    _light(scene, across, towards)
    _camera(scene, corners, across, towards)
    _settings(scene)
    scene.render.filepath = str(path)
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)


def _moments(scene: Any, bodies: list[Any], colours: tuple[F64, F64]) -> list[Any]:
    """Still copies of the bodies, from the first moment's colour to the last's."""
    copies = []
    frames = np.unique(np.linspace(scene.frame_start, scene.frame_end, _MOMENTS).round().astype(int))
    for number, frame in enumerate(frames):
        scene.frame_set(int(frame))
        graph = bpy.context.evaluated_depsgraph_get()
        share = number / max(1, len(frames) - 1)
        material = _material(f"Moment {number}", (*((1 - share) * colours[0] + share * colours[1]), 1.0), 0.45)
        for body in bodies:
            posed = body.evaluated_get(graph)
            mesh = bpy.data.meshes.new_from_object(posed, depsgraph=graph)
            mesh.transform(posed.matrix_world)
            mesh.materials.clear()
            mesh.materials.append(material)
            copy = bpy.data.objects.new(f"{body.name} {frame}", mesh)
            scene.collection.objects.link(copy)
            copies.append(copy)
    return copies


def _vertices(scene_object: Any) -> F64:
    flat = np.empty(3 * len(scene_object.data.vertices), dtype=np.float32)
    scene_object.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _directions(copies: list[Any]) -> tuple[F64, F64]:
    """Level unit vectors: along the longest way between two moments, and from there to the camera."""
    middles = np.array([_vertices(copy).mean(0) for copy in copies])
    ways = (middles[:, None] - middles[None]) * [1.0, 1.0, 0.0]
    longest = ways.reshape(-1, 3)[np.linalg.norm(ways, axis=-1).argmax()]
    length = float(np.linalg.norm(longest))
    across = longest / length if length > 0.3 else np.array([1.0, 0.0, 0.0])
    return across, np.array([across[1], -across[0], 0.0])


def _material(name: str, colour: tuple[float, ...], roughness: float) -> Any:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"].inputs
    surface["Base Color"].default_value, surface["Roughness"].default_value = colour, roughness
    return material


def _floor(scene: Any) -> None:
    mesh = bpy.data.meshes.new("Floor")
    half_size = 60.0
    mesh.from_pydata(
        [
            (-half_size, -half_size, 0),
            (half_size, -half_size, 0),
            (half_size, half_size, 0),
            (-half_size, half_size, 0),
        ],
        [],
        [(0, 1, 2, 3)],
    )
    mesh.materials.append(_material("Floor", _FLOOR, 0.7))
    scene.collection.objects.link(bpy.data.objects.new("Floor", mesh))


def _light(scene: Any, across: F64, towards: F64) -> None:
    """A wide sun from the camera's side, and a bright sky, so that shadows begin where feet touch the floor."""
    world = bpy.data.worlds.new("Sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = _SKY
    scene.world = world
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle = 2.2, radians(3)
    lamp = bpy.data.objects.new("Sun", sun)
    from_where = Vector(0.45 * towards - 0.55 * across + np.array([0, 0, 1.0]))
    lamp.rotation_euler = from_where.to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(lamp)


def _camera(scene: Any, corners: F64, across: F64, towards: F64) -> None:
    """From a little above and aside, as near as all of the bodies allow."""
    forward = -(0.93 * towards + 0.30 * across + np.array([0, 0, 0.30]))
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    rows = np.stack([right, up, -forward])
    half = 0.5 * 36.0 / _LENS * np.array([1.0, _SIZE[1] / _SIZE[0]]) * 0.90
    low, high = corners.min(0), corners.max(0)
    centre = 0.5 * (low + high)
    for _ in range(3):  # centre what is seen, then step back until it fits
        local = (corners - centre) @ rows.T
        distance = float((np.abs(local[:, :2]) / half + local[:, 2:]).max())
        seen = local[:, :2] / (distance - local[:, 2:])
        shift = 0.5 * (seen.min(0) + seen.max(0)) * distance
        centre = centre + shift @ rows[:2]
    data = bpy.data.cameras.new("Picture")
    data.lens, data.sensor_width = _LENS, 36.0
    camera = bpy.data.objects.new("Picture", data)
    camera.matrix_world = Matrix.LocRotScale(Vector(centre - forward * distance), Matrix(rows.T.tolist()), None)
    scene.collection.objects.link(camera)
    scene.camera = camera


def _settings(scene: Any) -> None:
    """Cycles with few samples; without a denoiser in this Blender, with more of them."""
    render, cycles = scene.render, scene.cycles
    render.engine, cycles.device = "CYCLES", "CPU"
    render.resolution_x, render.resolution_y = _SIZE
    render.resolution_percentage = 100
    denoises = _try_denoising(cycles)
    cycles.samples, cycles.use_adaptive_sampling = (4 if denoises else 24), True
    cycles.max_bounces = cycles.diffuse_bounces = 1
    scene.view_settings.view_transform = "Standard"


def _try_denoising(cycles: Any) -> bool:
    try:
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:  # built without it: the choice does not exist
        cycles.use_denoising = False
        return False
    cycles.use_denoising = True
    return True
