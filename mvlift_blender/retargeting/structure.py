"""Bones of an unknown rig by its structure: symmetry, what reaches the floor, what reaches up, which bones are long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .rig_map import RigMap
from .roles import LEFT, RIGHT, key
from .shape import RigShape

__all__ = ["longest_way", "map_by_structure", "segments"]

Array = NDArray[np.float64]
_NEAR: Final = 0.03
"""Share of the rig's height within which a bone and another's mirror image are a pair."""
_LOW: Final = 0.2
"""Feet end in the lowest fifth of the rig."""
_END: Final = 0.5
"""A hand with its fingers, or a foot, is about half as long as the bone before it."""
_BEFORE: Final = 0.8
"""A shoulder or hip before a limb's first long bone is shorter than this share of it."""
_UP: Final = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class _Limb:
    """A chain of paired bones on a middle bone: bone numbers from the body outwards."""

    on: int
    bones: tuple[int, ...]


def map_by_structure(shape: RigShape) -> RigMap | None:
    """A map from rest geometry and hierarchy alone, or None when the rig looks like no person or animal."""
    if len(shape.names) < 8 or shape.height <= 0:
        return None
    mates, across = _mates(shape)
    limbs = _limbs(shape, mates)
    floor = min(shape.heads[:, 2].min(), shape.tails[:, 2].min())
    legs = [limb for limb in limbs if _lowest(shape, limb) < floor + _LOW * shape.height and len(limb.bones) >= 3]
    if not legs:
        return None
    on = {limb.on for limb in legs}
    if len(on) >= 2:
        return _animal(shape, mates, across, legs)
    return _person(shape, mates, across, legs, [limb for limb in limbs if limb not in legs])


def _mates(shape: RigShape) -> tuple[list[int], int]:
    """Number of each bone's mirror image (its own for middle bones, -1 for none), and the axis across."""
    best: tuple[int, list[int], int] | None = None
    tolerance = _NEAR * shape.height
    for axis in (0, 1):
        flip = np.ones(3)
        flip[axis] = -1
        centre = np.zeros(3)
        centre[axis] = np.median(shape.heads[:, axis])
        points = shape.heads - centre
        distance = np.linalg.norm(points[:, None] - (points * flip)[None], axis=-1)
        # where several bones begin at one place, the one as deep in the hierarchy is the image
        depth = np.array([len(above) for above in shape.ancestors])
        nearest = (distance + 1e-3 * tolerance * np.abs(depth[:, None] - depth[None])).argmin(1)
        middle = np.abs(points[:, axis]) < 0.5 * tolerance
        mates = [i if middle[i] else int(m) if distance[i, m] < tolerance else -1 for i, m in enumerate(nearest)]
        count = sum(m not in (-1, i) for i, m in enumerate(mates))
        if best is None or count > best[0]:
            best = (count, mates, axis)
    assert best is not None
    return best[1], best[2]


def _limbs(shape: RigShape, mates: list[int]) -> list[_Limb]:
    """Of every paired bone that hangs on a middle one, the longest way outwards; one of each pair."""
    limbs = []
    for i, parent in enumerate(shape.parents):
        if parent < 0 or mates[i] in (-1, i) or mates[parent] != parent or mates[i] < i:
            continue
        limbs.append(_Limb(parent, longest_way(shape, i)))
    return [limb for limb in limbs if len(limb.bones) >= 2]


def longest_way(shape: RigShape, start: int) -> tuple[int, ...]:
    """A bone and those below it, along the longest way outwards."""
    ways = [longest_way(shape, child) for child in shape.children[start]]
    best = max(ways, key=lambda way: _length(shape, start, way), default=())
    return (start, *best)


def _length(shape: RigShape, start: int, way: tuple[int, ...]) -> float:
    points = np.array([shape.heads[start], *(shape.heads[i] for i in way), shape.tails[way[-1]]])
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _lowest(shape: RigShape, limb: _Limb) -> float:
    return float(min(shape.heads[list(limb.bones), 2].min(), shape.tails[list(limb.bones), 2].min()))


def segments(shape: RigShape, bones: tuple[int, ...], never: frozenset[int] = frozenset()) -> tuple[int, int, int]:
    """Places in a limb's chain of bones of its two long ones and of what follows; short ones between are passed over.

    Args:
        shape: the rig.
        bones: the chain, from the body outwards.
        never: bones that cannot be what follows.
    """
    ends = np.array([*(shape.heads[i] for i in bones[1:]), shape.tails[bones[-1]]])
    lengths = np.maximum(np.linalg.norm(ends - shape.heads[list(bones)], axis=1), 1e-6 * shape.height)
    best, places = -np.inf, (0, min(1, len(bones) - 1), len(bones) - 1)
    for a in range(len(bones) - 1):
        for b in range(a + 1, len(bones)):
            for c in (i for i in range(b + 1, len(bones)) if bones[i] not in never):
                first, second, rest = lengths[a:b].sum(), lengths[b:c].sum(), lengths[c:].sum()
                before = lengths[:a].sum() / first
                # two equal parts, and a hand or foot about half as long; as few bones for them as can be
                value = -abs(np.log(first / second)) - 0.5 * abs(np.log(rest / (_END * second))) - 0.1 * (c - a)
                value -= max(before - _BEFORE, 0.0)
                if value > best:
                    best, places = float(value), (a, b, c)
    return places


