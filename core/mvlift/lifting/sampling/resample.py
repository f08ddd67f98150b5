"""Between the clip's frame rate and the networks'."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MODEL_FPS", "from_model_rate", "to_model_rate", "track_to_model_rate"]

MODEL_FPS: Final = 30
"""Frames a second at which the networks were trained."""


def _interpolate(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation along the first axis at fractional rows."""
    low = np.clip(np.floor(at).astype(np.int64), 0, len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    share = (at - low).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[low] * (1 - share) + values[high] * share)


def to_model_rate(
    points: NDArray[np.float64], confidence: NDArray[np.float64], fps: Fraction
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keypoints (T, K, 2) and confidence (T, K) at ``MODEL_FPS``; duration in seconds is kept.

    A resampled keypoint is seen when both neighbours are, with the lower confidence.
    """
    if fps == MODEL_FPS:
        return points, confidence
    frames = max(1, int((len(points) - 1) * MODEL_FPS / fps) + 1)
    at = np.arange(frames, dtype=np.float64) * float(fps / MODEL_FPS)
    low = np.clip(np.floor(at).astype(np.int64), 0, len(points) - 1)
    high = np.where(at > low, np.minimum(low + 1, len(points) - 1), low)
    return _interpolate(points, at), np.minimum(confidence[low], confidence[high])


def track_to_model_rate(values: NDArray[np.float64], fps: Fraction) -> NDArray[np.float64]:
    """Values (T, ...) that are known in every frame at ``MODEL_FPS``."""
    return to_model_rate(values, np.ones(len(values)), fps)[0]


def from_model_rate(values: NDArray[np.float64], frames: int, fps: Fraction) -> NDArray[np.float64]:
    """Values (S, ...) at ``MODEL_FPS`` back at the clip's ``frames`` frames and rate."""
    if fps == MODEL_FPS and len(values) == frames:
        return values
    return _interpolate(
        values, np.minimum(np.arange(frames, dtype=np.float64) * float(MODEL_FPS / fps), len(values) - 1)
    )
