"""Texture coordinates of a body: charts of its parts, front and back, flattened with little distortion of angles.

Each chart is flattened by least squares conformal maps (Levy et al. 2002), scaled to its area on the body and packed in
rows into the unit square.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from mvlift_training.bodies.even import opposite
from mvlift_training.bodies.surface import Surface

__all__ = ["part_numbers", "unwrapped"]

IntArray = NDArray[np.int64]
_GAP: Final = 0.006
"""Of the square's side between charts."""
_SMALLEST: Final = 12
"""Triangles under which a chart joins its neighbour."""


def unwrapped(surface: Surface, parts: IntArray, facing: F64, level: NDArray[np.bool_]) -> tuple[F64, IntArray]:
    """Texture coordinates.

    Args:
        surface: the skin.
        parts: (V,) number of the part of the body that each vertex belongs to.
        facing: (V,) positive on the front of its part, negative on its back.
        level: (V,) whether its part lies level, as hands and feet do: its charts are views from above and below, which
            keep fingers apart; other charts are flattened.

    Returns:
        (N, 2) places in the unit square, and (F, 3) which of them the corners of each triangle take.
    """
    chart = _charts(surface.faces, parts, facing)
    count = int(chart.max()) + 1
    flat, corners = [], np.zeros_like(surface.faces)
    begin = 0
    for c in range(count):
        rows = chart == c
        used, local = np.unique(surface.faces[rows], return_inverse=True)
        local = local.reshape(-1, 3)
        points = surface.vertices[used]
        seen = level[used].mean() > 0.5
        view = points[:, [2, 0]] if facing[used].mean() > 0 else points[:, [0, 2]]
        flat.append(_sized(view if seen else _conformal(points, local), points, local))
        corners[rows] = local + begin
        begin += len(used)
    return _packed(flat), corners


def _charts(faces: IntArray, parts: IntArray, facing: F64) -> IntArray:
    """(F,) chart of each triangle: connected, of one part and one side, none of them tiny."""
    owner = np.sort(parts[faces], axis=1)[:, 1]  # what two of the corners agree on
    side = facing[faces].mean(1) > 0
    _, neighbours = opposite(faces)
    label = 2 * owner + side
    for _ in range(4):
        same = label[neighbours[:, 0]] == label[neighbours[:, 1]]
        pairs = neighbours[same]
        graph = sparse.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(faces),) * 2)
        _, chart = connected_components(graph, directed=False)
        small = np.bincount(chart)[chart] < _SMALLEST
        if not small.any():
            break
        edge = small[neighbours[:, 0]] & ~small[neighbours[:, 1]]
        label = label.copy()
        label[neighbours[edge, 0]] = label[neighbours[edge, 1]]
        edge = small[neighbours[:, 1]] & ~small[neighbours[:, 0]]
        label[neighbours[edge, 1]] = label[neighbours[edge, 0]]
    return np.asarray(chart, np.int64)


def _conformal(points: F64, faces: IntArray) -> F64:
    """(n, 2) least squares conformal map, with the two points that lie furthest apart held."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    x = b - a
    width = np.maximum(np.linalg.norm(x, axis=1), 1e-12)
    x = x / width[:, None]
    normal = np.cross(x, c - a)
    double = np.maximum(np.linalg.norm(normal, axis=1), 1e-14)
    y = np.cross(normal / double[:, None], x)
    corner = np.stack([np.zeros(len(a)), width, ((c - a) * x).sum(1) + 1j * ((c - a) * y).sum(1)], 1)
    weight = np.stack([corner[:, 2] - corner[:, 1], corner[:, 0] - corner[:, 2], corner[:, 1] - corner[:, 0]], 1)
    weight = weight / np.sqrt(double)[:, None]
    rows = np.repeat(np.arange(len(faces)), 3)
    system = sparse.csc_array((weight.ravel(), (rows, faces.ravel())), shape=(len(faces), len(points)))
    first = int(np.linalg.norm(points - points.mean(0), axis=1).argmax())
    last = int(np.linalg.norm(points - points[first], axis=1).argmax())
    held = np.array([first, last])
    free = np.setdiff1d(np.arange(len(points)), held)
    place = np.zeros(len(points), complex)
    place[last] = np.linalg.norm(points[last] - points[first])
    right = -(system[:, held] @ place[held])
    normal_matrix = (system[:, free].conj().T @ system[:, free]).tocsc()
    place[free] = spsolve(normal_matrix, system[:, free].conj().T @ right)
    return np.stack([place.real, place.imag], 1)


def _sized(flat: F64, points: F64, faces: IntArray) -> F64:
    """Upright, from 0 on, as large as on the body."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    u, v, w = (flat[faces[:, i]] for i in range(3))
    x, y = v - u, w - u
    now = np.abs(x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]).sum()
    flat = (flat - flat.mean(0)) * np.sqrt(area / max(float(now), 1e-12))
    _, _, axes = np.linalg.svd(flat, full_matrices=False)
    flat = flat @ (axes * np.array([[1.0], [np.linalg.det(axes)]])).T  # the long way across, not mirrored
    return np.asarray(flat - flat.min(0))


def _packed(charts: list[F64]) -> F64:
    """All charts in rows of the unit square, the tallest first, as large as fits."""
    sizes = np.array([chart.max(0) for chart in charts])
    order = np.argsort(-sizes[:, 1])
    scale = 0.95 / np.sqrt((sizes.prod(1)).sum())
    while True:
        places, fits = _rows(sizes[order] * scale)
        if fits:
            break
        scale *= 0.98
    out: list[F64] = [np.zeros(0)] * len(charts)
    for place, c in zip(places, order, strict=True):
        out[c] = charts[c] * scale + place
    return np.concatenate(out)


def _rows(sizes: F64) -> tuple[F64, bool]:
    """Lower left corners (n, 2) of boxes put in rows, and whether all of them lie in the unit square."""
    places, x, y, height = [], _GAP, _GAP, 0.0
    for width, tall in sizes:
        if x + width + _GAP > 1:
            x, y, height = _GAP, y + height + _GAP, 0.0
        places.append((x, y))
        x, height = x + width + _GAP, max(height, tall)
    return np.array(places), y + height + _GAP <= 1 and bool((sizes[:, 0] + 2 * _GAP <= 1).all())


def part_numbers(joint_names: tuple[str, ...], weights: F64, parts: Mapping[str, tuple[str, ...]]) -> IntArray:
    """(V,) the part whose joints hold most of a vertex.

    Args:
        joint_names: (J,).
        weights: (V, J).
        parts: name -> beginnings of the names of its joints.
    """
    share = [weights[:, [n.startswith(begins) for n in joint_names]].sum(1) for begins in parts.values()]
    return np.stack(share, 1).argmax(1)
