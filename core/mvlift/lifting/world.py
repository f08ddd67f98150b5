"""From the camera's axes to the world: z up, metres, floor at z = 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["world_axes"]

FloatArray = NDArray[np.float64]


def world_axes(up: FloatArray) -> FloatArray:
    """(3, 3) rotation from camera axes to the world: z against gravity, y forward of the camera, x to its right.

    Args:
        up: (3,) unit vector in camera axes (x right, y down, z forward).
    """
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(forward) < 1e-3:  # looking straight down: the picture's top is forward
        forward = np.array([0.0, -1.0, 0.0]) + up[1] * up
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(forward, up), forward, up])
