"""Epipolar lines of parallel-projection views about the root, which is what the networks are conditioned on.

A view is a rotation M from the world's axes to the view's (x right, y down, z forward); a world point X is seen at
(M X)_{xy}. For two views M_0 (given) and M_k, a point x in view 0 is X = M_0^T (x, λ) for an unknown depth λ, so in
view k it lies on the line p + λ d with [p; ·] = R (x, 0), d = R_{:2,2}, R = M_k M_0^T.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["line_through", "lines_from_view", "point_line_distance"]


def _canonical(normal: Tensor) -> Tensor:
    """Unit normals with b > 0 (a > 0 where b = 0), so that one line has one description."""
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    sign = torch.where(normal[..., 1:].abs() > 1e-6, normal[..., 1:], normal[..., :1]).sign()
    return normal * torch.where(sign == 0, torch.ones_like(sign), sign)


def line_through(points: Tensor, direction: Tensor) -> Tensor:
    """Lines a x + b y + c = 0 with a² + b² = 1.

    Args:
        points: (..., 2) a point of each line.
        direction: (..., 2) along each line, any length, broadcastable to ``points``.

    Returns:
        (..., 3) coefficients (a, b, c).
    """
    normal = _canonical(torch.stack([-direction[..., 1], direction[..., 0]], -1)).expand(points.shape)
    return torch.cat([normal, -(normal * points).sum(-1, keepdim=True)], -1)


def lines_from_view(points: Tensor, given: Tensor, view: Tensor) -> Tensor:
    """Epipolar lines in a view of points seen in the given view.

    Args:
        points: (..., T, P, 2) in the given view.
        given: (..., T, 3, 3) rotation M_0 of the given view in each frame.
        view: (..., T, 3, 3) rotation M_k of the view.

    Returns:
        (..., T, P, 3) lines in the view.
    """
    relative = view @ given.transpose(-1, -2)
    seen = points @ relative[..., :2, :2].transpose(-1, -2)
    return line_through(seen, relative[..., None, :2, 2].expand(seen.shape))


def point_line_distance(points: Tensor, lines: Tensor) -> Tensor:
    """(...,) perpendicular distance |a x + b y + c| (the paper's eq. 3)."""
    return ((lines[..., :2] * points).sum(-1) + lines[..., 2]).abs()
