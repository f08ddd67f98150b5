"""Kinematic chains: forward kinematics, linear blend skinning and two-bone inverse kinematics, over frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mvlift.kinematics.rotations import exp_map, rotation_between, unit
from mvlift.typing import F64

if TYPE_CHECKING:
    from mvlift.arrays import Array

__all__ = [
    "MAX_REACH",
    "bend_side",
    "blend_skinning",
    "forward_kinematics",
    "two_bone_positions",
    "two_bone_rotations",
    "world_rotations",
]

MAX_REACH: Final = 0.999
"""Share of a limb's length beyond which it does not stretch towards a goal."""


def _namespace(array: Array) -> Any:
    """NumPy without a look at other libraries: an engine whose Python lacks a module still starts, and names it."""
    if isinstance(array, np.ndarray):
        return np
    from mvlift.arrays import array_namespace

    return array_namespace(array)


def world_rotations(parents: Sequence[int], rotations: Array) -> Array:
    """(T, J, 3, 3) rotations in the root's outer axes of rotations relative to the parents; parents come first."""
    world: list[Array] = []
    for j, parent in enumerate(parents):
        world.append(rotations[:, j] if parent < 0 else world[parent] @ rotations[:, j])
    return _namespace(rotations).stack(world, axis=1)


def forward_kinematics(parents: Sequence[int], rest: Array, rotations: Array, root: Array) -> tuple[Array, Array]:
    """Joints of a posed skeleton; NumPy arrays, or torch tensors, through which gradients pass.

    Args:
        parents: (J,) -1 for the root; every parent before its children.
        rest: (J, 3) joints at rest, metres.
        rotations: (T, J, 3, 3) relative to the parents, the root's relative to the world.
        root: (T, 3) or (3,) position of the root joint, metres.

    Returns:
        World rotations (T, J, 3, 3) and positions (T, J, 3).
    """
    xp, frames = _namespace(rotations), len(rotations)
    world = world_rotations(parents, rotations)
    position: list[Array] = []
    for j, parent in enumerate(parents):
        if parent < 0:
            position.append(xp.broadcast_to(root, (frames, 3)))
        else:
            position.append(position[parent] + world[:, parent] @ (rest[j] - rest[parent]))
    return world, xp.stack(position, axis=1)


def blend_skinning(weights: F64, rest_points: F64, rest_joints: F64, world: F64, position: F64) -> F64:
    """Linear blend skinning: p_k = sum_j w_kj (R_j (r_k - r_j) + x_j).

    Args:
        weights: (K, J), rows sum to 1.
        rest_points: (K, 3).
        rest_joints: (J, 3).
        world, position: (T, J, 3, 3) and (T, J, 3), see ``forward_kinematics``.

    Returns:
        (T, K, 3) metres.
    """
    frames, joints = position.shape[:2]
    offset = position - np.einsum("tjab,jb->tja", world, rest_joints)
    blended = (weights @ world.reshape(frames, joints, 9)).reshape(frames, -1, 3, 3)
    return np.asarray(np.einsum("tkab,kb->tka", blended, rest_points) + weights @ offset)


def two_bone_positions(
    start: F64, goal: F64, upper: F64 | float, lower: F64 | float, pole: F64, max_reach: F64 | float = MAX_REACH
) -> tuple[F64, F64]:
    """Middle and end of a two-bone limb whose end reaches for a goal, by the law of cosines.

    Args:
        start: (T, 3) hip or shoulder, which stays.
        goal: (T, 3) for the end; the end stops on the line to a goal that is out of reach.
        upper, lower: lengths of the bones, (T, 1) or one for all.
        pole: (T, 3) direction to which the middle bends.
        max_reach: share of the limb's length to which it is stretched at most, (T, 1) or one for all.

    Returns:
        Middle and end, each (T, 3); both bones keep their lengths.
    """
    way = goal - start
    length = _norm(way)
    along = way / np.maximum(length, 1e-9)
    distance = np.clip(length, np.abs(upper - lower) * 1.001 + 1e-6, max_reach * (upper + lower))
    cosine = np.clip((upper**2 + distance**2 - lower**2) / (2 * upper * distance), -1, 1)
    side = unit(_across(pole, along))
    middle = start + upper * (cosine * along + np.sqrt(1 - cosine**2) * side)
    return np.asarray(middle), np.asarray(start + distance * along)


