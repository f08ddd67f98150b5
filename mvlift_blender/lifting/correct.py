"""Lift again with poses: what the user has posed, kept and pinned becomes constraints of the engine's fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.quaternions import continuous, slerp
from mvlift.lifting.constraints import Constraints, PinConstraint, PoseConstraint
from mvlift.lifting.options import LiftOptions
from mvlift.lifting.subjects import get_subject
from mvlift.motion import Camera, LiftedMotion
from mvlift.typing import F64
from numpy.typing import NDArray

from ..cleanup.curves import read_motion_curves, unit_of, write_motion_curves
from ..engine.queue import LiftRequest
from ..exchange.motion_of import motion_of
from ..importing.sources import clip_of_record
from ..motion.curves import MotionCurves
from ..motion.rig_data import bone_rotations
from ..motion.timing import resample_values
from ..scene.animation import current_curves, selected_bones
from ..scene.frame_rate import scene_fps
from ..scene.kept_keys import ChangedKeys, changed_keys
from ..scene.keyframes import location_path, rotation_path
from ..scene.motion_curves import editable_curves
from ..scene.pins import pin_places, pins_of
from ..scene.record import LiftRecord
from ..scene.selected import record_of, still_there
from ..settings.preferences import body_file

__all__ = ["CorrectionPlan", "keep_pose", "plan_correction", "write_corrected"]

_SUBJECTS: Final = {"smpl": "human", "smal": "quadruped17"}  # of lifts that do not say
_ALMOST: Final = 0.1
"""Degrees: less is what single precision leaves of a key."""


@dataclass(frozen=True, eq=False)
class CorrectionPlan:
    """A motion to change.

    Attributes:
        request: for the engine.
        armature: name of the one whose Action is changed.
        base: the motion that the engine starts from, without the user's keys.
    """

    request: LiftRequest
    armature: str
    base: MotionCurves


def keep_pose(armature: Any, frame: float) -> str:
    """Key the present pose and mark it as right; what was kept, as a sentence.

    The bones are those that are selected and those that were moved without a key; all, with the body's place, where
    there are none.

    Args:
        armature: lifted.
        frame: scene frame.

    Raises:
        LiftError: the Action has no keys of a lift, or the frame lies outside of it.
    """
    motion = read_motion_curves(armature)
    if motion is None:
        raise LiftError(f"{armature.name} has no lifted Action any more.", "Lift the clip anew.")
    _row(motion.frames, frame)
    keyed, names = current_curves(armature), motion.skeleton.names
    assert keyed is not None  # its curves were read
    bones = armature.pose.bones
    moved = [n for n in names if _differs(keyed.read(rotation_path(n), 4, np.array([frame])), bones[n])]
    place = keyed.read(location_path(motion.skeleton.root), 3, np.array([frame]))
    shifted = place is not None and bool(np.abs(place[0] - np.array(bones[motion.skeleton.root].location)).max() > 1e-5)
    chosen = [n for n in selected_bones(armature) if n in names] if armature.mode == "POSE" else []
    kept = list(dict.fromkeys([*chosen, *moved]))
    values = {n: tuple(bones[n].rotation_quaternion) for n in moved}
    location = tuple(bones[motion.skeleton.root].location)
    editable_curves(armature, "posed")
    for name, value in values.items():
        bones[name].rotation_quaternion = value
        bones[name].keyframe_insert("rotation_quaternion", frame=frame, group=name)
    if shifted:
        bones[motion.skeleton.root].location = location
        bones[motion.skeleton.root].keyframe_insert("location", frame=frame, group=motion.skeleton.root)
    _mark(armature, frame, kept, place=shifted or not kept)
    named = ", ".join(kept) if 0 < len(kept) < 5 else f"{len(kept) or len(names)} bones"
    return f"Pose of frame {frame:g} kept: {named}"


def _differs(keyed: F64 | None, bone: Any) -> bool:
    """Whether a bone is turned otherwise than its keys (1, 4) say."""
    if keyed is None:
        return False
    now, before = np.array(bone.rotation_quaternion, dtype=np.float64), keyed[0]
    cosine = abs(float(before @ now)) / max(float(np.linalg.norm(now) * np.linalg.norm(before)), 1e-9)
    return bool(2 * np.degrees(np.arccos(min(cosine, 1.0))) > _ALMOST)


def _mark(armature: Any, frame: float, bones: Sequence[str], place: bool) -> None:
    """Put a pose on the Action's list; a frame that is there already takes the further bones."""
    curves = current_curves(armature)
    assert curves is not None  # the caller has read it
    action = curves.action
    rows = action.mvlift_poses
    row = next((r for r in rows if abs(r.frame - frame) < 0.01), None)
    if row is None:
        row = rows.add()
        row.frame, row.bones, row.place = frame, "\n".join(bones), place
    else:
        known = row.bones.split("\n") if row.bones else []
        row.bones = "" if not known or not bones else "\n".join(dict.fromkeys([*known, *bones]))
        row.place = row.place or place
    order = sorted(range(len(rows)), key=lambda i: rows[i].frame)
    for target, _ in enumerate(order):
        rows.move(min(range(target, len(rows)), key=lambda i: rows[i].frame), target)
    action.mvlift_pose = min(range(len(rows)), key=lambda i: abs(rows[i].frame - frame))


