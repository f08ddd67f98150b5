"""Two-bone inverse kinematics on a skeleton's limbs, over all frames at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from mvlift.kinematics.chains import two_bone_rotations
from mvlift.kinematics.quaternions import continuous, from_matrix, multiply, rotate
from mvlift.typing import F64

from .skeleton import RestSkeleton

__all__ = ["reached"]


_MAX_REACH: Final = 0.9995
"""Share of a limb's length to which it stretches: a little bend keeps the knee from snapping."""


def reached(
    skeleton: RestSkeleton, rotations: F64, locations: F64, joint: int, targets: F64, keep_turn: bool = True
) -> F64:
    """Pose-bone quaternions (T, J, 4) that bring a joint to targets by its parent and its parent's parent.

    The limb bends in the plane in which it bends already, and stretches to its full length where a target is too far.

    Args:
        skeleton: at rest.
        rotations: (T, J, 4).
        locations: (T, 3) of the root.
        joint: index of the ankle or wrist; it has two bones above it.
        targets: (T, 3) armature space, metres.
        keep_turn: the joint keeps its orientation in the world.

    Raises:
        ValueError: there are not two bones above the joint.
    """
    middle = skeleton.parents[joint]
    upper = skeleton.parents[middle] if middle >= 0 else -1
    if upper < 0:
        raise ValueError(f"{skeleton.names[joint]} has no two bones above it")
    places, turns = skeleton.forward(rotations, locations)
    a, b, c = places[:, upper], places[:, middle], places[:, joint]
    rows = np.linalg.norm(targets - c, axis=-1) > 1e-7
    if not rows.any():
        return rotations
    hinge = rotate(turns[:, middle], np.array([1.0, 0.0, 0.0]))  # of a straight limb: its bone's X axis
    pole = np.cross(c - a, hinge)
    swing, bend = (from_matrix(m) for m in two_bone_rotations(a, b, c, targets, pole, _MAX_REACH))
    turned = rotations.copy()
    high, low = multiply(swing, turns[:, upper]), multiply(bend, turns[:, middle])
    end = turns[:, joint] if keep_turn else multiply(bend, turns[:, joint])
    above = skeleton.parents[upper]
    turned[:, upper] = skeleton.local(upper, high, turns[:, above] if above >= 0 else high)
    turned[:, middle] = skeleton.local(middle, low, high)
    turned[:, joint] = skeleton.local(joint, end, low)
    turned[~rows] = rotations[~rows]
    return continuous(turned)
