"""Frame rates as exact fractions, from rounded numbers or time stamps."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvlift.errors import KeypointError
from mvlift.safe_reading import parse_fraction
from mvlift.typing import F64

__all__ = ["checked_rate", "exact_rate", "grid_rate", "place_by_time", "rate_of_times"]

HIGHEST: Final = 10_000
"""Frames per second of any video."""
_USUAL: Final = tuple(Fraction(n) for n in (12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)) + tuple(
    Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120, 240)
)


_GRIDS: Final = (
    *(Fraction(n) for n in (5, 10, 12, 15, 20, 24)),
    *(Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(48), Fraction(50)),
    *(Fraction(60), Fraction(60000, 1001), Fraction(90), Fraction(100), Fraction(120), Fraction(240)),
)
_FEWEST: Final = 10
_LONGEST_GRID: Final = 2_000_000


def _usual(fps: float, slack: float) -> Fraction | None:
    nearest = min(_USUAL, key=lambda rate: abs(float(rate) - fps))
    return nearest if abs(float(nearest) - fps) < slack * fps else None


def exact_rate(fps: Fraction | float | str) -> Fraction | None:
    """The exact frame rate that a number stands for; None for what is no rate.

    Args:
        fps: a fraction or the text of one (30000/1001) is exact as it is; a decimal number may be rounded, so that
            23.976 is 24000/1001 and 29.97 is 30000/1001.
    """
    if isinstance(fps, str) and "/" not in fps:
        try:
            fps = float(fps[:80].replace(",", "."))
        except ValueError:
            return None
    if isinstance(fps, str | Fraction):
        exact = parse_fraction(fps[:80]) if isinstance(fps, str) else fps
        return exact if exact is not None and 0 < exact <= HIGHEST else None
    if not np.isfinite(fps) or not 0 < fps <= HIGHEST:
        return None
    return _usual(fps, 0.0003) or Fraction(fps).limit_denominator(1001)


def checked_rate(fps: Fraction | float | str | None) -> Fraction | None:
    """The exact frame rate of what a user gave; None for nothing.

    Raises:
        KeypointError: it is no frame rate.
    """
    if fps is None or fps == "":
        return None
    exact = exact_rate(fps)
    if exact is None:
        raise KeypointError(f"{str(fps)[:40]} frames per second is not a frame rate.", "Give 25, 29.97 or 30000/1001.")
    return exact


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
    fps = float(1 / (step * _unit(step)))
    return _usual(fps, 0.002) or Fraction(fps).limit_denominator(100)


def _unit(step: float) -> float:
    """Seconds of a time stamp's unit, from the usual step between frames: seconds, or thousandths, millionths, ..."""
    return next((unit for unit, most in ((1.0, 2.0), (1e-3, 2e3), (1e-6, 2e6)) if step < most), 1e-9)


def place_by_time(
    frames: ArrayLike, times: ArrayLike, fps: Fraction | None = None
) -> tuple[NDArray[np.int64], Fraction] | None:
    """Frame numbers on an even grid, for frames that were taken at irregular times, as live streams give them.

    Args:
        frames: (N,) frame numbers as counted, any order, one number several times where several people are in a frame.
        times: (N,) time stamps of these frames; NaN where there is none.
        fps: of the grid, where the user says it; else the usual rate that the stamps fit best.

    Returns:
        (N,) numbers from 0 at the first stamp, and the grid's rate. None where the stamps go with the numbers evenly,
        or are no times.
    """
    at, time = np.asarray(frames, dtype=np.int64), np.asarray(times, dtype=np.float64)
    if not np.isfinite(time).all():
        return None
    number, first = np.unique(at, return_index=True)
    stamp = time[first]
    order = np.argsort(stamp, kind="stable")
    stamp = stamp[order]
    steps = np.diff(stamp)
    if len(stamp) < _FEWEST or (np.diff(number[order]) <= 0).any():
        return None
    if (steps <= 0).mean() > 0.02 or not _is_uneven(np.diff(number[order]), steps):
        return None
    seconds = (stamp - stamp[0]) * _unit(float(np.median(steps[steps > 0])))
    rate = fps or grid_rate(seconds)
    if rate is None or seconds[-1] * rate > _LONGEST_GRID:
        return None
    placed = np.rint(seconds * float(rate)).astype(np.int64)
    by_number = dict(zip(number[order].tolist(), placed.tolist(), strict=True))
    return np.array([by_number[n] for n in at.tolist()], dtype=np.int64), rate


def _is_uneven(numbers: NDArray[np.int64], steps: F64) -> bool:
    """Whether stamps do not go with frame numbers: many steps differ from the usual one, or they drift."""
    step = steps / np.maximum(numbers, 1)
    usual = float(np.median(step))
    if usual <= 0:
        return False
    expected = np.cumsum(numbers) * usual
    drift = float(np.abs(np.cumsum(steps) - expected).max())
    return bool((np.abs(step / usual - 1) > 0.4).mean() > 0.02 and drift > 1.5 * usual)


def grid_rate(seconds: F64) -> Fraction | None:
    """The lowest usual rate on which every stamp falls close to a frame of its own; else one that keeps most apart.

    Args:
        seconds: (N,) stamps from the first one on, not decreasing.
    """
    for rate in _GRIDS:
        at = seconds * float(rate)
        off = np.abs(at - np.rint(at))
        if np.quantile(off, 0.95) < 0.2 and (np.diff(np.rint(at)) > 0).all():
            return rate
    least = float(np.quantile(np.diff(seconds), 0.1))
    fit = [rate for rate in _GRIDS if (np.diff(np.rint(seconds * float(rate))) > 0).mean() > 0.98]
    return next((rate for rate in fit if float(rate) * least > 0.7), fit[0] if fit else None)