def _row(frames: F64, frame: float) -> int:
    row = int(np.abs(frames - frame).argmin())
    if abs(frames[row] - frame) > 0.5:
        raise LiftError(f"Frame {frame:g} is outside the lift.", f"It has frames {frames[0]:g} to {frames[-1]:g}.")
    return row


def plan_correction(context: Any, armature: Any) -> CorrectionPlan:
    """Prepare to lift with what was posed and pinned.

    Raises:
        LiftError: nothing was posed or pinned, or the keypoints of the lift are not known.
        KeypointError: the keypoints are gone.
    """
    record, posed, curves = record_of(armature), read_motion_curves(armature), current_curves(armature)
    if record is None or posed is None or curves is None or not record.source:
        raise LiftError("The Action does not know which keypoints it was lifted from.", "Lift the clip anew.")
    changed = changed_keys(armature, posed.skeleton)
    base = _without(posed, changed) if changed is not None else posed
    if changed is not None:
        for index, frame in enumerate(changed.frames):
            bones = [n for n, flag in zip(changed.bones, changed.rotations[index], strict=True) if flag]
            if not _is_marked(curves.action, frame, bones, bool(changed.place[index])):
                _mark(armature, frame, bones or [posed.skeleton.root], place=bool(changed.place[index]))
    samples = np.clip([record.timing.sample_at(f) for f in posed.frames], 0, record.timing.count - 1)
    start = _start(context, armature, base, record, samples)
    constraints = Constraints(
        _poses(curves.action, posed, motion_of(context, armature, posed)),
        _pins(context.scene, armature, posed.frames),
    )
    if not len(constraints):
        raise LiftError(
            "Nothing is posed or pinned.", "Pose the armature at some frames and press Keep This Pose, or Pin Here."
        )
    subject = get_subject(record.subject or _SUBJECTS.get(record.body, "human")).alone.name
    body = body_file(context)
    options = LiftOptions(
        subject=subject, fps=start.fps, constraints=constraints, body=str(body) if body is not None else None
    )
    clip = _resampled(clip_of_record(context.scene.mvlift, record), record, samples, start)
    request = LiftRequest(armature.name, clip, options, record.source, record.track, start)
    return CorrectionPlan(request, armature.name, base)


def _is_marked(action: Any, frame: float, bones: Sequence[str], place: bool) -> bool:
    for row in action.mvlift_poses:
        if abs(row.frame - frame) < 0.01:
            known = row.bones.split("\n") if row.bones else list(bones)
            return set(bones) <= set(known) and (row.place or not place)
    return False


def _without(posed: MotionCurves, changed: ChangedKeys) -> MotionCurves:
    """The motion without the changed keys: each bone goes from the key before to the key after."""
    rotations, locations = posed.rotations.copy(), posed.locations.copy()
    rows = np.array([int(np.abs(posed.frames - f).argmin()) for f in changed.frames], dtype=int)
    for column in range(rotations.shape[1]):
        out = np.zeros(len(posed.frames), bool)
        out[rows[changed.rotations[:, column]]] = True
        if out.any() and not out.all():
            low, high, share = _neighbours(posed.frames, out)
            rotations[out, column] = slerp(rotations[low, column], rotations[high, column], share)
    out = np.zeros(len(posed.frames), bool)
    out[rows[changed.place]] = True
    if out.any() and not out.all():
        for axis in range(3):
            locations[out, axis] = np.interp(posed.frames[out], posed.frames[~out], locations[~out, axis])
    return posed.changed(continuous(rotations), locations)


def _neighbours(frames: F64, out: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], F64]:
    """For each row that is out: the rows before and after it that are not, and where it lies between them."""
    kept, at = np.flatnonzero(~out), np.flatnonzero(out)
    after = np.searchsorted(kept, at)
    low, high = kept[np.maximum(after - 1, 0)], kept[np.minimum(after, len(kept) - 1)]
    span = np.maximum(frames[high] - frames[low], 1e-9)
    return low, high, np.clip((frames[at] - frames[low]) / span, 0.0, 1.0)


