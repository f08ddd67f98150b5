"""Limbs as chains: the best way of giving a limb's parts, in order, to bones that hang below one another.

Both sides are assigned together, so that left and right are the same bones mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..shape import RigShape
from .names import BoneName
from .scores import Mates

__all__ = ["Limb", "best_limb"]

Array = NDArray[np.float64]
_SKIPPED: Final = -0.08
"""For each bone between two parts that is no twist or second part."""
_NO_LENGTH: Final = -0.6
_SHORT: Final = 0.004
"""Share of the rig's size below which a part has no length."""
_IN_THE_MIDDLE: Final = -0.5
_LEAST: Final = -0.5


@dataclass(frozen=True)
class Limb:
    """A limb of both sides.

    Attributes:
        bones: (left, right) by role.
        scores: of the roles' names.
        total: of the whole chain.
    """

    bones: Mapping[str, tuple[int, int]]
    scores: Mapping[str, float]
    total: float

    @property
    def top(self) -> tuple[int, int]:
        """Its first bones."""
        return next(iter(self.bones.values()))

    def side(self, which: int) -> tuple[int, ...]:
        """Bones of one side, from the body outwards."""
        return tuple(pair[which] for pair in self.bones.values())


class _Search:
    """Best chains below every bone, from the last part of the limb up."""

    def __init__(
        self,
        shape: RigShape,
        names: Sequence[BoneName],
        mates: Mates,
        table: Mapping[str, Array],
        sequence: Sequence[str],
        optional: frozenset[str],
        root: str,
    ) -> None:
        self.shape, self.names, self.sequence, self.optional = shape, names, sequence, optional
        self.mate = dict(mates)
        self.bone_scores = {r: {a: 0.5 * float(table[r][a] + table[r][b]) for a, b in mates} for r in sequence}
        for a, b in mates:  # a limb begins beside the middle
            if np.linalg.norm(shape.heads[a] - shape.heads[b]) < 0.01 * shape.size:
                self.bone_scores[root][a] += _IN_THE_MIDDLE
        self.below: dict[int, list[int]] = {a: [] for a in self.mate}
        for a in self.mate:
            for above in shape.ancestors[a]:
                if above in self.below and self.mate[above] in shape.ancestors[self.mate[a]]:
                    self.below[above].append(a)
        self.best: dict[tuple[int, int], tuple[float, tuple[int, int] | None]] = {}

    def step(self, role: str, a: int, b: int) -> float:
        """What it costs to go from a bone to the next part's."""
        shape, cost, at = self.shape, 0.0, self.shape.parents[b]
        while at != a:
            name = self.names[at]
            helper = bool(name.atoms & {"twist", "helper", "ctrl"}) or name.atoms == self.names[a].atoms
            cost += 0.02 * _SKIPPED if helper else _SKIPPED
            at = shape.parents[at]
        if np.linalg.norm(shape.heads[a] - shape.heads[b]) < _SHORT * shape.size:
            cost += _NO_LENGTH / 3 if role in self.optional else _NO_LENGTH
        return cost

    def chain(self, a: int, j: int) -> tuple[float, tuple[int, int] | None]:
        """Best score with part ``j`` on bone ``a`` and the later ones below it, and the next (bone, part)."""
        if (a, j) in self.best:
            return self.best[a, j]
        role, rest = self.sequence[j], range(j + 1, len(self.sequence))
        value = -np.inf if any(self.sequence[k] not in self.optional for k in rest) else 0.0
        follow: tuple[int, int] | None = None
        for k in rest:
            for b in self.below[a]:
                if self.bone_scores[self.sequence[k]][b] > _LEAST:
                    score = self.chain(b, k)[0] + self.step(role, a, b)
                    if score > value:
                        value, follow = score, (b, k)
            if self.sequence[k] not in self.optional:
                break
        self.best[a, j] = (self.bone_scores[role][a] + value, follow)
        return self.best[a, j]


def best_limb(
    shape: RigShape,
    names: Sequence[BoneName],
    mates: Mates,
    table: Mapping[str, Array],
    sequence: Sequence[str],
    optional: frozenset[str],
    taken: frozenset[int] = frozenset(),
) -> Limb | None:
    """The best chain for a limb's parts, or None when no bones hang so.

    Args:
        shape: the rig.
        names: (B,) what its names say.
        mates: (left, right) bones.
        table: (B,) scores by role.
        sequence: roles from the body outwards.
        optional: those that the rig may lack, at the ends.
        taken: bones of other limbs.
    """
    root = next(role for role in sequence if role not in optional)
    free = tuple((a, b) for a, b in mates if a not in taken and b not in taken)
    search = _Search(shape, names, free, table, sequence, optional, root)
    starts = [j for j in range(len(sequence)) if j == 0 or all(r in optional for r in sequence[:j])]
    options = [
        (search.chain(a, j)[0], a, j) for a, _ in free for j in starts if search.bone_scores[sequence[j]][a] > _LEAST
    ]
    total, a, j = max(options, default=(-np.inf, -1, 0))
    if not np.isfinite(total):
        return None
    bones: dict[str, int] = {}
    at: tuple[int, int] | None = (a, j)
    while at is not None:
        bones[sequence[at[1]]] = at[0]
        at = search.chain(*at)[1]
    scores = {role: search.bone_scores[role][bone] for role, bone in bones.items()}
    return Limb({role: (bone, search.mate[bone]) for role, bone in bones.items()}, scores, float(total))
