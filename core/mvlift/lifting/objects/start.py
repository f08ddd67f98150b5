"""Where the fit of a rigid object starts: its pose in every frame and its size, in closed form."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from mvlift.kinematics.rotations import nearest_rotation
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.typing import F64

__all__ = ["Pose", "procrustes_start", "projected_start", "weighted_procrustes"]

Pose = tuple[F64, F64, F64]
"""Position (T, 3), rotation (T, 3, 3) and size (3,)."""
SMALLEST = 0.03
"""Metres of the shortest edge."""


def weighted_procrustes(local_points: F64, points: F64, weight: F64) -> tuple[F64, F64]:
    """Rotation and position that bring an object's points onto measured ones (Kabsch 1976, weighted).

    Args:
        local_points: (P, 3) in the object's frame, metres.
        points: (T, P, 3).
        weight: (T, P), 0 where a point was not measured.

    Returns:
        Position (T, 3) of the object's origin and rotation (T, 3, 3).
    """
    w = weight / np.maximum(weight.sum(1, keepdims=True), 1e-12)
    centre = np.einsum("tp,tpc->tc", w, points)
    local_centre = np.einsum("tp,pc->tc", w, local_points)
    cross = np.einsum("tp,tpa,tpb->tab", w, points - centre[:, None], local_points[None] - local_centre[:, None])
    rotation = nearest_rotation(cross)
    return centre - np.einsum("tab,tb->ta", rotation, local_centre), rotation


def _affine(local_points: F64, points: F64, weight: F64) -> tuple[F64, NDArray[np.bool_]]:
    """Linear part (T, n, 3) of the map from the object's points to measured ones (T, P, n), and where it is sure."""
    w = weight / np.maximum(weight.sum(1, keepdims=True), 1e-12)
    centre = np.einsum("tp,tpc->tc", w, points)
    local_centre = np.einsum("tp,pc->tc", w, local_points)
    centred = local_points[None] - local_centre[:, None]
    normal = np.einsum("tp,tpa,tpb->tab", w, centred, centred)
    values = np.linalg.eigvalsh(normal)
    sure = values[:, 0] > 1e-3 * np.maximum(values[:, 2], 1e-12)
    cross = np.einsum("tp,tpa,tpb->tab", w, points - centre[:, None], centred)
    return cross @ np.linalg.inv(normal + 1e-9 * np.eye(3)), sure


def _one_scale(shape: ObjectShape, size: F64) -> F64:
    return size if shape.kind == "box" else np.full(3, float(np.exp(np.log(size).mean())))


def procrustes_start(shape: ObjectShape, points: F64, weight: F64) -> Pose:
    """From lifted 3D points (T, P, 3) and weights (T, P): size as the median over the clip, pose by Procrustes."""
    size = shape.size
    if size is None:
        linear, sure = _affine(shape.points, points, weight)
        length = np.linalg.norm(linear, axis=1)[sure]
        size = np.median(length, axis=0) if len(length) else np.full(3, 0.4)
        size = np.maximum(_one_scale(shape, size), SMALLEST)
    position, rotation = weighted_procrustes(shape.points * size, points, weight)
    return position, rotation, size


def projected_start(shape: ObjectShape, pixels: F64, confidence: F64, K: F64, depth: F64) -> Pose:
    """From 2D keypoints alone, at an assumed depth: scaled orthography, whose three axes measure the size.

    The picture of a labelled, right-handed object tells which of its sides is the near one, so nothing is mirrored.

    Args:
        shape: of the object.
        pixels: (T, P, 2).
        confidence: (T, P), 0 = missing.
        K: (3, 3) intrinsics.
        depth: (T,) metres.
    """
    focal, middle = K[0, 0], K[:2, 2]
    plane = (pixels - middle) / focal * depth[:, None, None]
    linear, sure = _affine(shape.points, plane, confidence)
    size = shape.size
    if size is None:
        size = _orthographic_size(shape, linear[sure]) if sure.any() else np.full(3, 0.4)
    rows = linear / size
    u, _, v = np.linalg.svd(rows, full_matrices=False)
    two = u @ v
    rotation = np.concatenate([two, np.cross(two[:, 0], two[:, 1])[:, None]], 1)
    w = confidence / np.maximum(confidence.sum(1, keepdims=True), 1e-12)
    centre = np.einsum("tp,tpc->tc", w, plane)
    offset = np.einsum("tab,pb,tp->ta", rotation, shape.points * size, w)
    position = np.concatenate([centre, depth[:, None]], 1) - offset
    return position, rotation, size


def _orthographic_size(shape: ObjectShape, linear: F64) -> F64:
    """(3,) edges that make both rows of every view (T, 2, 3) orthonormal: linear in 1 / size squared."""
    first, second = linear[:, 0], linear[:, 1]
    rows = np.concatenate([first**2, second**2, first * second])
    wanted = np.concatenate([np.ones(2 * len(linear)), np.zeros(len(linear))])
    if shape.kind != "box":
        return np.full(3, float(np.sqrt(np.median((first**2).sum(1) + (second**2).sum(1)) / 2)))
    inverse = _nonnegative_least_squares(rows, wanted)
    return np.asarray(np.clip(1 / np.sqrt(np.maximum(inverse, 1e-2)), SMALLEST, 5.0))


def _nonnegative_least_squares(rows: F64, wanted: F64) -> F64:
    """(N,) x >= 0 that minimises |rows x - wanted|, for a few unknowns.

    The minimum has a support on which it is the unconstrained minimum, so every support is tried: there are seven
    of the three edges of a box.
    """
    unknowns = rows.shape[1]
    best, least = np.zeros(unknowns), float(wanted @ wanted)
    for support in product((False, True), repeat=unknowns):
        columns = np.flatnonzero(support)
        if not len(columns):
            continue
        x = np.zeros(unknowns)
        x[columns] = np.linalg.lstsq(rows[:, columns], wanted, rcond=None)[0]
        residual = float(((rows @ x - wanted) ** 2).sum())
        if (x >= 0).all() and residual < least:
            best, least = x, residual
    return best
