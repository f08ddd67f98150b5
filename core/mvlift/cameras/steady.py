"""A solved camera path without the tremble of its solver.

Whittaker's smoother: the path z that minimises |y - z|^2 + strength |D z|^2, D third differences, as strong as
generalised cross-validation (Craven and Wahba 1979) finds on parts of the path. What trembles from frame to frame is
taken out, whatever its size; a path without tremble stays as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.typing import F64

__all__ = ["steady_path"]

ORDER: Final = 3
SHORTEST: Final = 12
"""Frames from which on tremble can be told from travel."""
PART: Final = 150
"""Frames of a part in which the strength is looked for,"""
PARTS: Final = 4
"""and how many of them a long path has."""
STRENGTHS: Final = 10.0 ** np.linspace(-4, 8, 121)


def _differences(count: int) -> F64:
    """(count - 3, count) third differences."""
    return np.asarray(np.diff(np.eye(count), ORDER, axis=0))


def _scores(values: F64) -> F64:
    """(strengths,) cross-validation scores of a part (n, D) of a path, a mean square error."""
    D = _differences(len(values))
    square, vectors = np.linalg.eigh(D.T @ D)
    seen = vectors.T @ values  # (n, D)
    kept = 1 / (1 + STRENGTHS[:, None] * np.maximum(square, 0))  # (strengths, n)
    residual = (((1 - kept)[..., None] * seen) ** 2).mean((1, 2))
    return np.asarray(residual / (1 - kept.mean(1)) ** 2)


def steady_path(centres: F64) -> F64:
    """Places (T, 3) of a camera, smoothed.

    Its tremble would be taken for travel, and the unit of the path would come out too small.
    """
    count, extent = len(centres), float(np.ptp(centres, axis=0).max())
    if count < SHORTEST or extent < 1e-9:
        return centres
    y = (centres - centres.mean(0)) / extent
    length = min(PART, count)
    starts = np.unique(np.linspace(0, count - length, PARTS).astype(int))
    scores = np.mean([_scores(y[s : s + length]) for s in starts], axis=0)
    strength = float(STRENGTHS[int(np.argmin(scores))])
    return np.asarray(_smoothed(y, strength) * extent + centres.mean(0))


def _smoothed(values: F64, strength: float) -> F64:
    """z of (1 + strength D^T D) z = values (T, D), by a banded factorisation L d L^T."""
    count, stencil = len(values), np.array([-1.0, 3, -3, 1])
    lower = np.zeros((count, ORDER + 1))  # row t: the matrix at (t, t), (t + 1, t), (t + 2, t), (t + 3, t)
    for k in range(ORDER + 1):
        for i in range(ORDER + 1 - k):
            lower[i : count - ORDER + i, k] += strength * stencil[i] * stencil[i + k]
    lower[:, 0] += 1
    z = np.concatenate([values, np.zeros((ORDER, values.shape[1]))])
    for t in range(count):
        factor = lower[t, 1:] / lower[t, 0]
        for k in range(1, min(ORDER, count - 1 - t) + 1):
            lower[t + k, : ORDER + 1 - k] -= factor[k - 1] * lower[t, k:]
            z[t + k] -= factor[k - 1] * z[t]
        z[t] /= lower[t, 0]
        lower[t, 1:] = factor
    for t in range(count - 1, -1, -1):
        z[t] -= lower[t, 1:] @ z[t + 1 : t + 1 + ORDER]
    return z[:count]
