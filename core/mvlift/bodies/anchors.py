"""The places that resting parts of a body keep, and how strictly they are held there."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.bodies.grounding import CONTACT, Ground
from mvlift.bodies.runs import runs
from mvlift.typing import F64

__all__ = ["find_anchors"]

MAX_SHIFT: Final = 0.1
"""Metres across the line of sight from its place beyond which a part has been moved on and rests at another one."""
ACROSS_SIGMA: Final = 0.02
"""Metres across the line of sight that a fitted part may be beside its true place,"""
ALONG_SIGMA: Final = 0.06
"""and along it."""
PROPPED_SHIFT: Final = 0.5
"""The same of hands that hold up the trunk."""
LEVEL_SIGMA: Final = 0.001
"""Metres off the ground that a place may be."""
FADE_SECONDS: Final = 0.06
"""In which a part is seized and let go."""


def find_anchors(points: F64, ground: Ground, up: F64, fps: float, sight: F64 | None = None) -> tuple[F64, F64]:
    """Where each support is held while it rests: one place on its level for each stretch of contact.

    A camera shows a part better across the line of sight than along it, so that a part which seems to hang above the
    ground, or below it, is brought there along the line of sight as far as its slope allows. A stretch in which a part
    creeps further than ``MAX_SHIFT`` is cut, so that what slides on purpose goes on sliding.

    Args:
        points: (T, C, 3) metres, as in ``find_ground``.
        ground: of the same points.
        up: (3,).
        fps: frames a second.
        sight: (T, C, 3) unit vectors from the camera to the points; None: all directions are known equally well.

    Returns:
        Places (T, C, 3) metres and weights (T, C) in [0, 1], which fade in and out where rest begins and ends.
    """
    anchors, weights = points.copy(), np.zeros(points.shape[:2])
    for c in range(points.shape[1]):
        for rows in runs(ground.contacts[:, c] > CONTACT, max(round(0.1 * fps), 2)):
            furthest = np.where(ground.propped[rows, c], PROPPED_SHIFT, MAX_SHIFT)
            for part in _stays(points[rows, c], rows.start, furthest, None if sight is None else sight[rows, c]):
                level = float(np.median(ground.level[part, c]))
                ray = None if sight is None else sight[part, c]
                anchors[part, c] = _place(points[part, c], ground.contacts[part, c] ** 2, up, level, ray)
                weights[part, c] = _faded(part, len(points), fps)
    return anchors, weights


def _information(count: int, sight: F64 | None) -> F64:
    """(n, 3, 3) inverse covariances of fitted positions seen along ``sight`` (n, 3)."""
    information = np.tile(np.eye(3) / ACROSS_SIGMA**2, (count, 1, 1))
    if sight is not None:
        information -= (1 / ACROSS_SIGMA**2 - 1 / ALONG_SIGMA**2) * sight[:, :, None] * sight[:, None, :]
    return information


def _place(points: F64, share: F64, up: F64, level: float, sight: F64 | None) -> F64:
    """(3,) the place on a level that agrees best with points (n, 3), by weights (n,)."""
    information = share[:, None, None] * _information(len(points), sight)
    strict = share.sum() / LEVEL_SIGMA**2
    normal = information.sum(0) + strict * np.outer(up, up)
    return np.linalg.solve(normal, (information @ points[..., None]).sum(0)[:, 0] + strict * level * up)


def _faded(rows: slice, frames: int, fps: float) -> F64:
    """(n,) weights of a stretch of ``rows``: 1, but from and to nothing at its ends inside the clip."""
    count = rows.stop - rows.start
    after, before = np.arange(1, count + 1), np.arange(count, 0, -1)
    unbounded = np.full(count, np.inf)
    depth = np.minimum(unbounded if rows.start == 0 else after, unbounded if rows.stop == frames else before)
    # standard deviations are what the eye sees: they grow as the inverse square root of a weight
    return np.asarray(np.minimum(depth / (FADE_SECONDS * fps + 1), 1.0) ** 4)


def _stays(points: F64, first: int, furthest: F64, sight: F64 | None) -> list[slice]:
    """Parts of a stretch (n, 3) that begins at row ``first``, each within ``furthest`` (n,) of its own running mean."""
    parts, begin = [], 0
    total = np.zeros(3)
    for t, point in enumerate(points):
        if t > begin:
            offset = point - total / (t - begin)
            along = 0.0 if sight is None else float(offset @ sight[t])
            across2 = max(float(offset @ offset) - along**2, 0.0)
            if np.hypot(across2**0.5, along * ACROSS_SIGMA / ALONG_SIGMA) > furthest[t]:
                parts.append(slice(first + begin, first + t))
                begin, total = t, np.zeros(3)
        total = total + point
    parts.append(slice(first + begin, first + len(points)))
    return parts
