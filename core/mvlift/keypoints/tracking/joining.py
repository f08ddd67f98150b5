"""Tracks become people: fragments joined where motion allows it, exchanged identities put right, lost rows recovered.

Where two tracks come close, what lies before and after is compared: place, speed, size and pose of each on either side
of the encounter. Every track is cut there, and all pieces are linked again by one assignment, in which the link that
the tracker chose has an advantage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.tracking.assignment import linear_sum_assignment
from mvlift.keypoints.tracking.distance import distances, frames_alike, sizes_of
from mvlift.typing import F64

__all__ = ["join_tracks", "recover"]

IntArray = NDArray[np.int64]
_JOIN: Final = 90
"""Longest gap in frames over which fragments are joined."""
_NEAR: Final = 0.3
"""Two people whose middles are closer than this, in body sizes, meet."""
_CLEAN: Final = 4
"""Rows that a piece needs outside of encounters to say anything."""
_WINDOW: Final = 12
"""Rows at a piece's end from which place, speed, size and pose are taken."""
_MEETING: Final = 60
"""Longer encounters, in frames, are left as the tracker saw them."""
_MOST: Final = 0.9
"""Largest cost of a link between pieces."""
_TRUST: Final = 0.12
"""Advantage of the link that the tracker chose."""
_GATE: Final = 0.35
_AT_ONCE: Final = 20_000
"""Pairs whose poses are compared in one go."""
_LARGEST: Final = 1_000_000
"""Cells of the largest assignment that is solved exactly."""


@dataclass(frozen=True, eq=False)
class _Side:
    """A piece near one of its ends.

    Attributes:
        frame: where the state holds.
        place, speed: (2,) pixels and pixels a frame.
        size: pixels.
        pose: (J, 2) about the middle, in sizes; NaN where missing.
        clean: it was seen apart from others.
    """

    frame: int
    place: F64
    speed: F64
    size: float
    pose: F64
    clean: bool


@dataclass(eq=False)
class _Piece:
    """Rows of a part of a track, the number of the piece that the tracker has after it, and its two sides."""

    rows: list[int]
    after: int | None
    start: _Side
    end: _Side


@dataclass(frozen=True, eq=False)
class _Data:
    frame: IntArray
    points: F64
    weight: F64
    middle: F64
    size: F64


def _middles(points: F64, weight: F64) -> F64:
    """(N, 2) middle of each detection's keypoints."""
    total = weight.sum(1, keepdims=True)
    return np.asarray((points * weight[..., None]).sum(1) / np.maximum(total, 1e-9))


