"""From turns and places in the world to the values of pose bones' channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mvlift.kinematics.quaternions import conjugate, continuous, multiply, rotate, to_matrix
from numpy.typing import NDArray

from .motion import Solved, TargetParts
from .response import Control

__all__ = ["Channel", "constant", "euler", "fk_channels", "location", "rotation", "rotation_channel"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Channel:
    """Values of one property of a bone.

    Attributes:
        bone: its name.
        path: data path.
        values: (T, C), or (1, C) for what stays.
    """

    bone: str
    path: str
    values: Array


def rotation(control: Control, turn: Array, above: Array | None) -> Array:
    """(T, 4) pose-bone quaternions.

    A bone that would be at axes B while its parent turns by P is at P B; to be at R B it needs B^-1 P^-1 R B.

    Args:
        control: the bone.
        turn: (T, 4) R, in the world.
        above: (T, 4) P of the part that it follows, None for none.
    """
    relative_turn = turn if above is None else multiply(conjugate(above), turn)
    return continuous(multiply(multiply(conjugate(control.axes), relative_turn), control.axes))


def location(control: Control, place: Array, parts: TargetParts, solved: Solved) -> Array:
    """(T, 3) pose-bone locations that bring a bone's head to places (T, 3) in the world."""
    if control.parent < 0:
        step = place - control.head
    else:
        i = control.parent
        step = rotate(conjugate(solved.turns[:, i]), place - solved.heads[:, i]) - (control.head - parts.heads[i])
    return step @ np.linalg.pinv(control.moves).T


def rotation_channel(bone: str, mode: str, q: Array) -> Channel:
    """Quaternions (T, 4) as the channel that the bone's rotation mode uses; the mode stays as it is."""
    stem = f'pose.bones["{bone}"].'
    if mode == "QUATERNION":
        return Channel(bone, stem + "rotation_quaternion", np.where(q[:1, :1] < 0, -q, q))
    if mode == "AXIS_ANGLE":
        return Channel(bone, stem + "rotation_axis_angle", _axis_angle(q))
    return Channel(bone, stem + "rotation_euler", euler(q, mode))


def _axis_angle(q: Array) -> Array:
    q = np.where(q[:1, :1] < 0, -q, q)
    sine = np.linalg.norm(q[:, 1:], axis=-1, keepdims=True)
    axis = np.where(sine < 1e-9, [0.0, 1.0, 0.0], q[:, 1:] / np.maximum(sine, 1e-9))
    return np.concatenate([2 * np.arctan2(sine, q[:, :1]), axis], axis=-1)


def euler(q: Array, order: str) -> Array:
    """(T, 3) angles x, y, z in radians, without jumps, of quaternions (T, 4) in one of Blender's orders."""
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(q)
    angles = np.empty((len(q), 3))
    angles[:, i] = np.arctan2(sign * m[:, k, j], m[:, k, k])
    angles[:, j] = np.arcsin(np.clip(-sign * m[:, k, i], -1, 1))
    angles[:, k] = np.arctan2(sign * m[:, j, i], m[:, i, i])
    # the same rotation is also (a_i + pi, pi - a_j, a_k + pi): take whichever continues the last frame
    other = angles + np.pi
    other[:, j] = np.pi - angles[:, j]
    turn = 2 * np.pi
    for t in range(1, len(angles)):
        last = angles[t - 1]
        both = np.stack([angles[t], other[t]])
        both = last + (both - last + np.pi) % turn - np.pi
        angles[t] = both[np.abs(both - last).sum(-1).argmin()]
    return angles


def constant(bone: str, name: str, value: Any) -> Channel:
    """A custom property of a bone that stays."""
    return Channel(bone, f'pose.bones["{bone}"]["{name}"]', np.array([[float(value)]]))


def fk_channels(controls: Sequence[Control], parts: TargetParts, solved: Solved, skip: frozenset[str]) -> list[Channel]:
    """Channels of the parts' own controls.

    Args:
        controls: (N,).
        parts: (N,).
        solved: their motion.
        skip: keys that IK controls move instead.
    """
    channels = []
    for i, (name, control) in enumerate(zip(parts.keys, controls, strict=True)):
        if not solved.driven[i] or name in skip:
            continue
        if control.moves.any():
            # the control may begin elsewhere than the part that it moves
            place = solved.heads[:, i] + rotate(solved.turns[:, i], control.head - parts.heads[i])
            path = f'pose.bones["{control.bone}"].location'
            channels.append(Channel(control.bone, path, location(control, place, parts, solved)))
        above = solved.turns[:, control.parent] if control.parent >= 0 else None
        channels.append(rotation_channel(control.bone, control.mode, rotation(control, solved.turns[:, i], above)))
    return channels
