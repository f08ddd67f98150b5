"""Repairs of single parts, and the strength of a clean-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mvlift.errors import LiftError
from mvlift.kinematics.quaternions import continuous, slerp
from mvlift.typing import F64

from ..retargeting.rig_cleanup import rig_record
from ..scene.animation import current_curves
from ..scene.kept_keys import remember_keys
from ..scene.keyframes import location_path, rotation_path
from ..scene.motion_curves import FULL, LIFTED, read_bone_curves
from .curves import read_motion_curves, write_motion_curves

__all__ = ["can_mix", "interpolate", "mix"]


def interpolate(armature: Any, frames: tuple[float, float], joints: Sequence[str] = ()) -> str:
    """Replace a part by interpolation between the poses before and after it; returns a report of the change.

    Joints are interpolated spherically; the root's path is a cubic with the speed on either side.

    Args:
        armature: lifted or retargeted.
        frames: first and last scene frame to replace.
        joints: bones; none means all, with the path.

    Raises:
        LiftError: nothing is keyed, nothing lies before or after the part, or a bone is not there.
    """
    curves = read_motion_curves(armature)
    if curves is None:
        raise LiftError(f"{armature.name} has no keys.", "Choose a lifted armature.")
    missing = [name for name in joints if name not in curves.skeleton.names]
    if missing:
        raise LiftError(f"{missing[0]!r} is not a bone of the lifted motion.", "Choose another one.")
    rows = np.flatnonzero((curves.frames >= frames[0]) & (curves.frames <= frames[1]))
    if not len(rows) or rows[0] == 0 or rows[-1] == len(curves.frames) - 1:
        raise LiftError(
            f"Frames {frames[0]:g} to {frames[1]:g} cannot be bridged: nothing lies before or after them.",
            "Choose a part inside the motion.",
        )
    a, b = rows[0] - 1, rows[-1] + 1
    share = (curves.frames[rows] - curves.frames[a]) / (curves.frames[b] - curves.frames[a])
    which = [curves.skeleton.names.index(n) for n in joints] or list(range(len(curves.skeleton.names)))
    rotations, locations = curves.rotations.copy(), curves.locations.copy()
    start, end = (np.broadcast_to(rotations[i, which], (len(rows), len(which), 4)) for i in (a, b))
    even = np.broadcast_to(share[:, None], (len(rows), len(which)))
    rotations[np.ix_(rows, np.array(which))] = slerp(start, end, even)
    if not joints:
        locations[rows] = _bridge(curves.frames, curves.locations, (int(a), int(b)), share)
    write_motion_curves(armature, curves.changed(continuous(rotations), locations), "cleaned")
    return f"Frames {curves.frames[rows[0]]:g} to {curves.frames[rows[-1]]:g} bridged"


def _bridge(frames: F64, values: F64, ends: tuple[int, int], share: F64) -> F64:
    """(N, 3) the cubic from row to row with the slopes that the curve has outside of them."""
    a, b = ends
    length = frames[b] - frames[a]
    before = (values[a] - values[a - 1]) / (frames[a] - frames[a - 1]) if a > 0 else np.zeros(3)
    after = (values[b + 1] - values[b]) / (frames[b + 1] - frames[b]) if b + 1 < len(frames) else np.zeros(3)
    t = share[:, None]
    s = 1 - t
    ease = values[a] * (1 + 2 * t) * s * s + values[b] * t * t * (3 - 2 * t)
    return np.asarray(ease + length * (before * t * s * s - after * t * t * s))


def can_mix(armature: Any) -> bool:
    """Whether a lifted armature was cleaned, and its motion as it was lifted is still in the file."""
    curves = current_curves(armature)
    return (
        curves is not None
        and rig_record(armature) is None
        and bpy.data.actions.get(curves.action.get(LIFTED, "")) is not None
    )


def mix(armature: Any, strength: float) -> str:
    """Show a share of the clean-up: 0 as it was lifted, 1 as it was cleaned; returns a report.

    The cleaned motion is kept in an Action of its own the first time, so that the strength can be changed later.

    Args:
        armature: lifted and cleaned.
        strength: from 0 to 1.

    Raises:
        LiftError: it was not cleaned, or the motion as it was lifted is gone.
    """
    if not can_mix(armature):
        raise LiftError("There is no clean-up to blend with the lifted motion.", "Clean the motion first.")
    curves = current_curves(armature)
    assert curves is not None  # can_mix has looked
    action = curves.action
    full = bpy.data.actions.get(action.get(FULL, ""))
    if full is None:
        full = action.copy()
        full.name, full.use_fake_user = f"{action.name} full", True
        action[FULL] = full.name
    old = read_bone_curves(armature, bpy.data.actions[action[LIFTED]])
    new = read_bone_curves(armature, full)
    assert old is not None
    assert new is not None  # both hold what the armature was lifted and cleaned to
    rows = [int(np.abs(old.frames - frame).argmin()) for frame in new.frames]
    share = np.full(new.rotations.shape[:2], float(strength))
    rotations = continuous(slerp(old.rotations[rows], new.rotations, share))
    locations = old.locations[rows] + strength * (new.locations - old.locations[rows])
    root = new.skeleton.root
    curves.write(location_path(root), new.frames, locations, group=root)
    for j, name in enumerate(new.skeleton.names):
        curves.write(rotation_path(name), new.frames, rotations[:, j], group=name)
    remember_keys(armature, new.skeleton)
    return f"{100 * strength:.0f} % of the clean-up"