def _side(rows: list[int], at_end: bool, close: NDArray[np.bool_], data: _Data) -> _Side:
    """State at the end (or start) of a piece, from rows apart from others where there are enough."""
    apart = [r for r in rows if not close[r]]
    clean = len(apart) >= _CLEAN
    used = (apart if clean else rows)[-_WINDOW:] if at_end else (apart if clean else rows)[:_WINDOW]
    chosen = np.array(used)
    t = data.frame[chosen].astype(np.float64)
    last = float(t[-1] if at_end else t[0])
    middle = data.middle[chosen]
    if len(chosen) >= 3:
        t_mean, p_mean = t.mean(), middle.mean(0)
        spread = ((t - t_mean) ** 2).sum()
        # the added 2 frames² pull the speed of short windows towards zero, because noise dominates it
        speed = ((t - t_mean)[:, None] * (middle - p_mean)).sum(0) / (spread + 2.0)
        place = p_mean + speed * (last - t_mean)
    else:
        speed, place = np.zeros(2), middle.mean(0)
    sizes = np.sort(data.size[chosen])
    size = float(sizes[(len(sizes) - 1) // 2] + sizes[len(sizes) // 2]) / 2
    seen = (data.weight[chosen] > 0)[..., None]
    local = (data.points[chosen] - middle[:, None]) / size
    count = seen.sum(0)
    pose = np.where(count > 0, (local * seen).sum(0) / np.maximum(count, 1), np.nan)
    return _Side(int(last), place, speed, size, pose, clean)


def _near_others(tracks: list[list[int]], data: _Data) -> NDArray[np.bool_]:
    """(N,) True for rows of a track that have a row of another track close by in the same frame, or a lost one."""
    track = np.full(len(data.frame), -1)
    for number, rows in enumerate(tracks):
        track[rows] = number
    close = np.zeros(len(data.frame), dtype=np.bool_)
    followed = np.flatnonzero(track >= 0)
    for batch in frames_alike(data.frame[followed], 2):
        here = followed[batch]
        middle, size = data.middle[here], data.size[here]
        distance = np.linalg.norm(middle[:, :, None] - middle[:, None], axis=-1) / np.sqrt(
            size[:, :, None] * size[:, None]
        )
        distance[:, np.arange(here.shape[1]), np.arange(here.shape[1])] = np.inf
        close[here] = (distance < _NEAR).any(-1)
    return close


def _hidden(tracks: list[list[int]], data: _Data, close: NDArray[np.bool_]) -> None:
    """Mark rows that lie close to the straight line through a gap of another track, in place."""
    order = np.argsort(data.frame, kind="stable")
    ordered = data.frame[order]
    for rows in tracks:
        frames = data.frame[rows]
        for a in np.flatnonzero(np.diff(frames) > 1):
            missing = np.arange(frames[a] + 1, frames[a + 1])
            share = ((missing - frames[a]) / (frames[a + 1] - frames[a]))[:, None]
            path = (1 - share) * data.middle[rows[a]] + share * data.middle[rows[a + 1]]
            inside = order[slice(*np.searchsorted(ordered, (missing[0], missing[-1] + 1)))]
            distance = np.linalg.norm(data.middle[inside] - path[data.frame[inside] - missing[0]], axis=-1)
            close[inside[distance < _NEAR * np.minimum(data.size[inside], data.size[rows[a]])]] = True


def _cuts(rows: list[int], close: NDArray[np.bool_], frame: IntArray) -> list[int]:
    """Places in a track where it is cut: the middle of each short encounter that has clean rows on both sides."""
    flags = close[rows]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    runs = [[int(a), int(b)] for a, b in edges.reshape(-1, 2)]
    merged: list[list[int]] = []
    for a, b in runs:
        if merged and a - merged[-1][1] < _CLEAN:
            merged[-1][1] = b
        else:
            merged.append([a, b])
    short = [(a, b) for a, b in merged if a >= _CLEAN and len(rows) - b >= _CLEAN]
    return [(a + b) // 2 for a, b in short if frame[rows[b]] - frame[rows[a - 1]] <= _MEETING]


def _pieces(tracks: list[list[int]], close: NDArray[np.bool_], data: _Data) -> list[_Piece]:
    pieces: list[_Piece] = []
    for rows in tracks:
        cuts = [0, *_cuts(rows, close, data.frame), len(rows)]
        for k in range(len(cuts) - 1):
            part = rows[cuts[k] : cuts[k + 1]]
            if not part:
                continue
            after = len(pieces) + 1 if k + 2 < len(cuts) else None
            pieces.append(_Piece(part, after, _side(part, False, close, data), _side(part, True, close, data)))
    return pieces


def _candidates(pieces: list[_Piece], data: _Data) -> tuple[IntArray, IntArray]:
    """Pairs (i, j) in which piece j begins within reach after piece i; memory grows with their number alone."""
    last = np.array([data.frame[p.rows[-1]] for p in pieces])
    first = np.array([data.frame[p.rows[0]] for p in pieces])
    order = np.argsort(first, kind="stable")
    low = np.searchsorted(first[order], last, side="right")
    high = np.searchsorted(first[order], last + _JOIN, side="right")
    count = high - low
    i = np.repeat(np.arange(len(pieces)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[np.repeat(low, count) + within]


def _link_costs(pieces: list[_Piece], i: IntArray, j: IntArray) -> F64:
    """(P,) cost of piece j following piece i for pairs that ``_candidates`` found, infinite where it cannot."""
    ends, starts = [p.end for p in pieces], [p.start for p in pieces]
    te, ts = np.array([e.frame for e in ends]), np.array([s.frame for s in starts])
    size_e, size_s = np.array([e.size for e in ends]), np.array([s.size for s in starts])
    place_e, place_s = np.stack([e.place for e in ends]), np.stack([s.place for s in starts])
    speed_e, speed_s = np.stack([e.speed for e in ends]), np.stack([s.speed for s in starts])
    gap = np.maximum(ts[j] - te[i], 1).astype(np.float64)
    scale = np.sqrt(size_e[i] * size_s[j])
    reach = np.minimum(gap / 2, 12)[:, None]
    step = (place_s[j] - speed_s[j] * reach - place_e[i] - speed_e[i] * reach) / scale[:, None]
    # a change of depth (image rows, size) is less likely than a change of direction along a row
    distance = np.hypot(step[:, 0], 1.5 * step[:, 1])
    turn = np.linalg.norm(speed_e[i] - speed_s[j], axis=-1) * 10 / scale
    grown = np.abs(np.log(size_s[j] / size_e[i]))
    cost = distance + 0.2 * np.minimum(turn, 1.0) + 0.5 * grown + 0.004 * gap
    near_enough = np.linalg.norm(step, axis=-1) < _GATE + 0.015 * np.minimum(gap, 40)
    left = np.flatnonzero(near_enough & (cost < _MOST))
    for part in np.array_split(left, len(left) // _AT_ONCE + 1):
        pose_e = np.stack([ends[k].pose for k in i[part]]) if len(part) else np.zeros((0, 1, 2))
        pose_s = np.stack([starts[k].pose for k in j[part]]) if len(part) else np.zeros((0, 1, 2))
        other = np.linalg.norm(pose_e - pose_s, axis=-1)
        known = np.isfinite(other)
        shape = np.where(known, other, 0).sum(-1) / np.maximum(known.sum(-1), 1)
        cost[part] += shape * np.exp(-gap[part] / 30)
    return np.where(near_enough & (cost < _MOST), cost, np.inf)


def _links_of(pieces: list[_Piece], data: _Data) -> tuple[IntArray, IntArray, F64]:
    """Pairs of pieces that may follow each other, and their costs; the tracker's own links among them."""
    i, j = _candidates(pieces, data)
    cost = _link_costs(pieces, i, j)
    clean = np.array([[p.start.clean, p.end.clean] for p in pieces])
    after = np.array([-1 if p.after is None else p.after for p in pieces])
    begun = np.zeros(len(pieces), dtype=np.bool_)
    begun[after[after >= 0]] = True
    # a piece that was cut at an encounter is linked to another track only where both ends are clear of other people
    sure = clean[i, 1] & clean[j, 0]
    cost = np.where(((after[i] >= 0) | begun[j]) & ~sure, np.inf, cost)
    tracker_link = after[i] == j
    known = dict(zip(i[tracker_link].tolist(), cost[tracker_link].tolist(), strict=True))
    kept_i = np.flatnonzero(after >= 0)
    kept_j = after[kept_i]
    both = clean[kept_i, 1] & clean[kept_j, 0]
    kept = np.array([min(known.get(int(k), np.inf), _MOST) - _TRUST for k in kept_i])
    usable = np.isfinite(cost) & ~tracker_link
    return (
        np.concatenate([i[usable], kept_i]),
        np.concatenate([j[usable], kept_j]),
        np.concatenate([cost[usable], np.where(both, kept, -1.0)]),
    )


def _groups(count: int, i: IntArray, j: IntArray) -> list[IntArray]:
    """Pairs (their numbers) by the connected parts of the graph from ends to starts."""
    label = np.arange(2 * count)
    ends, starts = i, j + count
    while True:  # every node takes the least label among its neighbours until nothing changes
        before = label.copy()
        least = np.minimum(label[ends], label[starts])
        np.minimum.at(label, ends, least)
        np.minimum.at(label, starts, least)
        label = label[label]
        if (label == before).all():
            break
    group = label[ends]
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _linked(pieces: list[_Piece], data: _Data) -> dict[int, int]:
    """Which piece follows which."""
    i, j, cost = _links_of(pieces, data)
    links: dict[int, int] = {}
    taken: set[int] = set()
    if not len(i):
        return links
    for group in _groups(len(pieces), i, j):
        rows, row = np.unique(i[group], return_inverse=True)
        columns, column = np.unique(j[group], return_inverse=True)
        if len(rows) * len(columns) > _LARGEST:  # too many for an exact assignment: greedily, the cheapest links first
            for pair in group[np.argsort(cost[group], kind="stable")]:
                a, b = int(i[pair]), int(j[pair])
                if a not in links and b not in taken:
                    links[a] = b
                    taken.add(b)
            continue
        # no link costs 10, more than any link, so that as many pieces as possible are linked
        bounded = np.full((len(rows), len(columns)), 10.0)
        bounded[row, column] = cost[group]
        for r, c in zip(*linear_sum_assignment(bounded), strict=True):
            if bounded[r, c] < 10.0:
                links[int(rows[r])] = int(columns[c])
    return links


def join_tracks(tracks: list[list[int]], frame: IntArray, points: F64, weight: F64) -> list[list[int]]:
    """Rows of each person.

    Args:
        tracks: rows in order of frames.
        frame: (N,).
        points: (N, J, 2) pixels.
        weight: (N, J), 0 = missing.
    """
    if len(tracks) < 2:
        return tracks
    data = _Data(frame, points, weight, _middles(points, weight), sizes_of(points, weight))
    tracks = sorted(tracks, key=lambda rows: (int(frame[rows[0]]), rows[0]))
    close = _near_others(tracks, data)
    _hidden(tracks, data, close)
    pieces = _pieces(tracks, close, data)
    links = _linked(pieces, data)
    people = []
    for start in sorted(set(range(len(pieces))) - set(links.values())):
        rows, at = list(pieces[start].rows), start
        while at in links:
            at = links[at]
            rows += pieces[at].rows
        people.append(rows)
    return people


def recover(people: list[list[int]], frame: IntArray, points: F64, weight: F64) -> list[list[int]]:
    """Fill gaps of people with unassigned rows that lie on the straight line between the two ends of the gap."""
    free = np.ones(len(frame), dtype=np.bool_)
    for rows in people:
        free[rows] = False
    if not free.any():
        return people
    sizes = sizes_of(points, weight)
    wanted: dict[int, list[tuple[int, F64, F64, float]]] = {}
    for number, rows in enumerate(people):
        at = frame[rows]
        for a in np.flatnonzero(np.diff(at) > 1):
            if at[a + 1] - at[a] > _JOIN:
                continue
            low, high = rows[a], rows[a + 1]
            both = np.minimum(weight[low], weight[high])
            for t in range(int(at[a]) + 1, int(at[a + 1])):
                share = (t - at[a]) / (at[a + 1] - at[a])
                way = (1 - share) * points[low] + share * points[high]
                wanted.setdefault(t, []).append((number, way, both, float(sizes[low])))
    recovered: list[list[int]] = [list(rows) for rows in people]
    left = np.flatnonzero(free)
    left = left[np.argsort(frame[left], kind="stable")]
    for here in np.split(left, np.flatnonzero(np.diff(frame[left])) + 1):
        missing = wanted.get(int(frame[here[0]]))
        if not missing:
            continue
        way, both, scale = (np.stack([np.asarray(m[k]) for m in missing])[:, None] for k in (1, 2, 3))
        cost = distances(way, both, points[here], weight[here], scale)
        bounded = np.where(cost < _GATE, cost, 1e6)
        for i, d in zip(*linear_sum_assignment(bounded), strict=True):
            if bounded[i, d] < 1e5:
                recovered[missing[i][0]].append(int(here[d]))
    return [sorted(rows, key=lambda r: int(frame[r])) for rows in recovered]
