"""Detections become people: who is who from frame to frame, without looking at the picture.

Each person's keypoints are predicted from their last frames and matched to the new detections by pose distance in units
of the person's size (Kalman-free constant velocity, Hungarian assignment). Ids in the file are kept where they agree
with that. Fragments are joined over short gaps where motion allows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.assignment import cheapest_pairs

__all__ = ["associate", "rank_people"]

FloatArray = NDArray[np.float64]
_GATE: Final = 0.55
"""Largest pose distance, in body sizes, at which two detections of neighbouring frames may be one person."""
_GROWTH: Final = 0.04
"""By which the gate widens with each frame of a gap."""
_SAME: Final = 0.12
"""Two detections of one frame that are closer are one person detected twice."""
_PATIENCE: Final = 15
"""Frames that a lost person is waited for before the track ends (it may still be joined later)."""
_JOIN: Final = 90
"""Longest gap in frames over which fragments are joined."""
_SIZE_COST: Final = 0.35
_DECAY: Final = 0.9
"""Velocity that is left after each frame of a gap."""


@dataclass
class _Track:
    frames: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    points: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    weight: FloatArray = field(default_factory=lambda: np.zeros(0))
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2))
    size: float = 1.0

    def predicted(self, frame: int) -> FloatArray:
        """(J, 2) where the keypoints are expected; velocity fades over a gap."""
        gap = frame - self.frames[-1]
        reach = (1 - _DECAY**gap) / (1 - _DECAY) if gap > 1 else 1.0
        return self.points + self.velocity * reach

    def add(self, frame: int, row: int, points: FloatArray, weight: FloatArray, size: float) -> None:
        if self.frames:
            both = (weight > 0) & (self.weight > 0)
            gap = frame - self.frames[-1]
            if both.any() and gap > 0:
                step = np.average(points[both] - self.points[both], axis=0, weights=weight[both]) / gap
                self.velocity = 0.5 * self.velocity + 0.5 * step if len(self.frames) > 1 else step
            kept = np.where((weight > 0)[:, None], points, self.points + self.velocity * gap)
            self.points, self.weight = kept, np.where(weight > 0, weight, self.weight * 0.7)
            self.size = 0.8 * self.size + 0.2 * size
        else:
            self.points, self.weight, self.size = points, weight, size
        self.frames.append(frame)
        self.rows.append(row)


def _sizes(points: FloatArray, weight: FloatArray) -> FloatArray:
    """(N,) extent of each detection: diagonal of its box, pixels."""
    seen = (weight > 0)[..., None]
    low = np.where(seen, points, np.inf).min(1)
    high = np.where(seen, points, -np.inf).max(1)
    extent = np.where(np.isfinite(high - low), high - low, 0.0)
    return np.maximum(np.hypot(extent[:, 0], extent[:, 1]), 1e-3)


def _distances(a: FloatArray, wa: FloatArray, b: FloatArray, wb: FloatArray) -> FloatArray:
    """(A, B) mean distance over keypoints that both have, weighted by confidence; infinite without two of them."""
    weight = np.sqrt(wa[:, None] * wb[None])
    away = np.linalg.norm(a[:, None] - b[None], axis=-1)
    total = weight.sum(-1)
    enough = (weight > 0).sum(-1) >= min(2, a.shape[1])
    return np.where(enough, (weight * away).sum(-1) / np.maximum(total, 1e-9), np.inf)


def _costs(tracks: list[_Track], frame: int, points: FloatArray, weight: FloatArray, sizes: FloatArray) -> FloatArray:
    """(tracks, detections) in body sizes; infinite where impossible."""
    expected = np.stack([t.predicted(frame) for t in tracks])
    seen = np.stack([t.weight for t in tracks])
    size = np.array([t.size for t in tracks])
    scale = np.sqrt(size[:, None] * sizes[None])
    cost = _distances(expected, seen, points, weight) / scale
    gap = np.array([frame - t.frames[-1] for t in tracks])
    gate = _GATE + _GROWTH * np.minimum(gap - 1, 12)
    # an outline that loses its legs shrinks at once: only large changes of size speak against a match
    change = np.maximum(np.abs(np.log(sizes[None] / size[:, None])) - 0.3, 0.0)
    return np.where(cost < gate[:, None], cost + _SIZE_COST * change, np.inf)


def _assign(cost: FloatArray) -> list[tuple[int, int]]:
    if cost.shape == (1, 1):
        return [(0, 0)] if np.isfinite(cost[0, 0]) else []
    bounded = np.where(np.isfinite(cost), cost, 1e6)
    rows, columns = cheapest_pairs(bounded)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if bounded[r, c] < 1e5]


def _without_doubles(rows: NDArray[np.int64], points: FloatArray, weight: FloatArray, sizes: FloatArray) -> list[int]:
    """The detections of one frame, each person once: the surer of two that lie on each other."""
    if len(rows) < 2:
        return rows.tolist()
    order = rows[np.argsort(-weight[rows].sum(1), kind="stable")]
    away = _distances(points[order], weight[order], points[order], weight[order])
    away /= np.sqrt(sizes[order][:, None] * sizes[order][None])
    kept: list[int] = []
    for i in range(len(order)):
        if all(away[i, k] > _SAME for k in kept):
            kept.append(i)
    return order[kept].tolist()


def _split_ids(frame: NDArray[np.int64], ids: NDArray[np.str_], points: FloatArray, weight: FloatArray) -> list[_Track]:
    """Tracks by the file's ids, cut wherever an id jumps to another place."""
    sizes = _sizes(points, weight)
    tracks: list[_Track] = []
    for name in dict.fromkeys(ids.tolist()):
        rows = np.flatnonzero(ids == name)
        rows = rows[np.argsort(frame[rows], kind="stable")]
        current = _Track()
        for row in rows:
            at = int(frame[row])
            if current.frames:
                if at == current.frames[-1]:
                    continue
                cost = _costs([current], at, points[row][None], weight[row][None], sizes[row][None])
                if not np.isfinite(cost[0, 0]):
                    tracks.append(current)
                    current = _Track()
            current.add(at, int(row), points[row], weight[row], float(sizes[row]))
        tracks.append(current)
    return tracks


