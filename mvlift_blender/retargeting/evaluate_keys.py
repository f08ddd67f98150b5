"""Evaluation of keyed channels: from pose-bone values to rotations and positions in the world.

The inverse of ``channels`` and ``ik``: clean-up reads a retargeted Action through it, and measures thinned keys by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from mvlift.kinematics.chains import two_bone_positions
from mvlift.kinematics.quaternions import conjugate, continuous, from_matrix, from_vector, multiply, rotate
from mvlift.kinematics.rotations import unit
from numpy.typing import NDArray

from .ik import carried
from .motion import Solved, TargetParts
from .response import Control, RigResponse
from .rig_map import RigMap
from .roles import limb_keys, toe_key

__all__ = ["Reader", "evaluate_keys", "quaternions"]

Array = NDArray[np.float64]
Limb = tuple[str, str]
Reader = Callable[[str, int], Array | None]
"""Gives the values (T, C) of a data path with C channels, or None when it is not keyed."""
_AXES = {axis: np.eye(3)[i] for i, axis in enumerate("XYZ")}


def evaluate_keys(
    rig: RigMap, response: RigResponse, limbs: Sequence[Limb], read: Reader, count: int, heels: Mapping[Limb, Array]
) -> Solved:
    """How the parts of a rig move under its keys; parts without keys follow what they hang on.

    Args:
        rig: its bone map.
        response: the rig, looked at.
        limbs: whose IK controls are keyed.
        read: the keyed values.
        count: T, of frames.
        heels: (T, 4) what the heels of paws hang on, as ``heel_turns`` says.
    """
    parts = response.parts
    moving = Solved(
        np.tile([1.0, 0, 0, 0], (count, len(parts.keys), 1)), np.zeros((count, len(parts.keys), 3)), 1.0,
        np.ones(len(parts.keys), bool),
    )  # fmt: skip
    ends = {parts.index[limb_keys(rig.body, limb)[2]]: limb for limb in limbs}
    toes = {parts.index[k]: rig.ik[limb].toe for limb in limbs if (k := toe_key(rig.body, limb)) in parts.index}
    paws = {parts.index[toe_key(rig.body, limb)] for limb in limbs if rig.ik[limb].heel}
    bones = {parts.index[k] for limb in limbs for k in limb_keys(rig.body, limb)}
    for i, control in enumerate(response.controls):
        if i in ends:
            _reach(rig, response, ends[i], moving, read, heels)
        if i in ends or i in paws:
            continue
        above = _turns_above(control.parent, moving)
        control = response.extra.get(toes.get(i, ""), control)
        moving.turns[:, i] = above if i in bones else _turned(control, above, read)
        step = _step(control, read) if i not in bones else None
        if step is None:
            moving.heads[:, i] = _carried(parts, i, moving)
        else:
            place = _carried_control(control, parts, moving, step)
            moving.heads[:, i] = place - rotate(moving.turns[:, i], control.head - parts.heads[i])
    return moving


def _reach(
    rig: RigMap, response: RigResponse, limb: Limb, moving: Solved, read: Reader, heels: Mapping[Limb, Array]
) -> None:
    """Turns and heads of a limb whose end is where its IK control puts it, by the law of cosines."""
    parts, ik = response.parts, rig.ik[limb]
    upper, lower, end = (parts.index[k] for k in limb_keys(rig.body, limb))
    held = parts.index[carried(rig, limb)]
    turn, goal = _held(response.extra[ik.control], held, parts, moving, read)
    if ik.heel:
        moving.heads[:, held] = goal
        moving.turns[:, held] = _turned(response.extra[ik.toe], turn, read) if ik.toe in response.extra else turn
        turn = _turned(response.extra[ik.heel], heels[limb], read)
        goal = goal + rotate(turn, parts.heads[end] - parts.heads[held])
    hip = moving.heads[:, upper]
    thigh, shin = (_length(parts.heads[b] - parts.heads[a]) for a, b in ((upper, lower), (lower, end)))
    pole = response.extra.get(ik.pole)
    if pole is None:
        front = rotate(_turns_above(parts.parents[upper], moving), parts.heads[lower] - parts.heads[upper])
    else:
        line = unit(goal - hip)
        front = _carried_control(pole, parts, moving, _step(pole, read)) - hip
        front = rotate(_about(line, response.bends[limb].turned), _across(front, line))
    knee, ankle = two_bone_positions(hip, goal, thigh, shin, front, max_reach=1.0)
    hinge = np.cross(goal - hip, front)
    rest_hinge = _rest_hinge(response, pole, response.bends[limb].turned, (upper, lower, end))
    for i, a, b in ((upper, hip, knee), (lower, knee, ankle)):
        rest = parts.heads[lower if i == upper else end] - parts.heads[i]
        moving.turns[:, i] = continuous(multiply(_frame(b - a, hinge), conjugate(_frame(rest, rest_hinge))))
    moving.turns[:, end] = turn
    moving.heads[:, lower], moving.heads[:, end] = knee, ankle


def _held(control: Control, held: int, parts: TargetParts, moving: Solved, read: Reader) -> tuple[Array, Array]:
    """Turn (T, 4) and head (T, 3) of the part that an IK control carries."""
    turn = _turned(control, _turns_above(control.parent, moving), read)
    place = _carried_control(control, parts, moving, _step(control, read))
    return turn, place - rotate(turn, control.head - parts.heads[held])


def _turned(control: Control, above: Array, read: Reader) -> Array:
    """(T, 4) how a control turns on what it hangs on."""
    q = _rotation(control, read)
    return above if q is None else multiply(above, _in_world(control, q))


def _rest_hinge(response: RigResponse, pole: Control | None, turned: float, joints: tuple[int, int, int]) -> Array:
    """(3,) about which a limb bends, at rest."""
    hip, knee, end = (response.parts.heads[i] for i in joints)
    line = (end - hip) / _length(end - hip)
    front = knee - hip if pole is None else rotate(_about(line, turned), _across(pole.head - hip, line))
    hinge = np.cross(line, front)
    return hinge / np.maximum(_length(hinge), 1e-9)


def _frame(along: Array, hinge: Array) -> Array:
    """(..., 4) the turn from the world's axes to a bone's: x along it, z as near to a hinge as can be."""
    x = along / np.maximum(_length(along), 1e-9)
    z = _across(np.broadcast_to(hinge, x.shape), x)
    z = z / np.maximum(_length(z), 1e-9)
    return from_matrix(np.stack([x, np.cross(z, x), z], -1))


def _turns_above(parent: int, moving: Solved) -> Array:
    return moving.turns[:, parent] if parent >= 0 else np.tile([1.0, 0, 0, 0], (len(moving.turns), 1))


def _in_world(control: Control, q: Array) -> Array:
    """(T, 4) B q B^-1."""
    return multiply(multiply(control.axes, q), conjugate(control.axes))


def _rotation(control: Control, read: Reader) -> Array | None:
    """(T, 4) what a control's rotation channel says, as quaternions, or None."""
    name, channels = {"QUATERNION": ("quaternion", 4), "AXIS_ANGLE": ("axis_angle", 4)}.get(control.mode, ("euler", 3))
    values = read(f'pose.bones["{control.bone}"].rotation_{name}', channels)
    return None if values is None else quaternions(values, control.mode)


