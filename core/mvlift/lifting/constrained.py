"""A lifted motion with a person's poses and pins: what the user says is met, the rest follows the video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.constrained_fit import LENGTH, BaseMotion, correct_motion
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.runs import runs
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.errors import LiftError
from mvlift.keypoints import map_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.corrections import CORRECTED
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.body_of import body_of
from mvlift.lifting.constraint_problem import (
    ConstraintProblem,
    base_motion,
    evidence_of,
    rows_of_evidence,
    rows_of_held,
)
from mvlift.lifting.constraints import Constraints, KeypointConstraint, load_constraints
from mvlift.lifting.options import LiftOptions
from mvlift.lifting.posture import SEATED, on_the_floor, seated_constraints
from mvlift.lifting.progress import LiftProgress
from mvlift.lifting.subjects import Subject
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

__all__ = ["apply_constraints", "constrained_lift", "constraint_errors", "constraints_of", "lift_from"]

REACH: Final = 7.5 * LENGTH
"""Seconds before and after what is held in which the motion may change: a correction has faded to 0.5 % there."""


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
    problem = ConstraintProblem.of(motion, constraints, skeleton, kinematic_model)
    evidence = evidence_of(motion, clip, problem.supports)
    held, base = problem.held, base_motion(motion)
    active = _reached(held.frames, len(motion), round(REACH * float(motion.fps)))
    root, rotations = base.root.copy(), base.rotations.copy()
    stretches = runs(active)
    for number, rows in enumerate(stretches):

        def share(done: float, number: int = number) -> None:
            progress((number + done) / len(stretches))

        part = replace(rows_of_held(held, rows), open_start=rows.start == 0, open_end=rows.stop == len(motion))
        try:
            corrected = correct_motion(
                problem.kinematics,
                BaseMotion(base.root[rows], base.rotations[rows]),
                rows_of_evidence(evidence, rows),
                part,
                share,
                problem.spread,
            )
        except np.linalg.LinAlgError as error:
            raise LiftError(f"The poses and pins have no solution ({error}).", "Take one of them away.") from error
        root[rows], rotations[rows] = corrected.root, corrected.rotations
    return _changed(motion, clip, problem, base, BaseMotion(root, rotations))


def _reached(frames: F64, count: int, margin: int) -> NDArray[np.bool_]:
    """(T,) which frames may change."""
    return np.asarray((np.abs(np.arange(count)[:, None] - frames) <= margin).any(1))


def _changed(
    motion: LiftedMotion, clip: KeypointClip, problem: ConstraintProblem, base: BaseMotion, corrected: BaseMotion
) -> LiftedMotion:
    """The motion with its keypoints moved along, and its distances from the detections there measured again."""
    before, after = (problem.kinematics.pose(np.zeros(0), m.rotations, m.root).points for m in (base, corrected))
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
        translation=(corrected.root - motion.rest_joints[root]).astype(np.float32),
        rotations=log_map(corrected.rotations).astype(np.float32),
        keypoints=keypoints,
        reprojection_error=error,
    )
    same = (np.abs(corrected.root - base.root).max(1) == 0) & (corrected.rotations == base.rotations).all((1, 2, 3))
    changed.rotations[same], changed.translation[same] = motion.rotations[same], motion.translation[same]
    return changed


def constraint_errors(motion: LiftedMotion, constraints: Constraints) -> dict[str, float]:
    """How far a motion is from poses and pins: the largest angle in degrees, the largest distance in metres."""
    names, root = motion.joint_names, motion.parents.index(-1)
    base = base_motion(motion)
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


def constraints_of(
    constraints: Constraints | str | None, clip: KeypointClip, keypoints: tuple[str, ...]
) -> Constraints:
    """Constraints as an option of a lift gives them, and the keypoints of a clip that were placed by hand.

    Args:
        constraints: as they are, a file of them, "seated", or None.
        clip: in its own layout; what was corrected by hand is in its metadata.
        keypoints: of the body; what it does not have is left out.

    Raises:
        MvliftError: the file cannot be read so.
    """
    if constraints == SEATED:
        made = seated_constraints(clip)
    else:
        made = load_constraints(constraints) if isinstance(constraints, str) else constraints or Constraints()
    placed = clip.metadata.get(CORRECTED)
    asked = {(k.frame, k.keypoint) for k in made.keypoints}
    points = []
    for number, name in placed if isinstance(placed, (list, tuple)) else ():
        row = int(number) - clip.first_frame
        known = name in clip.layout.names and name in keypoints
        if known and 0 <= row < len(clip) and (int(number), name) not in asked:
            place = clip.points[row, clip.layout.index(name)].astype(np.float64)
            points.append(KeypointConstraint(int(number), name, place))
    return replace(made, keypoints=(*made.keypoints, *points)) if points else made


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
    counts = {kind: len(getattr(constraints, kind)) for kind in ("poses", "pins", "keypoints")}
    said = {**counts, **constraint_errors(changed, constraints)}
    return replace(changed, metadata={**changed.metadata, "constraints": said})


def lift_from(clip: KeypointClip, options: LiftOptions, subject: Subject, progress: LiftProgress) -> LiftedMotion:
    """The motion that ``options.start_from`` names, with the constraints met; nothing is lifted anew.

    Raises:
        MvliftError: the motion or the constraints cannot be read, or do not fit the clip.
    """
    assert options.start_from is not None
    motion = LiftedMotion.load(options.start_from)
    constraints = constraints_of(options.constraints, clip, subject.alone.layout.names)
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
    return on_the_floor(changed) if options.constraints == SEATED else changed
