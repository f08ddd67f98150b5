"""The people that are tracked: predicted at constant velocity, compared with detections, updated by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.tracking.distance import distances
from mvlift.typing import F64

__all__ = ["TrackedPeople"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
_GATE: Final = 0.5
"""Largest pose distance, in body sizes, at which two detections of neighbouring frames may be one person."""
_GROWTH: Final = 0.03
"""By which the gate widens with each frame of a gap."""
_FAR: Final = 0.3
"""The distance of a single keypoint is clipped at the gate plus this, so that one keypoint placed on another person
cannot outweigh the others."""
_SIZE_COST: Final = 0.35
_LATE: Final = 6
"""After longer gaps, in frames, a detection at the place of the last one is accepted too."""
_STOPPED: Final = 0.1
_DECAY: Final = 0.93
"""Velocity that is left after each frame of a gap."""
_STEADY: Final = 0.2
"""Weight of a new step in the running mean of the velocity of a long track."""


def _medians(values: F64, known: BoolArray) -> F64:
    """(N, 2) medians of (N, J, 2) over those of the J that are known; 0 where none is."""
    ordered = np.sort(np.where(known[..., None], values, np.inf), axis=1)
    count = known.sum(1)
    rows = np.arange(len(values))
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.minimum(count // 2, known.shape[1] - 1)]
    return np.where((count > 0)[:, None], (low + high) / 2, 0.0)


@dataclass
class TrackedPeople:
    """The people that are tracked, one row each.

    Attributes:
        points, weight: (P, J, 2) and (P, J) as last seen, carried along where a keypoint was not seen since.
        velocity: (P, 2) pixels a frame.
        size: (P,) pixels.
        last: (P,) frame.
        count: (P,) detections so far.
        track: (P,) number of the track.
        part: (P,) of the footage.
    """

    points: F64
    weight: F64
    velocity: F64
    size: F64
    last: IntArray
    count: IntArray
    track: IntArray
    part: IntArray

    @classmethod
    def begin(
        cls, track: IntArray, part: IntArray, frame: IntArray, points: F64, weight: F64, size: F64
    ) -> TrackedPeople:
        """People seen for the first time."""
        at_rest, once = np.zeros((len(track), 2)), np.ones(len(track), dtype=np.int64)
        return cls(points.copy(), weight.copy(), at_rest, size.copy(), frame.copy(), once, track, part)

    def taken(self, which: BoolArray | IntArray) -> TrackedPeople:
        """The selected rows."""
        return TrackedPeople(*(value[which] for value in vars(self).values()))

    def joined(self, more: TrackedPeople) -> TrackedPeople:
        """These rows and those of ``more``."""
        return TrackedPeople(*map(np.concatenate, zip(vars(self).values(), vars(more).values(), strict=True)))

    def put(self, rows: IntArray, new: TrackedPeople) -> None:
        """Replace rows by those of ``new``, in place."""
        for name, value in vars(new).items():
            getattr(self, name)[rows] = value

    def costs(self, person: IntArray, frame: IntArray, points: F64, weight: F64, sizes: F64) -> F64:
        """(N,) of person ``person[n]`` being seen at ``points[n]`` in body sizes; infinite where impossible."""
        gap = frame - self.last[person]
        reach = np.where(gap > 1, (1 - _DECAY**gap) / (1 - _DECAY), 1.0)
        expected = self.points[person] + (self.velocity[person] * reach[:, None])[:, None]
        person_size = self.size[person]
        gate = _GATE + _GROWTH * np.minimum(gap - 1, 12)
        scale, limit = np.sqrt(person_size * sizes), gate[:, None] + _FAR
        cost = distances(expected, self.weight[person], points, weight, scale, limit)
        late = np.flatnonzero(gap > _LATE)  # a person not seen for a while may have stopped or turned
        there = (
            self.points[person[late]],
            self.weight[person[late]],
            points[late],
            weight[late],
            scale[late],
            limit[late],
        )
        cost[late] = np.minimum(cost[late], distances(*there) + _STOPPED)
        # the extent shrinks at once when the legs are no longer detected: only large changes of size add to the cost
        change = np.maximum(np.abs(np.log(sizes / person_size)) - 0.25, 0.0)
        return np.where(cost < gate, cost + _SIZE_COST * change, np.inf)

    def update(self, person: IntArray, frame: IntArray, points: F64, weight: F64, sizes: F64) -> None:
        """People ``person`` were seen at ``points`` (N, J, 2)."""
        before, had = self.points[person], self.weight[person]
        gap = (frame - self.last[person]).astype(np.float64)
        seen = weight > 0
        both = seen & (had > 0)
        step = _medians(points - before, both) / gap[:, None]
        share = np.maximum(1 / self.count[person], 1 - (1 - _STEADY) ** gap)
        velocity = self.velocity[person] + np.where(both.any(1), share, 0.0)[:, None] * (step - self.velocity[person])
        carried = before + (velocity * gap[:, None])[:, None]
        self.points[person] = np.where(seen[..., None], points, carried)
        self.weight[person] = np.where(seen, weight, 0.7 * had)
        self.velocity[person], self.last[person] = velocity, frame
        self.size[person] = 0.8 * self.size[person] + 0.2 * sizes
        self.count[person] += 1
