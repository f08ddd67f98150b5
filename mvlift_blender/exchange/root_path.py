"""The path of a root bone under hips: on the floor below them, turned as they face."""

from __future__ import annotations

from typing import Final

import numpy as np
from mvlift.kinematics.quaternions import conjugate, from_matrix, multiply, rotate, to_matrix
from mvlift.typing import F64

from ..retargeting.rest import heading

__all__ = ["ROOT", "root_path"]

ROOT: Final = "root"
_UP: Final = np.array([0.0, 0.0, 1.0])


def root_path(hips: F64, hips_rest: F64, root_rest: F64) -> F64:
    """(T, 4, 4) poses of a root bone.

    Args:
        hips: (T, 4, 4) poses of the hips, z up.
        hips_rest: (4, 4) of the hips at rest.
        root_rest: (4, 4) of the root at rest, on the floor.
    """
    axes = hips[:, :3, :3] / np.linalg.norm(hips[:, :3, :3], axis=1, keepdims=True)
    turn = multiply(from_matrix(axes), conjugate(from_matrix(hips_rest[:3, :3])))
    yaw = heading(turn, _UP)
    offset = (hips_rest[:3, 3] - root_rest[:3, 3]) * [1, 1, 0]
    place = hips[:, :3, 3] * [1, 1, 0] - rotate(yaw, np.broadcast_to(offset, (len(yaw), 3)))
    poses = np.tile(np.eye(4), (len(hips), 1, 1))
    poses[:, :3, :3] = to_matrix(yaw) @ root_rest[:3, :3]
    poses[:, :3, 3] = place + root_rest[:3, 3] * [0, 0, 1]
    return poses
