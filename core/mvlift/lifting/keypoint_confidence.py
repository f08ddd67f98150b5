"""Confidence of lifted keypoints, from the detection and from errors of similar keypoints on validation footage.

On realistic detections the error of a keypoint grows with its distance from the root, because every limb on the way
adds its own, and with its speed; the detector's confidence predicts little of it. E = 0.122 m (r + 0.05)^0.5
(s + 0.2)^0.22 with distance r in metres and speed s in metres a second was fitted to 20 validation clips: the fifths of
all joints by E have mean errors of 33, 75, 85, 97 and 113 mm where it says 39, 66, 75, 87 and 113.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.filters import gaussian_filter1d
from mvlift.typing import F64

__all__ = ["expected_error", "keypoint_confidence"]

SCALE: Final = 0.122
"""Metres."""
REACH: Final = 0.5
SPEED: Final = 0.22
"""Exponents of distance and speed."""
SMOOTHING: Final = 0.27
"""Seconds over which speed is measured."""
HALF: Final = 0.1
"""Metres of expected error at which confidence is a half."""
SPREAD: Final = 0.25
"""The same for the distance between samples."""
DETECTOR: Final = 0.15
"""Exponent of the detector's confidence, which orders keypoints badly."""


def expected_error(points: F64, root: F64, fps: float) -> F64:
    """(T, K) metres by which keypoints are expected to be wrong about the root.

    Args:
        points: (T, K, 3) metres.
        root: (T, 3) metres.
        fps: frames a second.
    """
    local = points - root[:, None]
    distance = np.linalg.norm(local, axis=-1)
    speed = np.zeros_like(distance)
    if len(points) > 1:
        speed = np.linalg.norm(np.gradient(local, axis=0), axis=-1) * fps
        speed = gaussian_filter1d(speed, SMOOTHING * fps)
    return np.asarray(SCALE * (distance + 0.05) ** REACH * (speed + 0.2) ** SPEED)


def keypoint_confidence(seen: F64, sigma: F64, error: F64) -> F64:
    """(T, K) in [0, 1], 0 where nothing was seen.

    Args:
        seen: (T, K) the detector's confidence, 0 = missing.
        sigma: (T, K) metres, how far samples disagree.
        error: (T, K) metres, see ``expected_error``.
    """
    return np.asarray(seen**DETECTOR * (seen > 0) / (1 + (sigma / SPREAD) ** 2) / (1 + (error / HALF) ** 2))
