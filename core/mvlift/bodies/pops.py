"""Detection of jumps in a fitted motion that are faster than bodies move, so that the motion is interpolated there."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.filters import binary_dilation
from mvlift.typing import F64

__all__ = ["MAX_ACCELERATION", "find_pops"]

MAX_ACCELERATION: Final = 110.0
"""Metres a second squared. Wrists of fighters and dancers reach 60, kicks and throws 90."""
BESIDE_SECONDS: Final = 0.07
"""Frames so near to a jump are bridged with it."""
MAX_SHARE: Final = 0.25
"""Keypoints that jump in a larger share of frames are fast or undetectable, and are not bridged."""


def find_pops(points: F64, fps: float) -> NDArray[np.bool_]:
    """(T, K) True where a keypoint jumps, and just beside.

    The second difference is taken over a thirtieth of a second at least, so that a high frame rate does not turn
    tremble into jumps.

    Args:
        points: (T, K, 3) metres.
        fps: frames a second.
    """
    step = max(1, round(fps / 30))
    bad = np.zeros(points.shape[:2], dtype=bool)
    if len(points) < 2 * step + 1:
        return bad
    bend = points[2 * step :] - 2 * points[step:-step] + points[: -2 * step]
    bad[step:-step] = np.linalg.norm(bend, axis=-1) * (fps / step) ** 2 > MAX_ACCELERATION
    beside = max(1, round(BESIDE_SECONDS * fps))
    bad = binary_dilation(bad, 2 * beside + 1)
    bad[:, bad.mean(0) > MAX_SHARE] = False
    return bad
