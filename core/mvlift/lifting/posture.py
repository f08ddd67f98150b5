"""Postures that the user names because the video does not show the legs: somebody who sits behind a desk."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.constraints import Constraints, PoseConstraint
from mvlift.motion import LiftedMotion

__all__ = ["SEATED", "on_the_floor", "seated_constraints"]

SEATED: Final = "seated"
"""What stands for a file of constraints."""
_BEND: Final = {"left_hip": -1.5, "right_hip": -1.5, "left_knee": 1.5, "right_knee": 1.5}
"""Radians about the body's axis from right to left, as on a chair: thighs level, shins upright."""
_STEP: Final = 10
"""Frames between two poses; the correction is the same between them."""
_FEET: Final = ("l_heel", "l_big_toe", "r_heel", "r_big_toe", "l_ankle", "r_ankle")


def seated_constraints(clip: KeypointClip) -> Constraints:
    """Hips and knees bent as on a chair, throughout a clip."""
    first, last = clip.first_frame, clip.first_frame + len(clip) - 1
    turns = np.array([[angle, 0.0, 0.0] for angle in _BEND.values()])
    frames = sorted({*range(first, last, _STEP), last})
    return Constraints(poses=tuple(PoseConstraint(frame, tuple(_BEND), turns) for frame in frames))


def on_the_floor(motion: LiftedMotion) -> LiftedMotion:
    """The same motion and camera, as much higher or lower together that the feet usually are on the floor."""
    feet = [motion.keypoint_names.index(n) for n in _FEET if n in motion.keypoint_names]
    if not feet:
        return motion
    height = float(np.median(motion.keypoints[:, feet, 2].min(1)))
    return motion.transformed(np.eye(3), np.array([0.0, 0.0, -height]))
