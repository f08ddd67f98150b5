"""Fingers below the hands, by their names: five chains of up to three bones, without metacarpals and ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..roles import FINGERS, SIDES, key
from ..shape import RigShape
from .names import BoneName

__all__ = ["find_fingers"]

_BONES: Final = 3
_NEVER: Final = frozenset({"end", "metacarpal", "twist", "ik", "pole", "target", "helper", "prop", "ctrl"})


def find_fingers(shape: RigShape, names: Sequence[BoneName], bones: Mapping[str, int]) -> dict[str, int]:
    """Bone numbers of the fingers of both hands by key.

    Args:
        shape: the rig.
        names: (B,) what its names say.
        bones: numbers of the other parts by key.
    """
    fingers: dict[str, int] = {}
    for side in SIDES:
        hand = bones.get(key("hand", side))
        if hand is None:
            continue
        below = [i for i in range(len(names)) if hand in shape.ancestors[i] and not names[i].atoms & _NEVER]
        chains = _named(names, below) or _numbered(names, below)
        for finger, chain in chains.items():
            chain = sorted(chain, key=lambda i: len(shape.ancestors[i]))
            way = [i for i in chain if chain[0] == i or chain[0] in shape.ancestors[i]]
            fingers.update({key(finger, side, k): i for k, i in enumerate(way[:_BONES])})
    return fingers


def _named(names: Sequence[BoneName], below: Sequence[int]) -> dict[str, list[int]]:
    chains: dict[str, list[int]] = {}
    for i in below:
        which = [f for f in FINGERS if f in names[i].atoms or (f == "middle" and "mid" in names[i].stem)]
        if len(which) == 1:
            chains.setdefault(which[0], []).append(i)
    return chains if len(chains) > 1 else {}


def _numbered(names: Sequence[BoneName], below: Sequence[int]) -> dict[str, list[int]]:
    """Fingers that are counted from the thumb: finger1-2, or Finger0, Finger01, Finger02."""
    chains: dict[int, list[int]] = {}
    for i in below:
        digits = [word for word in names[i].key if word.isdigit()]
        if "finger" in names[i].atoms and digits:
            chains.setdefault(int(digits[0] if len(digits) > 1 else digits[0][0]), []).append(i)
    if len(chains) != len(FINGERS):
        return {}
    return dict(zip(FINGERS, (chains[n] for n in sorted(chains)), strict=True))
