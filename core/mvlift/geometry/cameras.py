"""Where cameras look: world z up, camera x right, y down, z forward, x_camera = R x_world + t."""

from __future__ import annotations

import numpy as np

from mvlift.typing import F64

__all__ = ["look_at"]


def look_at(centre: F64, target: F64, roll: float = 0.0) -> F64:
    """Rotation R (3, 3) of a camera at ``centre`` (3,) whose picture has ``target`` (3,) in the middle; t = -R centre.

    Args:
        centre: metres.
        target: metres; not straight above or below the camera.
        roll: radians by which the picture's content turns clockwise.
    """
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    level = np.stack([right, np.cross(forward, right), forward])
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ level
