"""Several people of one video, each lifted in a world of its own, in one world: that of the first one's camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mvlift.motion import Camera, LiftedMotion, ObjectMotion
from mvlift.typing import F64

from .rotations import continuous, from_matrix, from_vector, multiply, rotate, to_vector

__all__ = ["seen_by"]


def seen_by(motion: LiftedMotion, camera: Camera) -> LiftedMotion:
    """The motion, moved as a rigid whole, so that ``camera`` sees what its own camera saw.

    A point X is R X + t in its own camera and must be the same in the other, R' X' + t': X' = A X + b with
    A = R'^T R and b = R'^T (t - t').

    Args:
        motion: in a world of its own.
        camera: of the same video, with the same lens.
    """
    own_R, own_t = np.asarray(motion.camera.R, np.float64), np.asarray(motion.camera.t, np.float64)
    R, t = np.asarray(camera.R, np.float64), np.asarray(camera.t, np.float64)
    A, b = R.T @ own_R, R.T @ (own_t - t)
    turn = from_matrix(A)
    root = motion.parents.index(-1)
    rest = np.asarray(motion.rest_joints[root], np.float64)
    rotations = np.asarray(motion.rotations, np.float64).copy()
    rotations[:, root] = to_vector(multiply(turn, from_vector(rotations[:, root])))
    translation = (np.asarray(motion.translation, np.float64) + rest) @ A.T + b - rest
    return replace(
        motion,
        translation=translation.astype(np.float32),
        rotations=rotations.astype(np.float32),
        keypoints=(np.asarray(motion.keypoints, np.float64) @ A.T + b).astype(np.float32),
        camera=replace(camera, K=motion.camera.K, image_size=motion.camera.image_size),
        objects=tuple(_moved(rigid_object, turn, b) for rigid_object in motion.objects),
    )


def _moved(rigid_object: ObjectMotion, turn: F64, b: F64) -> ObjectMotion:
    position = rotate(turn, np.asarray(rigid_object.position, np.float64)) + b
    rotation = continuous(multiply(turn, np.asarray(rigid_object.rotation, np.float64)))
    return replace(rigid_object, position=position.astype(np.float32), rotation=rotation.astype(np.float32))
