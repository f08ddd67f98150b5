"""Clean-up on retargeted rigs: their parts as the plain skeleton that clean-up works on, and back to their keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from mvlift.errors import LiftError
from numpy.typing import NDArray

from ..cleanup.skeleton import RestSkeleton
from ..scene.animation import current_curves
from ..scene.rig_data import Leg
from ..scene.rotations import conjugate, multiply
from .bone_map import RigMap, shipped_maps
from .channels import fk_channels
from .motion import Solved
from .probe import Control, Probe, as_it_was, probe
from .record import RigRecord, read_rig_record
from .retarget import all_settings
from .solve import with_root

if TYPE_CHECKING:
    from ..cleanup.thinning import Thinned
    from ..scene.motion_curves import MotionCurves

__all__ = ["read_rig_motion", "rig_legs", "rig_record", "write_rig_motion", "write_rig_thinned"]

Array = NDArray[np.float64]


def rig_record(armature: Any) -> RigRecord | None:
    """What the armature's Action remembers of a retargeting, or None."""
    curves = current_curves(armature)
    return read_rig_record(curves.action) if curves is not None else None


def _probed(armature: Any, record: RigRecord) -> Probe:
    if record.bake != "FK":
        raise LiftError("The motion is on IK controls.", "Clean the lifted armature, or retarget to FK.")
    rig = record.rig
    keys = tuple(k for k in rig.keys if k != "root" or record.root == "ROOT")
    with as_it_was(bpy.context, armature, all_settings(rig)):
        return probe(bpy.context, armature, rig, keys, ())


def _skeleton(seen: Probe, rig: RigMap) -> RestSkeleton:
    """The parts without the root bone, upright in the world, named as their bones."""
    keys = [k for k in seen.parts.keys if k != "root"]
    skip = len(seen.parts.keys) - len(keys)
    parents = tuple(max(p - skip, -1) for p in seen.parts.parents[skip:])
    axes = np.repeat(np.eye(3)[None], len(keys), axis=0)
    return RestSkeleton(tuple(rig.bones[k] for k in keys), parents, axes, seen.parts.heads[skip:])


def read_rig_motion(armature: Any, record: RigRecord) -> MotionCurves:
    """The motion of a retargeted rig's parts, in the world, metres.

    Raises:
        LiftError: its IK controls were keyed.
    """
    from ..scene.motion_curves import MotionCurves
    from .source import sample_source

    skeleton = _skeleton(_probed(armature, record), record.rig)
    motion = sample_source(bpy.context, armature, record.rig)
    rotations = motion.turns.copy()
    for j, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rotations[:, j] = multiply(conjugate(motion.turns[:, parent]), motion.turns[:, j])
    return MotionCurves(skeleton, motion.frames, rotations, motion.heads[:, 0] - skeleton.heads[0])


def write_rig_motion(armature: Any, motion: MotionCurves, what: str) -> Any:
    """Key a changed motion on the bones that the retargeting keyed; returns the Action."""
    from ..scene.motion_curves import editable_curves

    record = rig_record(armature)
    assert record is not None  # the caller has read it
    seen = _probed(armature, record)
    places, turns = motion.skeleton.forward(motion.rotations, motion.locations)
    extra = len(seen.parts.keys) - turns.shape[1]
    turns = np.concatenate([np.tile([1.0, 0, 0, 0], (len(turns), extra, 1)), turns], axis=1)
    heads = np.concatenate([np.zeros((len(turns), extra, 3)), places], axis=1)
    solved = Solved(turns, heads, 1.0, np.ones(turns.shape[1], bool))
    solved = with_root(seen.parts, solved, "ROOT" if extra else "HIPS")
    curves = editable_curves(armature, what)
    for channel in fk_channels(seen.controls, seen.parts, solved, frozenset()):
        if curves.find(channel.path) is not None:
            curves.write(channel.path, motion.frames, channel.values, group=channel.bone)
    return curves.action


def write_rig_thinned(armature: Any, motion: MotionCurves, thinned: Thinned, what: str) -> Any:
    """Key what is left of a motion as smooth curves; returns the Action.

    Pose-bone quaternions and locations are linear in the skeleton's, so that values and slopes go over alike.

    Raises:
        LiftError: a bone is not keyed as quaternions, or the path is on a root bone.
    """
    from ..scene.motion_curves import editable_curves

    record = rig_record(armature)
    assert record is not None  # the caller has read it
    seen = _probed(armature, record)
    if record.root == "ROOT" or any(c.mode != "QUATERNION" for c in seen.controls):
        raise LiftError(
            "Keys of this rig cannot be thinned out: it has Euler bones or a moving root bone.",
            "Thin out the lifted armature's keys before retargeting.",
        )
    curves = editable_curves(armature, what)
    hips, place = seen.controls[0], thinned.location
    inverse = np.linalg.pinv(hips.moves).T
    frames = motion.frames
    stem = 'pose.bones["{}"].{}'
    path = stem.format(hips.bone, "location")
    offset = (hips.head - seen.parts.heads[0]) @ inverse
    if np.abs(offset).max() > 1e-6:
        raise LiftError("The hips' control begins elsewhere than the hips.", "Thin out the lifted armature's keys.")
    curves.write(path, frames[place.rows], place.values @ inverse, group=hips.bone, slopes=place.slopes @ inverse)
    for control, kept in zip(seen.controls, thinned.rotations, strict=True):
        path = stem.format(control.bone, "rotation_quaternion")
        if curves.find(path) is not None:
            values, slopes = (_about(control, v) for v in (kept.values, kept.slopes))
            curves.write(path, frames[kept.rows], values, group=control.bone, slopes=slopes)
    return curves.action


def _about(control: Control, q: Array) -> Array:
    """(K, 4) B^-1 q B."""
    return multiply(multiply(conjugate(control.axes), q), control.axes)


def rig_legs(armature: Any, body: str, legs: tuple[Leg, ...], front: Array) -> tuple[tuple[Leg, ...], Array]:
    """The legs and the front of an armature: of a retargeted rig, with its own bones' names.

    Args:
        armature: lifted or retargeted.
        body: kind of body of the lift ("smpl", "smal").
        legs: of that body.
        front: (3,) of that body.
    """
    record = rig_record(armature)
    if record is None:
        return legs, front
    source = next(file for file in shipped_maps() if file.name == body)
    bones = {names[0]: record.rig.bones.get(key, "") for key, names in source.bones.items()}
    renamed = [
        replace(leg, **{f: bones.get(getattr(leg, f), "") for f in ("hip", "knee", "ankle", "toe")}) for leg in legs
    ]
    seen = _probed(armature, record)
    return tuple(renamed), np.cross(seen.parts.left, seen.parts.up)