def _follow(frame: NDArray[np.int64], points: FloatArray, weight: FloatArray) -> list[_Track]:
    """Tracks from one pass over the frames."""
    sizes = _sizes(points, weight)
    done: list[_Track] = []
    active: list[_Track] = []
    order = np.argsort(frame, kind="stable")
    starts = np.flatnonzero(np.diff(frame[order], prepend=frame[order[0]] - 1))
    for rows in np.split(order, starts[1:]):
        at = int(frame[rows[0]])
        done += [t for t in active if at - t.frames[-1] > _PATIENCE]
        active = [t for t in active if at - t.frames[-1] <= _PATIENCE]
        found = _without_doubles(rows, points, weight, sizes)
        taken: set[int] = set()
        if active:
            for t, d in _assign(_costs(active, at, points[found], weight[found], sizes[found])):
                row = found[d]
                active[t].add(at, row, points[row], weight[row], float(sizes[row]))
                taken.add(row)
        for row in found:
            if row not in taken:
                track = _Track()
                track.add(at, row, points[row], weight[row], float(sizes[row]))
                active.append(track)
    return done + active


def _join(tracks: list[_Track], frame: NDArray[np.int64], points: FloatArray, weight: FloatArray) -> list[list[int]]:
    """Rows of each person: fragments end to start, by one assignment over all of them."""
    tracks = sorted(tracks, key=lambda t: t.frames[0])
    count = len(tracks)
    if count > 1:
        centre = np.array([_centre(t.rows, points, weight) for t in tracks])  # (F, 2 ends, 4): position, velocity
        first = np.array([t.frames[0] for t in tracks])
        last = np.array([t.frames[-1] for t in tracks])
        size = np.array([float(np.median(_sizes(points[t.rows], weight[t.rows]))) for t in tracks])
        gap = (first[None] - last[:, None]).astype(np.float64)
        scale = np.sqrt(size[:, None] * size[None])
        reach = np.minimum(gap, 8)[..., None]
        ahead = centre[:, None, 1, :2] + centre[:, None, 1, 2:] * reach
        behind = centre[None, :, 0, :2] - centre[None, :, 0, 2:] * reach
        away = np.minimum(
            np.linalg.norm(ahead - centre[None, :, 0, :2], axis=-1),
            np.linalg.norm(behind - centre[:, None, 1, :2], axis=-1),
        )
        cost = away / scale + 0.5 * np.abs(np.log(size[None] / size[:, None])) + 0.004 * gap
        allowed = (gap > 0) & (gap <= _JOIN) & (away / scale < 0.35 + 0.015 * gap.clip(0, 40))
        links = dict(_assign(np.where(allowed & (cost < 0.9), cost, np.inf))) if allowed.any() else {}
    else:
        links = {}
    follows = set(links.values())
    people = []
    for start in range(count):
        if start in follows:
            continue
        rows, at = list(tracks[start].rows), start
        while at in links:
            at = links[at]
            rows += tracks[at].rows
        people.append(rows)
    return people


