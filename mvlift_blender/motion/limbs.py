"""Two-bone inverse kinematics by the law of cosines, over all frames at once."""

from __future__ import annotations

import numpy as np
from mvlift.typing import F64

from .rotations import continuous, from_vector, multiply, rotate, shortest_arc
from .skeleton import RestSkeleton

__all__ = ["reached"]


_STRETCH = 0.9995  # of a limb's full length: a little bend keeps the knee from snapping


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
    hinge = _hinge(a, b, c, turns[:, middle])
    bend = _bend(a, b, c, targets, hinge)
    bent = b + rotate(bend, c - b)
    swing = shortest_arc(bent - a, targets - a)
    turned = rotations.copy()
    high = multiply(swing, turns[:, upper])
    low = multiply(swing, multiply(bend, turns[:, middle]))
    end = turns[:, joint] if keep_turn else multiply(swing, multiply(bend, turns[:, joint]))
    above = skeleton.parents[upper]
    turned[:, upper] = skeleton.local(upper, high, turns[:, above] if above >= 0 else high)
    turned[:, middle] = skeleton.local(middle, low, high)
    turned[:, joint] = skeleton.local(joint, end, low)
    turned[~rows] = rotations[~rows]
    return continuous(turned)


def _hinge(a: F64, b: F64, c: F64, turn: F64) -> F64:
    """(T, 3) unit axis about which the limb bends: across its plane, or the bone's X axis where it is straight."""
    axis = np.cross(b - a, c - b)
    length = np.linalg.norm(axis, axis=-1, keepdims=True)
    straight = length < 0.02 * np.linalg.norm(b - a, axis=-1, keepdims=True) * np.linalg.norm(
        c - b, axis=-1, keepdims=True
    )
    bone_axis = rotate(turn, np.broadcast_to([1.0, 0.0, 0.0], axis.shape))
    along = c - a
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    bone_axis = bone_axis - (bone_axis * along).sum(-1, keepdims=True) * along
    bone_axis = bone_axis / np.maximum(np.linalg.norm(bone_axis, axis=-1, keepdims=True), 1e-9)
    return np.where(straight, bone_axis, axis / np.maximum(length, 1e-12))


def _bend(a: F64, b: F64, c: F64, targets: F64, hinge: F64) -> F64:
    """(T, 4) turn of the lower bone about the hinge that gives the limb the length to the target."""
    upper, lower = np.linalg.norm(b - a, axis=-1), np.linalg.norm(c - b, axis=-1)
    wanted = np.linalg.norm(targets - a, axis=-1)
    wanted = np.clip(wanted, np.abs(upper - lower) + 1e-4, _STRETCH * (upper + lower))
    # angle at the hinge between the continued upper bone and the lower one: 0 when straight
    new = np.arccos(np.clip((wanted**2 - upper**2 - lower**2) / (2 * upper * lower), -1, 1))
    along, across = (b - a) / upper[:, None], np.cross(hinge, (b - a) / upper[:, None])
    now = np.arctan2(((c - b) * across).sum(-1), ((c - b) * along).sum(-1))
    return from_vector((np.copysign(new, np.where(np.abs(now) < 1e-6, 1.0, now)) - now)[:, None] * hinge)
