"""One hand of a clip, from its 2D keypoints and the arm that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.model import HandModel
from mvlift.bodies.hands.refine import HandPose, refine_hand
from mvlift.bodies.hands.search import finger_costs, finger_paths
from mvlift.bodies.hands.view import HandView, view_hand
from mvlift.bodies.hands.wrist import best_path, palm_candidates, wrist_cost
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F64

__all__ = ["Arm", "FittedHand", "fit_hand"]


BLOCK: Final = 256
"""Frames whose bends are tried at once, which bounds memory."""


@dataclass(frozen=True, eq=False)
class Arm:
    """The arm that a hand is attached to, in the camera's axes (x right, y down, z forward).

    Attributes:
        wrist: (T, 3) place of the wrist, metres.
        forearm: (T, 3, 3) rotation from rest of the forearm, without twist about itself.
        bent: (T,) in [0, 1]: 0 where the arm is straight, so that the elbow does not determine the forearm's twist.
    """

    wrist: F64
    forearm: F64
    bent: F64


@dataclass(frozen=True, eq=False)
class FittedHand:
    """A fitted hand.

    Attributes:
        wrist: (T, 3, 3) turn relative to the forearm without twist.
        fingers: (T, 5, 3, 3, 3) local rotations of the joints in the columns of the hand's ``joints``.
        confidence: (T,) of the wrist, in [0, 1].
        finger_confidence: (T,) of the fingers.
    """

    wrist: F64
    fingers: F64
    confidence: F64
    finger_confidence: F64


def fit_hand(
    hand: HandModel,
    points: F64,
    confidence: F64,
    arm: Arm,
    K: F64,
    fps: float,
    depth: F64 | None = None,
    smoothing: float = 1.0,
) -> FittedHand:
    """Wrist and fingers of one hand.

    Args:
        hand: the body's hand at its shape.
        points: (T, 21, 2) pixels, from the wrist over the thumb to the little finger.
        confidence: (T, 21) in [0, 1], 0 = missing; a body detector's hand points alone (thumb, index and little
            finger's knuckles: columns 2, 5, 17) turn the wrist, and the fingers rest.
        arm: what carries it.
        K: (3, 3) intrinsics.
        fps: frames a second.
        depth: (T, 21) pixels behind the wrist as a detector guesses them, NaN where it does not; or None.
        smoothing: factor on the smoothness over time.
    """
    view = view_hand(hand, points, confidence, arm.wrist, K, fps, depth)
    frames = len(points)
    forearm = view.turn @ arm.forearm
    rows = np.flatnonzero(view.seen)
    start = HandPose(np.tile(np.eye(3), (frames, 1, 1)), np.zeros((frames, 5, 5)), np.zeros(6))
    if len(rows):
        start = _start(view, hand, forearm, arm.bent, rows, fps)
        start = refine_hand(view, hand, forearm, arm.bent, start, fps, smoothing)
    sure = confidence[:, [0, 5, 9, 13, 17]]
    known = (sure > 0).sum(1)
    wrist_confidence = np.where(view.seen, sure.sum(1) / np.maximum(known, 1), 0.0)
    return FittedHand(
        wrist=start.wrist,
        fingers=hand.rotations(start.angles),
        confidence=wrist_confidence,
        finger_confidence=wrist_confidence * view.quality,
    )


def _start(view: HandView, hand: HandModel, forearm: F64, bent: F64, rows: NDArray[np.int64], fps: float) -> HandPose:
    """The better of the two palm orientations in each frame, and the best finger angles for it."""
    candidates, costs, bends = [], [], []
    for first in range(0, len(rows), BLOCK):
        part = rows[first : first + BLOCK]
        block = view.rows(part)
        palms = palm_candidates(block, hand)
        fingers = finger_costs(block, hand, palms)  # (n, 2, 5, C)
        believed = block.quality[:, None]
        cost = wrist_cost(palms, forearm[part], bent[part], block, hand)
        costs.append(cost + believed * fingers.min(-1).sum(-1))
        candidates.append(palms)
        bends.append(fingers)
    both, cost, all_bends = np.concatenate(candidates), np.concatenate(costs), np.concatenate(bends)
    path = best_path(cost, both, rows, fps)
    taken = np.arange(len(rows))
    wrist = forearm[rows].transpose(0, 2, 1) @ both[taken, path]
    angles = finger_paths(all_bends[taken, path] * view.quality[rows, None, None], hand, rows, fps)
    frames = len(view.points)
    return HandPose(_filled_turns(wrist, rows, frames), _filled_angles(angles, rows, frames, fps), np.zeros(6))


def _filled_turns(wrist: F64, rows: NDArray[np.int64], frames: int) -> F64:
    """(T, 3, 3) turns between seen frames by the shortest way, and as at the ends before and after them."""
    after = np.clip(np.searchsorted(rows, np.arange(frames)), 0, len(rows) - 1)
    before = np.clip(after - 1, 0, None)
    gap = rows[after] - rows[before]
    share = np.where(gap > 0, (np.arange(frames) - rows[before]) / np.maximum(gap, 1), 1.0)
    share = np.clip(share, 0, 1)
    step = log_map(wrist[before].transpose(0, 2, 1) @ wrist[after])
    return np.asarray(wrist[before] @ exp_map(share[:, None] * step))


def _filled_angles(angles: F64, rows: NDArray[np.int64], frames: int, fps: float) -> F64:
    """(T, 5, 5) angles between seen frames, with the steps of the grid smoothed away."""
    flat = angles.reshape(len(rows), -1)
    filled = np.stack([np.interp(np.arange(frames), rows, column) for column in flat.T], 1)
    return gaussian_filter1d(filled, 0.05 * fps).reshape(frames, 5, 5)
