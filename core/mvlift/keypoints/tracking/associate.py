"""Detections are assigned to people from frame to frame, by their keypoints alone (no image features).

Tracks come from one pass over the frames (`following`), or from the file's ids where those agree with the motion. They
are cut where people meet and put together again by what lies before and after (`joining`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.tracking.distance import sizes_of
from mvlift.keypoints.tracking.following import follow, follow_ids, rows_by_id
from mvlift.keypoints.tracking.joining import join_tracks, recover
from mvlift.typing import F64

__all__ = ["associate", "rank_people"]


def associate(
    frame: NDArray[np.int64],
    points: F64,
    confidence: F64,
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
        if certain:
            by_id, starts, _ = rows_by_id(at, ids[index])
            tracks = [rows.tolist() for rows in np.split(by_id, starts[1:])]
        else:
            tracks = follow_ids(at, ids[index], p, w)
        named = [str(ids[index[rows[0]]]) for rows in tracks]
        if len(set(named)) == len(tracks):
            people = [(name, index[rows].tolist()) for name, rows in zip(named, tracks, strict=True)]
            return _ordered(people, frame, points, weight)
    else:
        tracks = follow(at, p, w)
    people = [(str(i), rows) for i, rows in enumerate(recover(join_tracks(tracks, at, p, w), at, p, w))]
    ordered = _ordered([(n, index[rows].tolist()) for n, rows in people], frame, points, weight)
    return [(str(i), rows) for i, (_, rows) in enumerate(ordered)]


def rank_people(people: list[list[int]], frame: NDArray[np.int64], points: F64, weight: F64) -> NDArray[np.float64]:
    """(P,) duration x mean confidence x size of each person, the order in which they are listed."""
    scores = []
    for rows in people:
        seen = weight[rows] > 0
        sure = float(np.minimum(weight[rows], 1)[seen].mean()) if seen.any() else 0.0
        scores.append(len(rows) * sure * float(np.median(sizes_of(points[rows], weight[rows]))))
    return np.array(scores)


def _ordered(
    people: list[tuple[str, list[int]]], frame: NDArray[np.int64], points: F64, weight: F64
) -> list[tuple[str, list[int]]]:
    scores = rank_people([rows for _, rows in people], frame, points, weight)
    return [people[i] for i in np.argsort(-scores, kind="stable")]
