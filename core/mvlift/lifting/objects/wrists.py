"""Wrists snapped to the object: shoulders and elbows turn so that holding hands stay on their grips."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mvlift.bodies.fit import BodyFit
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.chains import two_bone_rotations, world_rotations
from mvlift.typing import F64

__all__ = ["ARMS", "snap_wrists_to_object"]

ARMS: Final[dict[str, tuple[str, str, str]]] = {
    "l_wrist": ("left_shoulder", "left_elbow", "left_wrist"),
    "r_wrist": ("right_shoulder", "right_elbow", "right_wrist"),
}
"""Keypoint of a hand -> the joints of its arm."""
BLEND_SECONDS: Final = 0.1


def _arm(rotations: F64, world: F64, joints: F64, columns: list[int], parent: int, shift: F64) -> None:
    """Turn one arm, in place, so that its wrist moves by shift (T, 3)."""
    shoulder, elbow, wrist = (joints[:, c] for c in columns)
    backwards = -world[:, parent, :, 2]
    first, second = two_bone_rotations(shoulder, elbow, wrist, wrist + shift, backwards)
    s, e = columns[0], columns[1]
    upper = first @ world[:, s]
    rotations[:, s] = world[:, parent].transpose(0, 2, 1) @ upper
    rotations[:, e] = upper.transpose(0, 2, 1) @ second @ world[:, e]


def snap_wrists_to_object(
    fitted: BodyFit,
    skeleton: BodySkeleton,
    hands: tuple[str, ...],
    targets: F64,
    grip_probability: F64,
    fps: float,
) -> BodyFit:
    """The same motion with hands where they hold an object.

    Args:
        fitted: a body in the camera's axes.
        skeleton: that was fitted.
        hands: keypoints of the hands, keys of ``ARMS``; H of them.
        targets: (T, H, 3) where they hold, in the same axes.
        grip_probability: (T, H) in [0, 1], 0 where a hand is free.
        fps: frames a second; hands come and go within a tenth of a second.
    """
    if not (grip_probability > 0).any():
        return fitted
    rest, _ = skeleton.shaped(fitted.betas)
    trans = fitted.root - rest[0]
    rotations = fitted.rotations.copy()
    share = gaussian_filter1d((grip_probability > 0.3).astype(np.float64), BLEND_SECONDS * fps)
    share = np.maximum(share, grip_probability > 0.3)
    for _ in range(2):  # the keypoint is not quite the joint
        joints, points = skeleton.posed(fitted.betas, rotations, trans)
        world = world_rotations(skeleton.parents, rotations)
        for h, hand in enumerate(hands):
            columns = [skeleton.joint_names.index(n) for n in ARMS[hand]]
            shift = share[:, h, None] * (targets[:, h] - points[:, skeleton.keypoint_names.index(hand)])
            _arm(rotations, world, joints, columns, skeleton.parents[columns[0]], shift)
    _, points = skeleton.posed(fitted.betas, rotations, trans)
    return replace(fitted, rotations=rotations, points=points)
