"""The motion of a lifted armature, or of a rig that a motion was retargeted to, as arrays and back."""

from __future__ import annotations

from typing import Any

from ..motion.curves import MotionCurves
from ..retargeting.cleanable import read_rig_motion, rig_record, write_rig_motion
from ..scene.motion_curves import read_bone_curves, write_bone_curves

__all__ = ["read_motion_curves", "write_motion_curves"]


def read_motion_curves(armature: Any) -> MotionCurves | None:
    """The armature's present Action on all its key frames, or None when it has none.

    Of a rig that a motion was retargeted to, the parts that the motion moves.
    """
    return read_bone_curves(armature) if rig_record(armature) is None else read_rig_motion(armature)


def write_motion_curves(armature: Any, motion: MotionCurves, what: str) -> Any:
    """Key a changed motion; returns the Action.

    Args:
        armature: the object.
        motion: on its frames.
        what: was done, for the name of a new Action.
    """
    write = write_bone_curves if rig_record(armature) is None else write_rig_motion
    return write(armature, motion, what)
