"""Detections become tracks in one pass over the frames: predict, compare, assign.

Each person's keypoints are predicted from the last frames at constant velocity and matched to the new detections by
pose distance in units of the person's size, by one Hungarian assignment a frame. Long footage is followed in several
parts at once, which overlap so that the velocity of each person is known at the first frame that a part adds.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.tracking.assignment import linear_sum_assignment
from mvlift.keypoints.tracking.distance import AT_ONCE, ranges, runs, sizes_of, without_doubles
from mvlift.keypoints.tracking.state import TrackedPeople
from mvlift.typing import F64

__all__ = ["follow", "follow_ids", "rows_by_id"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
_PATIENCE: Final = 30
"""Frames that a lost person is waited for before the track ends (it may still be joined later)."""
_PART: Final = 500
"""Least frames of a part that is followed by itself."""
_PARTS: Final = 256
_WARM: Final = 45
"""Frames by which a part begins before the end of the one before."""
_VOTES: Final = 10
"""Last frames before a part in which its tracks are compared with those of the part before."""
_NEVER: Final = 1 << 60
"""A frame after all others."""


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
    starts, counts = runs(part[pairs])
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
    state: TrackedPeople,
    person: IntArray,
    seen: IntArray,
    frame: IntArray,
    points: F64,
    weight: F64,
    size: F64,
) -> F64:
    """Costs of pairs, some at a time."""
    pieces = max(1, len(person) * 2 * points.shape[1] // AT_ONCE)
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
    rows = np.flatnonzero(without_doubles(frame, points, weight, sizes))
    rows = rows[np.argsort(frame[rows], kind="stable")]
    starts, counts = runs(frame[rows])
    length = max(_PART, -(-len(starts) // _PARTS))
    part_start = np.arange(0, len(starts), length)  # first frame that each part adds
    first, stop = np.maximum(part_start - _WARM, 0), np.minimum(part_start + length, len(starts))
    none = np.zeros(0, dtype=np.int64)
    state = TrackedPeople.begin(none, none, none, points[:0], weight[:0], sizes[:0])
    history: list[tuple[IntArray, IntArray]] = []
    part_of: list[IntArray] = []
    tracks = 0
    for step in range(int((stop - first).max())):
        parts = np.flatnonzero(first + step < stop)
        at = first[parts] + step
        now, begin, many = np.full(len(part_start), _NEVER), np.zeros_like(part_start), np.zeros_like(part_start)
        now[parts], many[parts] = frame[rows[starts[at]]], counts[at]
        begin[parts] = np.cumsum(counts[at]) - counts[at]
        frame_rows = rows[ranges(starts[at], counts[at])]
        part = np.repeat(parts, counts[at])
        waited = now[state.part] - state.last <= _PATIENCE
        state = state if waited.all() else state.taken(waited)
        p, w, size, here = points[frame_rows], weight[frame_rows], sizes[frame_rows], frame[frame_rows]
        unseen = np.ones(len(frame_rows), dtype=np.bool_)
        person = np.repeat(np.arange(len(state.part)), many[state.part])
        if len(person):
            seen = ranges(begin[state.part], many[state.part])
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
            state = state.joined(TrackedPeople.begin(names, part[new], here[new], p[new], w[new], size[new]))
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
    return rows, *runs(number[rows])


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
    state = TrackedPeople.begin(none, none, frame[begin], points[begin], weight[begin], sizes[begin])
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
            state.put(person[goes], TrackedPeople.begin(zero, zero, *(value[goes] for value in seen)))
    return [part.tolist() for part in np.split(rows, np.flatnonzero(cut)[1:])]
