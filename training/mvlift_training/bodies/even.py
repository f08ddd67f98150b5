"""Making the triangles of a mesh even: long edges split, edges flipped, vertices slid along the surface.

The rounds of Botsch and Kobbelt (2004), without collapses: the mesh comes from a decimator. The mesh may have a border
on the mirror plane x = 0, which stays there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy import sparse

from mvlift_training.bodies.field import Field

__all__ = ["adjacency", "evened", "opposite"]

IntArray = NDArray[np.int64]

_LONG: Final = 4 / 3
_FLAT: Final = 0.8  # cosine between two triangles whose common edge may be flipped
_STEP: Final = 3e-3
_INSIDE: Final = 1e-4  # metres: where vertices that are not on the mirror plane begin


def adjacency(faces: IntArray, count: int) -> sparse.csr_array:
    """(V, V) with 1 for each pair of vertices that an edge joins."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    graph = sparse.csr_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count))
    graph.data[:] = 1.0
    return graph


def opposite(faces: IntArray) -> tuple[IntArray, IntArray]:
    """Edges between two triangles.

    Returns:
        (E, 2) the ends a < b, and (E, 2) the triangle in which the edge runs from a to b and the other one.
    """
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    ends = np.stack([np.minimum(start, end), np.maximum(start, end)], 1)
    order = np.lexsort([start > end, ends[:, 1], ends[:, 0]])
    ends = ends[order]
    pairs = np.flatnonzero((ends[1:] == ends[:-1]).all(1))
    return ends[pairs], np.stack([order[pairs], order[pairs + 1]], 1) // 3


def evened(points: F64, faces: IntArray, field: Field, rounds: int) -> tuple[F64, IntArray]:
    """The same surface with more even triangles, as fine as ``field.edge`` asks for.

    Args:
        points: (V, 3) metres, all at x >= 0.
        faces: (F, 3).
        field: whose zero level the mesh follows.
        rounds: how often everything is done.
    """
    for turn in range(rounds):
        if turn < rounds // 2:
            points, faces = _split(*_split_border(points, faces, field), field)
        faces = _flipped(points, faces)
        points = _slid(points, faces, field)
    return points, faces


def _alone(faces: IntArray, priority: F64) -> NDArray[np.bool_]:
    """Which rows of (N, 2) face numbers have the highest priority in both their faces."""
    best = np.full(faces.max(initial=-1) + 1, -np.inf)
    order = np.argsort(priority, kind="stable")
    best[faces[order].ravel()] = np.repeat(order, 2)  # the last, which is the highest, stays
    rows = np.arange(len(faces))
    return (best[faces[:, 0]] == rows) & (best[faces[:, 1]] == rows)


def _split(points: F64, faces: IntArray, field: Field) -> tuple[F64, IntArray]:
    """Edges that are too long, and the longest of both their triangles, halved."""
    ends, sides = opposite(faces)
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    middle = points[ends].mean(1)
    excess = length / (_LONG * field.edge(middle))
    excess[(points[ends, 0] == 0).all(1)] = np.inf  # its mirror image would be the same edge
    middle[:, 0] = np.maximum(middle[:, 0], _INSIDE)
    long = np.flatnonzero(excess > 1)
    long = long[_alone(sides[long], excess[long])]
    fresh = len(points) + np.arange(len(long))
    faces = faces.copy()
    more = []
    for side in range(2):
        old = faces[sides[long, side]]
        starts = ends[long, side]  # the edge runs from a to b in the first triangle, from b to a in the second
        at = (old == starts[:, None]).argmax(1)
        rows = np.arange(len(long))
        third, end = old[rows, (at + 2) % 3], old[rows, (at + 1) % 3]
        faces[sides[long, side]] = np.stack([starts, fresh, third], 1)
        more.append(np.stack([fresh, end, third], 1))
    return np.concatenate([points, middle[long]]), np.concatenate([faces, *more])


