"""Weights over time, and smoothing along it."""

from __future__ import annotations

import numpy as np
from mvlift.kinematics.quaternions import continuous
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["any_of", "blend_weights", "runs_of", "smoothed", "smoothed_rotations"]

Mask = NDArray[np.bool_]


def blend_weights(frames: F64, first: float, last: float, blend: float) -> F64:
    """(N,) 1 from first to last, falling smoothly to 0 over ``blend`` frames outside."""
    outside = np.maximum(np.maximum(first - frames, frames - last), 0)
    x = np.clip(1 - outside / (blend + 1), 0, 1)
    return x * x * (3 - 2 * x)


def any_of(mask: Mask, axis: int) -> Mask:
    """Whether anything is True along an axis."""
    return np.asarray(np.logical_or.reduce(mask, axis=axis), dtype=np.bool_)


def runs_of(mask: Mask) -> list[tuple[int, int]]:
    """Runs of True as (first, last) rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def smoothed(values: F64, sigma: float) -> F64:
    """(T, ...) under a Gaussian of ``sigma`` rows; ends keep their place, because values are continued by reflection.

    A line stays a line.
    """
    reach = min(int(np.ceil(3 * sigma)), len(values) - 1)
    if sigma <= 0 or reach < 1:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    before = 2 * values[:1] - values[reach:0:-1]
    after = 2 * values[-1:] - values[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, values, after])
    flat = padded.reshape(len(padded), -1)
    # the running sum of shifted copies is one pass over the data for each tap, whatever the number of columns
    out = sum(weight * flat[i : i + len(values)] for i, weight in enumerate(kernel))
    return np.asarray(out).reshape(values.shape)


def smoothed_rotations(q: F64, sigma: float) -> F64:
    """(T, J, 4) unit quaternions under a Gaussian of ``sigma`` rows."""
    mean = smoothed(continuous(q), sigma)
    return mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-9)
