"""Quaternions (w x y z) over arrays: conversions, products, interpolation, all vectorised over leading dimensions."""

from __future__ import annotations

import numpy as np

from mvlift.typing import F64

__all__ = [
    "conjugate",
    "continuous",
    "from_matrix",
    "from_vector",
    "multiply",
    "rotate",
    "shortest_arc",
    "slerp",
    "to_matrix",
    "to_vector",
]


def from_vector(vector: F64) -> F64:
    """(..., 3) axis times angle in radians to (..., 4) unit quaternions: (cos(a/2), sin(a/2) axis)."""
    half = 0.5 * np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * vector], axis=-1)


def from_matrix(matrix: F64) -> F64:
    """(..., 3, 3) rotation matrices to (..., 4) unit quaternions, w >= 0, from the largest component."""
    m = np.asarray(matrix, dtype=np.float64)
    d = np.diagonal(m, axis1=-2, axis2=-1)
    trace = d.sum(-1)
    # 4 q_k^2 for k = w, x, y, z
    squares = np.concatenate([1 + trace[..., None], 1 + 2 * d - trace[..., None]], axis=-1)
    k = squares.argmax(-1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], -1),
            np.stack([wx, squares[..., 1], xy, xz], -1),
            np.stack([wy, xy, squares[..., 2], yz], -1),
            np.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        axis=-2,
    )
    q = np.take_along_axis(rows, k[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def to_matrix(q: F64) -> F64:
    """(..., 4) unit quaternions to (..., 3, 3) rotation matrices."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def to_vector(q: F64) -> F64:
    """(..., 4) unit quaternions to (..., 3) axis times angle in radians, the short way round."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine < 1e-12, 2.0, angle / np.maximum(sine, 1e-12))


def multiply(a: F64, b: F64) -> F64:
    """Hamilton product of (..., 4) quaternions, broadcast: first b's rotation, then a's."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    return np.concatenate(
        [aw * bw - (av * bv).sum(-1, keepdims=True), aw * bv + bw * av + np.cross(av, bv)],
        axis=-1,
    )


def conjugate(q: F64) -> F64:
    """Inverse of (..., 4) unit quaternions."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(q: F64, v: F64) -> F64:
    """(..., 3) vectors turned by (..., 4) quaternions."""
    t = 2 * np.cross(q[..., 1:], v)
    return v + q[..., :1] * t + np.cross(q[..., 1:], t)


def continuous(q: F64) -> F64:
    """(T, ..., 4) with signs chosen so that neighbours in time are never further apart than 90 degrees in 4D.

    q and -q are the same rotation, but an F-curve that jumps from one to the other turns the joint over between keys.
    """
    dots = (q[1:] * q[:-1]).sum(-1, keepdims=True)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    return np.concatenate([q[:1], q[1:] * signs])


def slerp(a: F64, b: F64, t: F64) -> F64:
    """Spherical interpolation from a (..., 4) to b (..., 4) by t (...) in [0, 1], the short way round."""
    dot = (a * b).sum(-1)
    b = np.where((dot < 0)[..., None], -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0, 1))
    parallel = angle < 1e-6
    s = np.where(parallel, 1.0, np.sin(angle))
    wa = np.where(parallel, 1 - t, np.sin((1 - t) * angle) / s)
    wb = np.where(parallel, t, np.sin(t * angle) / s)
    q = wa[..., None] * a + wb[..., None] * b
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def shortest_arc(a: F64, b: F64) -> F64:
    """(..., 4) the smallest rotation that turns the direction a (..., 3) to the direction b (..., 3)."""
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), 1e-12)
    q = np.concatenate([1 + (a * b).sum(-1, keepdims=True), np.cross(a, b)], axis=-1)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    # opposite directions: half a turn about any axis across
    across = np.cross(a, np.where(np.abs(a[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    across = np.concatenate([np.zeros_like(norm), across], axis=-1)
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    return np.where(norm < 1e-6, across, q / np.maximum(norm, 1e-12))
