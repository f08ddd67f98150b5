"""Lift a part of a lifted motion again, and blend it into the rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.kinematics.quaternions import continuous, slerp
from mvlift.lifting.subjects import get_subject
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

from ..cleanup.curves import read_motion_curves, write_motion_curves
from ..engine.queue import LiftRequest
from ..importing.corrections import corrections_of
from ..importing.sources import clip_of_record, listed_person
from ..motion.camera_alignment import seen_by
from ..motion.curves import MotionCurves
from ..motion.doubts import find_doubts
from ..motion.limbs_mask import limb_mask
from ..motion.rig_data import bone_rotations
from ..motion.timing import resample_rotations, resample_values
from ..motion.weights import blend_weights
from ..scene.motion_curves import rest_skeleton
from ..scene.quality import replace_doubts
from ..scene.record import LiftRecord, replace_contacts
from ..scene.selected import record_of, still_there
from ..scene.write import WriteOptions
from ..settings.preferences import body_file
from .plan import lift_options

_HANDS = ("left_hand", "right_hand")
"""Joints of a body without fingers, which do not move."""
_FINGER = "left_index1"
_MARGIN = 6
"""Scene frames on either side of what was corrected that are lifted again too: the body moves as a whole."""
_SUBJECTS = {"smpl": "human", "smal": "quadruped17"}  # of lifts that do not say

__all__ = ["ReliftPlan", "corrected_frames", "plan_relift", "write_relifted"]


@dataclass(frozen=True, eq=False)
class ReliftPlan:
    """A part to lift again.

    Attributes:
        request: for the engine: the part and as much around it as is blended.
        armature: name of the one whose Action is changed.
        frames: first and last scene frame to exchange.
        blend: scene frames on either side over which old and new are mixed.
        limbs: parts of the body to exchange; none means all.
    """

    request: LiftRequest
    armature: str
    frames: tuple[int, int]
    blend: int
    limbs: frozenset[str] = frozenset()


def plan_relift(
    context: Any,
    armature: Any,
    frames: tuple[int, int],
    blend: int,
    seed: int,
    smoothing: float,
    limbs: Collection[str] = (),
) -> ReliftPlan:
    """Prepare to lift scene frames of an armature again.

    Raises:
        LiftError: the range lies outside the lift, or its keypoints are not known.
        KeypointError: the keypoints are gone.
    """
    record = record_of(armature)
    if record is None or not record.source:
        raise LiftError("The Action does not record which keypoints it was lifted from.", "Lift the clip again.")
    camera = record.camera
    if (camera.K.ndim, camera.R.ndim, camera.t.ndim) != (2, 2, 1):
        raise LiftError(
            "This clip was lifted with a moving camera.",
            "Lift the whole clip again: with a moving camera, parts cannot be lifted separately.",
        )
    first, last = _video_frames(record, (frames[0] - blend, frames[1] + blend))
    clip = clip_of_record(context.scene.mvlift, record).restricted(first, last)
    subject = get_subject(record.subject or _SUBJECTS.get(record.body, "human")).alone.name  # an object keeps its path
    options = lift_options(context.scene.mvlift, subject, record.camera.image_size, body_file(context))
    options = replace(
        options, seed=seed, smoothing=smoothing, frames=(first, last), camera=None, focal=float(record.camera.K[0, 0])
    )
    if _FINGER not in armature.data.bones:
        options = replace(options, hands="off")
    request = LiftRequest(armature.name, clip, options, record.source, record.track)
    limb_mask(rest_skeleton(armature), limbs)  # refuses parts that it does not have now
    return ReliftPlan(request, armature.name, frames, blend, frozenset(limbs))


def corrected_frames(settings: Any, armature: Any) -> tuple[int, int]:
    """The scene frames that the corrections of a lift's person reach into.

    Raises:
        LiftError: nothing was corrected, or not of the person that the armature is of.
    """
    record = record_of(armature)
    person = listed_person(settings, record.source, record.track) if record is not None else None
    if record is None or person is None:
        raise LiftError("The person of this lift is not in the list.", "Import their keypoints again.")
    extent = corrections_of(person).extent()
    if extent is None:
        raise LiftError(
            f"No keypoint of {person.name} was corrected.", "Drag keypoints to their correct positions first."
        )
    low, high = (record.timing.frame_at(number - record.first_frame) for number in extent)
    return int(np.floor(low)) - _MARGIN, int(np.ceil(high)) + _MARGIN


def _video_frames(record: LiftRecord, frames: tuple[int, int]) -> tuple[int, int]:
    """Scene frames as frame numbers of the video, inside the lift."""
    if frames[1] <= frames[0]:
        raise LiftError(
            f"Frames {frames[0]} to {frames[1]} are not a valid range.", "Give a last frame after the first."
        )
    low, high = (record.timing.sample_at(frame) for frame in frames)
    first, last = max(0, int(np.floor(low))), min(record.timing.count - 1, int(np.ceil(high)))
    if last <= first:
        begin, end = record.timing.frame_at(0), record.timing.frame_at(record.timing.count - 1)
        raise LiftError(
            f"Frames {frames[0]} to {frames[1]} are outside the lift.", f"It has frames {begin:.0f} to {end:.0f}."
        )
    return record.first_frame + first, record.first_frame + last


def write_relifted(plan: ReliftPlan, motion: LiftedMotion) -> None:
    """Exchange the range in a copy of the armature's Action.

    The new part comes from another guess at depth: its path is shifted, linearly in time, to meet the old one where
    it begins and ends.

    Raises:
        LiftError: the armature was removed, or the new motion has other joints than it.
    """
    armature = still_there(plan.armature)
    record = record_of(armature)
    old = read_motion_curves(armature)
    if record is None or old is None:
        raise LiftError(f"{plan.armature} no longer has the Action of its lift.", "Lift the clip again.")
    missing = [name for name in motion.joint_names if name not in (*old.skeleton.names, *_HANDS)]
    if missing:
        raise LiftError(f"{plan.armature} has no bone {missing[0]}.", "Lift the clip again.")
    motion = seen_by(motion, record.camera)
    samples = np.array([record.timing.sample_at(f) for f in old.frames]) - (motion.first_frame - record.first_frame)
    inside = (samples > -1e-6) & (samples < len(motion) - 1 + 1e-6)
    samples = np.clip(samples, 0, len(motion) - 1)
    weights = blend_weights(old.frames, *plan.frames, plan.blend) * inside
    rotations, locations = _resampled(old, motion, samples)
    locations = locations + _to_meet(old.locations - locations, weights)
    bones = limb_mask(old.skeleton, plan.limbs)
    mixed = slerp(old.rotations, rotations, weights[:, None] * bones)
    mixed[:, ~bones] = old.rotations[:, ~bones]
    path = old.locations + (weights * bones[old.skeleton.root_index])[:, None] * (locations - old.locations)
    action = write_motion_curves(armature, old.changed(continuous(mixed), path), "lifted again")
    replace_contacts(action, motion)
    limit = WriteOptions().most_error * float(np.hypot(*record.camera.image_size))
    doubts = find_doubts(motion, WriteOptions().least_confidence, limit)
    timing = replace(
        record.timing, count=len(motion), start=record.timing.frame_at(motion.first_frame - record.first_frame)
    )
    replace_doubts(action, doubts, timing, plan.frames)
    action["mvlift_seed"] = plan.request.options.seed


def _resampled(old: MotionCurves, motion: LiftedMotion, samples: F64) -> tuple[F64, F64]:
    """The new motion on the old one's bones (N, J, 4) and keys: rotations, and the root bone's locations (N, 3)."""
    known = [j for j, name in enumerate(old.skeleton.names) if name in motion.joint_names]
    order = [motion.joint_names.index(old.skeleton.names[j]) for j in known]
    axes = np.tile(np.eye(3), (len(motion.joint_names), 1, 1))
    axes[order] = old.skeleton.axes[known]  # in the motion's order
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (len(samples), len(old.skeleton.names), 1))  # fingers that rest
    rotations[:, known] = resample_rotations(bone_rotations(motion, axes), samples)[:, order]
    root = motion.parents.index(-1)
    places = np.asarray(motion.translation + motion.rest_joints[root], np.float64)
    # another guess at the body's size is another guess at its distance: from the camera both look the same
    eye = -np.asarray(motion.camera.R, np.float64).T @ np.asarray(motion.camera.t, np.float64)
    lengths = np.linalg.norm(motion.rest_joints[1:] - motion.rest_joints[list(motion.parents[1:])], axis=-1).sum()
    earlier = np.linalg.norm(old.skeleton.offsets[[j for j in known if j != old.skeleton.root_index]], axis=-1).sum()
    places = eye + earlier / lengths * (places - eye)
    return rotations, old.skeleton.locations_of(resample_values(places, samples))


def _to_meet(difference: F64, weights: F64) -> F64:
    """(N, 3) linear in time from the mean difference in the fade-in to that in the fade-out."""
    rows = np.arange(len(weights))
    solid = rows[weights > 0.999]
    if not len(solid):
        return np.zeros_like(difference)
    fading = (weights > 1e-6) & (weights <= 0.999)
    before, after = fading & (rows < solid[0]), fading & (rows > solid[-1])
    ends = [difference[w].mean(0) if w.any() else None for w in (before, after)]
    start = ends[0] if ends[0] is not None else ends[1]
    stop = ends[1] if ends[1] is not None else ends[0]
    if start is None or stop is None:
        return np.zeros_like(difference)
    share = np.clip((rows - solid[0]) / max(1, solid[-1] - solid[0]), 0, 1)[:, None]
    return start + share * (stop - start)
