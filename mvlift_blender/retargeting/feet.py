"""Feet where the source's are: two-bone IK on the target's own leg lengths, for all frames at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from mvlift.kinematics.chains import bend_side, two_bone_positions
from mvlift.kinematics.quaternions import multiply, rotate, shortest_arc
from numpy.typing import NDArray

from .motion import Solved, SourceMotion, TargetParts, forward
from .rest import Parts, ankle_height, ankle_step, facing, heading
from .roles import SIDES, key, legs, split_key
from .support import body_offset, smooth_maximum

__all__ = ["plant_feet", "two_bone"]

Array = NDArray[np.float64]
Names = tuple[str, str, str]
_TRUNK: Final = ("hips", "spine", "front_shoulder")
"""Parts that turn with the trunk of an animal."""
_STRETCH: Final = 0.9995
"""A leg is never made straighter than this share of its length: a straight knee has no plane to bend in."""
_MOST_STEP: Final = 0.06
"""Share of the leg by which the body is raised or lowered at most for what the legs cannot do."""
_BEND: Final = np.radians(1.5)
"""By how much the angle of a knee may change before the body gives way: less than a degree for either bone."""
_MOST_TURN: Final = np.radians(15.0)
"""By how much either bone of a leg is turned at most: a limb of quite another build does not reach its goal."""
_HALVINGS: Final = 7
_BENT: Final = 0.01
"""Share of a limb's length by which its middle joint lies beside the line when it is bent."""
_DOWN: Final = 0.08
"""A foot is down when it is not higher over its lowest place than this share of the leg."""
_STILL: Final = 0.2
"""Share of its highest speed up to which a foot stands still."""
_SHORT: Final = 0.004
"""Share of the leg by which a foot may stay over its goal before the body comes down."""
_STILL_STEP: Final = 0.004
"""Share of the leg by which a foot that stands still may move in a frame."""


@dataclass(frozen=True, eq=False)
class _Leg:
    """A leg that both bodies have.

    Attributes:
        names: keys of its upper bone, lower bone and foot.
        goal: (T, 3) where its foot should be, up to a constant along the floor.
        least: (T,) how high the foot must be for its sole not to be under the floor.
        down: (T,) when it rests.
        front: (T, 3) where a straight knee would bend to.
    """

    names: Names
    goal: Array
    least: Array
    down: NDArray[np.bool_]
    front: Array


def plant_feet(source: SourceMotion, target: TargetParts, solved: Solved) -> Solved:
    """The same motion with every foot as still on the floor as the source's, and not under it.

    First the body moves, smoothly, so that the legs of resting feet have least to do; a four-legged one turns about its
    hind legs too. What is left is done by the legs, in the air going over from one foothold to the next. Where a leg is
    too short to reach, the body comes down for that while.
    """
    shared = _legs(source, target, solved)
    if not shared:
        return solved
    solved = _body_moved(target, solved, shared)
    goals = [_on_foothold(target, leg, solved.heads[:, target.index[leg.names[2]]]) for leg in shared]
    heads, turns = solved.heads.copy(), solved.turns.copy()
    human = target.body == "human"
    if human:  # four legs at once leave no height that suits all
        heads += _body_raised(target, heads, shared, goals)[:, None, None] * target.up
    planted, missed = [0.0], [0.0]
    for leg, goal in zip(shared, goals, strict=True):
        upper, lower_bone, end = (target.index[n] for n in leg.names)
        turn, bend = _bounded(heads[:, upper], heads[:, lower_bone], heads[:, end], goal, leg.front, human)
        planted += [float(np.degrees(_angle(q).max())) for q in (turn, bend)]
        turns[:, upper] = multiply(turn, turns[:, upper])
        turns[:, lower_bone] = multiply(bend, turns[:, lower_bone])
        moved = heads[:, upper] + rotate(turn, heads[:, lower_bone] - heads[:, upper])
        ankle = moved + rotate(bend, heads[:, end] - heads[:, lower_bone])
        missed.append(float((np.linalg.norm(ankle - goal, axis=-1) * leg.down).max()))
        step = ankle - heads[:, end]
        heads[:, lower_bone], heads[:, end] = moved, ankle
        for i, parent in enumerate(target.parents):
            if parent == end:
                heads[:, i] += step
    return replace(solved, turns=turns, heads=heads, planted=max(planted), missed=max(missed))


