"""Sampling a source armature: turns and places of its parts in the world, over the keys of its Action."""

from __future__ import annotations

from typing import Any

import numpy as np
from mvlift.kinematics.quaternions import conjugate, continuous, from_matrix, multiply, rotate
from numpy.typing import NDArray

from ..scene.animation import Curves, current_curves
from ..scene.keyframes import location_path, rotation_path
from ..scene.motion_curves import read_bone_curves
from .motion import SourceMotion
from .rig import rest_parts, world_matrix
from .rig_map import RigMap
from .solve import RetargetError

__all__ = ["sample_source"]

Array = NDArray[np.float64]


def sample_source(context: Any, armature: Any, rig: RigMap) -> SourceMotion:
    """What an armature does under its present Action.

    Args:
        context: its scene is stepped through when the animation is more than plain keys, and put back.
        armature: the source.
        rig: its bone map.

    Raises:
        RetargetError: it has no Action.
    """
    curves = current_curves(armature)
    if curves is None or not len(list(curves)):
        raise RetargetError(f"{armature.name} has no animation.", "Choose an armature with an Action.")
    keys = tuple(k for k in rig.keys if k != "root")
    if _is_plain(armature, curves):
        return _from_keys(armature, rig, keys)
    return _from_scene(context, armature, rig, keys, curves)


def _is_plain(armature: Any, curves: Curves) -> bool:
    """Whether quaternion keys and one root's path say all: then nothing needs to be evaluated by Blender."""
    bones = armature.pose.bones
    if any(len(bone.constraints) for bone in bones) or armature.constraints:
        return False
    root = next(bone.name for bone in bones if bone.parent is None)
    known = {rotation_path(bone.name) for bone in bones if bone.rotation_mode == "QUATERNION"} | {location_path(root)}
    inherit = all(bone.bone.use_inherit_rotation and bone.bone.use_local_location for bone in bones)
    return inherit and all(curve.data_path in known or curve.data_path.startswith("[") for curve in curves)


def _from_keys(armature: Any, rig: RigMap, keys: tuple[str, ...]) -> SourceMotion:
    motion = read_bone_curves(armature)
    assert motion is not None  # there are curves
    places, turns = motion.skeleton.forward(motion.rotations, motion.locations)
    matrix = world_matrix(armature)
    scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
    world = from_matrix(matrix[:3, :3] / scale)
    columns = [motion.skeleton.names.index(rig.geometry_bone(k)) for k in keys]
    delta = multiply(turns[:, columns], conjugate(motion.skeleton.rest[columns]))
    delta = multiply(multiply(world, delta), conjugate(world))
    heads = scale * rotate(world, places[:, columns]) + matrix[:3, 3]
    return SourceMotion(rest_parts(armature, rig, keys), motion.frames, continuous(delta), heads)


def _from_scene(context: Any, armature: Any, rig: RigMap, keys: tuple[str, ...], curves: Curves) -> SourceMotion:
    """Step through the scene and look where the bones are."""
    scene = context.scene
    points = [np.array([k.co[0] for k in curve.keyframe_points]) for curve in curves]
    first, last = min(p.min() for p in points if len(p)), max(p.max() for p in points if len(p))
    frames = np.arange(np.ceil(first), np.floor(last) + 1)
    frames = frames if len(frames) else np.array([first])
    names = [rig.geometry_bone(k) for k in keys]
    matrices = np.empty((len(frames), len(keys), 4, 4))
    before = (scene.frame_current, scene.frame_subframe)
    try:
        for t, frame in enumerate(frames):
            scene.frame_set(int(frame), subframe=float(frame - int(frame)))
            posed = armature.evaluated_get(context.evaluated_depsgraph_get())
            matrices[t] = [posed.matrix_world @ posed.pose.bones[n].matrix for n in names]
    finally:
        scene.frame_set(before[0], subframe=before[1])
    rest = rest_parts(armature, rig, keys)
    world = world_matrix(armature)
    axes = np.array([world @ np.array(armature.data.bones[n].matrix_local) for n in names])[:, :3, :3]
    delta = multiply(from_matrix(_unit(matrices[..., :3, :3])), conjugate(from_matrix(_unit(axes))))
    return SourceMotion(rest, frames, continuous(delta), matrices[..., :3, 3])


def _unit(axes: Array) -> Array:
    return axes / np.linalg.norm(axes, axis=-2, keepdims=True)
