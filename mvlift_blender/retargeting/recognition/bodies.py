"""A whole body from limbs and middle, the checks that it can be animated, and how sure the assignment is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..roles import LEFT, SIDES, key
from ..shape import RigShape
from .lengths import with_lengths
from .limbs import Limb, best_limb
from .middle import common_ancestor, find_head, find_hips, find_root, find_tail, find_trunk
from .names import BoneName
from .scores import Mates, name_scores

__all__ = ["Body", "assign_body"]

Array = NDArray[np.float64]
_LIMBS: Final = {
    "human": (
        ("upper_leg", "lower_leg", "foot", "toe"),
        ("shoulder", "upper_arm", "lower_arm", "hand"),
    ),
    "quadruped": (
        ("hind_upper", "hind_lower", "hind_foot", "hind_toe"),
        ("front_shoulder", "front_upper", "front_lower", "front_foot", "front_toe"),
    ),
}
"""Of each body, the legs that carry the hips, then the other pair, from the body outwards."""
_OPTIONAL: Final = frozenset({"shoulder", "toe", "hind_toe", "front_shoulder", "front_toe"})
_ENDS: Final = frozenset({"hand", "foot", "front_foot", "hind_foot"})
"""Parts without which a limb can still be moved."""
_LAST_OF_NECK: Final = 0.3
"""What it counts that a head is not named so, but ends the neck."""
_AT_END: Final = 0.05
"""Share of the rig's size within which a paw that hangs elsewhere belongs to a leg."""


@dataclass(frozen=True, eq=False)
class Body:
    """Bones assigned to the parts of a kind of body.

    Attributes:
        body: "human" or "quadruped".
        bones: bone numbers by key.
        named: in [-1, 1], mean fit of the names of the parts that a body needs.
        missing: parts that it should have.
        limbs: legs, then arms (front legs).
        problem: why nothing can be moved with it, "" when it can.
    """

    body: str
    bones: Mapping[str, int]
    named: float
    missing: tuple[str, ...]
    limbs: tuple[Limb, Limb] | None = None
    problem: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)


def assign_body(shape: RigShape, names: Sequence[BoneName], mates: Mates, body: str) -> Body:
    """The best assignment of a rig's bones to a kind of body, by names and hierarchy."""
    table = name_scores(shape, names, body)
    legs = _limb(shape, names, mates, table, _LIMBS[body][0], frozenset())
    if legs is None:
        return Body(body, {}, -1.0, (), problem="no legs were found")
    taken = frozenset(b for pair in legs.bones.values() for b in pair)
    taken |= frozenset(i for i in range(len(names)) if taken & shape.ancestors[i])
    arms = _limb(shape, names, mates, table, _LIMBS[body][1], taken)
    if arms is None:
        what = "arms" if body == "human" else "front legs"
        return Body(body, {}, -1.0, (), problem=f"no {what} were found")
    return _assembled(shape, names, table, body, legs, arms)


def _limb(
    shape: RigShape,
    names: Sequence[BoneName],
    mates: Mates,
    table: Mapping[str, Array],
    sequence: tuple[str, ...],
    taken: frozenset[int],
) -> Limb | None:
    """A limb with all its parts, else one without hands or feet."""
    full = best_limb(shape, names, mates, table, sequence, _OPTIONAL, taken)
    ends = tuple(r for r in sequence if r not in _ENDS and not r.endswith("toe"))
    short = best_limb(shape, names, mates, table, ends, _OPTIONAL, taken)
    if full is None or (short is not None and short.total > full.total + 0.5):
        full = short
    return full if full is None or sequence not in _LIMBS["human"] else with_lengths(shape, names, mates, full)


