"""Wrists and fingers of a lifted body, from the hands that its clip shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from mvlift.bodies.fit_problem import BodyFit
from mvlift.bodies.hands.fit import Arm, FittedHand, fit_hand
from mvlift.bodies.hands.model import HandModel, hand_model
from mvlift.bodies.hands.tables import BODY_JOINTS, SIDES, Side
from mvlift.bodies.hands.wrist import twist_about
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map, unit
from mvlift.lifting.arm_reach import reach_to_hands
from mvlift.lifting.body_of import body_of, has_fingers
from mvlift.lifting.hand_detections import HandDetections, hand_detections
from mvlift.lifting.prepared import PreparedClip
from mvlift.lifting.subjects import Subject
from mvlift.typing import F32, F64

__all__ = ["HANDS", "HandsMode", "LiftedHands", "hands_of_clip", "lift_hands"]

HandsMode = Literal["auto", "off", "relaxed"]
HANDS: Final[tuple[HandsMode, ...]] = ("auto", "off", "relaxed")
ELBOW_SHARE: Final = 0.5
"""Share of the wrist's twist that the elbow takes, because the skin of the forearm twists along its whole length."""
STRAIGHT: Final = np.radians([12.0, 45.0])
"""Bend of the elbow, radians, from which it begins to determine the forearm's twist, and at which it does so fully."""


@dataclass(frozen=True, eq=False)
class LiftedHands:
    """A fitted body with its hands.

    Attributes:
        fitted: the body, with the rotations of ``skeleton``'s joints.
        skeleton: SMPL-H's joints where there are fingers.
        confidence: (T, J) of each joint of the hands, NaN for the body's.
        frames: side -> number of frames whose fingers were seen.
    """

    fitted: BodyFit
    skeleton: BodySkeleton
    confidence: F64
    frames: dict[str, int]

    def joint_confidence(self, keypoints: F32) -> F32:
        """(T, J) of every joint: the hands' own; the body's from the keypoints (T, K) that a joint's turn moves.

        A joint's turn shows in the keypoints on the joint itself, beside its centre, and on its children.
        """
        skeleton = self.skeleton
        joint_of_point = skeleton.point_weights > 0.5  # (K, J)
        children = np.array([[p == j for j in range(len(skeleton.parents))] for p in skeleton.parents])
        shows = joint_of_point | ((joint_of_point.astype(np.int64) @ children.astype(np.int64)) > 0)
        shows = np.where(shows.any(0), shows, True)
        share = shows / shows.sum(0)
        body = np.asarray(keypoints, np.float64) @ share
        return np.where(np.isnan(self.confidence), body, self.confidence).astype(np.float32)


def hands_of_clip(
    clip: KeypointClip,
    mode: HandsMode,
    body: tuple[Subject, str | None],
    fitted: BodyFit,
    skeleton: BodySkeleton,
    prepared: PreparedClip,
    smoothing: float,
    reach: bool = True,
) -> LiftedHands:
    """The hands of a lifted person.

    Args:
        clip: as it was given, with its hands.
        mode: what to do with them.
        body: the subject without its object, and the user's body file.
        fitted, skeleton: the body in the camera's axes.
        prepared: for lens and frame rate.
        smoothing: multiplier on temporal smoothing.
        reach: move the wrists to where the hands are seen; not where they hold an object.

    Raises:
        LiftError: there is no such mode.
    """
    if mode not in HANDS:
        raise LiftError(f"There is no hands mode {mode!r}.", f"Choose {', '.join(HANDS)}.")
    subject, file = body
    seen = hand_detections(clip) if mode == "auto" and subject.body == "smpl" else None
    wanted = mode == "relaxed" or (seen is not None and seen.has_fingers)
    with_fingers = body_of(subject, file, True)[0] if wanted and has_fingers(subject, file) else None
    if reach and seen is not None and seen.has_fingers:
        fitted = reach_to_hands(fitted, skeleton, seen, prepared.K, float(prepared.fps))
    return lift_hands(fitted, skeleton, with_fingers, seen, prepared.K, float(prepared.fps), max(smoothing, 0.05))


