"""A picture of a lift: some moments of the motion side by side on a floor, as one photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix, Vector
from mvlift.errors import LiftError
from numpy.typing import NDArray

__all__ = ["render_picture"]

Array = NDArray[np.float64]

_MOMENTS: Final = 6
_SIZE: Final = (1280, 640)
_SAMPLES: Final = 24
_LENS: Final = 50.0  # millimetres
_FLOOR: Final = (0.34, 0.36, 0.39, 1.0)
_SKY: Final = (0.62, 0.68, 0.76, 1.0)
_FIRST: Final = np.array([0.10, 0.30, 0.62])  # colour of the first moment, and of the last
_LAST: Final = np.array([0.95, 0.42, 0.12])


def render_picture(path: Path) -> None:
    """Draw the bodies of the scene at evenly spaced moments with Cycles, which needs no graphics card.

    The scene is changed: lights, floor, camera and copies of the bodies are added.

    Raises:
        LiftError: the scene has no body.
    """
    scene = bpy.context.scene
    bodies = [o for o in scene.objects if o.type == "MESH" and o.find_armature() is not None]
    if not bodies:
        raise LiftError("There is no body to draw.", "Write the body with the armature.")
    copies = _moments(scene, bodies)
    for thing in scene.objects:
        thing.hide_render = thing not in copies
    corners = np.concatenate([_vertices(copy) for copy in copies])
    across, towards = _directions(copies)
    _floor(scene)
    _lights(scene, corners.mean(0), towards)
    _camera(scene, corners, across, towards)
    _cycles(scene)
    scene.render.filepath = str(path)
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)


def _moments(scene: Any, bodies: list[Any]) -> list[Any]:
    """Still copies of the bodies, from the first moment's colour to the last's."""
    copies = []
    frames = np.unique(np.linspace(scene.frame_start, scene.frame_end, _MOMENTS).round().astype(int))
    for number, frame in enumerate(frames):
        scene.frame_set(int(frame))
        graph = bpy.context.evaluated_depsgraph_get()
        share = number / max(1, len(frames) - 1)
        material = _material(f"Moment {number}", (*((1 - share) * _FIRST + share * _LAST), 1.0), 0.45)
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


def _vertices(thing: Any) -> Array:
    flat = np.empty(3 * len(thing.data.vertices), dtype=np.float32)
    thing.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _directions(copies: list[Any]) -> tuple[Array, Array]:
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
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = roughness
    return material


def _floor(scene: Any) -> None:
    mesh = bpy.data.meshes.new("Floor")
    far = 60.0
    mesh.from_pydata([(-far, -far, 0), (far, -far, 0), (far, far, 0), (-far, far, 0)], [], [(0, 1, 2, 3)])
    mesh.materials.append(_material("Floor", _FLOOR, 0.7))
    scene.collection.objects.link(bpy.data.objects.new("Floor", mesh))


def _lights(scene: Any, middle: Array, towards: Array) -> None:
    """A sun behind the camera's shoulder, and a bright sky."""
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle = 3.2, 0.12
    lamp = bpy.data.objects.new("Sun", sun)
    side = np.array([towards[1], -towards[0], 0.0])
    away = Vector(-(1.0 * towards + 0.9 * side + np.array([0, 0, 1.9])))
    lamp.rotation_euler = away.to_track_quat("-Z", "Y").to_euler()
    lamp.location = Vector(middle - 5 * np.array(away))
    scene.collection.objects.link(lamp)
    world = bpy.data.worlds.new("Sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = _SKY
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.75
    scene.world = world


def _camera(scene: Any, corners: Array, across: Array, towards: Array) -> None:
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


def _cycles(scene: Any) -> None:
    import addon_utils

    if not addon_utils.check("cycles")[1]:
        addon_utils.enable("cycles")
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = _SIZE
    render.resolution_percentage = 100
    scene.cycles.device, scene.cycles.samples = "CPU", _SAMPLES
    scene.view_settings.view_transform = "Standard"
    # some distributions build Cycles without the denoiser
    with_denoiser = "OPENIMAGEDENOISE" in scene.cycles.bl_rna.properties["denoiser"].enum_items
    scene.cycles.use_denoising = with_denoiser
    if not with_denoiser:
        scene.cycles.samples = 4 * _SAMPLES
