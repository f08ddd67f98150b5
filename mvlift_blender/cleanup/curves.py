"""The motion of a lifted armature, or of a rig that a motion was retargeted to, as arrays and back."""

from __future__ import annotations

from typing import Any

import bpy

from ..motion.curves import MotionCurves
from ..retargeting.rig_cleanup import read_rig_motion, rig_record, write_rig_motion
from ..scene.motion_curves import read_bone_curves, write_bone_curves
from ..scene.units import metres_per_unit

__all__ = ["read_motion_curves", "unit_of", "write_motion_curves"]


def unit_of(armature: Any) -> float:
    """How many metres a unit is in the scene of an armature."""
    return metres_per_unit(armature.users_scene[0] if armature.users_scene else bpy.context.scene)


def read_motion_curves(armature: Any) -> MotionCurves | None:
    """The armature's present Action on all its key frames, in metres, or None when it has none.

    Of a rig that a motion was retargeted to, the parts that the motion moves.
    """
    curves = read_bone_curves(armature) if rig_record(armature) is None else read_rig_motion(armature)
    return curves.scaled(unit_of(armature)) if curves is not None else None


def write_motion_curves(armature: Any, motion: MotionCurves, what: str) -> Any:
    """Key a changed motion; returns the Action.

    Args:
        armature: the object.
        motion: on its frames, in metres.
        what: was done, for the name of a new Action.
    """
    write = write_bone_curves if rig_record(armature) is None else write_rig_motion
    return write(armature, motion.scaled(1 / unit_of(armature)), what)
