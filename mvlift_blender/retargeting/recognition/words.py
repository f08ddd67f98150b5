"""The kind of body that the words in a rig's names tell, with its bones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..shape import RigShape
from .bodies import Body, assign_body
from .kinds import walks_on_four
from .names import BoneName
from .scores import mates_by_name

__all__ = ["best_body"]

_CLOSE: Final = 0.25
"""Names tell persons from animals when they differ by more than this; else the rest pose does."""


def best_body(shape: RigShape, names: Sequence[BoneName]) -> Body | None:
    """The better of a person and a four-legged animal, with ``problem`` where it cannot be moved; None for neither."""
    mates = mates_by_name(names)
    if len(mates) < 4:
        return None
    human, animal = (assign_body(shape, names, mates, body) for body in ("human", "quadruped"))
    if human.problem or animal.problem:
        if not (human.problem and animal.problem):
            return human if not human.problem else animal
        return human if human.limbs is not None else animal
    if abs(human.named - animal.named) > _CLOSE:
        return human if human.named > animal.named else animal
    return animal if walks_on_four(shape, names, animal) else human
