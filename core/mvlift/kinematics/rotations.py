"""Rotation matrices and rotation vectors (axis times angle in radians), vectorised over leading dimensions."""

from __future__ import annotations

import numpy as np

from mvlift.typing import F64

__all__ = [
    "euler_zxy",
    "exp_map",
    "log_map",
    "looking_at",
    "mean_rotation",
    "nearest_rotation",
    "rotation_between",
    "skew",
    "unit",
]


def unit(vector: F64) -> F64:
    """Vectors (..., 3) divided by their lengths; 0 stays 0."""
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9))


def skew(vector: F64) -> F64:
    """(..., 3, 3) matrices [v]x of vectors (..., 3): [v]x a = v x a."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape, 3)


def exp_map(vector: F64) -> F64:
    """(..., 3, 3) rotations of rotation vectors (..., 3), Rodrigues' formula."""
    angle = np.sqrt((vector**2).sum(-1))[..., None, None]
    k = skew(vector)
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + a * k + b * (k @ k))


def log_map(rotation: F64) -> F64:
    """(..., 3) rotation vectors of rotations (..., 3, 3), angles in [0, π]."""
    w = np.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        -1,
    )
    cos = np.clip((np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
    sin = np.sqrt((w**2).sum(-1)) / 2
    angle = np.arctan2(sin, cos)
    factor = np.where(sin > 1e-7, angle / np.maximum(2 * sin, 1e-12), 0.5)
    vector = factor[..., None] * w
    turned = (sin <= 1e-5) & (cos < 0)
    if turned.any():  # near π the axis is the largest column of (R + I) / 2
        half = (rotation[turned] + np.eye(3)) / 2
        column = np.argmax(np.diagonal(half, axis1=-2, axis2=-1), -1)
        axis = np.take_along_axis(half, column[:, None, None], -1)[..., 0]
        vector[turned] = axis / np.linalg.norm(axis, axis=-1, keepdims=True) * angle[turned, None]
    return np.asarray(vector)


def rotation_between(first: F64, second: F64) -> F64:
    """(..., 3, 3) smallest rotations that turn directions (..., 3) onto others (..., 3); any length but zero.

    Opposite directions have no smallest rotation: half a turn about an axis across is returned.
    """
    a = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-12)
    b = second / np.maximum(np.linalg.norm(second, axis=-1, keepdims=True), 1e-12)
    a, b = np.broadcast_arrays(a, b)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    cosine = (a * b).sum(-1, keepdims=True)
    beside = np.where(np.abs(a[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    across = np.cross(a, beside)
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    opposite = (sine < 1e-9) & (cosine < 0)
    direction = np.where(opposite, across, axis / np.maximum(sine, 1e-12))
    return exp_map(direction * np.arctan2(sine, cosine))


def euler_zxy(rotation: F64) -> F64:
    """Angles (T, ..., 3) in radians about z, x, y of rotations (T, ..., 3, 3) = Rz Rx Ry, without jumps in time."""
    sine = np.clip(rotation[..., 2, 1], -1, 1)
    locked = np.abs(sine) > 1 - 1e-9  # z and y turn about the same axis: z takes all
    z = np.where(
        locked,
        np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0]),
        np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2]))
    angles = np.stack([z, np.arcsin(sine), y], -1)
    # the same rotation is also (z + pi, pi - x, y + pi): take whichever continues the last frame
    other = angles * np.array([1, -1, 1]) + np.pi
    for t in range(1, len(angles)):
        last = angles[t - 1]
        a = last + (angles[t] - last + np.pi) % (2 * np.pi) - np.pi
        b = last + (other[t] - last + np.pi) % (2 * np.pi) - np.pi
        nearer = (np.abs(b - last).sum(-1) < np.abs(a - last).sum(-1))[..., None]
        angles[t] = np.where(nearer, b, a)
    return angles


def mean_rotation(rotations: F64) -> F64:
    """(3, 3) rotation with the least sum of squared chordal distances to (T, 3, 3) (Moakher 2002)."""
    return nearest_rotation(rotations.sum(0))


def nearest_rotation(matrix: F64) -> F64:
    """(..., 3, 3) rotations R with the largest trace of Rᵀ M, which are never reflections (Kabsch 1978)."""
    u, _, v = np.linalg.svd(matrix)
    u[..., -1] *= np.linalg.det(u @ v)[..., None]
    return np.asarray(u @ v)


def looking_at(rays: F64) -> F64:
    """(T, 3, 3) rotations that bring rays (T, 3) to the z axis without roll about it; y points down."""
    z = unit(rays)
    x = unit(np.cross([0.0, 1.0, 0.0], z))
    return np.stack([x, np.cross(z, x), z], 1)
