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
_DOWN: Final = 0.08
"""A foot is down when it is not higher over its lowest place than this share of the leg."""
_STILL: Final = 0.2
"""Share of its highest speed up to which a foot stands still."""
_SMOOTH: Final = 3
"""Standard deviation, in frames, of the kernel that smooths how the body is raised."""
_NO_LIFT: Final = 0.0012
"""Share of the leg up to which it bends for the floor, and the body stays."""
_SHORT: Final = 0.004
"""Share of the leg by which a foot may stay over its goal before the body comes down."""
_STILL_STEP: Final = 0.004
"""Share of the leg by which a foot that stands still may move in a frame."""


def plant_feet(source: SourceMotion, target: TargetParts, solved: Solved) -> Solved:
    """The same motion with every foot as still on the floor as the source's, and not under it.

    The hips are raised smoothly by what the legs would have to bend, and come down by one constant where the legs are
    too short to reach.
    """
    goals = _goals(source, target, solved)
    if not goals:
        return solved
    down = [_down(target, goal) for _, goal in goals]
    feet = [solved.heads[:, target.index[names[2]]] for names, _ in goals]
    goals = [(n, _under_body(target, foot, goal, d)) for (n, goal), foot, d in zip(goals, feet, down, strict=True)]
    steps = np.array([(goal - foot) @ target.up for (_, goal), foot in zip(goals, feet, strict=True)])
    lift = _smooth_lift(steps, np.array(down), _NO_LIFT * target.leg_length())
    if target.body == "human":  # four legs at once leave no height that suits all
        solved = replace(solved, heads=solved.heads + lift[:, None, None] * target.up)
    drop = max(_drop(target, solved, names, goal, source.ground) for names, goal in goals)
    turns, heads = solved.turns.copy(), solved.heads - drop * target.up
    most = 0.0
    for names, goal in goals:
        upper, lower, end = (target.index[n] for n in names)
        front = rotate(turns[:, upper], np.cross(target.left, target.up))
        turn, bend = two_bone(heads[:, upper], heads[:, lower], heads[:, end], goal, front)
        most = max(most, _angle(turn), _angle(bend))
        turns[:, upper] = multiply(turn, turns[:, upper])
        turns[:, lower] = multiply(bend, turns[:, lower])
        moved = heads[:, upper] + rotate(turn, heads[:, lower] - heads[:, upper])
        ankle = moved + rotate(bend, heads[:, end] - heads[:, lower])
        step = ankle - heads[:, end]
        heads[:, lower], heads[:, end] = moved, ankle
        for i, parent in enumerate(target.parents):
            if parent == end:
                heads[:, i] += step
    return replace(solved, turns=turns, heads=heads, planted=most)


def _down(target: TargetParts, goal: Array) -> NDArray[np.bool_]:
    """(T,) when a foot stands: low, and as good as still."""
    height, leg = goal @ target.up, max(target.leg_length(), 1e-9)
    speed = np.linalg.norm(np.gradient(goal, axis=0), axis=-1) if len(goal) > 1 else np.zeros(1)
    still = speed <= max(_STILL * float(speed.max()), _STILL_STEP * leg)
    return np.asarray((height < height.min() + _DOWN * leg) & still)


def _under_body(target: TargetParts, foot: Array, goal: Array, down: NDArray[np.bool_]) -> Array:
    """(T, 3) goals moved along the floor to where the body, of other proportions, has its foot.

    While a foot is down it is moved by one constant, so that it stays as still as it was; between, the constants go
    over into each other.

    Args:
        target: the rig's parts.
        foot: (T, 3) where the source's directions alone bring the foot.
        goal: (T, 3) where the source's foot is, scaled.
        down: (T,) when it stands.
    """
    up = target.up
    step = foot - goal
    step = step - (step @ up)[:, None] * up
    if not down.any():
        return goal + step.mean(0)
    run = np.cumsum(np.diff(down.astype(int), prepend=0) == 1) * down
    frames = np.flatnonzero(down)
    held = np.array([step[run == run[t]].mean(0) for t in frames])
    moved = np.stack([np.interp(np.arange(len(goal)), frames, held[:, i]) for i in range(3)], -1)
    return goal + moved


