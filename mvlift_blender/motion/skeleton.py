"""An armature at rest, and where its bones go for pose-bone values: forward kinematics as Blender does it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mvlift.kinematics.quaternions import conjugate, from_matrix, multiply, rotate
from mvlift.typing import F64

__all__ = ["RestSkeleton"]


@dataclass(frozen=True, eq=False)
class RestSkeleton:
    """Bones at rest, in armature space, metres.

    Attributes:
        names: (J,) parents before children.
        parents: (J,) -1 for roots.
        axes: (J, 3, 3) columns are a bone's X, Y, Z.
        heads: (J, 3).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    axes: F64
    heads: F64

    @property
    def root_index(self) -> int:
        """Index of the first root."""
        return self.parents.index(-1)

    @property
    def root(self) -> str:
        """Name of the first root: the bone that carries the path through the world."""
        return self.names[self.root_index]

    @cached_property
    def rest(self) -> F64:
        """(J, 4) rest orientation of each bone in armature space."""
        return from_matrix(self.axes)

    @cached_property
    def steps(self) -> F64:
        """(J, 4) rest orientation relative to the parent's, to armature space for roots."""
        above = np.array([self.rest[p] if p >= 0 else [1.0, 0, 0, 0] for p in self.parents])
        return multiply(conjugate(above), self.rest)

    @cached_property
    def offsets(self) -> F64:
        """(J, 3) head relative to the parent's head, in the parent's rest axes; armature space for roots."""
        return np.array(
            [
                self.axes[p].T @ (self.heads[j] - self.heads[p]) if p >= 0 else self.heads[j]
                for j, p in enumerate(self.parents)
            ]
        )

    @cached_property
    def reach(self) -> F64:
        """(J,) metres: the longest way along bones from a joint to one that hangs on it."""
        reach = np.zeros(len(self.names))
        for j in reversed(range(len(self.names))):
            p = self.parents[j]
            if p >= 0:
                reach[p] = max(reach[p], reach[j] + float(np.linalg.norm(self.offsets[j])))
        return reach

    def forward(self, rotations: F64, locations: F64) -> tuple[F64, F64]:
        """Heads (T, J, 3) and orientations (T, J, 4) in armature space.

        Args:
            rotations: (T, J, 4) pose-bone quaternions.
            locations: (T, 3) pose-bone location of the root.
        """
        places, turns = np.empty((*rotations.shape[:2], 3)), np.empty_like(rotations)
        for j, p in enumerate(self.parents):
            if p < 0:
                move = locations @ self.axes[j].T if j == self.root_index else 0.0
                turns[:, j] = multiply(self.rest[j], rotations[:, j])
                places[:, j] = self.heads[j] + move
            else:
                turns[:, j] = multiply(multiply(turns[:, p], self.steps[j]), rotations[:, j])
                places[:, j] = places[:, p] + rotate(turns[:, p], self.offsets[j])
        return places, turns

    def locations_of(self, places: F64) -> F64:
        """(T, 3) root pose-bone locations that bring the root's head to places (T, 3) in armature space."""
        return (places - self.heads[self.root_index]) @ self.axes[self.root_index]

    def local(self, j: int, turn: F64, above: F64) -> F64:
        """(T, 4) pose-bone quaternion of bone ``j`` from its orientation and its parent's (T, 4)."""
        if self.parents[j] < 0:
            return multiply(conjugate(self.rest[j]), turn)
        return multiply(conjugate(multiply(above, self.steps[j])), turn)

    def chain(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Indices of the named bones.

        Raises:
            KeyError: one is not there.
        """
        missing = [n for n in names if n not in self.names]
        if missing:
            raise KeyError(missing[0])
        return tuple(self.names.index(n) for n in names)
