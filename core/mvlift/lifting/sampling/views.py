"""Parallel-projection views about the root, and points triangulated from them.

The lifting frame is upright: x right, y down, z forward from the given camera's azimuth, origin at the root.
A view is a rotation M (world to view); it sees a point X at (M X)_{xy}. Rotations have orthonormal rows, so standard
normal noise in 3D is standard normal in every view and agrees between views: diffusion can run on X itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["project", "ring", "solve", "triangulate"]


def ring(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Rotations of level cameras round the root.

    Args:
        azimuth: (...) radians from the given camera; at 90 degrees what lies behind appears on the right.
        elevation: (...) radians above the horizontal.

    Returns:
        (..., 3, 3) world to view.
    """
    azimuth, elevation = azimuth + 0 * elevation, elevation + 0 * azimuth
    ca, sa, ce, se = azimuth.cos(), azimuth.sin(), elevation.cos(), elevation.sin()
    zero = torch.zeros_like(ca)
    rows = [ca, zero, sa, sa * se, ce, -ca * se, -sa * ce, se, ca * ce]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def project(views: Tensor, points: Tensor) -> Tensor:
    """(..., T, P, 2) of points (..., T, P, 3) in views (..., T or 1, 3, 3)."""
    return points @ views[..., :2, :].transpose(-1, -2)


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """x of A x = b for A (..., N, N) and b (..., N); Apple's devices have no solver, so there the processor solves."""
    place = "cpu" if right.device.type == "mps" else right.device
    return torch.linalg.solve(matrix.to(place), right[..., None].to(place))[..., 0].to(right.device)


def triangulate(views: Tensor, points: Tensor, weights: Tensor, prior: float = 1e-6) -> Tensor:
    """Closed-form weighted least squares: X = (Σ_v w_v A_v^T A_v)^-1 Σ_v w_v A_v^T x_v, A_v the first two rows of M_v.

    Args:
        views: (..., V, T or 1, 3, 3).
        points: (..., V, T, P, 2).
        weights: (..., V, T, P), 0 where a view has nothing to say.
        prior: pull towards the origin, which decides what no view sees.

    Returns:
        (..., T, P, 3).
    """
    a = views[..., :2, :]
    outer = a.transpose(-1, -2) @ a  # (..., V, T, 3, 3)
    outer = outer.expand(*outer.shape[:-3], points.shape[-3], 3, 3)
    normal = torch.einsum("...vtab,...vtp->...tpab", outer, weights)
    normal = normal + prior * torch.eye(3, dtype=points.dtype, device=points.device)
    right = (weights[..., None] * (points @ a)).sum(-4)  # (..., T, P, 3)
    return solve(normal, right)
