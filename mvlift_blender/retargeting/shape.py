"""A rig's bones as arrays: what detection and the structural fallback look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["RigShape"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RigShape:
    """Bones at rest, z up, in the world's axes.

    Attributes:
        names: (B,) parents before children.
        parents: (B,) -1 for roots.
        heads: (B, 3).
        tails: (B, 3).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    tails: Array

    @cached_property
    def index(self) -> dict[str, int]:
        """Number of each name."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def ancestors(self) -> tuple[frozenset[int], ...]:
        """Of each bone, its parents up to the root."""
        ancestors: list[frozenset[int]] = []
        for parent in self.parents:
            ancestors.append(frozenset() if parent < 0 else ancestors[parent] | {parent})
        return tuple(ancestors)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Of each bone, the bones that hang on it."""
        below: list[list[int]] = [[] for _ in self.names]
        for i, parent in enumerate(self.parents):
            if parent >= 0:
                below[parent].append(i)
        return tuple(tuple(c) for c in below)

    @cached_property
    def height(self) -> float:
        """From the lowest to the highest point."""
        points = np.concatenate([self.heads, self.tails])
        return float(np.ptp(points[:, 2])) if len(points) else 0.0

    @cached_property
    def size(self) -> float:
        """Largest extent of the bones' heads along an axis, whichever way the rig lies."""
        return max(float(np.ptp(self.heads, axis=0).max()), 1e-9) if len(self.names) else 1e-9

    def path(self, low: int, high: int) -> tuple[int, ...]:
        """Bones from ``high`` (an ancestor) down to ``low``, both included; empty when it is none."""
        way = [low]
        while way[-1] != high:
            parent = self.parents[way[-1]]
            if parent < 0:
                return ()
            way.append(parent)
        return tuple(reversed(way))
