"""The middle of a body: hips, spine, neck, head and tail, between limbs that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..shape import RigShape
from .names import BoneName

__all__ = ["common_ancestor", "find_head", "find_hips", "find_root", "find_tail", "find_trunk"]

Array = NDArray[np.float64]
_AT_BRANCH: Final = 0.3
"""For the bone that legs and trunk both hang on."""
_ABOVE: Final = -0.15
"""For each bone between that one and a candidate above it."""
_NAMED: Final = 0.3
_SKIP: Final = frozenset({"helper", "target", "pole", "ik", "end", "face", "hair", "cloth", "prop", "breast", "wing"})


def common_ancestor(shape: RigShape, bones: Sequence[int]) -> int:
    """The lowest bone that all hang on or are, -1 for none."""
    shared = frozenset.intersection(*(shape.ancestors[b] | {b} for b in bones))
    return max(shared, key=lambda b: len(shape.ancestors[b]), default=-1)


def find_hips(shape: RigShape, hips: Array, ends: Sequence[int]) -> int:
    """The bone that moves everything in ``ends``: the best-named at or above where they part, -1 for none."""
    branch = common_ancestor(shape, ends)
    if branch < 0:
        return -1
    best, at, steps = (-np.inf, -1), branch, 0
    while at >= 0:
        score = float(hips[at]) + (_AT_BRANCH if at == branch else _ABOVE * steps)
        best = max(best, (score, at), key=lambda pair: pair[0])
        at, steps = shape.parents[at], steps + 1
    return best[1]


def find_head(
    shape: RigShape, names: Sequence[BoneName], table: Mapping[str, Array], base: int, limbs: frozenset[int]
) -> int:
    """The head: named so, or the last bone above the arms that is no end, -1 for none.

    Args:
        shape: the rig.
        names: (B,) what its names say.
        table: (B,) scores by role.
        base: the bone on which it must hang.
        limbs: bones that are taken, and all below them are no heads.
    """
    inside = [
        i for i, n in enumerate(names) if base in shape.ancestors[i] and not n.side and not limbs & shape.ancestors[i]
    ]
    inside = [i for i in inside if i not in limbs]
    named = [i for i in inside if table["head"][i] > _NAMED]
    if named:
        return max(named, key=lambda i: (round(float(table["head"][i]), 2), -len(shape.ancestors[i])))
    necks = [i for i in inside if table["neck"][i] > _NAMED]
    if not necks:
        return -1
    top = max(necks, key=lambda i: len(shape.ancestors[i]))
    below = [c for c in shape.children[top] if c in inside and not names[c].atoms & _SKIP]
    # the neck's only child is the head; a last neck bone without one is
    return below[0] if len(below) == 1 else top


def find_trunk(
    shape: RigShape,
    names: Sequence[BoneName],
    table: Mapping[str, Array],
    hips: int,
    head: int,
    arms: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Bones of spine and neck, each from below: all between hips and head, parted by names, else by the arms."""
    carrier = common_ancestor(shape, arms)
    way = list(shape.path(head, hips)[1:-1])
    to_arms = list(shape.path(carrier, hips)[1:]) if carrier >= 0 else []
    way = [*[b for b in to_arms if b not in way and b != head], *way]
    way.sort(key=lambda b: len(shape.ancestors[b]))
    useful = [b for b in way if not names[b].atoms & _SKIP] or way
    neck_named = [b for b in useful if table["neck"][b] > max(_NAMED, float(table["spine"][b]))]
    clear = [b for b in neck_named if "lower" not in names[b].atoms]
    start = (clear or neck_named or [-1])[0]
    if start >= 0:
        at = useful.index(start)
        return useful[:at], [b for b in useful[at:] if b not in to_arms or b in neck_named]
    spine_named = {b for b in useful if table["spine"][b] > _NAMED}
    spine = [b for b in useful if b in to_arms or (b in spine_named and not to_arms)]
    if not spine:
        spine = [b for b in useful if b in spine_named]
    return spine, [b for b in useful if b not in spine]


def find_tail(shape: RigShape, names: Sequence[BoneName], hips: int) -> list[int]:
    """Bones of the tail from the body outwards."""
    tails = [i for i, n in enumerate(names) if "tail" in n.atoms and "hair" not in n.atoms and not n.side]
    tails = [i for i in tails if hips in shape.ancestors[i] and not names[i].atoms & {"end", "ik", "ctrl", "target"}]
    if not tails:
        return []
    first = min(tails, key=lambda i: len(shape.ancestors[i]))
    last = max((i for i in tails if first in shape.ancestors[i]), key=lambda i: len(shape.ancestors[i]), default=first)
    return [b for b in shape.path(last, first) if b in tails]


def find_root(shape: RigShape, names: Sequence[BoneName], hips: int, up: Array) -> int:
    """The topmost bone above the hips that stands on the floor or is named so, -1 for none."""
    above = sorted(shape.ancestors[hips], key=lambda b: len(shape.ancestors[b]))
    height = float(shape.heads[hips] @ up)
    for bone in above[:1]:
        low = abs(float(shape.heads[bone] @ up)) < 0.2 * abs(height)
        if "root" in names[bone].atoms or low:
            return bone
    return -1
