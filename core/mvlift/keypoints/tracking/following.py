"""Detections become tracks in one pass over the frames: predict, compare, assign.

Each person's keypoints are predicted from the last frames at constant velocity and matched to the new detections by
pose distance in units of the person's size, by one Hungarian assignment a frame. Long footage is followed in several
parts at once, which overlap so that the velocity of each person is known at the first frame that a part adds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.tracking.assignment import linear_sum_assignment
from mvlift.typing import F64

__all__ = ["distances", "follow", "follow_ids", "frames_alike", "rows_by_id", "sizes_of"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
_GATE: Final = 0.5
"""Largest pose distance, in body sizes, at which two detections of neighbouring frames may be one person."""
_GROWTH: Final = 0.03
"""By which the gate widens with each frame of a gap."""
_FAR: Final = 0.3
"""The distance of a single keypoint is clipped at the gate plus this, so that one keypoint placed on another person
cannot outweigh the others."""
_SAME: Final = 0.07
"""Two detections of one frame that are closer may be one person detected twice."""
_PATIENCE: Final = 30
"""Frames that a lost person is waited for before the track ends (it may still be joined later)."""
_SIZE_COST: Final = 0.35
_LATE: Final = 6
"""After longer gaps, in frames, a detection at the place of the last one is accepted too."""
_STOPPED: Final = 0.1
_DECAY: Final = 0.93
"""Velocity that is left after each frame of a gap."""
_STEADY: Final = 0.2
"""Weight of a new step in the running mean of the velocity of a long track."""
_PART: Final = 500
"""Least frames of a part that is followed by itself."""
_PARTS: Final = 256
_WARM: Final = 45
"""Frames by which a part begins before the end of the one before."""
_VOTES: Final = 10
"""Last frames before a part in which its tracks are compared with those of the part before."""
_NEVER: Final = 1 << 60
"""A frame after all others."""
_AT_ONCE: Final = 1 << 21
"""Numbers that are compared in one go."""


def sizes_of(points: F64, weight: F64) -> F64:
    """(N,) extent of each detection (N, J, 2): diagonal of the box of its keypoints, pixels."""
    seen = (weight > 0)[..., None]
    low = np.where(seen, points, np.inf).min(1)
    high = np.where(seen, points, -np.inf).max(1)
    extent = np.where(np.isfinite(high - low), high - low, 0.0)
    return np.maximum(np.hypot(extent[:, 0], extent[:, 1]), 1e-3)


def distances(a: F64, wa: F64, b: F64, wb: F64, scale: F64, limit: float | F64 = np.inf) -> F64:
    """(...,) mean distance over keypoints that both have, weighted by confidence; infinite without two of them.

    Args:
        a, b: (..., J, 2) which broadcast against each other.
        wa, wb: (..., J).
        scale: (...,) unit of the distance.
        limit: distances of single keypoints are clipped here; (..., 1) or one for all.
    """
    weight = np.sqrt(wa * wb)
    step = a - b
    distance = np.minimum(np.hypot(step[..., 0], step[..., 1]) / scale[..., None], limit)
    enough = (weight > 0).sum(-1) >= min(2, a.shape[-2])
    return np.where(enough, (weight * distance).sum(-1) / np.maximum(weight.sum(-1), 1e-9), np.inf)


def _medians(values: F64, known: BoolArray) -> F64:
    """(N, 2) medians of (N, J, 2) over those of the J that are known; 0 where none is."""
    ordered = np.sort(np.where(known[..., None], values, np.inf), axis=1)
    count = known.sum(1)
    rows = np.arange(len(values))
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.minimum(count // 2, known.shape[1] - 1)]
    return np.where((count > 0)[:, None], (low + high) / 2, 0.0)


def _ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """All of ``starts[i]`` to ``starts[i] + counts[i] - 1``, one after the other."""
    return np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def _runs(frame: IntArray) -> tuple[IntArray, IntArray]:
    """Where each frame begins in a sorted list, and how many rows it has."""
    starts = np.flatnonzero(np.diff(frame, prepend=frame[0] - 1))
    return starts, np.diff(starts, append=len(frame))


def frames_alike(frame: IntArray, numbers: int) -> Iterator[IntArray]:
    """(F, n) rows of F frames that have n rows each, frame by frame; frames with a single row are left out.

    Args:
        frame: (N,) in any order.
        numbers: that are compared for each pair of rows; bounds F.
    """
    order = np.argsort(frame, kind="stable")
    starts, counts = _runs(frame[order])
    for n in np.unique(counts[counts > 1]).tolist():
        alike = starts[counts == n]
        for batch in np.array_split(alike, max(1, len(alike) * n * n * numbers // _AT_ONCE)):
            yield order[batch[:, None] + np.arange(n)]


@dataclass
class _State:
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
    def begin(cls, track: IntArray, part: IntArray, frame: IntArray, points: F64, weight: F64, size: F64) -> _State:
        """People seen for the first time."""
        at_rest, once = np.zeros((len(track), 2)), np.ones(len(track), dtype=np.int64)
        return cls(points.copy(), weight.copy(), at_rest, size.copy(), frame.copy(), once, track, part)

    def taken(self, which: BoolArray | IntArray) -> _State:
        """The selected rows."""
        return _State(*(value[which] for value in vars(self).values()))

    def joined(self, more: _State) -> _State:
        """These rows and those of ``more``."""
        return _State(*map(np.concatenate, zip(vars(self).values(), vars(more).values(), strict=True)))

    def put(self, rows: IntArray, new: _State) -> None:
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


def _without_doubles(frame: IntArray, points: F64, weight: F64, sizes: F64) -> BoolArray:
    """(N,) False for detections that lie on a surer one of their frame.

    Of two overlapping people only one is updated, the other is predicted at constant velocity, because detectors mix up
    the keypoints of overlapping people.
    """
    alone = np.ones(len(frame), dtype=np.bool_)
    total = weight.sum(1)
    for rows in frames_alike(frame, 2 * points.shape[1]):
        rows = np.take_along_axis(rows, np.argsort(-total[rows], axis=1, kind="stable"), 1)
        p, w, size = points[rows], weight[rows], sizes[rows]
        scale = np.sqrt(size[:, :, None] * size[:, None])
        coincide = distances(p[:, :, None], w[:, :, None], p[:, None], w[:, None], scale) < _SAME
        kept = np.zeros(rows.shape, dtype=np.bool_)
        for i in range(rows.shape[1]):
            kept[:, i] = ~(coincide[:, i] & kept).any(1)
        alone[rows] = kept
    return alone


def _assigned(part: IntArray, person: IntArray, seen: IntArray, cost: F64) -> tuple[IntArray, IntArray]:
    """People and detections matched at the least total cost within each part.

    Args:
        part, person, seen, cost: (N,) of possible pairs, in order of ``person``.
    """
    order = np.lexsort((cost, person))
    best = order[np.flatnonzero(np.diff(person[order], prepend=-1))]
    wanted = np.bincount(seen[best])
    disputed = np.unique(part[best[wanted[seen[best]] > 1]])
    if not len(disputed):  # the usual case: each person's cheapest detection is a different one
        return person[best], seen[best]
    agreed = best[~np.isin(part[best], disputed)]
    pairs = np.flatnonzero(np.isin(part, disputed))
    pairs = pairs[np.lexsort((cost[pairs], part[pairs]))]
    starts, counts = _runs(part[pairs])
    alone = np.minimum.reduceat(seen[pairs], starts) == np.maximum.reduceat(seen[pairs], starts)
    nearest = pairs[starts[alone]]  # the cheapest person for the only detection
    people, matches = [person[agreed], person[nearest]], [seen[agreed], seen[nearest]]
    pairs = pairs[np.repeat(~alone, counts)]
    for here in np.split(pairs, np.flatnonzero(np.diff(part[pairs])) + 1) if len(pairs) else ():
        rows = {one: i for i, one in enumerate(dict.fromkeys(person[here].tolist()))}
        columns = {one: i for i, one in enumerate(dict.fromkeys(seen[here].tolist()))}
        dense = np.full((len(rows), len(columns)), 1e6)
        dense[[rows[i] for i in person[here].tolist()], [columns[d] for d in seen[here].tolist()]] = cost[here]
        r, c = linear_sum_assignment(dense)
        possible = dense[r, c] < 1e5
        people.append(np.array(list(rows))[r[possible]])
        matches.append(np.array(list(columns))[c[possible]])
    return np.concatenate(people), np.concatenate(matches)


def _costs_of(
    state: _State,
    person: IntArray,
    seen: IntArray,
    frame: IntArray,
    points: F64,
    weight: F64,
    size: F64,
) -> F64:
    """Costs of pairs, some at a time."""
    pieces = max(1, len(person) * 2 * points.shape[1] // _AT_ONCE)
    parts = zip(np.array_split(person, pieces), np.array_split(seen, pieces), strict=True)
    return np.concatenate([state.costs(i, frame[d], points[d], weight[d], size[d]) for i, d in parts])


def follow(frame: IntArray, points: F64, weight: F64) -> list[list[int]]:
    """Rows of each track, in order of frames, from one pass over them.

    Args:
        frame: (N,).
        points: (N, J, 2) pixels.
        weight: (N, J) confidence, 0 = missing.
    """
    sizes = sizes_of(points, weight)
    rows = np.flatnonzero(_without_doubles(frame, points, weight, sizes))
    rows = rows[np.argsort(frame[rows], kind="stable")]
    starts, counts = _runs(frame[rows])
    length = max(_PART, -(-len(starts) // _PARTS))
    part_start = np.arange(0, len(starts), length)  # first frame that each part adds
    first, stop = np.maximum(part_start - _WARM, 0), np.minimum(part_start + length, len(starts))
    none = np.zeros(0, dtype=np.int64)
    state = _State.begin(none, none, none, points[:0], weight[:0], sizes[:0])
    history: list[tuple[IntArray, IntArray]] = []
    part_of: list[IntArray] = []
    tracks = 0
    for step in range(int((stop - first).max())):
        parts = np.flatnonzero(first + step < stop)
        at = first[parts] + step
        now, begin, many = np.full(len(part_start), _NEVER), np.zeros_like(part_start), np.zeros_like(part_start)
        now[parts], many[parts] = frame[rows[starts[at]]], counts[at]
        begin[parts] = np.cumsum(counts[at]) - counts[at]
        frame_rows = rows[_ranges(starts[at], counts[at])]
        part = np.repeat(parts, counts[at])
        waited = now[state.part] - state.last <= _PATIENCE
        state = state if waited.all() else state.taken(waited)
        p, w, size, here = points[frame_rows], weight[frame_rows], sizes[frame_rows], frame[frame_rows]
        unseen = np.ones(len(frame_rows), dtype=np.bool_)
        person = np.repeat(np.arange(len(state.part)), many[state.part])
        if len(person):
            seen = _ranges(begin[state.part], many[state.part])
            cost = _costs_of(state, person, seen, here, p, w, size)
            possible = np.flatnonzero(np.isfinite(cost))
            person, seen = (
                _assigned(part[seen[possible]], person[possible], seen[possible], cost[possible])
                if len(possible)
                else (none, none)
            )
            state.update(person, here[seen], p[seen], w[seen], size[seen])
            history.append((state.track[person], frame_rows[seen]))
            unseen[seen] = False
        new = np.flatnonzero(unseen)
        if len(new):
            names = tracks + np.arange(len(new))
            tracks += len(new)
            part_of.append(part[new])
            history.append((names, frame_rows[new]))
            state = state.joined(_State.begin(names, part[new], here[new], p[new], w[new], size[new]))
    track, row = (np.concatenate(column) for column in zip(*history, strict=True))
    order = np.argsort(track, kind="stable")
    pieces = np.split(row[order], np.flatnonzero(np.diff(track[order])) + 1)
    boundary = np.append(frame[rows[starts[part_start]]], _NEVER)
    return _stitched(pieces, np.concatenate(part_of), frame, boundary)


def _stitched(pieces: list[IntArray], part: IntArray, frame: IntArray, boundary: IntArray) -> list[list[int]]:
    """Tracks of all parts in one: a track goes on in the one that has the same detections before the boundary."""
    tracks: list[list[int]] = []
    owner = np.full(len(frame), -1)
    for number in range(len(boundary) - 1):
        here = []
        for which in np.flatnonzero(part == number).tolist():
            piece = pieces[which]
            old = frame[piece] < boundary[number]
            if old.all():
                continue
            votes = Counter(int(t) for t in owner[piece[old][-_VOTES:]] if t >= 0).most_common(1)
            before, agreed = votes[0] if votes else (-1, 0)
            here.append((agreed, before, piece[~old].tolist()))
        gone_on = set[int]()
        for _, before, rows in sorted(here, key=lambda one: -one[0]):
            if before < 0 or before in gone_on:
                before = len(tracks)
                tracks.append([])
            gone_on.add(before)
            tracks[before] += rows
            owner[rows] = before
    return tracks


def rows_by_id(frame: IntArray, ids: NDArray[np.str_]) -> tuple[IntArray, IntArray, IntArray]:
    """Rows of each id in order of frames, one a frame, id after id; where each id begins, and how many rows it has."""
    _, first_seen, number = np.unique(ids, return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first_seen))[number.reshape(-1)]  # ids in the order of their first rows
    rows = np.lexsort((frame, number))
    repeated = (np.diff(number[rows], prepend=-1) == 0) & (np.diff(frame[rows], prepend=frame[rows[0]] - 1) == 0)
    rows = rows[~repeated]
    return rows, *_runs(number[rows])


def follow_ids(frame: IntArray, ids: NDArray[np.str_], points: F64, weight: F64) -> list[list[int]]:
    """Rows of each track by the file's ids, cut wherever an id jumps to another place; arguments as ``follow``."""
    sizes = sizes_of(points, weight)
    rows, starts, counts = rows_by_id(frame, ids)
    length = max(_PART, -(-int(counts.max()) // _PARTS))
    pieces = [
        (s + a, s + max(a - _WARM, 0), s + min(a + length, c))
        for s, c in zip(starts.tolist(), counts.tolist(), strict=True)
        for a in range(0, c, length)
    ]
    part_start, first, stop = np.array(pieces).T
    cut = np.zeros(len(rows), dtype=np.bool_)
    cut[starts] = True
    begin = rows[first]
    none = np.zeros(len(part_start), dtype=np.int64)
    state = _State.begin(none, none, frame[begin], points[begin], weight[begin], sizes[begin])
    for step in range(1, int((stop - first).max())):
        person = np.flatnonzero(first + step < stop)
        at = first[person] + step
        row = rows[at]
        seen = frame[row], points[row], weight[row], sizes[row]
        jump = ~np.isfinite(state.costs(person, *seen))
        cut[at] |= jump & (at >= part_start[person])
        stays, goes = np.flatnonzero(~jump), np.flatnonzero(jump)
        state.update(person[stays], *(value[stays] for value in seen))
        if len(goes):
            zero = np.zeros(len(goes), dtype=np.int64)
            state.put(person[goes], _State.begin(zero, zero, *(value[goes] for value in seen)))
    return [part.tolist() for part in np.split(rows, np.flatnonzero(cut)[1:])]
