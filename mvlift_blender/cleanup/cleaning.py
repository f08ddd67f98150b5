"""Clean-up of a lifted armature: reads its curves, changes the arrays, writes them back, and says what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.kinematics.quaternions import continuous, slerp
from mvlift.typing import F64
from numpy.typing import NDArray

from ..motion.curves import MotionCurves
from ..motion.feet import FootOptions, eased, planted, supports
from ..motion.floor import floor_offsets
from ..motion.limbs import reached
from ..motion.rig_data import rig_data
from ..motion.soles import Soles, resting, slide, sole_points, soles_of
from ..motion.thinning import thin_motion
from ..motion.timing import resample_values
from ..motion.weights import any_of, blend_weights, smoothed, smoothed_rotations
from ..retargeting.rig_cleanup import ik_ends, joint_named, rig_legs, rig_record, thin_rig_keys
from ..scene.motion_curves import write_thinned
from ..scene.record import LiftRecord, write_contacts
from ..scene.selected import record_of
from .curves import read_motion_curves, unit_of, write_motion_curves

__all__ = [
    "CONTACT",
    "clean_feet",
    "feet_of",
    "hold_joints",
    "lock_joint",
    "reduce_keys",
    "set_contact",
    "smooth",
    "snap_floor",
]

Mask = NDArray[np.bool_]

CONTACT = 0.5
"""Least probability at which a sole is taken to rest."""
_SECONDS = 0.04
"""Width of the smoothing Gaussian at strength 1."""
_FLOOR_SECONDS = 0.5
"""Over which the floor's height is averaged before feet are planted."""


@dataclass(frozen=True, eq=False)
class _Lifted:
    """A lifted armature's motion with the facts of its lift."""

    armature: Any
    curves: MotionCurves
    record: LiftRecord

    @property
    def fps(self) -> float:
        return float(self.record.timing.fps)

    @property
    def bend(self) -> tuple[F64, F64]:
        """Heads (T, J, 3) and orientations (T, J, 4) of the bones."""
        return self.curves.skeleton.forward(self.curves.rotations, self.curves.locations)

    def soles(self) -> Soles:
        rig = rig_data(self.record.body)
        try:
            legs, front = rig_legs(self.armature, self.record.body, rig.legs, rig.directions["front"])
            complete_legs = [
                leg for leg in legs if leg.hip and leg.knee and leg.ankle and leg.toe
            ]  # a rig may lack some
            return soles_of(self.curves.skeleton, complete_legs, front)
        except KeyError as error:
            raise LiftError(
                f"The armature has no bone {error.args[0]!r}.", "Rename its leg bones as they were when it was lifted."
            ) from error

    def rests(self, soles: Soles, threshold: float) -> Mask:
        """(T, L, 2) which sole points the lift takes to rest, on the curves' frames."""
        timing = self.record.timing
        samples = np.clip([timing.sample_at(f) for f in self.curves.frames], 0, timing.count - 1)
        contacts = resample_values(self.record.contacts, samples)
        return resting(soles, contacts, self.record.contact_names, threshold)


def _read(armature: Any) -> _Lifted:
    curves, record = read_motion_curves(armature), record_of(armature)
    if curves is None or record is None:
        raise LiftError(f"{armature.name} no longer has the Action of its lift.", "Lift the clip again.")
    return _Lifted(armature, curves, record)


def _legs_and_rests(lifted: _Lifted, threshold: float) -> tuple[Soles, Mask]:
    soles = lifted.soles()
    if not soles.ankles:
        raise LiftError("MVLift does not know this body's legs.", "Clean it by hand.")
    return soles, lifted.rests(soles, threshold)


def _upwards(curves: MotionCurves, metres: F64) -> F64:
    """(T, 3) root bone location that moves it upwards in the world by (T,) metres."""
    return metres[:, None] * curves.skeleton.axes[curves.skeleton.root_index][2]


