"""Feet where the source's are: two-bone IK on the target's own leg lengths, for all frames at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..motion.rotations import multiply, rotate, shortest_arc
from .motion import Solved, SourceMotion, TargetParts
from .rest import Parts, ankle_height, ankle_step, facing, heading
from .roles import SIDES, key, legs

__all__ = ["plant_feet", "two_bone"]

Array = NDArray[np.float64]
_STRETCH: Final = 0.9995
"""A leg is never straighter than this share of its length: a straight knee has no plane to bend in."""
_LOW: Final = 0.2
"""Legs reach for feet that are lower than this share of their length; a foot in the air may be out of reach."""
_MOST_DROP: Final = 0.06


def plant_feet(source: SourceMotion, target: TargetParts, solved: Solved) -> Solved:
    """The same motion with every foot where the source's foot is, scaled, and not under the floor.

    The hips come down by one constant where the legs are too short to reach; their path keeps its shape.
    """
    goals = _goals(source, target, solved)
    if not goals:
        return solved
    drop = max(_drop(target, solved, names, goal) for names, goal in goals)
    turns, heads = solved.turns.copy(), solved.heads - drop * target.up
    for names, goal in goals:
        upper, lower, end = (target.index[n] for n in names)
        front = rotate(turns[:, upper], np.cross(target.left, target.up))
        turn, bend = two_bone(heads[:, upper], heads[:, lower], heads[:, end], goal, front)
        turns[:, upper] = multiply(turn, turns[:, upper])
        turns[:, lower] = multiply(bend, turns[:, lower])
        moved = heads[:, upper] + rotate(turn, heads[:, lower] - heads[:, upper])
        ankle = moved + rotate(bend, heads[:, end] - heads[:, lower])
        step = ankle - heads[:, end]
        heads[:, lower], heads[:, end] = moved, ankle
        for i, parent in enumerate(target.parents):
            if parent == end:
                heads[:, i] += step
    return replace(solved, turns=turns, heads=heads)


def _goals(source: SourceMotion, target: TargetParts, solved: Solved) -> list[tuple[tuple[str, str, str], Array]]:
    """For each leg that both have: its (upper, lower, foot) keys, and where its foot should begin, (T, 3)."""
    found = []
    for upper, lower, foot, toe in legs(target.body):
        for side in SIDES:
            names = (key(upper, side), key(lower, side), key(foot, side))
            if all(n in target.index and n in source.rest.index for n in names):
                goal = _foot_goal if target.body == "human" else _paw_goal
                found.append((names, goal(source, target, solved, names[2], key(toe, side))))
    return found


def _foot_goal(source: SourceMotion, target: TargetParts, solved: Solved, foot: str, toe: str) -> Array:
    """(T, 3) of an ankle: the source's, scaled; corrected so that a foot of another size rolls over its own toes.

    A foot that is turned by R from flat, R_y of it about the vertical, would slide by (R - R_y) D where D is how its
    toe (its heel, when the toes are up) lies otherwise than the source's.
    """
    up, origin, scale = source.rest.up, source.origin, solved.scale
    high, theirs = ankle_height(target) or 0.0, ankle_height(source.rest) or 0.0
    turn = source.turns[:, source.rest.index[foot]]
    sole = rotate(facing(target, source.rest), _sole(target, foot, toe, high))
    other = scale * _sole(source.rest, foot, toe, theirs)
    if toe not in target.index or toe not in source.rest.index:
        sole = other - (high - scale * theirs) * up
    heel = -(high - scale * theirs) * up
    level = heading(turn, up)
    raised = (rotate(turn, other) - rotate(level, other)) @ up < 0
    differs = np.where(raised[:, None], sole - other, heel)
    goal = origin + scale * (source.place(foot) - origin) + (high - scale * theirs) * up
    goal = goal - (rotate(turn, differs) - rotate(level, differs))
    lowest = np.minimum((goal + rotate(turn, sole)) @ up, (goal + rotate(turn, -high * up)) @ up)
    return goal + np.maximum(-lowest, 0)[:, None] * up


def _sole(parts: Parts, foot: str, toe: str, high: float) -> Array:
    """(3,) from the ankle to the floor under the toe joint, at rest."""
    along = parts.head(toe) - parts.head(foot) if toe in parts.index else np.zeros(3)
    return along - (along @ parts.up) * parts.up - high * parts.up


def _paw_goal(source: SourceMotion, target: TargetParts, solved: Solved, foot: str, toe: str) -> Array:
    """(T, 3) of an animal's hock or wrist, such that its paw is where the source's is, scaled."""
    up, origin, scale = source.rest.up, source.origin, solved.scale
    if toe not in target.index or toe not in source.rest.index:
        return solved.heads[:, target.index[foot]]
    paw = origin + scale * (source.place(toe) - origin) + ankle_step(source.rest, target, scale) * up
    paw = paw + np.maximum(-(paw @ up), 0)[:, None] * up
    return paw - rotate(solved.turns[:, target.index[foot]], target.head(toe) - target.head(foot))


def _drop(target: TargetParts, solved: Solved, names: tuple[str, str, str], goal: Array) -> float:
    """Metres that the hips must come down for a leg to reach its goal whenever the foot is low."""
    up = target.up
    points = np.array([target.head(n) for n in names])
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    hip = solved.heads[:, target.index[names[0]]]
    away = hip - goal
    tall = away @ up
    flat = (away**2).sum(-1) - tall**2
    short = tall - np.sqrt(np.maximum((_STRETCH * length) ** 2 - flat, 0))
    low = goal @ up < _LOW * length
    return float(np.clip(short[low].max(initial=0.0), 0, _MOST_DROP * length))


def two_bone(hip: Array, knee: Array, end: Array, goal: Array, front: Array) -> tuple[Array, Array]:
    """Turns (T, 4) of a limb's two bones that bring its end to a goal, the knee bending on the side that it does.

    Args:
        hip, knee, end: (T, 3) joints now.
        goal: (T, 3) for the end; what is out of reach is gone towards.
        front: (T, 3) where a straight knee would bend to.
    """
    upper, lower = _length(knee - hip), _length(end - knee)
    way = goal - hip
    distance = np.clip(_length(way), np.abs(upper - lower) * 1.001 + 1e-6, _STRETCH * (upper + lower))
    along = way / np.maximum(_length(way), 1e-9)
    old = end - hip
    arc = shortest_arc(old, along)
    bent = rotate(arc, _across(knee - hip, old / np.maximum(_length(old), 1e-9)))
    size = _length(bent)
    spare = _across(rotate(arc, front), along)
    spare = spare / np.maximum(_length(spare), 1e-9)
    # near straight, the knee's side fades over to the front
    share = np.clip(size / (0.02 * upper), 0, 1)
    side = share * bent / np.maximum(size, 1e-9) + (1 - share) * spare
    side = _across(side, along)
    side = side / np.maximum(_length(side), 1e-9)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    new_knee = hip + upper * (cosine * along + np.sqrt(np.maximum(1 - cosine**2, 0)) * side)
    new_end = hip + distance * along
    return shortest_arc(knee - hip, new_knee - hip), shortest_arc(end - knee, new_end - new_knee)


def _length(v: Array) -> Any:
    return np.linalg.norm(v, axis=-1, keepdims=True)


def _across(v: Array, axis: Array) -> Array:
    return v - (v * axis).sum(-1, keepdims=True) * axis