def _body_moved(target: TargetParts, solved: Solved, shared: Sequence[_Leg]) -> Solved:
    """The motion with its body, and what hangs on it, moved as its resting feet ask for.

    A person's body moves as it is. Of an animal the hind and front legs each ask for their own offset: the hips take
    the hind legs', and the trunk turns until the front legs begin where theirs is.
    """
    offsets = []
    for limb in legs(target.body):
        both = [leg for leg in shared if split_key(leg.names[0])[0] == limb[0]]
        feet = [solved.heads[:, target.index[leg.names[2]]] for leg in both]
        wanted = np.array([leg.goal - foot for leg, foot in zip(both, feet, strict=True)])
        if both:
            offsets.append((both, body_offset(wanted, np.array([leg.down for leg in both]), target.up)))
    (hind, offset), *others = offsets
    hips = target.index["hips"]
    heads = solved.heads + offset[:, None]
    if not others:
        return replace(solved, heads=heads)
    base, end = (_beginning(target, solved, both) for both in (hind, others[0][0]))
    along = end - base
    turn = shortest_arc(along, along + others[0][1] - offset)
    turns = solved.turns.copy()
    for i, name in enumerate(target.keys):
        if split_key(name)[0] in _TRUNK:
            turns[:, i] = multiply(turn, turns[:, i])
    places = base + offset + rotate(turn, solved.heads[:, hips] - base)
    return replace(solved, turns=turns, heads=forward(target, turns, places))


def _beginning(target: TargetParts, solved: Solved, both: Sequence[_Leg]) -> Array:
    """(T, 3) the middle between where a pair of legs begins."""
    return np.asarray(np.mean([solved.heads[:, target.index[leg.names[0]]] for leg in both], axis=0))


def _down(target: TargetParts, place: Array) -> NDArray[np.bool_]:
    """(T,) when a point of a foot rests: low, and as good as still."""
    height, leg = place @ target.up, max(target.leg_length(), 1e-9)
    speed = np.linalg.norm(np.gradient(place, axis=0), axis=-1) if len(place) > 1 else np.zeros(1)
    still = speed <= max(_STILL * float(speed.max()), _STILL_STEP * leg)
    return np.asarray((height < height.min() + _DOWN * leg) & still)


def _on_foothold(target: TargetParts, leg: _Leg, foot: Array) -> Array:
    """(T, 3) where a foot goes: its goal while it rests, moved along the floor to where the body has it.

    While it rests it is moved by one constant, so that it stays as still as it was. In the air it is where the body has
    it, moved by what goes over from the end of one rest to the beginning of the next, and not under the floor.

    Args:
        target: the rig's parts.
        leg: its goal and rests.
        foot: (T, 3) where the directions of the source bring it.
    """
    up, down = target.up, leg.down
    goal = foot
    if down.any():
        step = leg.goal - foot
        run = np.cumsum(np.diff(down.astype(int), prepend=0) == 1) * down
        for number in range(1, int(run.max()) + 1):
            mean = step[run == number].mean(0)
            step[run == number] -= mean - (mean @ up) * up
        frames = np.flatnonzero(down)
        goal = foot + np.stack([np.interp(np.arange(len(foot)), frames, step[frames, i]) for i in range(3)], -1)
    return goal + np.maximum(leg.least - goal @ up, 0)[:, None] * up


def _angle(turns: Array) -> Array:
    """(T,) angles of turns (T, 4), radians."""
    return np.asarray(2 * np.arccos(np.clip(np.abs(turns[:, 0]), 0, 1)))


def _bounded(hip: Array, knee: Array, end: Array, goal: Array, front: Array, straight: bool) -> tuple[Array, Array]:
    """``two_bone``, in frames where it would turn a bone by more than _MOST_TURN towards the goal only so far."""
    share, step = np.ones(len(hip)), 0.5
    turn, bend = two_bone(hip, knee, end, goal, front, straight)
    wild = np.maximum(_angle(turn), _angle(bend)) > _MOST_TURN
    if wild.any():
        share[wild] = 0.0
        for _ in range(_HALVINGS):
            turn, bend = two_bone(hip, knee, end, end + (share + step * wild)[:, None] * (goal - end), front, straight)
            share += step * (wild & (np.maximum(_angle(turn), _angle(bend)) <= _MOST_TURN))
            step /= 2
        turn, bend = two_bone(hip, knee, end, end + share[:, None] * (goal - end), front, straight)
    return turn, bend


def _legs(source: SourceMotion, target: TargetParts, solved: Solved) -> list[_Leg]:
    """The legs that both have."""
    shared = []
    for upper, lower, foot, toe in legs(target.body):
        for side in SIDES:
            names = (key(upper, side), key(lower, side), key(foot, side))
            if all(n in target.index and n in source.rest.index for n in names):
                make = _foot_goal if target.body == "human" else _paw_goal
                shared.append(make(source, target, solved, names, key(toe, side)))
    return shared


def _foot_goal(source: SourceMotion, target: TargetParts, solved: Solved, names: Names, toe: str) -> _Leg:
    """A person's leg: the ankle goes to the source's, scaled, such that a foot of another size rolls over its own toes.

    A foot that is turned by R from flat, R_y of it about the vertical, would slide by (R - R_y) D where D is how its
    toe (its heel, when the toes are up) lies otherwise than the source's.
    """
    foot = names[2]
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
    least = source.ground - np.minimum(rotate(turn, sole) @ up, rotate(turn, -high * up) @ up)
    goal = goal + np.maximum(least - goal @ up, 0)[:, None] * up
    down = _down(target, goal)
    if toe in source.rest.index:  # the heel rises while the toes rest
        down |= _down(target, scale * source.place(toe))
    return _Leg(names, goal, least, down, _front(source, names))


