"""The unit of a camera's path, from feet that rest while the camera travels.

With the camera at ``size * centre`` and a foot seen from it at ``offset`` (both in scene axes), a foot that rests
between two frames says size * (centre' - centre) + (offset' - offset) = 0. Which feet rest is not known: in every frame
the foot that fits best counts, and counts little when none fits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.filters import gaussian_filter1d
from mvlift.typing import F64

__all__ = ["path_size"]

SPAN: Final = 0.2
"""Seconds over which a foot rests or does not."""
SLIP: Final = 0.1
"""Metres a second that a resting foot may seem to move: its depth trembles."""
DEPTH_SLIP: Final = 15.0
"""How much more it may seem to move along the line of sight."""
STEADY: Final = 0.6
"""Metres a second squared that a person's path bends; decides where no foot does."""
STEADY_WEIGHT: Final = 0.03
GAIN: Final = 0.85
"""Share of the cost of a camera that stays where it is, which a path of some size must come down to."""
GRID: Final = 241
RANGE: Final = 5.0
"""Decades that are searched about the ratio of what is seen to move to what the camera moves, half to each side."""


def path_size(centre: F64, feet: F64, root: F64, confidence: F64, fps: float) -> float | None:
    """Metres in one unit of a camera's path; None where the camera stays at one point, 0 where the path explains
    nothing of the motion.

    Args:
        centre: (T, 3) of the camera in its own unit, scene axes.
        feet: (T, F, 3) metres from the camera to points that may rest, scene axes.
        root: (T, 3) metres from the camera to the person.
        confidence: (T, F) of the feet, 0 = missing.
        fps: frames a second.
    """
    span = max(1, round(SPAN * fps))
    if len(centre) <= 2 * span or np.ptp(centre, axis=0).max() < 1e-9:
        return None
    smooth = 0.05 * fps
    feet, root = (gaussian_filter1d(v, smooth) for v in (feet, root))
    e = centre[span:] - centre[:-span]  # (S, 3)
    d = feet[span:] - feet[:-span]  # (S, F, 3)
    seen = np.minimum(confidence[span:], confidence[:-span]) > 0
    bend_e = centre[2 * span :] - 2 * centre[span:-span] + centre[: -2 * span]
    bend_d = root[2 * span :] - 2 * root[span:-span] + root[: -2 * span]
    first = np.median(np.linalg.norm(d, axis=-1)) / max(float(np.median(np.linalg.norm(e, axis=-1))), 1e-12)
    sizes = first * 10 ** np.linspace(-RANGE / 2, RANGE / 2, GRID)
    slip, bend = SLIP * span / fps, STEADY * (span / fps) ** 2
    sight = root[span // 2 : span // 2 + len(e)]
    sight = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-9)
    costs = [_cost(s, e, d, seen, slip, sight) + STEADY_WEIGHT * _bend(s, bend_e, bend_d, bend) for s in sizes]
    best = int(np.argmin(costs))
    fine = sizes[best] * 10 ** np.linspace(-RANGE / GRID, RANGE / GRID, 41)
    costs = [_cost(s, e, d, seen, slip, sight) + STEADY_WEIGHT * _bend(s, bend_e, bend_d, bend) for s in fine]
    at_rest = _cost(0.0, e, d, seen, slip, sight) + STEADY_WEIGHT * _bend(0.0, bend_e, bend_d, bend)
    return float(fine[int(np.argmin(costs))]) if min(costs) < GAIN * at_rest else 0.0


def _cost(size: float, e: F64, d: F64, seen: NDArray[np.bool_], slip: float, sight: F64) -> float:
    """Mean over frames of the best foot's robust slip (Geman and McClure); along the line of sight it counts less."""
    moved = size * e[:, None] + d  # (S, F, 3)
    along = (moved * sight[:, None]).sum(-1)
    square = ((moved**2).sum(-1) - (1 - 1 / DEPTH_SLIP**2) * along**2) / slip**2
    square = np.where(seen, square, np.inf).min(1)
    return float(np.mean(1 - 1 / (1 + square)))


def _bend(size: float, e: F64, d: F64, bend: float) -> float:
    square = ((size * e + d) ** 2).sum(-1) / bend**2
    return float(np.mean(square / (1 + square)))