def _centre(rows: list[int], points: FloatArray, weight: FloatArray) -> FloatArray:
    """(2, 4) median position and velocity per row at the start and at the end of a fragment."""
    ends = []
    for part in (rows[:6], rows[-6:][::-1]):
        middles = np.array([np.average(points[r], axis=0, weights=weight[r] + 1e-9) for r in part])
        speed = -(middles[1:] - middles[:-1]).mean(0) if len(part) > 2 else np.zeros(2)
        ends.append(np.concatenate([middles[0], speed]))
    ends[0][2:] *= -1
    return np.stack(ends)


def associate(
    frame: NDArray[np.int64],
    points: FloatArray,
    confidence: FloatArray,
    ids: NDArray[np.str_] | None = None,
    certain: bool = False,
) -> list[tuple[str, list[int]]]:
    """Which detections belong to one person.

    Args:
        frame: (N,) frame numbers, any order.
        points: (N, J, 2) pixels.
        confidence: (N, J), 0 = missing.
        ids: (N,) as the file has them, "" for none.
        certain: the ids come from a person and are taken as they are.

    Returns:
        (name, rows in order of frames) of each person, best first; a frame occurs once in each.
    """
    points = np.asarray(points, dtype=np.float64)
    weight = np.asarray(confidence, dtype=np.float64)
    usable = (weight > 0).sum(1) >= min(2, points.shape[1])
    index = np.flatnonzero(usable)
    if not len(index):
        return []
    at, p, w = frame[index], points[index], weight[index]
    if ids is not None and (ids[index] != "").all():
        tracks = _split_ids(at, ids[index], p, w)
        named = [ids[index[t.rows[0]]] for t in tracks]
        if certain or len(set(named)) == len(tracks):
            people = _whole(list(zip(named, tracks, strict=True)))
            return _ordered([(n, index[rows].tolist()) for n, rows in people], frame, points, weight)
    else:
        tracks = _follow(at, p, w)
    people = [(str(i), rows) for i, rows in enumerate(_join(tracks, at, p, w))]
    ordered = _ordered([(n, index[rows].tolist()) for n, rows in people], frame, points, weight)
    return [(str(i), rows) for i, (_, rows) in enumerate(ordered)]


def _whole(named: list[tuple[str, _Track]]) -> list[tuple[str, list[int]]]:
    people: dict[str, list[int]] = {}
    for name, track in named:
        people.setdefault(str(name), []).extend(track.rows)
    return list(people.items())


def rank_people(
    people: list[list[int]], frame: NDArray[np.int64], points: FloatArray, weight: FloatArray
) -> NDArray[np.float64]:
    """(P,) duration x mean confidence x size of each person, the order in which they are listed."""
    scores = []
    for rows in people:
        seen = weight[rows] > 0
        sure = float(np.minimum(weight[rows], 1)[seen].mean()) if seen.any() else 0.0
        scores.append(len(rows) * sure * float(np.median(_sizes(points[rows], weight[rows]))))
    return np.array(scores)


def _ordered(
    people: list[tuple[str, list[int]]], frame: NDArray[np.int64], points: FloatArray, weight: FloatArray
) -> list[tuple[str, list[int]]]:
    scores = rank_people([rows for _, rows in people], frame, points, weight)
    return [people[i] for i in np.argsort(-scores, kind="stable")]
