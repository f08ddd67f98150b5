"""Missing keypoints and confidence in [0, 1], from the conventions of all programs that write keypoints."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.typing import F32, F64

__all__ = ["frozen_keypoints", "missing_as_zero", "normalised_confidence"]

_LARGEST: Final = 1e7
_SHARED: Final = 3
"""At least this many keypoints of one person at the same place are missing ones that were shifted with a crop."""
_FROZEN_FRAMES: Final = 10
_HEAT_MAP: Final = 10.0
"""Scores of heat maps and SimCC reach up to about 7; larger ones are of another scale."""
_TINY: Final = 0.1


def normalised_confidence(confidence: F64, notes: list[str]) -> F64:
    """(N, J) confidences in [0, 1], whatever their scale; what is done about it is added to the notes.

    Scores that pass 1 by a little (heat maps, SimCC, visibility 2) are cut off there and not divided, because 1 means
    the same in them as in others.
    """
    known = confidence[np.isfinite(confidence) & (confidence != 0) & (confidence != -1)]
    values = np.nan_to_num(confidence, nan=0.0, posinf=1.0, neginf=0.0)
    if not known.size:
        return np.clip(values, 0, 1)
    if (known < 0).mean() > 0.05 and known.size >= 20:
        notes.append("Many confidences are below 0: they were taken for logits.")
        return np.where(values == 0, 0.0, 1 / (1 + np.exp(-np.clip(values, -50, 50))))
    high = float(np.quantile(known, 0.98))
    if high > _HEAT_MAP:
        scale, name = next(((s, n) for s, n in _SCALES if high <= 1.005 * s), (high, f"0 to {high:.4g}"))
        notes.append(f"The confidences go from {name}: they were divided by {scale:.4g}.")
        return np.clip(values / scale, 0, 1)
    if float(np.median(known)) > _HEAT_MAP / 2 and float(known.max()) <= _HEAT_MAP:
        notes.append("The confidences go from 0 to 10: they were divided by 10.")
        return np.clip(values / _HEAT_MAP, 0, 1)
    if float(known.max()) < _TINY and known.size >= 20:
        notes.append(f"No confidence is above {float(known.max()):.2g}: they were divided by the largest.")
        return np.clip(values / float(known.max()), 0, 1)
    return np.clip(values, 0, 1)


_SCALES: Final = ((100.0, "0 to 100 (percent)"), (255.0, "0 to 255"), (1000.0, "0 to 1000"))


def missing_as_zero(points: F64, confidence: F64 | None) -> tuple[F64, F64]:
    """Points with 0 where missing, and confidence in [0, 1] with 0 there.

    Missing are values that are no numbers, confidence 0, the places (0, 0) and (-1, -1) that many programs write, and
    a place that several keypoints of one person share: the corner of a crop that was added to such a place.

    Args:
        points: (N, J, 2) as written.
        confidence: (N, J) in [0, 1], None where the file has none.
    """
    points = np.asarray(points, dtype=np.float64)
    known = np.isfinite(points).all(-1) & (points != 0).any(-1) & (points != -1).any(-1)
    known &= (np.abs(points) < _LARGEST).all(-1)
    score = np.ones(points.shape[:2]) if confidence is None else np.asarray(confidence, dtype=np.float64)
    known &= ~_at_crop_corners(points, known & (score > 0))
    # clips hold 32 bits, in which the smallest numbers are 0
    score = np.where(known, np.clip(score, 0, 1).astype(np.float32), 0).astype(np.float64)
    return np.where((score > 0)[..., None], points, 0.0), score


def _at_crop_corners(points: F64, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, J) True where a keypoint lies exactly where ``_SHARED`` others of its person lie, left of and above the rest.

    Small people have several keypoints of the face in one pixel; those have the body below them and on both sides.
    """
    at_corner = np.zeros(known.shape, dtype=np.bool_)
    corner = np.where(known[..., None], points, np.inf).min(1)  # (N, 2): left and upper edge of what was seen
    with np.errstate(invalid="ignore"):
        there = known & (points == corner[:, None]).all(-1)
    at_corner[there.sum(1) >= _SHARED] = there[there.sum(1) >= _SHARED]
    # a crop that stays where it is: the same place in other detections, however few keypoints lie there
    places = {tuple(p) for p in np.unique(corner[there.sum(1) >= _SHARED], axis=0).tolist()}
    if places and len(places) <= 32:
        for place in places:
            at_corner |= known & (points == np.array(place)).all(-1)
    return at_corner


def frozen_keypoints(points: F32, confidence: F32, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(J,) True for keypoints of one person that stand at exactly one place while the others move.

    Detectors tremble; only what was filled in stands still. A clip in which most keypoints stand still is a still.
    """
    seen = confidence > 0
    least = np.where(seen[..., None], points, np.inf).min(0)
    most = np.where(seen[..., None], points, -np.inf).max(0)
    still = (least == most).all(-1) & (seen.sum(0) >= _FROZEN_FRAMES)
    moving = (least != most).any(-1) & (seen.sum(0) >= _FROZEN_FRAMES)
    rigid = np.array([n.startswith("object") for n in names])
    return still & ~rigid if moving.sum() > still.sum() else np.zeros(len(names), dtype=np.bool_)
