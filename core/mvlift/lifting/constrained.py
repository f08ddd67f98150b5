"""A lifted motion with a person's poses and pins: what the user says is met, the rest follows the video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.constrained_fit import LENGTH, BaseMotion, Evidence, Held, correct_motion
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.runs import runs
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.supports import Support, supports_on, with_supports
from mvlift.errors import LiftError
from mvlift.keypoints import map_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.body_of import body_of
from mvlift.lifting.constraints import Constraints, load_constraints
from mvlift.lifting.options import LiftOptions
from mvlift.lifting.progress import LiftProgress
from mvlift.lifting.subjects import Subject
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

__all__ = ["apply_constraints", "constrained_lift", "constraint_errors", "constraints_of", "lift_from"]

REACH: Final = 7.5 * LENGTH
"""Seconds before and after what is held in which the motion may change: a correction has faded to 0.5 % there."""
RESTS: Final = 0.5
"""Contact probability from which on a part is held where it rests."""


def apply_constraints(
    motion: LiftedMotion,
    clip: KeypointClip,
    constraints: Constraints,
    skeleton: BodySkeleton,
    kinematic_model: KinematicModel,
    progress: Callable[[float], None] = lambda _: None,
) -> LiftedMotion:
    """The motion changed to meet poses and pins; frames further away than ``REACH`` stay exactly as they are.

    Args:
        motion: z up, metres.
        clip: the keypoints of the same frames, in pixels of ``motion.camera``.
        constraints: of frames of the video.
        skeleton: of this kind of body, with the clip's keypoints.
        kinematic_model: its supports count.
        progress: called with the share that is done.

    Raises:
        LiftError: a joint or frame is not there, the clip has other frames, or there is no solution.
    """
    if (len(clip), clip.first_frame) != (len(motion), motion.first_frame):
        raise LiftError(
            f"The motion has {len(motion)} frames from {motion.first_frame} on, its keypoints {len(clip)} from "
            f"{clip.first_frame} on.",
            "Give the motion that was lifted from these keypoints.",
        )
    if not len(constraints):
        return motion
    problem = _Problem.of(motion, constraints, skeleton, kinematic_model)
    evidence = _evidence(motion, clip, problem.supports)
    held, base = problem.held, _base(motion)
    active = _reached(held.frames, len(motion), round(REACH * float(motion.fps)))
    root, rotations = base.root.copy(), base.rotations.copy()
    stretches = runs(active)
    for number, rows in enumerate(stretches):

        def share(done: float, number: int = number) -> None:
            progress((number + done) / len(stretches))

        part = replace(_rows_of_held(held, rows), open_start=rows.start == 0, open_end=rows.stop == len(motion))
        try:
            found = correct_motion(
                problem.kinematics,
                BaseMotion(base.root[rows], base.rotations[rows]),
                _rows_of_evidence(evidence, rows),
                part,
                share,
            )
        except np.linalg.LinAlgError as error:
            raise LiftError(f"The poses and pins have no solution ({error}).", "Take one of them away.") from error
        root[rows], rotations[rows] = found.root, found.rotations
    return _changed(motion, clip, problem, base, BaseMotion(root, rotations))


@dataclass(frozen=True, eq=False)
class _Problem:
    """The body with its points, and what is to be met."""

    kinematics: Kinematics
    supports: tuple[Support, ...]
    held: Held
    keypoints: int

    @staticmethod
    def of(
        motion: LiftedMotion, constraints: Constraints, skeleton: BodySkeleton, kinematic_model: KinematicModel
    ) -> _Problem:
        pinned = list(dict.fromkeys(p.joint for p in constraints.pins))
        _check(motion, constraints, pinned)
        own, factor = _own_skeleton(motion, skeleton)
        known = kinematic_model.supports or supports_on(skeleton, kinematic_model.contacts)
        supports = tuple(
            replace(s, at=(factor * s.at[0], factor * s.at[1], factor * s.at[2]), radius=factor * s.radius)
            for s in known
            if s.joint in motion.joint_names
        )
        points = (*supports, *(Support(f"pin:{name}", name, (0.0, 0.0, 0.0)) for name in pinned))
        complete = with_supports(own, points)
        free = replace(kinematic_model, groups=tuple({n: 1.0} for n in _moving_joints(complete)))
        return _Problem(
            Kinematics(complete, free), supports, _held(motion, constraints, pinned), len(own.keypoint_names)
        )


def _check(motion: LiftedMotion, constraints: Constraints, pinned: list[str]) -> None:
    names = [n for pose in constraints.poses for n in pose.joints] + pinned
    missing = [n for n in names if n not in motion.joint_names]
    if missing:
        raise LiftError(f"The body has no joint {missing[0]!r}.", f"It has {', '.join(motion.joint_names)}.")
    last = motion.first_frame + len(motion) - 1
    frames = [(p.frame, p.frame) for p in constraints.poses] + [(p.first, p.last) for p in constraints.pins]
    outside = [pair for pair in frames if pair[0] < motion.first_frame or pair[1] > last]
    if outside:
        raise LiftError(
            f"Frame {outside[0][0] if outside[0][0] < motion.first_frame else outside[0][1]} has a pose or pin, but "
            f"the motion has frames {motion.first_frame} to {last}.",
            "Take it away, or lift these frames too.",
        )


def _own_skeleton(motion: LiftedMotion, skeleton: BodySkeleton) -> tuple[BodySkeleton, float]:
    """The motion's joints, of one shape, with the body's keypoints rigidly on their bones; and its relative size."""
    order = {name: j for j, name in enumerate(motion.joint_names)}
    rest = np.asarray(motion.rest_joints, np.float64)
    shared = [n for n in skeleton.joint_names if n in order]
    theirs = skeleton.rest_joints[[skeleton.joint_names.index(n) for n in shared]]
    ours = rest[[order[n] for n in shared]]
    spread = [float(np.linalg.norm(places - places.mean(0))) for places in (ours, theirs)]
    factor = spread[0] / max(spread[1], 1e-9)
    bones, points = [], []
    for row, weights in enumerate(skeleton.point_weights):
        joint = int(weights.argmax())
        place = skeleton.rest_points[row]
        offset = factor * (place - skeleton.rest_joints[joint])
        while skeleton.joint_names[joint] not in order:  # a body without finger or hand joints
            offset = offset + factor * (skeleton.rest_joints[joint] - skeleton.rest_joints[skeleton.parents[joint]])
            joint = skeleton.parents[joint]
        bones.append(order[skeleton.joint_names[joint]])
        points.append(rest[bones[-1]] + offset)
    joints = len(motion.joint_names)
    made = BodySkeleton(
        joint_names=motion.joint_names,
        parents=motion.parents,
        rest_joints=rest,
        shape_joints=np.zeros((joints, 3, 0)),
        keypoint_names=skeleton.keypoint_names,
        rest_points=np.array(points).reshape(-1, 3),
        shape_points=np.zeros((len(points), 3, 0)),
        point_weights=np.eye(joints)[bones],
        shape_sigma=np.zeros(0),
        kind=skeleton.kind,
    )
    return made, factor


def _moving_joints(skeleton: BodySkeleton) -> list[str]:
    """Joints on which one of the points hangs, roots first."""
    moving: set[int] = set()
    for joint in skeleton.point_weights.argmax(1):
        at = int(joint)
        while at >= 0:
            moving.add(at)
            at = skeleton.parents[at]
    return [skeleton.joint_names[j] for j in sorted(moving)]


def _held(motion: LiftedMotion, constraints: Constraints, pinned: list[str]) -> Held:
    frames, joints = len(motion), len(motion.joint_names)
    rotations, weight = np.tile(np.eye(3), (frames, joints, 1, 1)), np.zeros((frames, joints))
    root, root_weight = np.zeros((frames, 3)), np.zeros(frames)
    places, place_weight = np.zeros((frames, len(pinned), 3)), np.zeros((frames, len(pinned)))
    for pose in constraints.poses:
        row, columns = pose.frame - motion.first_frame, [motion.joint_names.index(n) for n in pose.joints]
        rotations[row, columns], weight[row, columns] = exp_map(pose.rotations), pose.weight
        if pose.root is not None:
            root[row], root_weight[row] = pose.root, pose.weight
    for pin in constraints.pins:
        rows, column = slice(pin.first - motion.first_frame, pin.last + 1 - motion.first_frame), pinned.index(pin.joint)
        places[rows, column], place_weight[rows, column] = pin.positions, pin.weight
    return Held(rotations, weight, root, root_weight, places, place_weight)


def _base(motion: LiftedMotion) -> BaseMotion:
    root = motion.parents.index(-1)
    place = motion.translation.astype(np.float64) + motion.rest_joints[root].astype(np.float64)
    return BaseMotion(place, exp_map(motion.rotations.astype(np.float64)))


def _evidence(motion: LiftedMotion, clip: KeypointClip, supports: tuple[Support, ...]) -> Evidence:
    frames, camera = len(motion), motion.camera
    contacts = np.zeros((frames, len(supports)))
    for c, support in enumerate(supports):
        if support.name in motion.contact_names:
            contacts[:, c] = motion.contacts[:, motion.contact_names.index(support.name)]
    return Evidence(
        pixels=clip.points.astype(np.float64),
        confidence=clip.confidence.astype(np.float64),
        K=np.broadcast_to(camera.K.astype(np.float64), (frames, 3, 3)),
        R=np.broadcast_to(camera.R.astype(np.float64), (frames, 3, 3)),
        t=np.broadcast_to(camera.t.astype(np.float64), (frames, 3)),
        contacts=np.where(contacts > RESTS, contacts, 0.0),
        radius=np.array([s.radius for s in supports]),
        fps=float(motion.fps),
    )


def _reached(frames: F64, count: int, margin: int) -> NDArray[np.bool_]:
    """(T,) which frames may change."""
    return np.asarray((np.abs(np.arange(count)[:, None] - frames) <= margin).any(1))


def _rows_of_held(held: Held, rows: slice) -> Held:
    return replace(
        held,
        rotations=held.rotations[rows],
        rotation_weight=held.rotation_weight[rows],
        root=held.root[rows],
        root_weight=held.root_weight[rows],
        places=held.places[rows],
        place_weight=held.place_weight[rows],
    )


def _rows_of_evidence(evidence: Evidence, rows: slice) -> Evidence:
    return replace(
        evidence,
        pixels=evidence.pixels[rows],
        confidence=evidence.confidence[rows],
        K=evidence.K[rows],
        R=evidence.R[rows],
        t=evidence.t[rows],
        contacts=evidence.contacts[rows],
    )


def _changed(
    motion: LiftedMotion, clip: KeypointClip, problem: _Problem, base: BaseMotion, found: BaseMotion
) -> LiftedMotion:
    """The motion with its keypoints moved along, and its distances from the detections there measured again."""
    before, after = (problem.kinematics.pose(np.zeros(0), m.rotations, m.root).points for m in (base, found))
    rows = [clip.layout.names.index(n) for n in motion.keypoint_names if n in clip.layout.names]
    keypoints, error = motion.keypoints, motion.reprojection_error
    if motion.keypoint_names and len(rows) == len(motion.keypoint_names):
        moved = (after - before)[:, : problem.keypoints][:, rows]
        keypoints = (keypoints + moved).astype(np.float32)
        again = np.linalg.norm(motion.camera.project(keypoints) - clip.points[:, rows], axis=-1)
        touched = (np.abs(moved).max(-1) > 1e-6) & np.isfinite(error) & (clip.confidence[:, rows] > 0)
        error = np.where(touched, again, error).astype(np.float32)
    root = motion.parents.index(-1)
    changed = replace(
        motion,
        translation=(found.root - motion.rest_joints[root]).astype(np.float32),
        rotations=log_map(found.rotations).astype(np.float32),
        keypoints=keypoints,
        reprojection_error=error,
    )
    same = (np.abs(found.root - base.root).max(1) == 0) & (found.rotations == base.rotations).all((1, 2, 3))
    changed.rotations[same], changed.translation[same] = motion.rotations[same], motion.translation[same]
    return changed


def constraint_errors(motion: LiftedMotion, constraints: Constraints) -> dict[str, float]:
    """How far a motion is from poses and pins: the largest angle in degrees, the largest distance in metres."""
    names, root = motion.joint_names, motion.parents.index(-1)
    base = _base(motion)
    joints = forward_kinematics(motion.parents, motion.rest_joints.astype(np.float64), base.rotations, base.root)[1]
    angles, distances = [0.0], [0.0]
    for pose in constraints.poses:
        row, columns = pose.frame - motion.first_frame, [names.index(n) for n in pose.joints]
        turned = log_map(base.rotations[row, columns] @ exp_map(pose.rotations).transpose(0, 2, 1))
        angles.append(float(np.degrees(np.linalg.norm(turned, axis=-1).max(initial=0.0))))
        if pose.root is not None:
            distances.append(float(np.linalg.norm(joints[row, root] - pose.root)))
    for pin in constraints.pins:
        rows = slice(pin.first - motion.first_frame, pin.last + 1 - motion.first_frame)
        distances.append(float(np.linalg.norm(joints[rows, names.index(pin.joint)] - pin.positions, axis=-1).max()))
    return {"degrees": max(angles), "metres": max(distances)}


def constraints_of(given: Constraints | str | None) -> Constraints:
    """Constraints as an option of a lift gives them: an object, a file, or none.

    Raises:
        MvliftError: the file cannot be read so.
    """
    if given is None:
        return Constraints()
    return load_constraints(given) if isinstance(given, str) else given


def constrained_lift(
    motion: LiftedMotion,
    clip: KeypointClip,
    constraints: Constraints,
    body: tuple[BodySkeleton, KinematicModel],
    progress: Callable[[float], None] = lambda _: None,
) -> LiftedMotion:
    """``apply_constraints``, with how far they are met in the metadata; without constraints the motion as it is."""
    if not len(constraints):
        return motion
    changed = apply_constraints(motion, clip, constraints, *body, progress)
    counts = {"poses": len(constraints.poses), "pins": len(constraints.pins)}
    said = {**counts, **constraint_errors(changed, constraints)}
    return replace(changed, metadata={**changed.metadata, "constraints": said})


def lift_from(clip: KeypointClip, options: LiftOptions, subject: Subject, progress: LiftProgress) -> LiftedMotion:
    """The motion that ``options.start_from`` names, with the constraints met; nothing is lifted anew.

    Raises:
        MvliftError: the motion or the constraints cannot be read, or do not fit the clip.
    """
    assert options.start_from is not None
    motion, constraints = LiftedMotion.load(options.start_from), constraints_of(options.constraints)
    skeleton, kinematic_model, _ = body_of(subject.alone, options.body)
    progress.at("prepare", 1.0)
    clip = map_clip(replace(clip, fps=options.fps or clip.fps or motion.fps), subject.alone.layout)
    if clip.fps != motion.fps:
        raise LiftError(
            f"The motion has {float(motion.fps):.5g} frames a second, its keypoints {float(clip.fps or 0):.5g}.",
            "Give the motion that was lifted from these keypoints.",
        )
    changed = constrained_lift(motion, clip, constraints, (skeleton, kinematic_model), progress.part("fit"))
    progress.at("write", 1.0)
    return changed
