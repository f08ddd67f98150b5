"""Mirrored pictures: left and right of people who move as if they walked backwards, and keypoints turned back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout
from mvlift.typing import F32, F64

__all__ = ["handedness", "mirrored_detections", "seems_mirrored"]

_DOUBT: Final = -1.5
"""Sum of the cues below which a note is given: 1 % of unmirrored training clips, half of the mirrored ones."""
_HALF_SECOND: Final = 15
_LEAST: Final = 2 * _HALF_SECOND + 1
_SIDED: Final = tuple(f"{s}_{n}" for n in ("shoulder", "hip", "ankle") for s in "lr")


def handedness(points: F32 | F64, confidence: F32 | F64, layout: Layout) -> float:
    """Score of left against right: above 0 where they fit a person walking on a floor, below where they are exchanged.

    The sum of four cues, each from -1 to 1. 1: of a person facing right in the picture, the left ankle is further from
    the camera, hence higher in the picture. Of a person facing the camera (left shoulder on the right of the picture),
    2: the toes are below the heels; 3: the trunk grows while they walk forwards; 4: the lower foot then moves down.

    Args:
        points: (T, J, 2) of one person in consecutive frames, square pixels, y down.
        confidence: (T, J), 0 = missing.
        layout: of the keypoints.

    Returns:
        0 where the keypoints say nothing.
    """
    if layout.family != "human" or len(points) < _LEAST or not all(n in layout.names for n in _SIDED):
        return 0.0
    at = {n: points[:, layout.index(n)].astype(np.float64) for n in layout.names}
    seen = {n: confidence[:, layout.index(n)] > 0 for n in layout.names}
    trunk_seen = seen["l_shoulder"] & seen["r_shoulder"] & seen["l_hip"] & seen["r_hip"]
    if trunk_seen.sum() < _LEAST:
        return 0.0
    shoulders, hips = (at["l_shoulder"] + at["r_shoulder"]) / 2, (at["l_hip"] + at["r_hip"]) / 2
    trunk = np.linalg.norm(hips - shoulders, axis=1)
    size = max(float(np.median(trunk[trunk_seen])), 1e-6)
    frontal = (at["l_shoulder"] - at["r_shoulder"] + at["l_hip"] - at["r_hip"])[:, 0] / (2 * size)
    rightward, toes_below = np.zeros(len(points)), np.zeros(len(points))
    for side in "lr":
        toe, heel = f"{side}_big_toe", f"{side}_heel"
        if toe in at and heel in at:
            step = np.where((seen[toe] & seen[heel])[:, None], at[toe] - at[heel], 0.0) / size
            rightward, toes_below = rightward + step[:, 0], toes_below + step[:, 1]
    if "nose" in at:
        rightward += np.where(seen["nose"] & trunk_seen, 2 * (at["nose"] - shoulders)[:, 0] / size, 0.0)
    ankles = seen["l_ankle"] & seen["r_ankle"]
    higher = (at["r_ankle"] - at["l_ankle"])[:, 1] / size
    lowest = np.maximum(at["l_ankle"][:, 1], at["r_ankle"][:, 1]) / size
    cues = [
        _agreement((higher * rightward)[ankles & trunk_seen]),
        _agreement((toes_below * frontal)[trunk_seen]),
        _agreement(_change(np.log(np.maximum(trunk, 1e-6)), frontal, trunk_seen)),
        _agreement(_change(lowest, frontal, trunk_seen & ankles)),
    ]
    return float(sum(cues))


def _change(values: F64, frontal: F64, good: NDArray[np.bool_]) -> F64:
    """Change over half a second times how frontal the person was in the middle of it."""
    both = good[_HALF_SECOND:] & good[:-_HALF_SECOND]
    middle = frontal[_HALF_SECOND // 2 :][: len(both)]
    return np.asarray(((values[_HALF_SECOND:] - values[:-_HALF_SECOND]) * middle)[both])


def _agreement(products: F64) -> float:
    total = float(np.abs(products).sum())
    return float(products.sum()) / total if total > 1e-9 else 0.0


def seems_mirrored(clips: Sequence[KeypointClip]) -> bool:
    """Whether left and right are probably exchanged in a file; each person counts by the frames in which they are
    seen."""
    scores = [(handedness(c.points, c.confidence, c.layout), len(c)) for c in clips[:4]]
    decided = [(score, frames) for score, frames in scores if score != 0.0]
    frames = sum(n for _, n in decided)
    return bool(decided) and sum(score * n for score, n in decided) / frames < _DOUBT


def mirrored_detections(
    points: F64,
    score: F64,
    hands: F64 | None,
    layout: Layout,
    size: tuple[int, int] | None,
    frame: NDArray[np.int64],
    notes: list[str],
) -> tuple[F64, F64, F64 | None]:
    """Detections turned over from left to right.

    Programs that turn x over for show keep left and right; in a video that was mirrored before detection they have
    changed places. Which of both it is shows in how people walk.

    Args:
        points: (N, J, 2) pixels.
        score: (N, J), 0 = missing.
        hands: (N, 2, 21, 4), or None.
        layout: of the keypoints.
        size: of the picture; where it is unknown, the middle of what was seen stays where it is.
        frame: (N,) frame numbers.
        notes: sentences for the user.

    Returns:
        Points, score and hands.
    """
    seen = score > 0
    x = points[..., 0][seen]
    width = float(size[0]) if size is not None else float(x.min() + x.max()) if x.size else 0.0
    order = np.argsort(frame, kind="stable")
    alone = len(np.unique(frame)) == len(frame)
    kept = alone and handedness(points[order], score[order], layout) < _DOUBT
    turned = np.stack([np.where(seen, width - points[..., 0], 0.0), points[..., 1]], -1)
    both = None
    if hands is not None:
        both = hands.copy()
        both[..., 0] = width - both[..., 0]
    if kept:
        notes.append("x was turned over; left and right were kept, because they go with it.")
        return turned, score, both
    notes.append("The picture was turned over: x was mirrored, and left and right have changed places.")
    swap = layout.mirrored()
    return turned[:, swap], score[:, swap], None if both is None else both[:, ::-1]