def _split_border(points: F64, faces: IntArray, field: Field) -> tuple[F64, IntArray]:
    """Edges of the border that are too long, at most one of a triangle, halved."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    _, first_rows, times = np.unique(
        np.sort(np.stack([start, end], 1), axis=1), axis=0, return_index=True, return_counts=True
    )
    rim = first_rows[times == 1]
    middle = (points[start[rim]] + points[end[rim]]) / 2
    length = np.linalg.norm(points[start[rim]] - points[end[rim]], axis=1)
    long = np.flatnonzero(length > _LONG * field.edge(middle))
    long = long[np.unique(rim[long] // 3, return_index=True)[1]]
    at, rows = rim[long] % 3, rim[long] // 3
    fresh = len(points) + np.arange(len(long))
    old = faces[rows]
    each = np.arange(len(long))
    a, b, third = old[each, at], old[each, (at + 1) % 3], old[each, (at + 2) % 3]
    faces = faces.copy()
    faces[rows] = np.stack([a, fresh, third], 1)
    return np.concatenate([points, middle[long]]), np.concatenate([faces, np.stack([fresh, b, third], 1)])


def _angles(points: F64, tip: IntArray, ends: IntArray) -> F64:
    """Angle at each tip between the ends of its edge."""
    a, b = points[ends[:, 0]] - points[tip], points[ends[:, 1]] - points[tip]
    return np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(1))


def _facing(points: F64, faces: IntArray) -> F64:
    a, b, c = (points[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)


def _flipped(points: F64, faces: IntArray) -> IntArray:
    """Edges flipped to the other diagonal where that is Delaunay and the surface is nearly flat."""
    for _ in range(4):
        ends, sides = opposite(faces)
        tips = np.stack([faces[sides[:, i]].sum(1) - ends.sum(1) for i in range(2)], 1)
        excess = sum(_angles(points, tips[:, i], ends) for i in range(2)) - np.pi
        normal = _facing(points, faces)
        first = np.stack([ends[:, 0], tips[:, 1], tips[:, 0]], 1)
        second = np.stack([ends[:, 1], tips[:, 0], tips[:, 1]], 1)
        fine = (excess > 0.02) & ((normal[sides[:, 0]] * normal[sides[:, 1]]).sum(1) > _FLAT)
        for made in (first, second):
            fine &= (_facing(points, made) * normal[sides[:, 0]]).sum(1) > _FLAT
        fine &= (points[tips, 0] > 0).any(1)  # the mirror plane is the border's alone
        joined = adjacency(faces, len(points))
        fine &= np.asarray(joined[tips[:, 0], tips[:, 1]]).ravel() == 0
        rows = np.flatnonzero(fine)
        rows = rows[_alone(sides[rows], np.asarray(excess)[rows])]
        rows = rows[_first_of(np.sort(tips[rows], 1))]
        if not len(rows):
            break
        faces = faces.copy()
        faces[sides[rows, 0]], faces[sides[rows, 1]] = first[rows], second[rows]
    return faces


def _first_of(pairs: IntArray) -> IntArray:
    """Rows without the repeats of a pair: no edge may be made twice."""
    return np.sort(np.unique(pairs, axis=0, return_index=True)[1])


def _slid(points: F64, faces: IntArray, field: Field) -> F64:
    """Vertices moved along the surface towards the middle of their neighbours, then onto the zero level."""
    graph = adjacency(faces, len(points))
    normal = field.gradient(points)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    offset = graph @ points / graph.sum(1)[:, None] - points
    slid = points + 0.5 * (offset - (offset * normal).sum(1, keepdims=True) * normal)
    border = points[:, 0] == 0
    for _ in range(2):
        slid[border, 0] = 0
        gradient = field.gradient(slid)
        gradient[border, 0] = 0
        step = -(field(slid) / np.maximum((gradient**2).sum(1), 0.1))[:, None] * gradient
        slid += step * np.minimum(1, _STEP / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12))
    slid[~border, 0] = np.maximum(slid[~border, 0], _INSIDE)
    return slid