def _assembled(
    shape: RigShape, names: Sequence[BoneName], table: Mapping[str, Array], body: str, legs: Limb, arms: Limb
) -> Body:
    limbs = frozenset(b for limb in (legs, arms) for pair in limb.bones.values() for b in pair)
    limb_tops = (*legs.top, *arms.top)
    branch = common_ancestor(shape, limb_tops)
    if branch < 0:
        apart = ", ".join(names[b].text for b in limb_tops)
        return Body(
            body, {}, -1.0, (), (legs, arms), f"the limbs belong to no common body: {apart} have no common parent bone"
        )
    head = find_head(shape, names, table, branch, limbs)
    if head < 0:
        return Body(body, {}, -1.0, (), (legs, arms), "no head was found")
    hips = find_hips(shape, table["hips"], (*limb_tops, head))
    spine, neck = find_trunk(shape, names, table, hips, head, arms.top)
    bones = {"hips": hips, "head": head}
    bones |= {key("spine", index=i): b for i, b in enumerate(spine)}
    bones |= {key("neck", index=i): b for i, b in enumerate(neck)}
    for limb in (legs, arms):
        bones |= {key(r, s): b for r, pair in limb.bones.items() for s, b in zip(SIDES, pair, strict=True)}
    if body == "quadruped":
        bones |= {key("tail", index=i): b for i, b in enumerate(find_tail(shape, names, hips))}
        bones |= _with_feet(shape, names, bones)
    bones |= _detached_toes(shape, names, body, bones)
    root = find_root(shape, names, hips, np.array([0.0, 0.0, 1.0]))
    if root >= 0:
        bones["root"] = root
    scores = [max(min(s, 1.0), -1.0) for limb in (legs, arms) for r, s in limb.scores.items() if r not in _OPTIONAL]
    scores += [float(np.clip(table["hips"][hips], 0, 1)), max(float(table["head"][head]), _LAST_OF_NECK)]
    scores += [float(np.clip(table["spine"][b], -1, 1)) for b in spine[:1]]
    expected = [r for limb in _LIMBS[body] for r in limb if r not in _OPTIONAL]
    missing = tuple(r for r in expected if key(r, LEFT) not in bones)
    problem = "" if spine else "no spine was found between hips and arms"
    return Body(body, bones, float(np.mean(scores)), missing, (legs, arms), problem)


def _with_feet(shape: RigShape, names: Sequence[BoneName], bones: Mapping[str, int]) -> dict[str, int]:
    """Legs of three parts named upper and lower, with a bone of the leg above: each name is one part too low."""
    renamed: dict[str, int] = {}
    for end in ("hind", "front"):
        for side in SIDES:
            upper, lower, foot = (key(f"{end}_{part}", side) for part in ("upper", "lower", "foot"))
            above = shape.parents[bones[upper]]
            of_leg = above >= 0 and names[above].side == side and above not in bones.values()
            if foot in bones or not of_leg or names[above].atoms & {"pelvis", "hip", "clavicle"}:
                continue
            renamed |= {upper: above, lower: bones[upper], foot: bones[lower]}
    return renamed


def _detached_toes(shape: RigShape, names: Sequence[BoneName], body: str, bones: Mapping[str, int]) -> dict[str, int]:
    """Paws that hang beside the body, on IK controls, where a leg ends."""
    toes = {}
    for limb in _LIMBS[body]:
        foot, toe = limb[-2], limb[-1]
        if body != "quadruped" or key(toe, LEFT) in bones or key(foot, LEFT) not in bones:
            continue
        for side in SIDES:
            end = shape.tails[bones[key(foot, side)]]
            detached = [i for i in range(len(names)) if bones["hips"] not in shape.ancestors[i]]
            detached = [
                i for i in detached if names[i].side in ("", side) and not names[i].atoms & {"ik", "pole", "target"}
            ]
            distance = {i: float(np.linalg.norm(shape.heads[i] - end)) for i in detached if i != bones["hips"]}
            nearest = min(distance, key=lambda i: distance[i], default=-1)
            if nearest >= 0 and distance[nearest] < _AT_END * shape.size:
                toes[key(toe, side)] = nearest
    return toes if len({k.split(".")[0] for k in toes}) * 2 == len(toes) else {}
