"""The one alignment rule: yaw and one scale by least squares on root-centred joints, first-frame roots together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from mvlift.typing import F64

__all__ = ["Alignment", "align", "procrustes"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """x -> scale (x - origin) Rᵀ + target, R a turn about z.

    Attributes:
        scale: one number for the clip.
        rotation: (3, 3).
        origin: (3,) first-frame root of the prediction.
        target: (3,) first-frame root of the truth.
    """

    scale: float
    rotation: F64
    origin: F64
    target: F64

    def apply(self, points: F64) -> F64:
        """(..., 3) in the truth's world."""
        return np.asarray(self.scale * (points - self.origin) @ self.rotation.T + self.target)


def align(points: F64, truth: F64, root: list[int], scored: list[int], scale: bool = True) -> Alignment:
    """Alignment of a clip's prediction (T, K, 3) to its truth (T, K, 3), both z up.

    Args:
        points: predicted keypoints.
        truth: true keypoints.
        root: columns whose mean is the root.
        scored: columns that are scored.
        scale: False keeps metres as they are.
    """
    a_root, b_root = points[:, root].mean(1), truth[:, root].mean(1)
    a = (points[:, scored] - a_root[:, None]).reshape(-1, 3)
    b = (truth[:, scored] - b_root[:, None]).reshape(-1, 3)
    dot = float((a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1]).sum())
    cross = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())
    yaw = math.atan2(cross, dot)
    rotation = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    turned = a @ rotation.T
    factor = float((turned * b).sum() / max(float((turned**2).sum()), 1e-12)) if scale else 1.0
    return Alignment(factor, rotation, a_root[0], b_root[0])


def procrustes(points: F64, truth: F64) -> F64:
    """(N, K, 3) prediction after the best similarity of each of N point sets (Umeyama 1991)."""
    a_mean, b_mean = points.mean(-2, keepdims=True), truth.mean(-2, keepdims=True)
    a, b = points - a_mean, truth - b_mean
    u, s, v = np.linalg.svd(a.transpose(0, 2, 1) @ b)
    sign = np.sign(np.linalg.det(u @ v))
    u[..., -1] *= sign[:, None]
    s[..., -1] *= sign
    scale = s.sum(-1) / np.maximum((a**2).sum((-1, -2)), 1e-12)
    return np.asarray(scale[:, None, None] * a @ (u @ v) + b_mean)
