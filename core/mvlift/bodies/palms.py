"""Hands that rest on something lie flat on it: the wrist bends so that the palm faces the ground."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.chains import world_rotations
from mvlift.kinematics.rotations import exp_map, log_map, unit
from mvlift.typing import F64

__all__ = ["lay_palms"]

MAX_BEND: Final = np.radians(95.0)
"""Largest backward bend of a wrist under the body's weight, radians."""
FADE_SECONDS: Final = 0.1
HAND_LENGTH: Final = 0.12
"""Metres above the floor below which the fingers of a hand that hangs down would sink in."""
FINGERS_UP: Final = np.radians(21.0)
"""Relaxed fingers bend towards the ground: so far the hand is tilted back, or they would sink in."""
HEADWARD: Final = 0.5
"""Share of the trunk's direction in the fingers' one, which decides where a vertical forearm's fingers point."""


def lay_palms(
    skeleton: BodySkeleton,
    rotations: F64,
    up: F64,
    contacts: F64,
    heights: F64,
    names: tuple[str, ...],
    fps: float,
) -> F64:
    """Rotations (T, J, 3, 3) with wrists bent while their hands rest on the ground; all else as it was.

    Args:
        skeleton: SMPL's joints; another body's rotations come back as they are.
        rotations: relative to the parents, the root's in the axes of ``up``.
        up: (3,) unit vector.
        contacts: (T, C) probabilities.
        heights: (T, C) metres above the floor; a hand that passes close over it is flat too.
        names: (C,) of the contacts; "l_wrist" and "r_wrist" count.
        fps: frames a second.
    """
    joints = skeleton.joint_names
    if "left_wrist" not in joints or not {"l_wrist", "r_wrist"} & set(names):
        return rotations
    world = world_rotations(skeleton.parents, rotations)
    out = rotations.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        if f"{side[0]}_wrist" not in names:
            continue
        column = names.index(f"{side[0]}_wrist")
        flat_now = (contacts[:, column] > 0.5) | (heights[:, column] < HAND_LENGTH)
        if not (contacts[:, column] > 0.5).any():
            continue
        share = gaussian_filter1d(flat_now.astype(np.float64), FADE_SECONDS * fps)
        elbow, wrist = joints.index(f"{side}_elbow"), joints.index(f"{side}_wrist")
        forearm = world[:, elbow] @ unit(skeleton.rest_joints[wrist] - skeleton.rest_joints[elbow])
        trunk = world[:, joints.index("spine3"), :, 1]  # its y axis points to the head
        along = forearm + HEADWARD * trunk
        fingers = unit(along - (along @ up)[:, None] * up)
        fingers = np.cos(FINGERS_UP) * fingers + np.sin(FINGERS_UP) * up
        vertical = np.cos(FINGERS_UP) * up - np.sin(FINGERS_UP) * unit(along - (along @ up)[:, None] * up)
        flat = np.stack([sign * fingers, vertical, np.cross(sign * fingers, vertical)], -1)
        bend = log_map(world[:, elbow].transpose(0, 2, 1) @ flat)
        angle = np.linalg.norm(bend, axis=-1, keepdims=True)
        bend = bend * np.minimum(1, MAX_BEND / np.maximum(angle, 1e-9))
        fitted_bend = log_map(rotations[:, wrist])
        out[:, wrist] = exp_map((1 - share[:, None]) * fitted_bend + share[:, None] * bend)
    return out
