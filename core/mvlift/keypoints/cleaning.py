"""Cleaning of a track: swapped sides, outliers, short gaps, tremble. Confidence decides what is believed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.filters import whittaker_smoother
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.corrections import CORRECTED
from mvlift.keypoints.layouts import Layout
from mvlift.typing import F64, BoolArray

__all__ = ["clean_clip"]

OUTLIER: Final = 0.12
"""Distance to the smooth path, as a share of the body's size, at which the weight of a detection is halved."""
GAP_SECONDS: Final = 0.2
"""Longer gaps stay missing: the models fill them better than a line does."""
FILLED: Final = 0.4
"""Confidence of a filled keypoint, relative to its neighbours."""
STIFFNESS: Final = 2.0
"""Weight of squared second differences at 30 fps and smoothing 1."""
SWAPPED: Final = 0.01
"""Cost a frame of believing that the detector mixed up left and right, as a share of the body's size."""
LIMBS: Final = (
    ("hip", "knee", "ankle", "heel", "big_toe", "small_toe"),
    ("shoulder", "elbow", "wrist"),
    ("eye", "ear"),
)


def _body_size(points: F64, seen: BoolArray) -> float:
    """Typical extent of the body in pixels: diagonal of the box of what is seen, median over frames."""
    full = seen.sum(1) >= max(2, seen.shape[1] // 3)
    if not full.any():
        full = seen.any(1)
    low = np.where(seen[..., None], points, np.inf)[full].min(1)
    high = np.where(seen[..., None], points, -np.inf)[full].max(1)
    return max(float(np.median(np.linalg.norm(high - low, axis=1))), 1.0)


def _sides(layout: Layout, names: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns of a limb's left and right keypoints."""
    pairs = [(f"l_{n}", f"r_{n}") for n in names if f"l_{n}" in layout.names and f"r_{n}" in layout.names]
    left = np.array([layout.index(a) for a, _ in pairs], dtype=np.int64)
    return left, np.array([layout.index(b) for _, b in pairs], dtype=np.int64)


def _swaps(left: F64, right: F64, seen: BoolArray, size: float) -> BoolArray:
    """(T,) frames in which left and right are exchanged: the cheapest path of a two-state model (Viterbi 1967).

    Changing the state costs nothing; moving from where a keypoint was does. Where limbs cross, keeping the sides costs
    as little as exchanging them, and the small price of an exchange decides.
    """
    frames = len(left)
    as_detected, exchanged = np.stack([left, right], 1), np.stack([right, left], 1)  # (T, 2, N, 2)
    pair = seen[1:] & seen[:-1]  # (T - 1, N): both keypoints of a pair seen in both frames

    def moved(a: F64, b: F64) -> F64:
        distance = np.minimum(np.linalg.norm(a - b, axis=-1), size).sum(1)  # (T - 1, N)
        return np.asarray((distance * pair).sum(1) / np.maximum(pair.sum(1), 1) / size)

    same, cross = moved(as_detected[1:], as_detected[:-1]), moved(exchanged[1:], as_detected[:-1])
    cost = np.array([0.0, SWAPPED])
    came = np.zeros((frames, 2), dtype=np.int8)
    for t in range(1, frames):
        stay, change = same[t - 1], cross[t - 1]
        to_own = (cost[0] + stay, cost[1] + change)
        to_other = (cost[0] + change, cost[1] + stay)
        came[t] = int(to_own[1] < to_own[0]), int(to_other[1] < to_other[0])
        cost = np.array([min(to_own), min(to_other) + SWAPPED])
    state = int(cost.argmin())
    path = np.zeros(frames, dtype=np.bool_)
    for t in range(frames - 1, -1, -1):
        path[t] = state == 1
        state = int(came[t, state])
    return path if path.mean() <= 0.5 else ~path


def _repair_sides(points: F64, confidence: F64, layout: Layout, size: float) -> int:
    """Put exchanged limbs right, in place; returns the number of frames changed."""
    changed = 0
    for limb in LIMBS:
        left, right = _sides(layout, limb)
        if not len(left) or len(points) < 3:
            continue
        seen = (confidence[:, left] > 0) & (confidence[:, right] > 0)
        swapped = np.flatnonzero(_swaps(points[:, left], points[:, right], seen, size))
        for values in (points, confidence):
            a, b = values[np.ix_(swapped, left)].copy(), values[np.ix_(swapped, right)].copy()
            values[np.ix_(swapped, left)], values[np.ix_(swapped, right)] = b, a
        changed += len(swapped)
    return changed


def _robust_paths(points: F64, confidence: F64, stiffness: float, size: float) -> tuple[F64, F64]:
    """Smooth paths (T, N, 2) through keypoints, and the weight of each detection (T, N) after that."""
    path, belief = points, confidence
    for _ in range(3):
        path = whittaker_smoother(points, belief, stiffness)
        residual = np.linalg.norm(points - path, axis=-1) / (OUTLIER * size)
        belief = confidence / (1 + residual**4)
    return path, belief


def _interpolated(values: F64, seen: BoolArray) -> F64:
    frames = np.arange(len(values))
    known = np.flatnonzero(seen)
    return np.stack([np.interp(frames, known, column[known]) for column in values.T], 1)


def _short_gaps(seen: BoolArray, longest: int) -> BoolArray:
    """(T,) unseen frames in runs of at most ``longest`` between seen ones."""
    known = np.flatnonzero(seen)
    fill = np.zeros(len(seen), dtype=np.bool_)
    for a, b in pairwise(known):
        if 1 < b - a <= longest + 1:
            fill[a + 1 : b] = True
    return fill


def _keep_corrected(clip: KeypointClip, points: F64, confidence: F64) -> None:
    """Put what was corrected by hand back to its place, with its confidence."""
    placed = clip.metadata.get(CORRECTED)
    for frame, name in placed if isinstance(placed, (list, tuple)) else ():
        row = int(frame) - clip.first_frame
        if 0 <= row < len(clip) and name in clip.layout.names:
            column = clip.layout.index(name)
            points[row, column], confidence[row, column] = clip.points[row, column], clip.confidence[row, column]


def clean_clip(clip: KeypointClip, *, smoothing: float = 1.0) -> KeypointClip:
    """A track without exchanged sides, outliers, short gaps and tremble.

    Args:
        clip: any layout; sides are known by the keypoints' names.
        smoothing: factor on the stiffness of the smoothing, 0 for none.

    Returns:
        The clip; outliers and long gaps have confidence 0 or little, filled gaps less than their neighbours, and
        ``metadata["cleaned"]`` counts what was changed.
    """
    points, confidence = clip.points.astype(np.float64), clip.confidence.astype(np.float64)
    seen = confidence > 0
    if not seen.any():
        return clip
    size = _body_size(points, seen)
    swapped = _repair_sides(points, confidence, clip.layout, size)
    rate = float(clip.fps) if clip.fps is not None else 30.0
    stiffness = STIFFNESS * smoothing * (rate / 30) ** 4
    longest = max(1, round(GAP_SECONDS * rate))
    columns = np.flatnonzero((confidence > 0).sum(0) >= 3)
    path, belief = _robust_paths(points[:, columns], confidence[:, columns], max(stiffness, STIFFNESS * 0.2), size)
    outliers = filled = 0
    for column, k in enumerate(columns):
        detected, sure = points[:, k], confidence[:, k]
        known = sure > 0
        gone = known & (belief[:, column] < 0.2 * sure)
        gap = _short_gaps(known & ~gone, longest)
        outliers, filled = outliers + int(gone.sum()), filled + int(gap.sum())
        smooth = path[:, column]
        result = smooth if smoothing > 0 else np.where(known[:, None] & ~gone[:, None], detected, smooth)
        nearest_confidence = _interpolated(sure[:, None], known & ~gone)[:, 0] if (known & ~gone).any() else sure
        confidence[:, k] = np.where(gap, FILLED * nearest_confidence, np.where(gone, 0.0, belief[:, column]))
        points[:, k] = result
    _keep_corrected(clip, points, confidence)
    note = {"swapped": swapped, "outliers": outliers, "filled": filled}
    return replace(
        clip,
        points=points.astype(np.float32),
        confidence=confidence.astype(np.float32),
        metadata={**clip.metadata, "cleaned": note},
    )
