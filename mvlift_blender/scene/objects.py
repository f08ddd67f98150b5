"""Objects that move with a person: keyed objects of the user's own, or boxes of the object's size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import bpy
import numpy as np
from mvlift.errors import LiftError
from mvlift.kinematics.quaternions import continuous
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.motion import ObjectMotion
from mvlift.typing import F64

from ..motion.timing import Timing, resample_rotations, resample_values
from .animation import Curves, new_curves

__all__ = ["key_object", "new_object", "put_back_on_failure", "shape_of_object"]

_FACES: Final = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
"""Of a box whose corner 4 i + 2 j + k lies at the low (0) or high (1) end of x (i), y (j) and z (k)."""
_CORNERS: Final = tuple(f"object_corner_{i}" for i in range(8))
_SAME: Final = 1e-3
"""Relative difference of sizes that is none."""


def _named_vertices(target: Any) -> dict[str, F64]:
    """Mean of each vertex group, in the object's own frame."""
    places: dict[int, list[F64]] = {}
    if target.type == "MESH":
        for vertex in target.data.vertices:
            for entry in vertex.groups:
                if entry.weight > 0:
                    places.setdefault(entry.group, []).append(np.array(vertex.co))
    return {g.name: np.mean(places[g.index], axis=0) for g in target.vertex_groups if g.index in places}


def _box_corners(target: Any) -> dict[str, F64]:
    bounds = np.array([tuple(c) for c in target.bound_box])
    low, high = bounds.min(0), bounds.max(0)
    bits = [np.array([i >> 2 & 1, i >> 1 & 1, i & 1], dtype=bool) for i in range(8)]
    return {name: np.where(pick, high, low) for name, pick in zip(_CORNERS, bits, strict=True)}


def shape_of_object(target: Any, names: tuple[str, ...] = (), known: bool = True, unit: float = 1.0) -> ObjectShape:
    """The keypoints of an object of the scene, in its own frame at its present scale.

    A mesh with four or more vertex groups names its keypoints by them (each is the mean of its vertices); another
    object has the corners of its bounding box.

    Args:
        target: of the scene.
        names: the keypoints that the subject wants; () takes those of the object.
        known: its size is that of the real object; False finds its size by the video.
        unit: length of the scene's unit in the units of the shape.

    Raises:
        LiftError: the object has a parent, is flat, or lacks the keypoints.
    """
    from mvlift.keypoints.naming import keypoint_name

    if target.parent is not None:
        raise LiftError(
            f"{target.name} has a parent.",
            "Clear the parent (Alt+P, Keep Transformation), or choose the parent object.",
        )
    groups = {keypoint_name(n): p for n, p in _named_vertices(target).items()}
    wanted = set(names) if names else set(groups)
    named = len(wanted) >= 4 and wanted <= set(groups)
    points = {n: groups[n] for n in names or groups} if named else _box_corners(target)
    if names and set(points) != set(names):
        raise LiftError(
            f"{target.name} has no vertex groups {', '.join(names[:4])}.", "Name them like the file's keypoints."
        )
    array = np.array(list(points.values())) * np.abs(np.array(target.scale)) * unit
    if np.ptp(array, axis=0).min() < 1e-4 * unit and not named:
        raise LiftError(f"{target.name} has no extent.", "Choose a mesh, or an empty of the object's size.")
    size = np.ones(3) if known else None
    return ObjectShape(target.name, tuple(points), array, "box" if not known and not named else "points", size)


def _key(curves: Curves, motion: ObjectMotion, timing: Timing) -> None:
    positions = resample_values(np.asarray(motion.position, dtype=np.float64), timing.samples)
    rotations = resample_rotations(continuous(np.asarray(motion.rotation, dtype=np.float64)), timing.samples)
    curves.write("location", timing.frames, positions, group="Object Transforms")
    curves.write("rotation_quaternion", timing.frames, rotations, group="Object Transforms")


def key_object(target: Any, motion: ObjectMotion, timing: Timing) -> Any:
    """Key an object of the scene along the lifted path, in a new Action; the one it had stays in the file.

    Args:
        target: the object that ``shape_of_object`` was asked about.
        motion: positions (T, 3), rotations (T, 4) in the world; its points are those of the shape.
        timing: where the samples lie in the scene.
    """
    shape = shape_of_object(target, motion.point_names)
    extent, now = np.ptp(np.asarray(motion.points, np.float64), axis=0), np.ptp(shape.points, axis=0)
    factor = np.where(now > 1e-6, extent / np.maximum(now, 1e-6), 1.0)
    if np.abs(factor - 1).max() > _SAME:
        target.scale = tuple(np.array(target.scale) * factor)
    target.rotation_mode = "QUATERNION"
    target.delta_location, target.delta_rotation_quaternion = (0, 0, 0), (1, 0, 0, 0)
    before = target.animation_data.action if target.animation_data is not None else None
    if before is not None:
        before.use_fake_user = True
    _key(new_curves(target, f"{target.name} lifted"), motion, timing)
    return target


@contextmanager
def put_back_on_failure(target: Any | None) -> Iterator[None]:
    """When the block raises, an object of the scene is as before."""
    if target is None:
        yield
        return
    names = ("location", "rotation_quaternion", "scale", "delta_location", "delta_rotation_quaternion")
    values = {name: tuple(getattr(target, name)) for name in names}
    mode, data = target.rotation_mode, target.animation_data
    action = data.action if data is not None else None
    slot = getattr(data, "action_slot", None)
    fake = action.use_fake_user if action is not None else False
    try:
        yield
    except BaseException:
        if target.animation_data is not None:
            target.animation_data.action = action
            if slot is not None:
                target.animation_data.action_slot = slot
        if data is None:
            target.animation_data_clear()
        if action is not None:
            action.use_fake_user = fake
        target.rotation_mode = mode
        for name, value in values.items():
            setattr(target, name, value)
        raise


def new_object(motion: ObjectMotion, timing: Timing, collection: Any, metre: float = 1.0) -> Any:
    """A box of the object's size, or an empty for an object of other keypoints, keyed along its path.

    Its keypoints are empties that are parented to it. Parent your own model to it too.

    Args:
        motion: positions (T, 3), rotations (T, 4) in the world.
        timing: where the samples lie in the scene.
        collection: that it is linked to.
        metre: in the scene's units, which are those of the motion.
    """
    box = motion.point_names == _CORNERS
    mesh = None
    if box:
        mesh = bpy.data.meshes.new(motion.name)
        mesh.from_pydata(np.asarray(motion.points, np.float64).tolist(), [], _FACES)
    target = bpy.data.objects.new(motion.name, mesh)
    if not box:
        target.empty_display_type = "CUBE"
        target.empty_display_size = 0.5 * float(np.max(motion.size))
    target.rotation_mode = "QUATERNION"
    collection.objects.link(target)
    _key(new_curves(target, f"{motion.name} lifted"), motion, timing)
    for name, point in zip(motion.point_names, motion.points, strict=True):
        child = bpy.data.objects.new(f"{motion.name} {name}", None)
        child.empty_display_type, child.empty_display_size = "SPHERE", 0.02 * metre
        child.parent, child.location = target, point.tolist()
        collection.objects.link(child)
    return target