def lift_hands(
    fitted: BodyFit,
    skeleton: BodySkeleton,
    with_fingers: BodySkeleton | None,
    seen: HandDetections | None,
    K: F64,
    fps: float,
    smoothing: float = 1.0,
) -> LiftedHands:
    """Turn wrists and bend fingers of a fitted body.

    Args:
        fitted: in the camera's axes.
        skeleton: that was fitted.
        with_fingers: the same body with SMPL-H's joints; None: wrists alone turn.
        seen: hands of the clip; None: they rest, in line with the forearm.
        K: (3, 3) intrinsics.
        fps: frames a second.
        smoothing: factor on the smoothness over time.
    """
    out_skeleton = skeleton if with_fingers is None else with_fingers
    rotations = np.tile(np.eye(3), (len(fitted.rotations), len(out_skeleton.joint_names), 1, 1))
    shared = min(BODY_JOINTS, len(skeleton.joint_names)) if with_fingers is not None else len(skeleton.joint_names)
    rotations[:, :shared] = fitted.rotations[:, :shared]
    confidence = np.full(rotations.shape[:2], np.nan)
    frames: dict[str, int] = {}
    for s, side in enumerate(SIDES):
        frames[side] = 0 if seen is None else int(seen.fingers[:, s].sum())
        if seen is None or not (seen.confidence[:, s] > 0).any():
            continue
        hand = _hand_of(out_skeleton, with_fingers is not None, side, fitted.betas)
        depth = None if seen.depth is None else seen.depth[:, s]
        arm, bare = _arm(fitted, skeleton, side)
        hand_fit = fit_hand(hand, seen.points[:, s], seen.confidence[:, s], arm, K, fps, depth, smoothing)
        _write(rotations, confidence, skeleton, side, bare, hand_fit)
        if with_fingers is not None:
            rotations[:, hand.joints] = hand_fit.fingers
            confidence[:, hand.joints] = hand_fit.finger_confidence[:, None, None]
    return LiftedHands(replace(fitted, rotations=rotations), out_skeleton, confidence, frames)


def _hand_of(skeleton: BodySkeleton, fingers: bool, side: Side, betas: F64) -> HandModel:
    """The body's hand, or one of the default body's shape that fits its forearm."""
    if fingers:
        return hand_model(skeleton, side, betas)
    usual = default_human_skeleton_with_fingers()
    lengths = []
    for body, joints in ((skeleton, skeleton.shaped(betas)[0]), (usual, usual.rest_joints)):
        rows = [body.joint_names.index(f"{side}_{joint}") for joint in ("elbow", "wrist")]
        lengths.append(float(np.linalg.norm(np.diff(joints[rows], axis=0))))
    return hand_model(usual, side).scaled(lengths[0] / lengths[1])


def _arm(fitted: BodyFit, skeleton: BodySkeleton, side: Side) -> tuple[Arm, F64]:
    """What carries a hand, and the elbow's rotations (T, 3, 3) without the forearm's twist."""
    rest = skeleton.shaped(fitted.betas)[0]
    world, joints = forward_kinematics(skeleton.parents, rest, fitted.rotations, fitted.root)
    shoulder, elbow, wrist = (skeleton.joint_names.index(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist"))
    upper, lower = rest[elbow] - rest[shoulder], unit(rest[wrist] - rest[elbow])
    local = fitted.rotations[:, elbow]
    bare = local @ exp_map(-twist_about(local, lower)[:, None] * lower)
    bend = np.arccos(np.clip((local @ lower) @ unit(upper), -1, 1))
    bent = np.clip((bend - STRAIGHT[0]) / (STRAIGHT[1] - STRAIGHT[0]), 0, 1)
    return Arm(joints[:, wrist], world[:, shoulder] @ bare, bent), bare


def _write(
    rotations: F64, confidence: F64, skeleton: BodySkeleton, side: Side, bare: F64, hand_fit: FittedHand
) -> None:
    """Puts a hand's turn, in place, on wrist and elbow, which share the forearm's twist."""
    elbow, wrist = (skeleton.joint_names.index(f"{side}_{n}") for n in ("elbow", "wrist"))
    axis = unit(skeleton.rest_joints[wrist] - skeleton.rest_joints[elbow])
    twist = ELBOW_SHARE * twist_about(hand_fit.wrist, axis)[:, None] * axis
    rotations[:, elbow] = bare @ exp_map(twist)
    rotations[:, wrist] = exp_map(-twist) @ hand_fit.wrist
    confidence[:, wrist] = hand_fit.confidence
