"""Frame rates as exact fractions, from rounded numbers or time stamps."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["exact_rate", "rate_of_times"]

_USUAL: Final = tuple(
    Fraction(n, d)
    for n, d in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1))
) + tuple(Fraction(n) for n in (90, 100, 120, 240))


def _usual(fps: float, slack: float) -> Fraction | None:
    near = min(_USUAL, key=lambda rate: abs(float(rate) - fps))
    return near if abs(float(near) - fps) < slack * fps else None


def exact_rate(fps: float) -> Fraction | None:
    """The exact rate behind a rounded one (23.976 is 24000/1001); None for what is no rate."""
    if not np.isfinite(fps) or not 0 < fps <= 10_000:
        return None
    return _usual(fps, 0.0003) or Fraction(fps).limit_denominator(1001)


def rate_of_times(frames: ArrayLike, times: ArrayLike) -> Fraction | None:
    """The frame rate that goes with time stamps in seconds or milliseconds.

    Args:
        frames: (N,) frame numbers.
        times: (N,) stamps of these frames; NaN where there is none.

    Returns:
        The rate, or None where the stamps are too few or too irregular for one.
    """
    at, time = np.asarray(frames, dtype=np.float64), np.asarray(times, dtype=np.float64)
    good = np.isfinite(time)
    at, time = at[good], time[good]
    if len(at) < 10 or at[-1] <= at[0] or time[-1] <= time[0]:
        return None
    step, start = np.polyfit(at, time, 1)
    off = np.abs(time - (start + step * at)).max()
    if step <= 0 or off > 0.75 * step:
        return None
    fps = float(1 / step) if step < 2 else float(1000 / step)
    return _usual(fps, 0.002) or Fraction(fps).limit_denominator(100)
