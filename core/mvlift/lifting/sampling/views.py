"""Parallel-projection views about the root, and points triangulated from them.

The lifting frame is upright: x right, y down, z forward from the input camera's azimuth, origin at the root.
A view is a rotation M (world to view); it sees a point X at (M X)_{xy}. Rotations have orthonormal rows, so standard
normal noise in 3D is standard normal in every view and agrees between views: diffusion can run on X itself.
"""

from __future__ import annotations

from mvlift.arrays import Array, array_like, array_namespace, is_torch_array

__all__ = ["project", "ring", "solve", "triangulate"]


def ring(azimuth: Array, elevation: Array) -> Array:
    """Rotations of level cameras round the root.

    Args:
        azimuth: (...) radians from the input camera; at 90 degrees what lies behind appears on the right.
        elevation: (...) radians above the horizontal.

    Returns:
        (..., 3, 3) world to view.
    """
    xp = array_namespace(azimuth)
    azimuth, elevation = azimuth + 0 * elevation, elevation + 0 * azimuth
    ca, sa, ce, se = xp.cos(azimuth), xp.sin(azimuth), xp.cos(elevation), xp.sin(elevation)
    rows = [ca, xp.zeros_like(ca), sa, sa * se, ce, -ca * se, -sa * ce, se, ca * ce]
    return xp.stack(rows, axis=-1).reshape(*ca.shape, 3, 3)


def project(views: Array, points: Array) -> Array:
    """(..., T, P, 2) of points (..., T, P, 3) in views (..., T or 1, 3, 3)."""
    return points @ array_namespace(points).matrix_transpose(views[..., :2, :])


def solve(matrix: Array, right: Array) -> Array:
    """x of A x = b for A (..., N, N) and b (..., N); torch's MPS has no solver, so there it runs on the CPU."""
    if is_torch_array(right) and right.device.type == "mps":
        return solve(matrix.cpu(), right.cpu()).to(right.device)
    return array_namespace(right).linalg.solve(matrix, right[..., None])[..., 0]


def triangulate(views: Array, points: Array, weights: Array, prior: float = 1e-6) -> Array:
    """Closed-form weighted least squares: X = (Σ_v w_v A_v^T A_v)^-1 Σ_v w_v A_v^T x_v, A_v the first two rows of M_v.

    Args:
        views: (..., V, T or 1, 3, 3).
        points: (..., V, T, P, 2).
        weights: (..., V, T, P), 0 where a point is not seen in a view.
        prior: weight of the origin, which determines the depth that no view sees.

    Returns:
        (..., T, P, 3).
    """
    xp = array_namespace(points)
    a = views[..., :2, :]
    outer = xp.matrix_transpose(a) @ a  # (..., V, T or 1, 3, 3)
    outer = xp.broadcast_to(outer, (*outer.shape[:-3], points.shape[-3], 3, 3))
    normal = xp.einsum("...vtab,...vtp->...tpab", outer, weights)
    normal = normal + prior * array_like([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]], points)
    right = (weights[..., None] * (points @ a)).sum(-4)  # (..., T, P, 3)
    return solve(normal, right)
