"""Filters along the time axis, in NumPy alone: those of SciPy's ``ndimage`` and ``signal`` that a lift needs.

SciPy would be the largest package of the extension and two thirds of the engine's start for a dozen short functions.
Names, windows and borders are SciPy's, with ``mode="nearest"`` (the first and last frame go on) where nothing is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvlift.typing import F64, BoolArray

__all__ = [
    "binary_closing",
    "binary_dilation",
    "binary_opening",
    "expit",
    "gaussian_filter1d",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter1d",
    "savgol_filter",
    "uniform_filter1d",
    "whittaker_smoother",
]


def _padded(values: NDArray[Any], before: int, after: int, mode: str = "edge", **more: Any) -> NDArray[Any]:
    return np.pad(values, [(before, after)] + [(0, 0)] * (values.ndim - 1), mode=mode, **more)  # type: ignore[call-overload,no-any-return]


def _windows(values: NDArray[Any], size: int) -> NDArray[Any]:
    """(T, ..., size) windows of frames t - size // 2 to t + (size - 1) // 2."""
    padded = _padded(values, size // 2, size - 1 - size // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)


def gaussian_filter1d(values: NDArray[Any], sigma: float, reflect: bool = False) -> F64:
    """Values (T, ...) smoothed by a Gaussian of ``sigma`` frames, cut off at four sigma.

    Args:
        values: of any shape after the frames.
        sigma: frames.
        reflect: beyond the ends the clip runs backwards; else its first and last frame go on.
    """
    values = np.asarray(values, np.float64)
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(radius + 1) / max(sigma, 1e-12)) ** 2)
    kernel /= kernel[0] + 2 * kernel[1:].sum()
    padded = _padded(values, radius, radius, "symmetric" if reflect else "edge")
    frames = len(values)
    result = kernel[0] * padded[radius : radius + frames]
    for k in range(1, radius + 1):
        before, after = radius - k, radius + k
        result += kernel[k] * (padded[before : before + frames] + padded[after : after + frames])
    return np.asarray(result)


def uniform_filter1d(values: F64, size: int) -> F64:
    """Means of ``size`` frames of (T, ...)."""
    return np.asarray(_windows(values, size).mean(-1))


def minimum_filter1d(values: F64, size: int) -> F64:
    """Least value of ``size`` frames of (T, ...)."""
    return np.asarray(_windows(values, size).min(-1))


def maximum_filter1d(values: F64, size: int) -> F64:
    """Greatest value of ``size`` frames of (T, ...)."""
    return np.asarray(_windows(values, size).max(-1))


def median_filter(values: F64, size: int) -> F64:
    """Median of ``size`` frames of (T, ...); an odd size."""
    return np.asarray(np.median(_windows(values, size), axis=-1))


def _any_of(mask: BoolArray, before: int, after: int) -> BoolArray:
    padded = _padded(mask, before, after, "constant", constant_values=False)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, before + after + 1, axis=0).any(-1))


def _all_of(mask: BoolArray, before: int, after: int) -> BoolArray:
    padded = _padded(mask, before, after, "constant", constant_values=False)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, before + after + 1, axis=0).all(-1))


def binary_dilation(mask: BoolArray, size: int) -> BoolArray:
    """True where one of ``size`` frames (odd) of (T, ...) is; beyond the ends is False."""
    return _any_of(mask, size // 2, size // 2)


def binary_closing(mask: BoolArray, size: int) -> BoolArray:
    """A mask (T, ...) without gaps of fewer than ``size`` frames; beyond the ends is False."""
    before, after = (size - 1) // 2, size // 2
    return _all_of(_any_of(mask, before, after), after, before)


def binary_opening(mask: BoolArray, size: int) -> BoolArray:
    """A mask (T, ...) without runs of fewer than ``size`` frames; beyond the ends is False."""
    before, after = (size - 1) // 2, size // 2
    return _any_of(_all_of(mask, after, before), before, after)


def expit(x: F64) -> F64:
    """The logistic function 1 / (1 + exp(-x))."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(x))))


def savgol_filter(values: F64, window: int) -> F64:
    """Parabolas fitted to ``window`` frames (odd, at most T) of (T, ...), at their middle frame (Savitzky, Golay 1964).

    The first and last frames lie on the parabola of the outermost window.
    """
    half = window // 2
    powers = (np.arange(window) - half)[:, None] ** np.arange(3)
    hat = powers @ np.linalg.pinv(powers)
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    first, last = (np.tensordot(hat, values[part], 1) for part in (slice(window), slice(-window, None)))
    return np.concatenate([first[:half], windows @ hat[half], last[half + 1 :]])


def whittaker_smoother(values: F64, weight: F64, stiffness: float) -> F64:
    """Minimiser of sum w_t (x_t - values_t)^2 + stiffness sum (x_{t+1} - 2 x_t + x_{t-1})^2 (Whittaker 1923).

    The normal equations have five diagonals; their factors L D L^T are computed frame by frame, for all
    columns at once.

    Args:
        values: (T, N, C).
        weight: (T, N), at least two of each column over 0.
        stiffness: one for all.
    """
    frames = len(values)
    diagonal = weight + 1e-9
    bends = max(frames - 2, 0)
    for offset, factor in enumerate((1, 4, 1)):
        diagonal[offset : offset + bends] += factor * stiffness
    right = values * weight[..., None]
    beside = np.zeros(max(frames - 1, 0))
    beside[:bends] -= 2 * stiffness
    beside[1:] -= 2 * stiffness * (bends > 0)
    # x_{t+1} and x_{t+2} in the row of x_t, over its pivot
    one, two = np.zeros_like(diagonal), np.zeros_like(diagonal)
    carried = np.zeros_like(diagonal[0])
    for t in range(frames):
        pivot = diagonal[t]
        if t + 1 < frames:
            coupling = beside[t] + carried
            one[t] = coupling / pivot
            diagonal[t + 1] -= one[t] * coupling
            right[t + 1] -= one[t][:, None] * right[t]
        if t + 2 < frames:
            two[t] = stiffness / pivot
            diagonal[t + 2] -= two[t] * stiffness
            carried = -one[t] * stiffness
            right[t + 2] -= two[t][:, None] * right[t]
    result = right / diagonal[..., None]
    for t in range(frames - 2, -1, -1):
        result[t] -= one[t][:, None] * result[t + 1]
        if t + 2 < frames:
            result[t] -= two[t][:, None] * result[t + 2]
    return np.asarray(result)