def _start(context: Any, armature: Any, base: MotionCurves, record: LiftRecord, samples: F64) -> LiftedMotion:
    contacts = resample_values(record.contacts, samples) if record.contact_names else np.zeros((len(samples), 0))
    return replace(
        motion_of(context, armature, base),
        contacts=contacts.astype(np.float32),
        contact_names=record.contact_names,
        camera=_camera(record.camera, samples),
        fps=scene_fps(armature.users_scene[0] if armature.users_scene else context.scene),
        first_frame=0,
    )


def _camera(camera: Camera, samples: F64) -> Camera:
    """The camera at samples of the lift: a moving one's nearest poses."""
    rows = np.round(samples).astype(int)

    def at(values: Any, still: int) -> Any:
        return values[np.minimum(rows, len(values) - 1)] if values.ndim > still else values

    return Camera(at(camera.K, 2), at(camera.R, 2), at(camera.t, 1), camera.image_size)


def _resampled(clip: KeypointClip, record: LiftRecord, samples: F64, start: LiftedMotion) -> KeypointClip:
    """The clip's keypoints at samples of the lift, as a clip of the scene's rate."""
    rows = np.clip(samples + record.first_frame - clip.first_frame, 0, len(clip) - 1)
    low = np.floor(rows + 1e-6).astype(int)
    high = np.where(rows - low > 1e-6, np.minimum(low + 1, len(clip) - 1), low)
    seen = np.minimum(clip.confidence[low], clip.confidence[high])
    share = (rows - low)[:, None, None]
    points = clip.points[low] * (1 - share) + clip.points[high] * share
    return replace(
        clip,
        points=points.astype(np.float32),
        confidence=seen.astype(np.float32),
        fps=start.fps,
        image_size=record.camera.image_size,
        first_frame=0,
        hands=None,
    )


def _poses(action: Any, posed: MotionCurves, motion: LiftedMotion) -> tuple[PoseConstraint, ...]:
    root = motion.parents.index(-1)
    places = np.asarray(motion.translation + motion.rest_joints[root], np.float64)
    made = {}
    for row in action.mvlift_poses:
        index = _row(posed.frames, row.frame)
        names = [n for n in (row.bones.split("\n") if row.bones else motion.joint_names) if n in motion.joint_names]
        columns = [motion.joint_names.index(n) for n in names]
        made[index] = PoseConstraint(
            index, tuple(names), motion.rotations[index, columns].astype(np.float64),
            places[index] if row.place else None,
        )  # fmt: skip
    return tuple(made.values())


def _pins(scene: Any, armature: Any, frames: F64) -> tuple[PinConstraint, ...]:
    made = []
    for pin in pins_of(scene, armature):
        facts = pin.mvlift_pin
        rows = np.flatnonzero((frames >= facts.first - 1e-6) & (frames <= facts.last + 1e-6))
        if not len(rows):
            raise LiftError(
                f"{pin.name} pins frames {facts.first} to {facts.last}, which are outside the lift.",
                f"It has frames {frames[0]:g} to {frames[-1]:g}.",
            )
        if facts.weight > 0:
            places = pin_places(scene, pin, armature, frames[rows]) * unit_of(armature)
            made.append(PinConstraint(facts.bone, int(rows[0]), places, float(facts.weight)))
    return tuple(made)


def write_corrected(plan: CorrectionPlan, motion: LiftedMotion) -> str:
    """Key the changed motion; how far it meets what was asked, as a sentence.

    Raises:
        LiftError: the armature was removed.
    """
    armature = still_there(plan.armature)
    posed = read_motion_curves(armature)
    if posed is None or len(posed.frames) != len(motion):
        raise LiftError(f"{plan.armature} was changed while the engine worked.", "Lift again with your poses.")
    skeleton, base, start = posed.skeleton, plan.base, plan.request.start
    assert start is not None  # plan_correction gave it
    root = motion.parents.index(-1)
    rotations = bone_rotations(motion, skeleton.axes)
    locations = skeleton.locations_of(np.asarray(motion.translation + motion.rest_joints[root], np.float64))
    same = (motion.rotations == start.rotations).all((1, 2)) & (motion.translation == start.translation).all(1)
    rotations[same], locations[same] = base.rotations[same], base.locations[same]
    write_motion_curves(armature, posed.changed(continuous(rotations), locations), "posed")
    return _said(motion)


def _said(motion: LiftedMotion) -> str:
    facts = motion.metadata.get("constraints")
    assert isinstance(facts, dict)  # the engine says so of every constrained lift
    counts = [f"{facts[k]} {k if facts[k] != 1 else k[:-1]}" for k in ("poses", "pins") if facts[k]]
    off = [f"{facts['degrees']:.1f} degrees"] if facts["poses"] else []
    off += [f"{1000 * facts['metres']:.0f} mm"] if facts["pins"] else []
    beyond = "; a pin is out of reach" if facts["metres"] > 0.02 else ""
    return f"{' and '.join(counts)} met within {' and '.join(off)}{beyond}"
