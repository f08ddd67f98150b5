"""Motion of parts over time: what a source does, and what is made of it for a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mvlift.kinematics.quaternions import continuous, rotate, slerp
from numpy.typing import NDArray

from .rest import Parts, same_finger_joint
from .roles import FINGERS, split_key

__all__ = ["Solved", "SourceMotion", "TargetParts", "forward"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SourceMotion:
    """A source's motion in the world.

    Attributes:
        rest: its parts at rest.
        frames: (T,) scene frames.
        turns: (T, N, 4) of each part, the turn from rest, in world axes.
        heads: (T, N, 3) where each part begins, metres.
    """

    rest: Parts
    frames: Array
    turns: Array
    heads: Array
    ground: float = 0.0
    """Height of the floor along the body's up axis, metres."""

    @property
    def origin(self) -> Array:
        """(3,) the point on the floor under the hips' first place, about which a path is scaled."""
        first = self.place("hips")[0]
        return first - (first @ self.rest.up - self.ground) * self.rest.up

    def turn(self, name: str, target: Parts) -> Array | None:
        """(T, 4) the turn that a part of a target takes over, or None when the source has none.

        A chain with another number of bones takes turns between those of the source's, so that its last bone does what
        the source's last one does. A finger of fewer bones lacks those at the palm.
        """
        name = same_finger_joint(target, self.rest, name) or name
        role, side, index = split_key(name)
        chain = self.rest.chain(role, side) if index is not None else ()
        if index is None or not chain:
            return self.turns[:, self.rest.index[name]] if name in self.rest.index else None
        count = len(target.chain(role, side))
        if role in FINGERS and 1 < count <= len(chain):
            return self.turns[:, self.rest.index[name]]
        columns = self.turns[:, [self.rest.index[k] for k in chain]]
        place = (len(chain) - 1) * ((index + 1) / count if count < 2 else index / (count - 1))
        lower = min(int(place), len(chain) - 1)
        upper = min(lower + 1, len(chain) - 1)
        if upper == lower or place == lower:
            return columns[:, lower]
        return continuous(slerp(columns[:, lower], columns[:, upper], np.full(len(columns), place - lower)))

    def place(self, name: str) -> Array:
        """(T, 3) where a part begins."""
        return self.heads[:, self.rest.index[name]]


@dataclass(frozen=True, eq=False)
class TargetParts(Parts):
    """A target's parts, and how they hang together.

    Attributes:
        parents: (N,) the part that each follows rigidly, -1 for none.
        fixed_hips: the hips have no location of their own; a bone above them carries the path.
    """

    parents: tuple[int, ...] = ()
    fixed_hips: bool = False


@dataclass(frozen=True, eq=False)
class Solved:
    """A target's motion in the world.

    Attributes:
        turns: (T, N, 4) of each part, the turn from rest.
        heads: (T, N, 3) where each part begins.
        scale: of the path.
        driven: (N,) parts that the source moves; the others follow what they hang on.
        planted: degrees by which the legs were turned at most for the feet to be where the source's are.
        missed: metres by which a resting foot is at most away from where it should be.
    """

    turns: Array
    heads: Array
    scale: float
    driven: NDArray[np.bool_]
    planted: float = 0.0
    missed: float = 0.0


def forward(target: TargetParts, turns: Array, hips: Array) -> Array:
    """(T, N, 3) where the parts begin when they turn so and the hips are there."""
    heads = np.empty((*turns.shape[:2], 3))
    at = target.index["hips"]
    heads[:, at] = hips
    for i, parent in enumerate(target.parents):
        if i == at:
            continue
        on = parent if parent >= 0 else at
        if on > i:  # a root bone above the hips: it is placed under them
            heads[:, i] = hips + (target.heads[i] - target.heads[at])
        else:
            heads[:, i] = heads[:, on] + rotate(turns[:, on], target.heads[i] - target.heads[on])
    return heads
