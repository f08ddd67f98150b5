"""Feet and floor of a lifted armature: planting, contacts set by hand, the floor's height. Each says what it did."""

from __future__ import annotations

from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.typing import F64
from numpy.typing import NDArray

from ..motion.curves import MotionCurves
from ..motion.feet import FootOptions, planted, supports
from ..motion.floor import floor_offsets
from ..motion.rig_data import rig_data
from ..motion.soles import Soles, slide, sole_points
from ..motion.weights import blend_weights
from ..retargeting.rig_cleanup import rig_legs
from ..scene.record import write_contacts
from ..scene.selected import record_of
from .curves import write_motion_curves
from .lifted import CONTACT, LiftedArmature, read_lifted

__all__ = ["clean_feet", "feet_of", "set_contact", "snap_floor"]

Mask = NDArray[np.bool_]

_FLOOR_SECONDS = 0.5
"""Over which the floor's height is averaged before feet are planted."""


def clean_feet(armature: Any, options: FootOptions, threshold: float = CONTACT) -> str:
    """Plant the feet that rest; returns a report of the change.

    Args:
        armature: lifted.
        options: how.
        threshold: least contact probability.

    Raises:
        LiftError: the armature is not lifted, or has no legs.
    """
    lifted = read_lifted(armature)
    if options.mode == "OFF":
        return "Feet left as they were"
    curves, soles, rests = lifted.curves, *_legs_and_rests(lifted, threshold)
    before, locations = sole_points(soles, *lifted.pose), curves.locations
    if options.on_floor and rests.any():
        # a leg cannot reach a floor that the whole body floats above
        locations = locations + _upwards(curves, floor_offsets(before, rests, lifted.fps, True, _FLOOR_SECONDS))
    level = sole_points(soles, *curves.skeleton.forward(curves.rotations, locations))
    support = supports(level, rests, lifted.fps, options)
    if not support.any():
        return "No foot contact was found; nothing was changed" + (
            "" if options.mode == "ALWAYS" else ' ("Always" finds more)'
        )
    rotations, locations = planted(curves.skeleton, curves.rotations, locations, soles, support, options)
    after = sole_points(soles, *curves.skeleton.forward(rotations, locations))
    write_motion_curves(armature, curves.changed(rotations, locations), "cleaned")
    slips = [1000 * slide(points, support) for points in (before, after)]
    return f"Resting feet slipped {slips[0]:.1f} mm a frame, now {slips[1]:.1f} mm"


def feet_of(armature: Any) -> tuple[str, ...]:
    """Names of the bones of a lifted armature that carry its feet; no key is read, for it is asked with each redraw."""
    record = record_of(armature)
    if record is None:
        return ()
    rig = rig_data(record.body)
    try:
        legs, _ = rig_legs(armature, record.body, rig.legs, rig.directions["front"])
    except (KeyError, LiftError):
        return ()
    return tuple(leg.ankle for leg in legs if leg.hip and leg.knee and leg.ankle and leg.toe)


def set_contact(armature: Any, foot: str, frames: tuple[float, float], rests: bool, fade: float) -> str:
    """Say whether a foot rests in a range of frames; what was changed, as a sentence.

    Args:
        armature: lifted.
        foot: bone that carries it, one of ``feet_of``.
        frames: first and last scene frame.
        rests: or is in the air.
        fade: scene frames over which the contact comes and goes outside of the range.

    Raises:
        LiftError: the armature is not lifted, has no such foot, or the range lies outside of the lift.
    """
    lifted = read_lifted(armature)
    soles, record = lifted.soles(), lifted.record
    names = [lifted.curves.skeleton.names[j] for j in soles.ankles]
    if foot not in names:
        raise LiftError(f"{foot!r} carries no foot.", f"Choose {', '.join(names) or 'another body'}.")
    at = np.array([record.timing.frame_at(n) for n in range(record.timing.count)])
    if frames[1] < frames[0] or frames[1] < at[0] or frames[0] > at[-1]:
        raise LiftError(
            f"Frames {frames[0]:g} to {frames[1]:g} are outside the lift.",
            f"It has frames {at[0]:.0f} to {at[-1]:.0f}.",
        )
    wanted = {name for point in soles.contacts[names.index(foot)] for name in point}
    columns = [c for c, name in enumerate(record.contact_names) if name in wanted]
    if not columns:
        raise LiftError("This lift says nothing of contacts.", "Lift the clip anew.")
    weight = blend_weights(at, *frames, fade)[:, None]
    contacts = record.contacts.copy()
    contacts[:, columns] += weight * (float(rests) - contacts[:, columns])
    write_contacts(lifted.armature, contacts)
    return f"{foot} {'rests' if rests else 'is in the air'} in frames {frames[0]:g} to {frames[1]:g}"


def snap_floor(armature: Any, drift: bool, period: float, strength: float = 1.0, threshold: float = CONTACT) -> str:
    """Bring the resting feet to the floor by moving the root up or down; returns a report of the change.

    Args:
        armature: lifted.
        drift: follow a floor that rises or sinks over time; else one height for the whole motion.
        period: seconds over which such a drift is averaged.
        strength: share of the way to the floor.
        threshold: least contact probability.

    Raises:
        LiftError: the armature is not lifted, or has no legs.
    """
    lifted = read_lifted(armature)
    curves, soles, rests = lifted.curves, *_legs_and_rests(lifted, threshold)
    points = sole_points(soles, *lifted.pose)
    offsets = strength * floor_offsets(points, rests, lifted.fps, drift, period)
    moved = curves.locations + _upwards(curves, offsets)
    write_motion_curves(armature, curves.changed(locations=moved), "cleaned")
    low, high = 100 * offsets.min(), 100 * offsets.max()
    return f"Moved by {low:+.1f} cm" if high - low < 0.05 else f"Moved by {low:+.1f} to {high:+.1f} cm"


def _legs_and_rests(lifted: LiftedArmature, threshold: float) -> tuple[Soles, Mask]:
    soles = lifted.soles()
    if not soles.ankles:
        raise LiftError("MVLift does not know this body's legs.", "Clean it by hand.")
    return soles, lifted.rests(soles, threshold)


def _upwards(curves: MotionCurves, metres: F64) -> F64:
    """(T, 3) root bone location that moves it upwards in the world by (T,) metres."""
    return metres[:, None] * curves.skeleton.axes[curves.skeleton.root_index][2]
