"""From an implicit function to a small, even, watertight mesh that is its own mirror image to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import fast_simplification
import numpy as np
from mvlift.errors import BodyFileError
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy import sparse
from skimage.measure import marching_cubes

from mvlift_training.bodies.even import adjacency, evened
from mvlift_training.bodies.field import Field, Fine

__all__ = ["Surface", "polygonised"]

IntArray = NDArray[np.int64]

_MIRROR: Final = np.array([-1.0, 1.0, 1.0])
_SNAPS: Final = (0.3, 0.2, 0.1, 0.05, 0.0)  # of the mean edge: nearer vertices are pulled onto the mirror plane


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed triangle mesh, symmetric about x = 0.

    Attributes:
        vertices: (V, 3) metres.
        faces: (F, 3) vertex numbers, counter-clockwise seen from outside.
        twin: (V,) number of each vertex' mirror image (itself on the mirror plane).
    """

    vertices: F64
    faces: IntArray
    twin: IntArray


def polygonised(field: Field, spacing: float, vertices: int, rounds: int = 12, fine: Sequence[Fine] = ()) -> Surface:
    """The zero level of a field as a small mesh.

    Args:
        field: symmetric about x = 0.
        spacing: of the grid that marching cubes walks, metres.
        vertices: that decimation leaves, roughly; evening adds some where edges are longer than the field asks for.
        rounds: of evening out the triangles.
        fine: boxes of thin parts, where the grid is finer.
    """
    values, axes = field.grid(spacing, fine)
    mirrored = np.concatenate([values[:0:-1], values]).astype(np.float32)
    axes[0] = np.concatenate([-axes[0][:0:-1], axes[0]])
    del values
    points, faces, _, _ = marching_cubes(mirrored, 0.0)
    places = [np.interp(points[:, i], np.arange(len(axis)), axis) for i, axis in enumerate(axes)]
    dense = _largest(np.stack(places, 1), np.asarray(faces, np.int64))
    share = max(0.0, 1 - vertices / len(dense[0]))
    points, faces = fast_simplification.simplify(dense[0].astype(np.float32), dense[1].astype(np.int32), share, agg=3)
    half = _left_half(np.asarray(points, np.float64), np.asarray(faces, np.int64))
    return _outward(_mirrored(*evened(*half, field, rounds)))


def _largest(points: F64, faces: IntArray) -> tuple[F64, IntArray]:
    """The largest connected piece."""
    _, label = sparse.csgraph.connected_components(adjacency(faces, len(points)), directed=False)
    return _used(points, faces[label[faces[:, 0]] == np.bincount(label).argmax()])


def _used(points: F64, faces: IntArray) -> tuple[F64, IntArray]:
    """Without vertices that no face names."""
    kept, numbers = np.unique(faces, return_inverse=True)
    return points[kept], numbers.reshape(-1, 3)


def _left_half(points: F64, faces: IntArray) -> tuple[F64, IntArray]:
    """What lies at x >= 0, with one simple border on the mirror plane.

    Vertices near the plane are pulled onto it, so that no slivers come of the cut: fewer where that pinches the border.

    Raises:
        BodyFileError: the body meets its mirror plane in several loops.
    """
    edge = float(np.linalg.norm(points[faces[:, 0]] - points[faces[:, 1]], axis=1).mean())
    for share in _SNAPS:
        half = _cut(points, faces, share * edge)
        if _has_simple_border(*half):
            return half
    raise BodyFileError(
        "The surface meets its mirror plane in more than one loop.",
        "Take a finer grid, or join the parts at x = 0 better.",
    )


def _has_simple_border(points: F64, faces: IntArray) -> bool:
    """Whether the border is one loop that passes once through each vertex of the mirror plane, and no other."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    ends = np.sort(np.stack([start, end], 1), axis=1)
    edges, times = np.unique(ends, axis=0, return_counts=True)
    rim = edges[times == 1]
    degree = np.bincount(rim.ravel(), minlength=len(points))
    if times.max() > 2 or not np.array_equal(degree, np.where(points[:, 0] == 0, 2, 0)):
        return False
    graph = sparse.csr_array((np.ones(len(rim)), (rim[:, 0], rim[:, 1])), shape=(len(points),) * 2)
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    return len(np.unique(label[rim])) == 1


def _cut(points: F64, faces: IntArray, snap: float) -> tuple[F64, IntArray]:
    """What lies at x >= 0, cut along the mirror plane, with vertices nearer than ``snap`` pulled onto it first."""
    x = np.where(np.abs(points[:, 0]) <= snap, 0.0, points[:, 0])
    points = np.column_stack([x, points[:, 1:]])
    side = np.sign(x)[faces]
    kept = [faces[(side >= 0).all(1) & (side > 0).any(1)]]
    fresh: list[F64] = []
    numbers: dict[tuple[int, int], int] = {}

    def crossing(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in numbers:
            numbers[key] = len(points) + len(fresh)
            share = x[a] / (x[a] - x[b])
            fresh.append((points[a] + share * (points[b] - points[a])) * [0.0, 1.0, 1.0])
        return numbers[key]

    for face in faces[(side > 0).any(1) & (side < 0).any(1)]:
        ring: list[int] = []
        for a, b in zip(face, np.roll(face, -1), strict=True):
            if x[a] >= 0:
                ring.append(int(a))
            if x[a] * x[b] < 0:
                ring.append(crossing(int(a), int(b)))
        kept.append(np.array([[ring[0], b, c] for b, c in pairwise(ring[1:])], np.int64))
    return _used(np.concatenate([points, np.reshape(fresh, (-1, 3))]), np.concatenate(kept))


def _mirrored(points: F64, faces: IntArray) -> Surface:
    """A left half and its mirror image, sewn together at x = 0."""
    count = len(points)
    inner = points[:, 0] > 0
    right = np.where(inner, count + np.cumsum(inner) - 1, np.arange(count))
    total = count + int(inner.sum())
    twin = np.arange(total)
    twin[:count] = right
    twin[right] = np.arange(count)
    vertices = np.concatenate([points, points[inner] * _MIRROR])
    return Surface(vertices, np.concatenate([faces, right[faces][:, ::-1]]), twin)


def _outward(surface: Surface) -> Surface:
    a, b, c = (surface.vertices[surface.faces[:, i]] for i in range(3))
    inward = float(np.einsum("fa,fa->", a, np.cross(b, c))) < 0
    return Surface(surface.vertices, surface.faces[:, ::-1] if inward else surface.faces, surface.twin)