def clean_feet(armature: Any, options: FootOptions, threshold: float = CONTACT) -> str:
    """Plant the feet that rest; returns a report of the change.

    Args:
        armature: lifted.
        options: how.
        threshold: least contact probability.

    Raises:
        LiftError: the armature is not lifted, or has no legs.
    """
    lifted = _read(armature)
    if options.mode == "OFF":
        return "Feet left as they were"
    curves, soles, rests = lifted.curves, *_legs_and_rests(lifted, threshold)
    before, locations = sole_points(soles, *lifted.bend), curves.locations
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
    lifted = _read(armature)
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
    lifted = _read(armature)
    curves, soles, rests = lifted.curves, *_legs_and_rests(lifted, threshold)
    points = sole_points(soles, *lifted.bend)
    offsets = strength * floor_offsets(points, rests, lifted.fps, drift, period)
    moved = curves.locations + _upwards(curves, offsets)
    write_motion_curves(armature, curves.changed(locations=moved), "cleaned")
    low, high = 100 * offsets.min(), 100 * offsets.max()
    return f"Moved by {low:+.1f} cm" if high - low < 0.05 else f"Moved by {low:+.1f} to {high:+.1f} cm"


def smooth(
    armature: Any, strength: float, joints: Sequence[str] = (), path: bool = True, keep_feet: bool = True
) -> str:
    """Smooth in time; returns a report of the change.

    Args:
        armature: lifted.
        strength: 1 is a Gaussian of 0.04 s; 0 changes nothing.
        joints: bones to smooth; none means all.
        path: smooth the root's path too.
        keep_feet: resting feet stay where they were.

    Raises:
        LiftError: the armature is not lifted, or lacks a bone.
    """
    lifted = _read(armature)
    curves, skeleton = lifted.curves, lifted.curves.skeleton
    sigma = _SECONDS * strength * lifted.fps
    which = _bones(armature, curves, joints) if joints else list(range(len(skeleton.names)))
    rotations, locations = curves.rotations.copy(), curves.locations
    rotations[:, which] = smoothed_rotations(rotations[:, which], sigma)
    if path:
        locations = smoothed(locations, sigma)
    if keep_feet and rig_data(lifted.record.body).legs:
        rotations = _feet_kept(lifted, rotations, locations)
    before, after = lifted.bend[0], skeleton.forward(rotations, locations)[0]
    write_motion_curves(armature, curves.changed(continuous(rotations), locations), "cleaned")
    return f"Joints moved by {1000 * np.linalg.norm(after - before, axis=-1).mean():.1f} mm on average"


def _feet_kept(lifted: _Lifted, rotations: F64, locations: F64) -> F64:
    """Smoothed rotations with the resting feet back where they were."""
    soles, skeleton = lifted.soles(), lifted.curves.skeleton
    rests, before = any_of(lifted.rests(soles, CONTACT), 2), lifted.bend[0]
    for leg, ankle in enumerate(soles.ankles):
        if not rests[:, leg].any():
            continue
        after = skeleton.forward(rotations, locations)[0][:, ankle]
        move = np.where(rests[:, leg, None], before[:, ankle] - after, 0.0)
        rotations = reached(skeleton, rotations, locations, ankle, after + eased(move, rests[:, leg], blend=3))
    return rotations


def reduce_keys(armature: Any, bound: float) -> str:
    """Thin the keys out so that no joint moves by more than a bound in any frame; returns a report of the change.

    Args:
        armature: lifted.
        bound: metres.

    Raises:
        LiftError: the armature is not lifted.
    """
    unit = unit_of(armature)
    curves = _read(armature).curves
    if rig_record(armature) is not None:
        share, error = thin_rig_keys(armature, bound / unit, "cleaned")
        error *= unit
    else:
        thinned = thin_motion(curves.skeleton, curves.frames, continuous(curves.rotations), curves.locations, bound)
        write_thinned(armature, curves, thinned, "cleaned", unit)
        share, error = thinned.keys / max(1, len(curves.frames) * (len(curves.skeleton.names) + 1)), thinned.error
    return f"{100 * share:.0f} % of the keys are left; no joint is off by more than {1000 * error:.1f} mm"