def quaternions(values: Array, mode: str) -> Array:
    """(T, 4) unit quaternions of values of a rotation channel in one of Blender's rotation modes."""
    if mode == "QUATERNION":
        return values / np.maximum(_length(values), 1e-9)
    if mode == "AXIS_ANGLE":
        return from_vector(values[:, :1] * values[:, 1:] / np.maximum(_length(values[:, 1:]), 1e-9))
    q = np.tile([1.0, 0, 0, 0], (len(values), 1))
    for axis in mode:  # the first axis of the order turns first
        q = multiply(from_vector(values[:, "XYZ".index(axis), None] * _AXES[axis]), q)
    return q


def _step(control: Control, read: Reader) -> Array | None:
    """(T, 3) by how much a control's location moves it, in the world at rest, or None when it is not keyed."""
    if not control.moves.any():
        return None
    values = read(f'pose.bones["{control.bone}"].location', 3)
    return None if values is None else values @ control.moves.T


def _carried_control(control: Control, parts: TargetParts, moving: Solved, step: Array | None) -> Array:
    """(T, 3) a control's head, moved by steps in the axes of what it hangs on."""
    moved = control.head + (np.zeros((len(moving.heads), 3)) if step is None else step)
    if control.parent < 0:
        return moved
    i = control.parent
    return moving.heads[:, i] + rotate(moving.turns[:, i], moved - parts.heads[i])


def _carried(parts: TargetParts, i: int, moving: Solved) -> Array:
    """(T, 3) head of a part that follows what it hangs on; the hips, where that is nothing."""
    at = parts.index["hips"]
    on = parts.parents[i] if parts.parents[i] >= 0 else at
    if on >= i:
        return np.tile(parts.heads[i], (len(moving.heads), 1))
    return moving.heads[:, on] + rotate(moving.turns[:, on], parts.heads[i] - parts.heads[on])


def _about(line: Array, angle: float) -> Array:
    return from_vector(angle * line)


def _length(v: Array) -> Array:
    return np.asarray(np.linalg.norm(v, axis=-1, keepdims=True))


def _across(v: Array, axis: Array) -> Array:
    return v - (v * axis).sum(-1, keepdims=True) * axis
