"""Boxes of a single-shot detector with square anchors, and their merging (Liu et al. 2016; Bazarevsky et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvlift.typing import F32, F64

__all__ = ["Boxes", "anchors", "decode", "merge"]


@dataclass(frozen=True, eq=False)
class Boxes:
    """N detections in a picture of side 1.

    Attributes:
        corners: (N, 4) x0, y0, x1, y1.
        points: (N, K, 2) key points of each.
        score: (N,) in [0, 1].
    """

    corners: F64
    points: F64
    score: F64


def anchors(side: int, strides: Sequence[int], per_stride: int = 2) -> F64:
    """(N, 2) middles of the anchors: neighbouring layers of one stride share their cells.

    Args:
        side: of the network's picture.
        strides: of the layers, ascending.
        per_stride: anchors that each layer has in a cell.
    """
    middles = []
    for stride in sorted(set(strides)):
        cells = -(-side // stride)
        middle = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)
        middles.append(np.repeat(grid, per_stride * strides.count(stride), axis=0))
    return np.concatenate(middles)


def decode(raw: F32, logits: F32, middles: F64, side: int, threshold: float) -> Boxes:
    """Detections with at least a score.

    Args:
        raw: (N, 4 + 2 K) middle, width and height, then key points, in pixels relative to the anchor.
        logits: (N, 1).
        middles: (N, 2) of the anchors.
        side: of the network's picture, pixels.
        threshold: least score.
    """
    score = 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(np.float64), -100, 100)))
    kept = np.flatnonzero(score >= threshold)
    values = raw[kept].astype(np.float64).reshape(len(kept), raw.shape[1] // 2, 2) / side
    middle, half = values[:, 0] + middles[kept], values[:, 1] / 2
    corners = np.concatenate([middle - half, middle + half], -1)
    return Boxes(corners, values[:, 2:] + middles[kept][:, None], score[kept])


def merge(boxes: Boxes, overlap: float = 0.3) -> Boxes:
    """Weighted non-maximum suppression: boxes that overlap become their mean, weighted by score."""
    left = np.argsort(-boxes.score, kind="stable")
    corners, points, scores = [], [], []
    while len(left):
        best = left[0]
        same = left[_intersection_over_union(boxes.corners[best], boxes.corners[left]) > overlap]
        same = same if len(same) else left[:1]
        weight = boxes.score[same] / boxes.score[same].sum()
        corners.append(weight @ boxes.corners[same])
        points.append(np.tensordot(weight, boxes.points[same], 1))
        scores.append(boxes.score[best])
        left = np.setdiff1d(left, [*same, best], assume_unique=False)
        left = left[np.argsort(-boxes.score[left], kind="stable")]
    if not scores:
        return boxes
    return Boxes(np.stack(corners), np.stack(points), np.array(scores))


def _intersection_over_union(one: F64, many: F64) -> F64:
    low, high = np.maximum(one[:2], many[:, :2]), np.minimum(one[2:], many[:, 2:])
    common = np.prod(np.maximum(high - low, 0), -1)
    area = np.prod(np.maximum(many[:, 2:] - many[:, :2], 0), -1) + np.prod(np.maximum(one[2:] - one[:2], 0))
    return np.asarray(common / np.maximum(area - common, 1e-12))