def bend_side(start: F64, middle: F64, end: F64, goal: F64, pole: F64) -> F64:
    """(T, 3) unit directions to which a limb bends that reaches for a goal: the side on which it bends now.

    Args:
        start, middle, end: (T, 3) joints now.
        goal: (T, 3) for the end.
        pole: (T, 3) direction to which a straight limb bends; near straight, the side fades over to it.
    """
    along = unit(goal - start)
    swing = rotation_between(end - start, along)
    chord = unit(end - start)
    bent = np.einsum("tab,tb->ta", swing, _across(middle - start, chord))
    size = _norm(bent)
    spare = unit(_across(np.einsum("tab,tb->ta", swing, pole), along))
    share = np.clip(size / (0.02 * _norm(middle - start)), 0, 1)
    return unit(_across(share * bent / np.maximum(size, 1e-9) + (1 - share) * spare, along))


def two_bone_rotations(
    start: F64, middle: F64, end: F64, goal: F64, pole: F64, max_reach: F64 | float = MAX_REACH
) -> tuple[F64, F64]:
    """World rotations that bring the end of a two-bone limb to a goal; the middle joint bends to the side it does now.

    Args:
        start, middle, end: (T, 3) joints now (hip, knee, ankle or shoulder, elbow, wrist).
        goal: (T, 3) for the end; what is out of reach is approached.
        pole: (T, 3) direction to which a straight limb bends.
        max_reach: see ``two_bone_positions``.

    Returns:
        (T, 3, 3) turn of the first bone and of the second one, each to be multiplied from the left to its bone's world
        rotation. The first one already turns the bend along, so that no bone twists about itself more than it must.
    """
    along = unit(goal - start)
    side = bend_side(start, middle, end, goal, pole)
    upper, lower = _norm(middle - start), _norm(end - middle)
    joint, reached = two_bone_positions(start, goal, upper, lower, side, max_reach)
    first = _plane_rotation(middle - start, _normal(middle - start, end - middle, pole), joint - start, along, side)
    turned = np.einsum("tab,tb->ta", first, end - middle)
    second = rotation_between(turned, reached - joint) @ first
    return first, second


def _plane_rotation(bone: F64, normal: F64, new_bone: F64, along: F64, side: F64) -> F64:
    """(T, 3, 3) that turns a bone onto another and the plane of the bend with it."""
    swing = rotation_between(bone, new_bone)
    axis = unit(new_bone)
    now = unit(_across(np.einsum("tab,tb->ta", swing, normal), axis))
    wanted = unit(_across(np.cross(side, along), axis))
    sine = (np.cross(now, wanted) * axis).sum(-1, keepdims=True)
    cosine = (now * wanted).sum(-1, keepdims=True)
    return exp_map(axis * np.arctan2(sine, cosine)) @ swing


def _normal(upper: F64, lower: F64, pole: F64) -> F64:
    """(T, 3) unit normal of a limb's plane, bend x way; of a straight limb that of its pole."""
    way = unit(upper + lower)
    bend = _across(upper, way)
    share = np.clip(_norm(bend) / (0.02 * _norm(upper)), 0, 1)
    side = share * bend / np.maximum(_norm(bend), 1e-9) + (1 - share) * unit(_across(pole, way))
    return unit(np.cross(unit(_across(side, way)), way))


def _norm(vector: F64) -> F64:
    return np.asarray(np.linalg.norm(vector, axis=-1, keepdims=True))


def _across(vector: F64, axis: F64) -> F64:
    """The part of a vector that is perpendicular to a unit axis."""
    return np.asarray(vector - (vector * axis).sum(-1, keepdims=True) * axis)
