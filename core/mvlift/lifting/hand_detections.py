"""The hands that a clip shows: 21 keypoints a hand where a detector gives them, else a body detector's three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.clip import KeypointClip
from mvlift.typing import F64

__all__ = ["HandDetections", "hand_detections", "hand_frames"]

POINTS: Final = 21
LEAST_POINTS: Final = 10
"""Least number of keypoints for a hand to count as seen in a frame."""
BODY_POINTS: Final = {"wrist": 0, "thumb": 2, "index": 5, "pinky": 17}
"""A body detector's hand points among the 21: the wrist, and knuckles of thumb, index and little finger."""
_SIDES: Final = ("l", "r")
_OTHER_WRIST: Final = 0.5
"""Where the distance to the other wrist is less than this times the distance to its body wrist, a hand is exchanged."""


@dataclass(frozen=True, eq=False)
class HandDetections:
    """Hand keypoints of a clip; the second axis is left, right.

    Attributes:
        points: (T, 2, 21, 2) pixels.
        confidence: (T, 2, 21) in [0, 1], 0 = missing.
        depth: (T, 2, 21) pixels behind the wrist, NaN where not known; or None.
        fingers: (T, 2) whether the fingers were detected, not only the palm.
    """

    points: F64
    confidence: F64
    depth: F64 | None
    fingers: NDArray[np.bool_]

    @property
    def has_fingers(self) -> bool:
        """Whether fingers were detected in any frame."""
        return bool(self.fingers.any())


def hand_detections(clip: KeypointClip) -> HandDetections | None:
    """The hands of a clip, or None where it shows none.

    Where a frame has no hand keypoints, the body detector's points of the hand take their place, which turn the wrist.
    """
    points, confidence, depth = _detected(clip)
    _put_on_their_wrists(points, confidence, clip)
    fingers = (confidence > 0).sum(-1) >= LEAST_POINTS
    _add_body_points(points, confidence, fingers, clip)
    if not (confidence > 0).any():
        return None
    return HandDetections(points, confidence, depth, fingers)


def hand_frames(clip: KeypointClip) -> tuple[int, int]:
    """Frames in which the fingers of the left and of the right hand are seen."""
    left, right = ((_detected(clip)[1] > 0).sum(-1) >= LEAST_POINTS).sum(0)
    return int(left), int(right)


def _detected(clip: KeypointClip) -> tuple[F64, F64, F64 | None]:
    """Points (T, 2, 21, 2), confidence (T, 2, 21) and depths of the clip's hands; zeros where it has none."""
    hands = clip.hands
    if hands is not None:
        depth = None if hands.depth is None else np.asarray(hands.depth, np.float64)
        return np.array(hands.points, np.float64), np.array(hands.confidence, np.float64), depth
    points, confidence = np.zeros((len(clip), 2, POINTS, 2)), np.zeros((len(clip), 2, POINTS))
    for s, side in enumerate(_SIDES):
        if f"{side}_hand_1" not in clip.layout.names:
            continue
        for k in range(POINTS):
            name = f"{side}_hand_{k}"
            name = f"{side}_wrist" if k == 0 and name not in clip.layout.names else name
            points[:, s, k], confidence[:, s, k] = _column(clip, name)
    return points, confidence, None


def _column(clip: KeypointClip, name: str) -> tuple[F64, F64]:
    """Points (T, 2) and confidence (T,) of a body keypoint; confidence 0 where the layout lacks it."""
    if name not in clip.layout.names:
        return np.zeros((len(clip), 2)), np.zeros(len(clip))
    column = clip.layout.index(name)
    return clip.points[:, column].astype(np.float64), clip.confidence[:, column].astype(np.float64)


def _put_on_their_wrists(points: F64, confidence: F64, clip: KeypointClip) -> None:
    """Exchange, in place, hands that lie on each other's wrists; drop a hand that alone lies on the other wrist."""
    if not (confidence > 0).any():
        return
    wrists = [_column(clip, f"{side}_wrist") for side in _SIDES]
    known = np.asarray((wrists[0][1] > 0) & (wrists[1][1] > 0))
    wrong = np.zeros((len(clip), 2), bool)
    for side in range(2):
        to = [np.linalg.norm(points[:, side, 0] - wrists[w][0], axis=-1) for w in (side, 1 - side)]
        size = np.linalg.norm(points[:, side, 9] - points[:, side, 0], axis=-1)
        there = np.stack([known, confidence[:, side, 0] > 0, confidence[:, side, 9] > 0]).all(0)
        wrong[:, side] = there * (to[1] < _OTHER_WRIST * to[0]) * (to[0] > size)
    both = np.logical_and(wrong[:, 0], wrong[:, 1])
    points[both] = points[both][:, ::-1]
    confidence[both] = confidence[both][:, ::-1]
    confidence[wrong & ~both[:, None]] = 0


def _add_body_points(points: F64, confidence: F64, fingers: NDArray[np.bool_], clip: KeypointClip) -> None:
    for s, side in enumerate(_SIDES):
        bare = ~fingers[:, s]
        columns = {k: _column(clip, f"{side}_{name}") for name, k in BODY_POINTS.items()}
        if not all((seen > 0).any() for _, seen in columns.values()):
            continue
        confidence[bare, s] = 0
        for k, (place, seen) in columns.items():
            points[bare, s, k], confidence[bare, s, k] = place[bare], seen[bare]
