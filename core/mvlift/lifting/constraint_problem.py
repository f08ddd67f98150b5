"""What a fit with constraints is given: the motion's own body with its points, what is to be met, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mvlift.bodies.constrained_fit import ROTATION_SIGMA, BaseMotion, Evidence, Held
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.supports import Support, supports_on, with_supports
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.constraints import Constraints
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

__all__ = ["ConstraintProblem", "base_motion", "evidence_of", "rows_of_evidence", "rows_of_held"]

RESTS: Final = 0.5
"""Contact probability from which on a part is held where it rests."""
CORRECTED_SHARE: Final = 0.2
"""Of a joint's spread about rest, by which it may have to be corrected,"""
ROOT_TURN: Final = 0.1
"""and radians where the kinematic model says nothing: the root."""


@dataclass(frozen=True, eq=False)
class ConstraintProblem:
    """The body with its points, and what is to be met."""

    kinematics: Kinematics
    supports: tuple[Support, ...]
    held: Held
    keypoints: int
    spread: F64

    @staticmethod
    def of(
        motion: LiftedMotion, constraints: Constraints, skeleton: BodySkeleton, kinematic_model: KinematicModel
    ) -> ConstraintProblem:
        pinned = list(dict.fromkeys(p.joint for p in constraints.pins))
        _check(motion, constraints, pinned, skeleton.keypoint_names)
        motion_skeleton, factor = _own_skeleton(motion, skeleton)
        motion_skeleton = _with_keypoints_of(motion, motion_skeleton)
        known = kinematic_model.supports or supports_on(skeleton, kinematic_model.contacts)
        supports = tuple(
            replace(s, at=(factor * s.at[0], factor * s.at[1], factor * s.at[2]), radius=factor * s.radius)
            for s in known
            if s.joint in motion.joint_names
        )
        points = (*supports, *(Support(f"pin:{name}", name, (0.0, 0.0, 0.0)) for name in pinned))
        complete = with_supports(motion_skeleton, points)
        free = replace(kinematic_model, groups=tuple({n: 1.0} for n in _moving_joints(complete)))
        return ConstraintProblem(
            Kinematics(complete, free),
            supports,
            _held(motion, constraints, pinned, skeleton.keypoint_names),
            len(motion_skeleton.keypoint_names),
            _spreads(motion, kinematic_model, pinned),
        )


def _check(motion: LiftedMotion, constraints: Constraints, pinned: list[str], keypoints: tuple[str, ...]) -> None:
    names = [n for pose in constraints.poses for n in pose.joints] + pinned
    missing = [n for n in names if n not in motion.joint_names]
    if missing:
        raise LiftError(f"The body has no joint {missing[0]!r}.", f"It has {', '.join(motion.joint_names)}.")
    unknown = [k.keypoint for k in constraints.keypoints if k.keypoint not in keypoints]
    if unknown:
        raise LiftError(f"The body has no keypoint {unknown[0]!r}.", f"It has {', '.join(keypoints)}.")
    last = motion.first_frame + len(motion) - 1
    frames = [(p.frame, p.frame) for p in constraints.poses]
    frames += [(k.frame, k.frame) for k in constraints.keypoints]
    frames += [(p.first, p.last) for p in constraints.pins]
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


def _with_keypoints_of(motion: LiftedMotion, skeleton: BodySkeleton) -> BodySkeleton:
    """The skeleton with its keypoints where the motion has them on its bones, where it has any."""
    if not set(skeleton.keypoint_names) <= set(motion.keypoint_names):
        return skeleton
    columns, bones = [motion.keypoint_names.index(n) for n in skeleton.keypoint_names], skeleton.point_weights.argmax(1)
    base, rest = base_motion(motion), skeleton.rest_joints
    world, joints = forward_kinematics(skeleton.parents, rest, base.rotations, base.root)
    arms = motion.keypoints[:, columns].astype(np.float64) - joints[:, bones]
    offsets = np.einsum("tkba,tkb->tka", world[:, bones], arms).mean(0)
    return replace(skeleton, rest_points=rest[bones] + offsets)


def _spreads(motion: LiftedMotion, kinematic_model: KinematicModel, pinned: list[str]) -> F64:
    """(J,) radians by which joints may have to be corrected: limbs and what a pin hangs on most, the trunk little."""
    spread = np.array([kinematic_model.spread(name) for name in motion.joint_names])
    sigma = np.where(np.isfinite(spread), np.minimum(CORRECTED_SHARE * spread, ROTATION_SIGMA), ROOT_TURN)
    for name in pinned:
        joint = motion.joint_names.index(name)
        while joint >= 0:
            sigma[joint], joint = ROTATION_SIGMA, motion.parents[joint]
    return np.asarray(sigma)


def _moving_joints(skeleton: BodySkeleton) -> list[str]:
    """Joints on which one of the points hangs, roots first."""
    moving: set[int] = set()
    for joint in skeleton.point_weights.argmax(1):
        at = int(joint)
        while at >= 0:
            moving.add(at)
            at = skeleton.parents[at]
    return [skeleton.joint_names[j] for j in sorted(moving)]


def _held(motion: LiftedMotion, constraints: Constraints, pinned: list[str], keypoints: tuple[str, ...]) -> Held:
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
    pixels, pixel_weight = np.zeros((frames, len(keypoints), 2)), np.zeros((frames, len(keypoints)))
    for point in constraints.keypoints:
        row, column = point.frame - motion.first_frame, keypoints.index(point.keypoint)
        pixels[row, column], pixel_weight[row, column] = point.position, point.weight
    return Held(rotations, weight, root, root_weight, places, place_weight, pixels, pixel_weight)


def base_motion(motion: LiftedMotion) -> BaseMotion:
    root = motion.parents.index(-1)
    place = motion.translation.astype(np.float64) + motion.rest_joints[root].astype(np.float64)
    return BaseMotion(place, exp_map(motion.rotations.astype(np.float64)))


def evidence_of(motion: LiftedMotion, clip: KeypointClip, supports: tuple[Support, ...]) -> Evidence:
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


def rows_of_held(held: Held, rows: slice) -> Held:
    return replace(
        held,
        rotations=held.rotations[rows],
        rotation_weight=held.rotation_weight[rows],
        root=held.root[rows],
        root_weight=held.root_weight[rows],
        places=held.places[rows],
        place_weight=held.place_weight[rows],
        pixels=held.pixels[rows],
        pixel_weight=held.pixel_weight[rows],
    )


def rows_of_evidence(evidence: Evidence, rows: slice) -> Evidence:
    return replace(
        evidence,
        pixels=evidence.pixels[rows],
        confidence=evidence.confidence[rows],
        K=evidence.K[rows],
        R=evidence.R[rows],
        t=evidence.t[rows],
        contacts=evidence.contacts[rows],
    )
