"""Which layout are J unnamed keypoints? Decided by where the keypoints lie, never by their number alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.layouts import Layout, get_layout, layout_names

__all__ = ["candidates_for", "rank_layouts"]

_SAMPLES: Final = 200  # detections looked at
# the layouts that detectors write most, first; others of equal size need to fit this much better
_COMMON: Final = ("coco17", "openpose18", "body25", "halpe26", "mediapipe33")
_RARE_COST: Final = 0.06


def candidates_for(joints: int) -> tuple[str, ...]:
    """Names of the layouts with so many keypoints, commonest first."""
    fits = [n for n in layout_names() if len(get_layout(n).names) == joints]
    return tuple(sorted(fits, key=lambda n: (n not in _COMMON, get_layout(n).family != "human", n)))


@cache
def _anatomy(family: str) -> dict[str, tuple[float, float]]:
    data = json.loads((Path(__file__).parent / "anatomy.json").read_text(encoding="utf-8"))
    table: dict[str, tuple[float, float]] = {}
    for name, (x, y) in data.get(family, {}).items():
        table |= {name: (x, y), f"l_{name}": (x, y), f"r_{name}": (-x if family == "human" else x, y)}
    return table


def _cost(layout: Layout, points: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Mean |log(bone length / expected)| over the bones, lengths in units of the body's spread (RMS radius)."""
    table = _anatomy(layout.family)
    known = np.array([n in table for n in layout.names])
    expected = np.array([table.get(n, (0.0, 0.0)) for n in layout.names])
    bones = [(layout.index(a), layout.index(b)) for a, b in layout.bones if a in table and b in table]
    if not bones:
        return 1.0
    a, b = np.array(bones).T
    use = (seen & known).astype(np.float64)[..., None]  # (N, J, 1)
    count = np.maximum(use.sum(1, keepdims=True), 1)

    def spread(p: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = (p - (p * use).sum(1, keepdims=True) / count) * use
        return np.sqrt((centred**2).sum((1, 2)) / count[:, 0, 0])[:, None] + 1e-9

    both = seen[:, a] & seen[:, b]
    observed = np.linalg.norm(points[:, a] - points[:, b], axis=-1) / spread(points.astype(np.float64))
    wanted = np.linalg.norm(expected[a] - expected[b], axis=-1) / spread(np.broadcast_to(expected, points.shape))
    ratio = np.minimum(np.abs(np.log((observed + 0.1) / (wanted + 0.1))), 1.5)
    return float(ratio[both].mean()) if both.any() else 1.0


def _typical(confidence: NDArray[np.float32]) -> float:
    positive = confidence[confidence > 0]
    return float(np.median(positive)) if positive.size else 0.0


def rank_layouts(
    points: NDArray[np.float32], confidence: NDArray[np.float32], names: Sequence[str]
) -> list[tuple[str, float]]:
    """Layouts by how well the detections' proportions fit them, best first.

    Args:
        points: (N, J, 2) pixels or fractions of the picture.
        confidence: (N, J), 0 = missing.
        names: layouts with J keypoints.

    Returns:
        (layout name, misfit) pairs; a misfit under about 0.5 is a body.
    """
    pick = np.unique(np.linspace(0, len(points) - 1, min(len(points), _SAMPLES)).astype(int))
    chosen, seen = points[pick], confidence[pick] > 0.2 * _typical(confidence[pick])
    if not seen.any():
        return [(n, 1.0) for n in names]
    costs = [(n, _cost(get_layout(n), chosen, seen) + (0 if n in _COMMON else _RARE_COST)) for n in names]
    return sorted(costs, key=lambda c: c[1])
