"""Floor snap: the supporting foot comes to z = 0."""

from __future__ import annotations

import numpy as np
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["floor_offsets"]

Mask = NDArray[np.bool_]

_SHARE = 0.2  # of the frames, the lowest, that stand for support where nothing is known of contacts


def floor_offsets(points: F64, rests: Mask, fps: float, drift: bool, period: float) -> F64:
    """(T,) metres by which to move a motion upwards so that its feet rest on the floor.

    Args:
        points: (T, L, 2, 3) sole points.
        rests: (T, L, 2) which of them rest.
        fps: frames a second.
        drift: follow a floor that rises or sinks over time; else one height for the whole motion.
        period: seconds over which such a drift is averaged.
    """
    height = points[..., 2]
    lowest = height.reshape(len(height), -1).min(1)
    resting = np.where(rests, height, np.inf).reshape(len(height), -1).min(1)
    known = np.isfinite(resting)
    if not known.any():
        known = lowest <= np.quantile(lowest, _SHARE)
        resting = lowest
    if not drift:
        return np.full(len(height), -float(np.median(resting[known])))
    return -_local_mean(np.where(known, resting, 0.0), known.astype(float), max(period * fps, 1.0))


def _local_mean(values: F64, weights: F64, sigma: float) -> F64:
    """(T,) mean under a Gaussian, of the rows that have weight."""
    reach = min(len(values) - 1, int(np.ceil(4 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    total = np.convolve(weights, kernel, mode="full")[reach : reach + len(values)]
    mean = np.convolve(values * weights, kernel, mode="full")[reach : reach + len(values)] / np.maximum(total, 1e-9)
    overall = float((values * weights).sum() / weights.sum())
    # far from any support the mean is that of the whole
    sure = total / (total + 1e-3)
    return np.asarray(sure * mean + (1 - sure) * overall)
