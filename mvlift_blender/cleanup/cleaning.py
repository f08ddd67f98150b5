"""Smoothing, thinning, holding and locking of a lifted armature's motion; each says what it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.kinematics.quaternions import continuous, slerp
from mvlift.typing import F64

from ..motion.curves import MotionCurves
from ..motion.feet import eased
from ..motion.limbs import reached
from ..motion.rig_data import rig_data
from ..motion.thinning import thin_motion
from ..motion.weights import any_of, blend_weights, smoothed, smoothed_rotations
from ..retargeting.rig_cleanup import ik_ends, joint_named, rig_legs, rig_record, thin_rig_keys
from ..scene.motion_curves import write_thinned
from .curves import unit_of, write_motion_curves
from .lifted import CONTACT, LiftedArmature, read_lifted

__all__ = [
    "hold_joints",
    "lock_joint",
    "reduce_keys",
    "smooth",
]

_SECONDS = 0.04
"""Width of the smoothing Gaussian at strength 1."""


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
    lifted = read_lifted(armature)
    curves, skeleton = lifted.curves, lifted.curves.skeleton
    sigma = _SECONDS * strength * lifted.fps
    which = _bones(armature, curves, joints) if joints else list(range(len(skeleton.names)))
    rotations, locations = curves.rotations.copy(), curves.locations
    rotations[:, which] = smoothed_rotations(rotations[:, which], sigma)
    if path:
        locations = smoothed(locations, sigma)
    if keep_feet and rig_data(lifted.record.body).legs:
        rotations = _feet_kept(lifted, rotations, locations)
    before, after = lifted.pose[0], skeleton.forward(rotations, locations)[0]
    write_motion_curves(armature, curves.changed(continuous(rotations), locations), "cleaned")
    return f"Joints moved by {1000 * np.linalg.norm(after - before, axis=-1).mean():.1f} mm on average"


def _feet_kept(lifted: LiftedArmature, rotations: F64, locations: F64) -> F64:
    """Smoothed rotations with the resting feet back where they were."""
    soles, skeleton = lifted.soles(), lifted.curves.skeleton
    rests, before = any_of(lifted.rests(soles, CONTACT), 2), lifted.pose[0]
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
    curves = read_lifted(armature).curves
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
    lifted = read_lifted(armature)
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


def _hold_in_world(
    armature: Any, lifted: LiftedArmature, which: Sequence[int], row: int, weight: F64, rotations: F64
) -> None:
    """Hold the ends of limbs whose IK control is keyed by their orientation in the world: the control's own."""
    skeleton = lifted.curves.skeleton
    for j in {skeleton.names.index(name) for name in ik_ends(armature).values()} & set(which):
        turns = skeleton.forward(rotations, lifted.curves.locations)[1]
        control_turns = lifted.pose[1][:, j]
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
    lifted = read_lifted(armature)
    curves, skeleton = lifted.curves, lifted.curves.skeleton
    index = _bones(armature, curves, [joint])[0]
    row = int(np.abs(curves.frames - at).argmin())
    places = lifted.pose[0][:, index]
    weight = blend_weights(curves.frames, *frames, blend)[:, None]
    targets = places + weight * (places[row] - places)
    bent = _ankle_of(lifted, index) if keep_turn else index
    goals = targets - places + lifted.pose[0][:, bent]
    try:
        rotations = reached(skeleton, curves.rotations, curves.locations, bent, goals, keep_turn)
    except ValueError as error:
        raise LiftError(f"{error}.", "Choose a wrist, a hand, an ankle or a foot.") from error
    off = np.linalg.norm(skeleton.forward(rotations, curves.locations)[0][:, index] - targets, axis=-1)
    write_motion_curves(armature, curves.changed(rotations), "cleaned")
    warning = f"; out of reach by up to {100 * off.max():.0f} cm" if off.max() > 0.01 else ""
    return f"{joint} locked where it is in frame {curves.frames[row]:g}{warning}"


def _ankle_of(lifted: LiftedArmature, joint: int) -> int:
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