def _put(bones: dict[str, int], shape: RigShape, mates: list[int], limb: _Limb, names: dict[str, int]) -> None:
    for name, place in names.items():
        if 0 <= place < len(limb.bones):
            i = limb.bones[place]
            bones[key(name, LEFT)], bones[key(name, RIGHT)] = i, mates[i]


def _middle_way(shape: RigShape, mates: list[int], start: int, up: Array) -> tuple[int, ...]:
    """Middle bones from ``start`` to the one that reaches furthest along ``up``."""
    ends = [i for i in range(len(shape.names)) if mates[i] == i and start in shape.ancestors[i]]
    if not ends:
        return ()
    furthest = max(ends, key=lambda i: (round(float(shape.heads[i] @ up), 6), -len(shape.ancestors[i])))
    return shape.path(furthest, start)[1:]


def _person(shape: RigShape, mates: list[int], across: int, legs: list[_Limb], others: list[_Limb]) -> RigMap | None:
    leg = max(legs, key=lambda limb: np.ptp(shape.heads[list(limb.bones), 2]))
    way = _middle_way(shape, mates, leg.on, _UP)
    on_spine = [limb for limb in others if limb.on in way or limb.on == leg.on]
    if len(way) < 2 or not on_spine:
        return None
    arm = max(on_spine, key=lambda limb: _length(shape, limb.bones[0], limb.bones))
    bones = {"hips": leg.on}
    upper, lower, foot = segments(shape, leg.bones)
    _put(bones, shape, mates, leg, {"upper_leg": upper, "lower_leg": lower, "foot": foot, "toe": foot + 1})
    upper, lower, hand = segments(shape, arm.bones)
    _put(bones, shape, mates, arm, {"shoulder": upper - 1, "upper_arm": upper, "lower_arm": lower, "hand": hand})
    top = way.index(arm.on) + 1 if arm.on in way else len(way) - 2
    after = way[top:] or way[-1:]
    spine, neck, head = (way[:top], after[:-1], after[-1]) if way[:top] else (way[:1], after[:-1], after[-1])
    bones.update({key("spine", index=i): bone for i, bone in enumerate(spine)})
    bones.update({key("neck", index=i): bone for i, bone in enumerate(neck)})
    bones["head"] = head
    return _finish(shape, "human", bones, across, ("foot", "toe"), 0.7)


def _animal(shape: RigShape, mates: list[int], across: int, legs: list[_Limb]) -> RigMap | None:
    depth = [len(shape.ancestors[limb.on]) for limb in legs]
    hind, front = legs[int(np.argmin(depth))], legs[int(np.argmax(depth))]
    if hind.on not in shape.ancestors[front.on]:
        return None
    bones = {"hips": hind.on}
    for limb, part in ((hind, "hind"), (front, "front")):
        upper, lower, foot = segments(shape, limb.bones)
        names = {"upper": upper, "lower": lower, "foot": foot, "toe": foot + 1}
        if part == "front":
            names["shoulder"] = upper - 1
        _put(bones, shape, mates, limb, {f"{part}_{name}": place for name, place in names.items()})
    forwards = shape.heads[front.on] - shape.heads[hind.on]
    way = _middle_way(shape, mates, hind.on, forwards / max(float(np.linalg.norm(forwards)), 1e-9) + 0.5 * _UP)
    if front.on not in way:
        return None
    top = way.index(front.on) + 1
    after = way[top:]
    bones.update({key("spine", index=i): bone for i, bone in enumerate(way[:top])})
    bones.update({key("neck", index=i): bone for i, bone in enumerate(after[:-1])})
    if after:
        bones["head"] = after[-1]
    tail = _middle_way(shape, mates, hind.on, -forwards)
    tail = tuple(i for i in tail if i not in way)
    bones.update({key("tail", index=i): bone for i, bone in enumerate(tail)})
    return _finish(shape, "quadruped", bones, across, (), 0.6, forwards)


def _finish(
    shape: RigShape,
    body: str,
    bones: dict[str, int],
    across: int,
    foot: tuple[str, ...],
    confidence: float,
    front: Array | None = None,
) -> RigMap:
    """Settle which side is left and name the bones."""
    if front is None:
        toe = bones.get(key(foot[1], LEFT), bones[key(foot[0], LEFT)])
        front = shape.tails[toe] - shape.heads[bones[key(foot[0], LEFT)]]
    left = np.cross(_UP, front * [1, 1, 0])
    upper = next(k for k in bones if k.endswith("." + LEFT))
    gap = shape.heads[bones[upper]] - shape.heads[bones[upper[: -len(LEFT)] + RIGHT]]
    if gap @ left < 0:
        swap = {"." + LEFT: "." + RIGHT, "." + RIGHT: "." + LEFT}
        bones = {k[:-2] + swap[k[-2:]] if k[-2:] in swap else k: i for k, i in bones.items()}
    return RigMap(body, {k: shape.names[i] for k, i in bones.items()}, confidence=confidence)
