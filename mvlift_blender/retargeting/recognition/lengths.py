"""Limbs whose bones are all called the same, but for a number or letter: their lengths say which is which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..shape import RigShape
from ..structure import longest_way, segments
from .limbs import Limb
from .names import BoneName
from .scores import Mates

__all__ = ["with_lengths"]

_PARTS: Final = {
    "upper_arm": ("shoulder", "upper_arm", "lower_arm", "hand", ""),
    "upper_leg": ("", "upper_leg", "lower_leg", "foot", "toe"),
}
"""What is above a limb's first long bone, its two long bones, its end, and what is below."""
_BEYOND: Final = frozenset({"finger", "thumb", "index", "middle", "ring", "pinky", "metacarpal", "toe"})
"""What is no hand or foot, but hangs on one."""
_AMBIGUOUS: Final = 3
"""Bones of one name from which on their order alone does not say where the elbow or knee is."""


def with_lengths(shape: RigShape, names: Sequence[BoneName], mates: Mates, limb: Limb) -> Limb:
    """The limb itself, or with its parts set by lengths where three bones or more of its chain have one name.

    Upper and lower part are about as long as each other, and hand or foot about half as long.
    """
    first = next(role for role in _PARTS if role in limb.bones)
    above, upper, lower, end, below = _PARTS[first]
    of, last = names[limb.bones[upper][0]], limb.side(0)[-1]
    if lower not in limb.bones or not _alike(of, names[limb.bones[lower][0]]):
        return limb
    top = limb.bones[upper][0]
    while shape.parents[top] >= 0 and _alike(of, names[shape.parents[top]]):
        top = shape.parents[top]
    way = (*shape.path(last, top)[:-1], *longest_way(shape, last))
    if sum(_alike(of, names[b]) for b in way) < _AMBIGUOUS:
        return limb
    a, b, c = segments(shape, way, frozenset(i for i in way if names[i].atoms & _BEYOND))
    places = {above: a - 1, upper: a, lower: b, end: c, below: c + 1}
    mate = dict(mates)
    placed = {r: way[i] for r, i in places.items() if r and 0 <= i < len(way) and not _ends(names[way[i]])}
    if not {upper, lower, end} <= placed.keys() or any(bone not in mate for bone in placed.values()):
        return limb
    kept = {r: pair for r, pair in limb.bones.items() if r == above and r not in placed}
    bones = {**kept, **{r: (bone, mate[bone]) for r, bone in placed.items()}}
    order = [r for r in _PARTS[first] if r in bones]
    return Limb({r: bones[r] for r in order}, {r: limb.scores.get(r, 0.0) for r in order}, limb.total)


def _alike(one: BoneName, other: BoneName) -> bool:
    return bool(one.atoms) and one.side == other.side and one.atoms == other.atoms


def _ends(name: BoneName) -> bool:
    return "end" in name.atoms