def _smooth_lift(steps: Array, down: NDArray[np.bool_], least: float) -> Array:
    """(T,) by how much the body is raised, smoothly, for the legs to reach the floor as they are.

    A stretched leg that has to become a little shorter bends by many degrees: the body gives way instead.

    Args:
        steps: (L, T) from each foot up to its goal.
        down: (L, T) when it stands.
        least: steps that are left to the legs.
    """
    count = down.sum(0)
    frames = np.flatnonzero(count)
    if not len(frames):
        return np.zeros(steps.shape[1])
    wanted = (steps * down).sum(0)[frames] / count[frames]
    wanted = np.sign(wanted) * np.maximum(np.abs(wanted) - least, 0.0)
    lifts = np.interp(np.arange(steps.shape[1]), frames, wanted)
    reach = np.arange(-3 * _SMOOTH, 3 * _SMOOTH + 1)
    kernel = np.exp(-0.5 * (reach / _SMOOTH) ** 2)
    padded = np.pad(lifts, 3 * _SMOOTH, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _angle(turns: Array) -> float:
    """Largest angle of turns (T, 4) in degrees."""
    return float(np.degrees(2 * np.arccos(np.clip(np.abs(turns[:, 0]), 0, 1))).max())


def _goals(source: SourceMotion, target: TargetParts, solved: Solved) -> list[tuple[tuple[str, str, str], Array]]:
    """For each leg that both have: its (upper, lower, foot) keys, and where its foot should begin, (T, 3)."""
    goals = []
    for upper, lower, foot, toe in legs(target.body):
        for side in SIDES:
            names = (key(upper, side), key(lower, side), key(foot, side))
            if all(n in target.index and n in source.rest.index for n in names):
                goal = _foot_goal if target.body == "human" else _paw_goal
                goals.append((names, goal(source, target, solved, names[2], key(toe, side))))
    return goals


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
    return goal + np.maximum(source.ground - lowest, 0)[:, None] * up


def _sole(parts: Parts, foot: str, toe: str, high: float) -> Array:
    """(3,) from the ankle to the floor under the toe joint, at rest."""
    along = parts.head(toe) - parts.head(foot) if toe in parts.index else np.zeros(3)
    if not parts.straight:
        length = float(np.linalg.norm(along))
        return np.cross(parts.left, parts.up) * np.sqrt(max(length**2 - (0.7 * high) ** 2, 0.0)) - high * parts.up
    return along - (along @ parts.up) * parts.up - high * parts.up


def _paw_goal(source: SourceMotion, target: TargetParts, solved: Solved, foot: str, toe: str) -> Array:
    """(T, 3) of an animal's hock or wrist, such that its paw is where the source's is, scaled."""
    up, origin, scale = source.rest.up, source.origin, solved.scale
    if toe not in target.index or toe not in source.rest.index:
        return solved.heads[:, target.index[foot]]
    paw = origin + scale * (source.place(toe) - origin) + ankle_step(source.rest, target, scale) * up
    paw = paw + np.maximum(source.ground - paw @ up, 0)[:, None] * up
    return paw - rotate(solved.turns[:, target.index[foot]], target.head(toe) - target.head(foot))


def _drop(target: TargetParts, solved: Solved, names: tuple[str, str, str], goal: Array, ground: float) -> float:
    """Metres that the hips must come down for a leg to reach its goal whenever the foot is low."""
    up = target.up
    points = np.array([target.head(n) for n in names])
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    hip = solved.heads[:, target.index[names[0]]]
    to_hip = hip - goal
    tall = to_hip @ up
    flat = (to_hip**2).sum(-1) - tall**2
    short = tall - np.sqrt(np.maximum((_STRETCH * length) ** 2 - flat, 0))
    low = goal @ up - ground < _LOW * length
    # the solvers of control rigs need bent legs; paws reach without this
    spare = _SHORT * length if target.body == "human" else 0.0
    return float(np.clip(short[low].max(initial=0.0) - spare, 0, _MOST_DROP * length))


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
