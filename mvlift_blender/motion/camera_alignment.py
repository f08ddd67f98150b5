"""Several people of one video, each lifted in a world of its own, in one world: that of the first one's camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mvlift.motion import Camera, LiftedMotion

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
    moved = motion.transformed(R.T @ own_R, R.T @ (own_t - t))
    return replace(moved, camera=replace(camera, K=motion.camera.K, image_size=motion.camera.image_size))
