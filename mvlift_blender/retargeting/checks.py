"""Whether a rig of the scene can be a retargeting target, with notes for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from .detect import LEAST_CONFIDENCE
from .holds import Hold, hold_notes, holds_of, silence_drivers
from .recognition.checks import problem_of
from .rig import shape_of, world_matrix
from .rig_map import RigMap
from .solve import RetargetError

__all__ = ["check_transform", "prepared", "usable"]

_SCALE: Final = 1e-3
"""Relative difference of scales along the axes from which on they are not the same."""


def usable(armature: Any, rig: RigMap, confirmed: bool = False) -> RigMap:
    """The map, if a motion can be retargeted to the rig with it.

    Args:
        armature: the rig.
        rig: its bone map.
        confirmed: a user has made or response the map: its confidence does not matter.

    Raises:
        RetargetError: the map cannot work, or its confidence is too low.
    """
    shape = shape_of(armature)
    missing = [b for k in rig.keys for b in (rig.bones[k], rig.geometry_bone(k)) if b not in shape.index]
    problem = f"it has no bone {missing[0]!r}" if missing else problem_of(shape, rig, require_all=not confirmed)
    if problem:
        raise RetargetError(f"{armature.name} cannot be moved with this bone map: {problem}.", "Correct the bone map.")
    if not confirmed and rig.confidence < LEAST_CONFIDENCE:
        raise RetargetError(
            f"{armature.name} was recognised with a confidence of only {100 * rig.confidence:.0f} %.",
            "Check its bone map in the table, save it, and use that map.",
        )
    return rig


def check_transform(armature: Any) -> None:
    """Refuse a rig whose object is scaled otherwise along its axes or sheared by a parent.

    Raises:
        RetargetError: which it is, and the remedy.
    """
    axes = world_matrix(armature)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if lengths.min() < 1e-12:
        raise RetargetError(f"{armature.name} has a scale of zero.", "Give it a scale.")
    unit = axes / lengths
    if np.abs(unit.T @ unit - np.eye(3)).max() > _SCALE:
        raise RetargetError(
            f"{armature.name} is sheared by its parent {armature.parent.name if armature.parent else ''}.",
            "Apply the parent's scale (Ctrl A), or clear the parent and keep the transform (Alt P).",
        )
    if np.ptp(lengths) > _SCALE * lengths.max():
        raise RetargetError(f"{armature.name} is scaled differently along its axes.", "Apply its scale (Ctrl A).")
    if np.linalg.det(unit) < 0:
        raise RetargetError(f"{armature.name} is mirrored by a negative scale.", "Apply its scale (Ctrl A).")


@contextmanager
def prepared(context: Any, armature: Any, rig: RigMap) -> Iterator[tuple[tuple[Hold, ...], list[str]]]:
    """The constraints that will be switched off, and notes; a rig in Rest Position is put in Pose Position.

    What was changed is put back when the block raises.

    Raises:
        RetargetError: the armature is in a mode, or has a transform, in which no motion can be put on it.
    """
    if armature.mode == "EDIT":
        raise RetargetError(f"{armature.name} is in Edit Mode.", "Leave Edit Mode (Tab).")
    animation = armature.animation_data
    if animation is not None and animation.use_tweak_mode:
        raise RetargetError(f"A strip of {armature.name} is in tweak mode.", "Leave it in the NLA editor (Tab).")
    check_transform(armature)
    notes = []
    at_rest = armature.data.pose_position == "REST"
    if at_rest:
        armature.data.pose_position = "POSE"
        context.view_layer.update()
        notes.append(f"{armature.name} was switched from Rest Position to Pose Position")
    holds = holds_of(armature, rig)
    said, muted = silence_drivers(armature, rig, holds)
    try:
        yield holds, [*notes, *hold_notes(holds), *said]
    except BaseException:
        for driver in muted:
            driver.mute = False
        if at_rest:
            armature.data.pose_position = "REST"
        raise
