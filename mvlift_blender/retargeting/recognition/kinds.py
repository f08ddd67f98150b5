"""Which kind of creature a rig is: upright person, four-legged animal, or one that is not supported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..shape import RigShape
from .bodies import Body
from .names import BoneName

__all__ = ["not_supported", "walks_on_four"]

Array = NDArray[np.float64]
_LEVEL: Final = 0.6
"""Cosine between trunk and legs below which the trunk is level."""
_REACH: Final = 0.6
"""Share of the legs' reach that front legs have too."""
_LONG_TAIL: Final = 1.2
_LONG_FOOT: Final = 0.6
_MANY_LEGS: Final = 3
_CLEARLY: Final = 0.6
"""Mean fit of the names of a body from which on there is no doubt that it has all parts."""


def _trunk_and_reach(shape: RigShape, body: Body) -> tuple[float, float]:
    """Cosine between trunk and legs at rest, and how far the other limbs reach down as a share of the legs' reach."""
    assert body.limbs is not None
    legs, arms = body.limbs
    top, shoulders = _middle(shape, legs.top), _middle(shape, arms.top)
    foot, hand = _middle(shape, list(legs.bones.values())[-1]), _middle(shape, list(arms.bones.values())[-1])
    down, trunk = foot - top, shoulders - top
    length = max(float(np.linalg.norm(down)), 1e-9)
    down = down / length
    cosine = float(trunk @ down) / max(float(np.linalg.norm(trunk)), 1e-9)
    return cosine, float((hand - top) @ down) / length


def _middle(shape: RigShape, bones: Sequence[int]) -> Array:
    return np.asarray(shape.heads[list(bones)].mean(axis=0))


def walks_on_four(shape: RigShape, names: Sequence[BoneName], body: Body) -> bool:
    """Whether an assigned body's limbs are four legs: their names say front and hind, or all reach the floor."""
    assert body.limbs is not None
    limbs = [b for limb in body.limbs for pair in limb.bones.values() for b in pair]
    ends = sum(bool(names[b].atoms & {"front", "hind"}) for b in limbs)
    if ends >= 0.4 * len(limbs):
        return True
    cosine, reach = _trunk_and_reach(shape, body)
    return abs(cosine) < _LEVEL and reach > _REACH


def not_supported(shape: RigShape, names: Sequence[BoneName], body: Body | None) -> str:
    """Why a rig is neither a person nor a four-legged animal, "" when it may be one.

    Args:
        shape: the rig.
        names: (B,) what its names say.
        body: what was assigned, None when nothing was.
    """
    count = Counter(atom for n in names for atom in n.atoms)
    wings = sum("wing" in n.atoms and n.side != "" for n in names)
    # a person may wear wings
    person = body is not None and body.body == "human" and body.named > _CLEARLY
    if wings >= 4 and not person and (body is None or body.body == "human"):
        return "it has wings and two legs: birds and flying creatures are not supported"
    if count["tentacle"] >= 4 or (count["fin"] >= 3 and body is None):
        return "its limbs are not arms and legs: such creatures are not supported"
    if _leg_pairs(shape, names) >= _MANY_LEGS:
        return "it has more than two pairs of legs: such creatures are not supported"
    if body is None or body.body != "human" or body.limbs is None:
        return ""
    cosine, reach = _trunk_and_reach(shape, body)
    if abs(cosine) < _LEVEL and reach < _REACH and _tail_length(shape, names) > 0:
        return "it walks on two legs with a level trunk: such creatures are not supported"
    return _monster(shape, names, body)


def _leg_pairs(shape: RigShape, names: Sequence[BoneName]) -> int:
    """How many pairs of legs the names tell: left bones named leg that hang on no other such bone, and carry one."""
    legs = {i for i, n in enumerate(names) if n.side == "L" and n.atoms & {"leg", "thigh"}}
    legs = {i for i in legs if not names[i].atoms & {"ik", "pole", "target", "ctrl", "helper", "twist", "cloth"}}
    tops = [i for i in legs if not legs & shape.ancestors[i]]
    deep = [i for i in tops if any(i in shape.ancestors[k] for k in legs)]
    return len(deep)


def _tail_length(shape: RigShape, names: Sequence[BoneName]) -> float:
    tails = [i for i, n in enumerate(names) if "tail" in n.atoms and not n.side and "hair" not in n.atoms]
    if len(tails) < 3:
        return 0.0
    last = max(tails, key=lambda i: len(shape.ancestors[i]))
    way = [i for i in (*sorted(shape.ancestors[last], key=lambda b: len(shape.ancestors[b])), last) if i in tails]
    return float(np.linalg.norm(np.diff(shape.heads[way], axis=0), axis=1).sum())


def _monster(shape: RigShape, names: Sequence[BoneName], body: Body) -> str:
    """A biped on its toes with a tail, or with one longer than its legs, is no person."""
    assert body.limbs is not None
    legs = [shape.heads[list(pair)].mean(axis=0) for pair in body.limbs[0].bones.values()]
    steps = np.linalg.norm(np.diff(legs, axis=0), axis=1)
    tail = _tail_length(shape, names)
    on_toes = len(steps) > 2 and steps[2] > _LONG_FOOT * steps[1]
    if tail > _LONG_TAIL * steps.sum() or (on_toes and tail > 0.5 * steps.sum()):
        return "it is a two-legged creature with a tail: such creatures are not supported"
    return ""
