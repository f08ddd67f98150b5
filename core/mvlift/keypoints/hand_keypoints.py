"""The 21 2D keypoints of each hand that whole-body detectors write beside the body's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.typing import F32, F64

__all__ = ["HAND_KEYPOINTS", "HandKeypoints", "hand_columns", "hand_rows", "hands_of_columns"]

HAND_KEYPOINTS: Final = 21
"""Wrist, then four keypoints a finger from base to tip: thumb, index, middle, ring and little finger (the order of
OpenPose, MediaPipe, COCO-WholeBody and Halpe)."""
_SIDES: Final = ("l", "r")


@dataclass(frozen=True, eq=False)
class HandKeypoints:
    """Both hands of one person over time; rows are the frames of the clip that they belong to.

    Attributes:
        points: (T, 2, 21, 2) x right, y down, in square pixels of the picture; the second axis is left, right. The
            order of keypoints is that of `HAND_KEYPOINTS`. 0 where missing.
        confidence: (T, 2, 21) in [0, 1]; 0 means missing.
        depth: (T, 2, 21) distance behind the wrist in pixels, as MediaPipe estimates it (a weak hint); None where no
            detector gave one, NaN where it gave none for a keypoint.

    Raises:
        KeypointError: a shape is outside the above.
    """

    points: F32
    confidence: F32
    depth: F32 | None = None

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float32)
        confidence = np.asarray(self.confidence, dtype=np.float32)
        depth = None if self.depth is None else np.asarray(self.depth, dtype=np.float32)
        if points.ndim != 4 or points.shape[1:] != (2, HAND_KEYPOINTS, 2):
            raise KeypointError(
                f"Hands have shape {points.shape}, expected (frames, 2, {HAND_KEYPOINTS}, 2).",
                "Give the wrist and four keypoints a finger for the left and the right hand.",
            )
        if confidence.shape != points.shape[:3] or (depth is not None and depth.shape != points.shape[:3]):
            raise KeypointError(
                f"Confidence or depth of the hands does not have shape {points.shape[:3]}.",
                "Give one value for each keypoint.",
            )
        missing = ~(np.isfinite(points).all(-1) & np.isfinite(confidence) & (confidence > 0))
        object.__setattr__(self, "points", np.where(missing[..., None], np.float32(0), points))
        object.__setattr__(self, "confidence", np.where(missing, np.float32(0), np.clip(confidence, 0, 1)))
        object.__setattr__(self, "depth", depth)

    def __len__(self) -> int:
        return int(self.points.shape[0])

    @property
    def left(self) -> F32:
        """(T, 21, 2) keypoints of the left hand."""
        return self.points[:, 0]

    @property
    def right(self) -> F32:
        """(T, 21, 2) keypoints of the right hand."""
        return self.points[:, 1]

    @property
    def left_confidence(self) -> F32:
        """(T, 21) confidence of the left hand."""
        return self.confidence[:, 0]

    @property
    def right_confidence(self) -> F32:
        """(T, 21) confidence of the right hand."""
        return self.confidence[:, 1]

    def frames(self, rows: slice | NDArray[np.int64]) -> HandKeypoints:
        """The hands in some rows."""
        depth = None if self.depth is None else self.depth[rows]
        return HandKeypoints(self.points[rows], self.confidence[rows], depth)

    def mirrored(self, width: float) -> HandKeypoints:
        """The hands in a picture of that width turned over from left to right: the hands change places."""
        points = self.points[:, ::-1].copy()
        points[..., 0] = width - points[..., 0]
        depth = None if self.depth is None else self.depth[:, ::-1]
        return replace(self, points=points, confidence=self.confidence[:, ::-1], depth=depth)


def hand_columns(names: Sequence[str]) -> NDArray[np.int64] | None:
    """(2, 21) columns of a whole-body layout that are hand keypoints, -1 for none; None where it has no hands.

    The columns are called ``l_hand_0`` (the hand's own wrist) to ``l_hand_20``. Where a layout has no wrist of the
    hand, the body's wrist takes its place.
    """
    index = {name: i for i, name in enumerate(names)}
    columns = np.full((2, HAND_KEYPOINTS), -1, dtype=np.int64)
    for row, side in zip(columns, _SIDES, strict=True):
        for k in range(HAND_KEYPOINTS):
            row[k] = index.get(f"{side}_hand_{k}", -1)
        if row[0] < 0 and (row[1:] >= 0).any():
            row[0] = index.get(f"{side}_wrist", -1)
    return columns if ((columns[:, 1:] >= 0).sum(1) >= HAND_KEYPOINTS // 2).any() else None


def hands_of_columns(points: F64, confidence: F64, names: Sequence[str]) -> F64 | None:
    """(N, 2, 21, 4) x, y, confidence and no depth (NaN) of the hands in the columns of a whole-body layout.

    Args:
        points: (N, J, 2).
        confidence: (N, J), 0 = missing.
        names: of the J columns, in the layouts' vocabulary.

    Returns:
        None where the layout has no hands or no hand keypoint was seen.
    """
    columns = hand_columns(names)
    if columns is None:
        return None
    hands = np.full((len(points), 2, HAND_KEYPOINTS, 4), np.nan)
    hands[..., :2] = points[:, columns]
    hands[..., 2] = np.where(columns >= 0, confidence[:, columns], 0.0)
    return hands if (hands[:, :, 1:, 2] > 0).any() else None


def hand_rows(left: object, right: object) -> F64 | None:
    """(2, 21, 4) x, y, confidence and no depth (NaN) of one person's hands.

    Args:
        left: of the left hand 63 numbers x, y, confidence, or 42 numbers x, y, in one list or array of any shape; else
            it counts as missing.
        right: of the right hand.

    Returns:
        None where neither hand is there.
    """
    hands = np.full((2, HAND_KEYPOINTS, 4), np.nan)
    hands[..., 2] = 0
    there = False
    for row, values in zip(hands, (left, right), strict=True):
        if not isinstance(values, list | np.ndarray) or not len(values):
            continue
        try:
            numbers = np.asarray(values, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError, OverflowError):
            continue
        columns, rest = divmod(numbers.size, HAND_KEYPOINTS)
        if rest or columns not in (2, 3):
            continue
        row[:, :columns] = numbers.reshape(HAND_KEYPOINTS, columns)
        row[:, 2] = row[:, 2] if columns == 3 else 1
        there = True
    return hands if there else None