def _sole(parts: Parts, foot: str, toe: str, high: float) -> Array:
    """(3,) from the ankle to the floor under the toe joint, at rest."""
    along = parts.head(toe) - parts.head(foot) if toe in parts.index else np.zeros(3)
    if not parts.straight:
        length = float(np.linalg.norm(along))
        return np.cross(parts.left, parts.up) * np.sqrt(max(length**2 - (0.7 * high) ** 2, 0.0)) - high * parts.up
    return along - (along @ parts.up) * parts.up - high * parts.up


def _paw_goal(source: SourceMotion, target: TargetParts, solved: Solved, names: Names, toe: str) -> _Leg:
    """An animal's leg. Its goal is the hock or wrist for which the paw is where the source's is, scaled."""
    foot = names[2]
    up, origin, scale = source.rest.up, source.origin, solved.scale
    if toe not in target.index or toe not in source.rest.index:
        place = solved.heads[:, target.index[foot]]
        never = np.zeros(len(place), bool)
        return _Leg(names, place, np.full(len(place), -np.inf), never, _front(source, names))
    paw = origin + scale * (source.place(toe) - origin) + ankle_step(source.rest, target, scale) * up
    paw = paw + np.maximum(source.ground - paw @ up, 0)[:, None] * up
    below = rotate(solved.turns[:, target.index[foot]], target.head(toe) - target.head(foot))
    least = source.ground - below @ up
    return _Leg(names, paw - below, least, _down(target, paw), _front(source, names))


def _front(source: SourceMotion, names: Names) -> Array:
    """(T, 3) where a straight knee would bend to: as the source's at rest; a person's to the front."""
    upper, lower, end = (source.rest.head(n) for n in names)
    line = end - upper
    front = (lower - upper) - ((lower - upper) @ line) / max(float(line @ line), 1e-12) * line
    if source.rest.body == "human" or np.linalg.norm(front) < _BENT * np.linalg.norm(line):
        front = np.cross(source.rest.left, source.rest.up)
    return rotate(source.turns[:, source.rest.index[names[0]]], front)


def _body_raised(target: TargetParts, heads: Array, shared: Sequence[_Leg], goals: Sequence[Array]) -> Array:
    """(T,) metres by which the body is raised where resting legs would have to bend or to stretch too much.

    A stretched leg that has to become a little shorter turns by many degrees: the body gives way instead. One that is
    too short leaves its foot a little over the floor, or the body comes down.
    """
    up, closer, farther = target.up, [], []
    for leg, goal in zip(shared, goals, strict=True):
        hip, knee, foot = (heads[:, target.index[n]] for n in leg.names)
        a, b = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(foot - knee, axis=-1)
        now = np.arccos(np.clip(((knee - hip) * (foot - knee)).sum(-1) / np.maximum(a * b, 1e-12), -1, 1))
        least, most = (np.sqrt(a**2 + b**2 + 2 * a * b * np.cos(np.clip(now + t, 0, np.pi))) for t in (_BEND, -_BEND))
        tall = (hip - goal) @ up
        flat = ((hip - goal) ** 2).sum(-1) - tall**2
        cap = _MOST_STEP * (a + b)
        closer.append(np.where(leg.down, np.clip(np.sqrt(np.maximum(least**2 - flat, 0)) - tall, 0, cap), 0))
        short = tall - np.sqrt(np.maximum(most**2 - flat, 0)) - _SHORT * (a + b)
        farther.append(np.where(leg.down, np.clip(short, 0, cap), 0))
    raised, lowered = np.max(closer, axis=0), np.max(farther, axis=0)
    step = np.where(raised > 0, raised, -lowered)
    return smooth_maximum(np.maximum(step, 0)) - smooth_maximum(np.maximum(-step, 0))


def two_bone(
    hip: Array, knee: Array, end: Array, goal: Array, front: Array, straight: bool = False
) -> tuple[Array, Array]:
    """Turns (T, 4) of a limb's two bones that bring its end to a goal, the knee bending on the side that it does.

    Args:
        hip, knee, end: (T, 3) joints now.
        goal: (T, 3) for the end; what is out of reach is gone towards.
        front: (T, 3) where a straight knee would bend to.
        straight: a leg that is straight already may stay so; the solvers of control rigs need bent ones.
    """
    upper, lower = _length(knee - hip), _length(end - knee)
    reach = np.full_like(upper, _STRETCH)
    if straight:
        reach = np.maximum(reach, _length(end - hip) / np.maximum(upper + lower, 1e-12))
    side = bend_side(hip, knee, end, goal, front)
    new_knee, new_end = two_bone_positions(hip, goal, upper, lower, side, reach)
    return shortest_arc(knee - hip, new_knee - hip), shortest_arc(end - knee, new_end - new_knee)


def _length(v: Array) -> Any:
    return np.linalg.norm(v, axis=-1, keepdims=True)
