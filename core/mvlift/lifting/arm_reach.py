"""Arms that reach to where a hand detector has the wrists: it sees them closer than a body detector does."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mvlift.bodies.fit_problem import BodyFit
from mvlift.bodies.hands.tables import SIDES
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.chains import forward_kinematics, two_bone_rotations
from mvlift.lifting.hand_detections import HandDetections
from mvlift.typing import F64

__all__ = ["reach_to_hands"]

MAX_REACH_STEP: Final = 0.06
"""Metres by which a wrist is moved at most: farther off, one of the detectors is wrong."""
STEP_SECONDS: Final = 0.1
"""Time over which the step is averaged; arms come and go with detections as slowly."""


def reach_to_hands(fitted: BodyFit, skeleton: BodySkeleton, seen: HandDetections, K: F64, fps: float) -> BodyFit:
    """The same motion with shoulders and elbows turned until the wrists project to the hands' wrist keypoints.

    The depth of the wrists stays as it was.

    Args:
        fitted: in the camera's axes.
        skeleton: that was fitted.
        seen: hands of the clip; only frames with fingers count.
        K: (3, 3) intrinsics.
        fps: frames a second.
    """
    rest = skeleton.shaped(fitted.betas)[0]
    rotations = fitted.rotations.copy()
    world, joints = forward_kinematics(skeleton.parents, rest, rotations, fitted.root)
    for s, side in enumerate(SIDES):
        shoulder, elbow, wrist = (skeleton.joint_names.index(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist"))
        weight = np.where(seen.fingers[:, s], seen.confidence[:, s, 0], 0.0)
        if not weight.any():
            continue
        step = _step(joints[:, wrist], seen.points[:, s, 0], weight, K, fps)
        parent = world[:, skeleton.parents[shoulder]]
        start, middle, end = joints[:, shoulder], joints[:, elbow], joints[:, wrist]
        first, second = two_bone_rotations(start, middle, end, end + step, -parent[:, :, 2])
        upper, lower = first @ world[:, shoulder], second @ world[:, elbow]
        rotations[:, shoulder] = parent.transpose(0, 2, 1) @ upper
        rotations[:, elbow] = upper.transpose(0, 2, 1) @ lower
        rotations[:, wrist] = lower.transpose(0, 2, 1) @ world[:, wrist]
    _, points = skeleton.posed(fitted.betas, rotations, fitted.root - rest[0])
    return replace(fitted, rotations=rotations, points=points)


def _step(wrist: F64, pixels: F64, weight: F64, K: F64, fps: float) -> F64:
    """(T, 3) metres across the view from wrists (T, 3) to where pixels (T, 2) of weights (T,) have them, smoothed."""
    depth = np.maximum(wrist[:, 2:], 0.1)
    rays = np.concatenate([(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(pixels), 1))], 1)
    off = np.where(weight[:, None] > 0, rays * depth - wrist, 0.0)
    size = np.linalg.norm(off, axis=1)
    weight = weight * (size < 2 * MAX_REACH_STEP)
    width = STEP_SECONDS * fps
    share = gaussian_filter1d(weight, width)
    mean = gaussian_filter1d(weight[:, None] * off, width) / np.maximum(share, 1e-9)[:, None]
    mean = mean * np.clip(share / 0.3, 0, 1)[:, None]
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    return np.asarray(mean * np.minimum(1.0, MAX_REACH_STEP / np.maximum(length, 1e-9)))
