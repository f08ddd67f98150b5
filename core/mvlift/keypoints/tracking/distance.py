"""How far apart two detections are, in units of a person's size, and which detections of a frame coincide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.typing import F64

__all__ = ["AT_ONCE", "distances", "frames_alike", "ranges", "runs", "sizes_of", "without_doubles"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
AT_ONCE: Final = 1 << 21
"""Numbers that are compared in one go."""
_SAME: Final = 0.07
"""Two detections of one frame that are closer may be one person detected twice."""


def sizes_of(points: F64, weight: F64) -> F64:
    """(N,) extent of each detection (N, J, 2): diagonal of the box of its keypoints, pixels."""
    seen = (weight > 0)[..., None]
    low = np.where(seen, points, np.inf).min(1)
    high = np.where(seen, points, -np.inf).max(1)
    extent = np.where(np.isfinite(high - low), high - low, 0.0)
    return np.maximum(np.hypot(extent[:, 0], extent[:, 1]), 1e-3)


def distances(a: F64, wa: F64, b: F64, wb: F64, scale: F64, limit: float | F64 = np.inf) -> F64:
    """(...,) mean distance over keypoints that both have, weighted by confidence; infinite without two of them.

    Args:
        a, b: (..., J, 2) which broadcast against each other.
        wa, wb: (..., J).
        scale: (...,) unit of the distance.
        limit: distances of single keypoints are clipped here; (..., 1) or one for all.
    """
    weight = np.sqrt(wa * wb)
    step = a - b
    distance = np.minimum(np.hypot(step[..., 0], step[..., 1]) / scale[..., None], limit)
    enough = (weight > 0).sum(-1) >= min(2, a.shape[-2])
    return np.where(enough, (weight * distance).sum(-1) / np.maximum(weight.sum(-1), 1e-9), np.inf)


def ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """All of ``starts[i]`` to ``starts[i] + counts[i] - 1``, one after the other."""
    return np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def runs(frame: IntArray) -> tuple[IntArray, IntArray]:
    """Where each frame begins in a sorted list, and how many rows it has."""
    starts = np.flatnonzero(np.diff(frame, prepend=frame[0] - 1))
    return starts, np.diff(starts, append=len(frame))


def frames_alike(frame: IntArray, numbers: int) -> Iterator[IntArray]:
    """(F, n) rows of F frames that have n rows each, frame by frame; frames with a single row are left out.

    Args:
        frame: (N,) in any order.
        numbers: that are compared for each pair of rows; bounds F.
    """
    order = np.argsort(frame, kind="stable")
    starts, counts = runs(frame[order])
    for n in np.unique(counts[counts > 1]).tolist():
        alike = starts[counts == n]
        for batch in np.array_split(alike, max(1, len(alike) * n * n * numbers // AT_ONCE)):
            yield order[batch[:, None] + np.arange(n)]


def without_doubles(frame: IntArray, points: F64, weight: F64, sizes: F64) -> BoolArray:
    """(N,) False for detections that lie on a surer one of their frame.

    Of two overlapping people only one is updated, the other is predicted at constant velocity, because detectors mix up
    the keypoints of overlapping people.
    """
    alone = np.ones(len(frame), dtype=np.bool_)
    total = weight.sum(1)
    for rows in frames_alike(frame, 2 * points.shape[1]):
        rows = np.take_along_axis(rows, np.argsort(-total[rows], axis=1, kind="stable"), 1)
        p, w, size = points[rows], weight[rows], sizes[rows]
        scale = np.sqrt(size[:, :, None] * size[:, None])
        coincide = distances(p[:, :, None], w[:, :, None], p[:, None], w[:, None], scale) < _SAME
        kept = np.zeros(rows.shape, dtype=np.bool_)
        for i in range(rows.shape[1]):
            kept[:, i] = ~(coincide[:, i] & kept).any(1)
        alone[rows] = kept
    return alone
