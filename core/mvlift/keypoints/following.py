"""Detections become tracks in one pass over the frames: predict, compare, assign.

Each person's keypoints are predicted from the last frames at constant velocity and matched to the new detections by
pose distance in units of the person's size, by one Hungarian assignment a frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.assignment import cheapest_pairs

__all__ = ["distances", "follow", "follow_ids", "sizes_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_GATE: Final = 0.5
"""Largest pose distance, in body sizes, at which two detections of neighbouring frames may be one person."""
_GROWTH: Final = 0.04
"""By which the gate widens with each frame of a gap."""
_FAR: Final = 0.8
"""Keypoints count as no further away than this: one that a detector put onto somebody else proves nothing more."""
_SAME: Final = 0.07
"""Two detections of one frame that are closer may be one person detected twice."""
_PATIENCE: Final = 15
"""Frames that a lost person is waited for before the track ends (it may still be joined later)."""
_SIZE_COST: Final = 0.35
_DECAY: Final = 0.93
"""Velocity that is left after each frame of a gap."""
_STEADY: Final = 0.3
"""Share of a new step in the velocity of somebody who has been followed for a while."""


def sizes_of(points: FloatArray, weight: FloatArray) -> FloatArray:
    """(N,) extent of each detection (N, J, 2): diagonal of the box of its keypoints, pixels."""
    seen = (weight > 0)[..., None]
    low = np.where(seen, points, np.inf).min(1)
    high = np.where(seen, points, -np.inf).max(1)
    extent = np.where(np.isfinite(high - low), high - low, 0.0)
    return np.maximum(np.hypot(extent[:, 0], extent[:, 1]), 1e-3)


def distances(
    a: FloatArray, wa: FloatArray, b: FloatArray, wb: FloatArray, scale: FloatArray, far: float = np.inf
) -> FloatArray:
    """(A, B) mean distance over keypoints that both have, weighted by confidence; infinite without two of them."""
    weight = np.sqrt(wa[:, None] * wb[None])
    step = a[:, None] - b[None]
    away = np.minimum(np.hypot(step[..., 0], step[..., 1]) / scale[..., None], far)
    total = weight.sum(-1)
    enough = (weight > 0).sum(-1) >= min(2, a.shape[1])
    return np.where(enough, (weight * away).sum(-1) / np.maximum(total, 1e-9), np.inf)


def _medians(values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """(N, 2) medians of (N, J, 2) over those of the J that are known; 0 where none is."""
    ordered = np.sort(np.where(known[..., None], values, np.inf), axis=1)
    count = known.sum(1)
    rows = np.arange(len(values))
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.minimum(count // 2, len(known[0]) - 1)]
    return np.where((count > 0)[:, None], (low + high) / 2, 0.0)


@dataclass
class _State:
    """Everybody who is followed, one row each."""

    points: FloatArray
    weight: FloatArray
    velocity: FloatArray
    size: FloatArray
    last: IntArray
    count: IntArray
    rows: list[list[int]] = field(default_factory=list)

    @classmethod
    def empty(cls, joints: int) -> _State:
        none = np.zeros(0)
        return cls(
            np.zeros((0, joints, 2)), np.zeros((0, joints)), np.zeros((0, 2)), none, none.astype(int), none.astype(int)
        )

    def keep(self, which: NDArray[np.bool_]) -> list[list[int]]:
        """Forget the others; returns their rows."""
        gone = [rows for rows, stays in zip(self.rows, which, strict=True) if not stays]
        self.rows = [rows for rows, stays in zip(self.rows, which, strict=True) if stays]
        for name in ("points", "weight", "velocity", "size", "last", "count"):
            setattr(self, name, getattr(self, name)[which])
        return gone

    def begin(self, frame: int, found: IntArray, points: FloatArray, weight: FloatArray, size: FloatArray) -> None:
        """New people."""
        self.points = np.concatenate([self.points, points[found]])
        self.weight = np.concatenate([self.weight, weight[found]])
        self.velocity = np.concatenate([self.velocity, np.zeros((len(found), 2))])
        self.size = np.concatenate([self.size, size[found]])
        self.last = np.concatenate([self.last, np.full(len(found), frame)])
        self.count = np.concatenate([self.count, np.ones(len(found), dtype=int)])
        self.rows += [[int(row)] for row in found]

    def costs(self, frame: int, points: FloatArray, weight: FloatArray, sizes: FloatArray) -> FloatArray:
        """(people, detections) in body sizes; infinite where impossible."""
        gap = frame - self.last
        reach = np.where(gap > 1, (1 - _DECAY**gap) / (1 - _DECAY), 1.0)
        expected = self.points + (self.velocity * reach[:, None])[:, None]
        scale = np.sqrt(self.size[:, None] * sizes[None])
        cost = distances(expected, self.weight, points, weight, scale, _FAR)
        gate = _GATE + _GROWTH * np.minimum(gap - 1, 12)
        # an outline that loses its legs shrinks at once: only large changes of size speak against a match
        change = np.maximum(np.abs(np.log(sizes[None] / self.size[:, None])) - 0.25, 0.0)
        return np.where(cost < gate[:, None], cost + _SIZE_COST * change, np.inf)

    def update(self, who: IntArray, frame: int, points: FloatArray, weight: FloatArray, sizes: FloatArray) -> None:
        """People ``who`` were seen at ``points`` (N, J, 2)."""
        gap = (frame - self.last[who]).astype(np.float64)
        both = (weight > 0) & (self.weight[who] > 0)
        some = both.any(1)
        step = _medians(points - self.points[who], both) / gap[:, None]
        share = np.maximum(1 / self.count[who], 1 - (1 - _STEADY) ** gap)
        velocity = self.velocity[who] + np.where(some, share, 0.0)[:, None] * (step - self.velocity[who])
        seen = weight > 0
        carried = self.points[who] + (velocity * gap[:, None])[:, None]
        self.points[who] = np.where(seen[..., None], points, carried)
        self.weight[who] = np.where(seen, weight, 0.7 * self.weight[who])
        self.velocity[who], self.last[who] = velocity, frame
        self.size[who] = 0.8 * self.size[who] + 0.2 * sizes
        self.count[who] += 1


def _assign(cost: FloatArray) -> list[tuple[int, int]]:
    if cost.shape == (1, 1):
        return [(0, 0)] if np.isfinite(cost[0, 0]) else []
    bounded = np.where(np.isfinite(cost), cost, 1e6)
    rows, columns = cheapest_pairs(bounded)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if bounded[r, c] < 1e5]


def _without_doubles(points: FloatArray, weight: FloatArray, sizes: FloatArray) -> IntArray:
    """Detections of one frame that lie on no surer one.

    Of two people on top of each other only one is followed, the other goes on as before: what a detector says about
    two such people is too mixed up to learn their motion from.
    """
    order = np.argsort(-weight.sum(1), kind="stable")
    scale = np.sqrt(sizes[order][:, None] * sizes[order][None])
    near = distances(points[order], weight[order], points[order], weight[order], scale) < _SAME
    kept: list[int] = []
    for i in range(len(order)):
        if not near[i, kept].any():
            kept.append(i)
    return np.asarray(order[kept])


def follow(frame: IntArray, points: FloatArray, weight: FloatArray) -> list[list[int]]:
    """Rows of each track, in order of frames, from one pass over them.

    Args:
        frame: (N,).
        points: (N, J, 2) pixels.
        weight: (N, J) confidence, 0 = missing.
    """
    sizes, state = sizes_of(points, weight), _State.empty(points.shape[1])
    done: list[list[int]] = []
    order = np.argsort(frame, kind="stable")
    starts = np.flatnonzero(np.diff(frame[order], prepend=frame[order[0]] - 1))
    for rows in np.split(order, starts[1:]):
        at = int(frame[rows[0]])
        done += state.keep(at - state.last <= _PATIENCE)
        found = rows[_without_doubles(points[rows], weight[rows], sizes[rows])] if len(rows) > 1 else rows
        p, w, size = points[found], weight[found], sizes[found]
        pairs = _assign(state.costs(at, p, w, size)) if state.rows else []
        if pairs:
            who, which = np.array(pairs).T
            state.update(who, at, p[which], w[which], size[which])
            for i, d in pairs:
                state.rows[i].append(int(found[d]))
        new = np.delete(found, [d for _, d in pairs])
        if len(new):
            state.begin(at, new, points, weight, sizes)
    return done + state.rows


def follow_ids(frame: IntArray, ids: NDArray[np.str_], points: FloatArray, weight: FloatArray) -> list[list[int]]:
    """Rows of each track by the file's ids, cut wherever an id jumps to another place; arguments as ``follow``."""
    sizes = sizes_of(points, weight)
    tracks: list[list[int]] = []
    for name in dict.fromkeys(ids.tolist()):
        rows = np.flatnonzero(ids == name)
        rows = rows[np.argsort(frame[rows], kind="stable")]
        state = _State.empty(points.shape[1])
        for row in rows:
            at = int(frame[row])
            if state.rows and at == state.last[0]:
                continue
            one = slice(row, row + 1)
            if state.rows and np.isfinite(state.costs(at, points[one], weight[one], sizes[one])[0, 0]):
                state.update(np.zeros(1, dtype=int), at, points[one], weight[one], sizes[one])
                state.rows[0].append(int(row))
            else:
                tracks += state.keep(np.zeros(len(state.rows), dtype=np.bool_))
                state.begin(at, np.array([row]), points, weight, sizes)
        tracks += state.rows
    return tracks
