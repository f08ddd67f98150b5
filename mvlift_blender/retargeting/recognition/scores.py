"""How well the name of every bone fits every part of a body, and which bones are a left and right pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..shape import RigShape
from .names import BoneName, vocabulary

__all__ = ["Mates", "continuations", "mates_by_name", "name_scores", "quarter_size", "without_false_ends"]

Array = NDArray[np.float64]
Mates = tuple[tuple[int, int], ...]
_OTHER_PART: Final = -0.6
_AID: Final = -0.7
_NOT_BODY: Final = -1.5
_EXTRA_PART: Final = -0.5
_EXTRA_PLACE: Final = -0.35
_WRONG_END: Final = -1.0
"""A front leg for a hind one, or either for a person's."""
_UNKNOWN: Final = -0.03
_CONTINUED: Final = -0.15
_SAME_PLACE: Final = 0.002
"""Share of the rig's size below which two bones begin at one place."""


@cache
def _kinds() -> dict[str, str]:
    return {atom: kind for kind, atoms in vocabulary()["kinds"].items() for atom in atoms}


@cache
def _rules(body: str) -> dict[str, tuple[tuple[frozenset[str], float], ...]]:
    table = vocabulary()["roles"][body]
    return {role: tuple((frozenset(words.split()), float(s)) for words, s in rules) for role, rules in table.items()}


def _extra(atom: str) -> float:
    kind = _kinds().get(atom, "")
    if kind == "place":
        return _WRONG_END if atom in ("front", "hind") else _EXTRA_PLACE
    return {"part": _EXTRA_PART, "aid": _AID, "other": _NOT_BODY}.get(kind, 0.0)


@cache
def _atoms_score(body: str, role: str, atoms: frozenset[str]) -> float:
    fits = [s + sum(map(_extra, atoms - rule)) for rule, s in _rules(body)[role] if rule <= atoms]
    if fits:
        return max(fits)
    kinds = {_kinds().get(atom, "") for atom in atoms}
    if "other" in kinds:
        return _NOT_BODY
    return _AID if "aid" in kinds else _OTHER_PART if "part" in kinds else 0.0


def name_scores(shape: RigShape, names: Sequence[BoneName], body: str) -> dict[str, Array]:
    """(B,) for each part: 1 for a name that can be nothing else, 0 for one that says nothing, below for another's."""
    unknown = np.array([max(_UNKNOWN * len(n.unknown), -0.15) for n in names])
    later = _CONTINUED * continuations(shape, names)
    scores = {}
    for role in _rules(body):
        role_scores = np.array([_atoms_score(body, role, n.atoms) for n in names])
        again = np.zeros(len(names))
        for i, parent in enumerate(shape.parents):
            if parent >= 0 and role_scores[parent] > 0.5 and role_scores[i] > 0.5 and _together(shape, i, parent):
                again[i] = _CONTINUED
        scores[role] = role_scores + unknown + np.minimum(later, again)
    return scores


def _together(shape: RigShape, i: int, j: int) -> bool:
    return float(np.linalg.norm(shape.heads[i] - shape.heads[j])) < _SAME_PLACE * shape.size


def without_false_ends(shape: RigShape, names: Sequence[BoneName]) -> tuple[BoneName, ...]:
    """The names, where a bone of a limb that is called an end but carries others is none."""
    carries = {i for i, below in enumerate(shape.children) if any("end" not in names[k].atoms for k in below)}
    return tuple(
        replace(n, atoms=n.atoms - {"end"}) if n.side and i in carries and "end" in n.atoms else n
        for i, n in enumerate(names)
    )


def continuations(shape: RigShape, names: Sequence[BoneName]) -> NDArray[np.bool_]:
    """(B,) bones above which hangs one of the same side and words: the second part of it, such as upperarm02."""
    continued = np.zeros(len(names), bool)
    for i, name in enumerate(names):
        if not name.atoms:
            continue
        above = (names[j] for j in shape.ancestors[i])
        continued[i] = any(n.atoms == name.atoms and n.side == name.side for n in above)
    return continued


def mates_by_name(names: Sequence[BoneName]) -> Mates:
    """(left, right) numbers of bones whose names differ in the side only, or in side and numbers."""
    left = {n.key: i for i, n in enumerate(names) if n.side == "L"}
    right = {n.key: i for i, n in enumerate(names) if n.side == "R"}
    mates = [(left[k], right[k]) for k in left if k in right]
    alone: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
    for side, bones, others in ((0, left, right), (1, right, left)):
        for key, i in bones.items():
            if key not in others and names[i].stem:
                alone.setdefault(names[i].stem, ([], []))[side].append(i)
    for ours, theirs in alone.values():  # parents come before children, on both sides alike
        if len(ours) == len(theirs):
            mates += zip(sorted(ours), sorted(theirs), strict=True)
    return tuple(mates)


def quarter_size(shape: RigShape) -> float:
    """A quarter of the rig's largest extent: a length of the order of a limb's."""
    return 0.25 * shape.size
