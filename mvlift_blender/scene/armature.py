"""The armature: SMPL's joints as bones that point at their children and bend about their X axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

from ..motion.colours import side_colour
from ..motion.rig_data import BoneGeometry, bone_geometry
from .preserve import active_only

__all__ = ["new_armature", "rest_axes", "rest_heads"]


def new_armature(
    context: Any, motion: LiftedMotion, name: str, collection: Any, lift: float, metre: float = 1.0
) -> Any:
    """An armature object in rest pose, at the world's origin, facing -Y, in ``collection``.

    Args:
        motion: whose body it is.
        name: of the object and its data.
        collection: that it is linked to; it must be in the view layer.
        lift: units by which the rest body is raised to stand on the floor.
        metre: in the scene's units, which are those of the motion.
    """
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    collection.objects.link(armature)
    context.view_layer.update()
    geometry = bone_geometry(motion, lift, metre)
    with active_only(context, armature):
        bpy.ops.object.mode_set(mode="EDIT")
        _make_bones(data, motion, geometry)
        bpy.ops.object.mode_set(mode="OBJECT")
    _colour_bones(data)
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    armature.show_in_front = True
    return armature


def _make_bones(data: Any, motion: LiftedMotion, geometry: BoneGeometry) -> None:
    for j, (name, parent) in enumerate(zip(motion.joint_names, motion.parents, strict=True)):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = geometry.heads[j], geometry.tails[j]
        bone.align_roll(geometry.rolls[j])
        if parent >= 0:
            bone.parent = data.edit_bones[motion.joint_names[parent]]
            bone.use_connect = bool(np.allclose(geometry.heads[j], geometry.tails[parent], atol=1e-6))


def _colour_bones(data: Any) -> None:
    for bone in data.bones:
        colour = np.array(side_colour(bone.name))
        bone.color.palette = "CUSTOM"
        bone.color.custom.normal = colour.tolist()
        bone.color.custom.select = (0.5 + 0.5 * colour).tolist()
        bone.color.custom.active = (0.2 + 0.8 * np.sqrt(colour)).clip(0, 1).tolist()


def rest_axes(armature: Any, names: Sequence[str]) -> F64:
    """(J, 3, 3) rest axes of the named bones in armature space; columns are X, Y, Z."""
    bones = armature.data.bones
    return np.array([bones[name].matrix_local.to_3x3() for name in names], dtype=np.float64)


def rest_heads(armature: Any, names: Sequence[str]) -> F64:
    """(J, 3) rest heads of the named bones in armature space, metres."""
    bones = armature.data.bones
    return np.array([bones[name].head_local for name in names], dtype=np.float64)