def hold_joints(armature: Any, joints: Sequence[str], at: float, frames: tuple[float, float], blend: float) -> str:
    """Hold joints' rotations as they are in one frame; returns a report of the change.

    Args:
        armature: lifted.
        joints: bones.
        at: scene frame whose rotations are held.
        frames: first and last scene frame to hold them in.
        blend: frames over which they come and go.

    Raises:
        LiftError: the armature is not lifted, or lacks a bone.
    """
    lifted = _read(armature)
    curves = lifted.curves
    which = _bones(armature, curves, joints)
    row = int(np.abs(curves.frames - at).argmin())
    rotations = curves.rotations.copy()
    weight = blend_weights(curves.frames, *frames, blend)
    held = np.broadcast_to(rotations[row, which], (len(curves.frames), len(which), 4))
    rotations[:, which] = slerp(rotations[:, which], held, np.broadcast_to(weight[:, None], held.shape[:2]))
    _hold_in_world(armature, lifted, which, row, weight, rotations)
    write_motion_curves(armature, curves.changed(continuous(rotations)), "cleaned")
    return f"{', '.join(joints)} held as in frame {curves.frames[row]:g}"


def _hold_in_world(armature: Any, lifted: _Lifted, which: Sequence[int], row: int, weight: F64, rotations: F64) -> None:
    """Hold the ends of limbs whose IK control is keyed by their orientation in the world: the control's own."""
    skeleton = lifted.curves.skeleton
    for j in {skeleton.names.index(name) for name in ik_ends(armature).values()} & set(which):
        turns = skeleton.forward(rotations, lifted.curves.locations)[1]
        control_turns = lifted.bend[1][:, j]
        turned = slerp(control_turns, np.broadcast_to(control_turns[row], control_turns.shape), weight)
        rotations[:, j] = skeleton.local(j, turned, turns[:, skeleton.parents[j]])


def lock_joint(
    armature: Any, joint: str, at: float, frames: tuple[float, float], blend: float, keep_turn: bool = True
) -> str:
    """Keep a hand, foot or other end of two bones in one place of the world; returns a report of the change.

    Args:
        armature: lifted.
        joint: bone with two bones above it, which bend; for the toes of a leg whose foot keeps its orientation, those
            above the foot.
        at: scene frame whose place is kept.
        frames: first and last scene frame to keep it in.
        blend: frames over which it comes and goes.
        keep_turn: the joint's orientation in the world stays what it was in each frame.

    Raises:
        LiftError: the armature is not lifted, lacks the bone, or has no two bones above it.
    """
    lifted = _read(armature)
    curves, skeleton = lifted.curves, lifted.curves.skeleton
    index = _bones(armature, curves, [joint])[0]
    row = int(np.abs(curves.frames - at).argmin())
    places = lifted.bend[0][:, index]
    weight = blend_weights(curves.frames, *frames, blend)[:, None]
    targets = places + weight * (places[row] - places)
    bent = _ankle_of(lifted, index) if keep_turn else index
    goals = targets - places + lifted.bend[0][:, bent]
    try:
        rotations = reached(skeleton, curves.rotations, curves.locations, bent, goals, keep_turn)
    except ValueError as error:
        raise LiftError(f"{error}.", "Choose a wrist, a hand, an ankle or a foot.") from error
    off = np.linalg.norm(skeleton.forward(rotations, curves.locations)[0][:, index] - targets, axis=-1)
    write_motion_curves(armature, curves.changed(rotations), "cleaned")
    warning = f"; out of reach by up to {100 * off.max():.0f} cm" if off.max() > 0.01 else ""
    return f"{joint} locked where it is in frame {curves.frames[row]:g}{warning}"


def _ankle_of(lifted: _Lifted, joint: int) -> int:
    """The joint above the toes of a leg: the whole leg moves them. Any other joint as it is."""
    rig, skeleton = rig_data(lifted.record.body), lifted.curves.skeleton
    legs, _ = rig_legs(lifted.armature, lifted.record.body, rig.legs, rig.directions["front"])
    return skeleton.parents[joint] if skeleton.names[joint] in {leg.toe for leg in legs} else joint


def _bones(armature: Any, curves: MotionCurves, joints: Sequence[str]) -> list[int]:
    if not joints:
        raise LiftError("No joint is selected.", "Choose one here, or select bones in Pose Mode.")
    names = [joint_named(armature, name) for name in joints]
    missing = [bone for bone, name in zip(joints, names, strict=True) if name not in curves.skeleton.names]
    if missing:
        raise LiftError(f"{missing[0]!r} is not a bone of the lifted motion.", "Choose another one.")
    return list(dict.fromkeys(curves.skeleton.names.index(name) for name in names))
