"""Two perspective views: relative pose, essential and fundamental matrix, epipolar lines and epipoles, batched."""

from __future__ import annotations

import torch
from torch import Tensor

from mvlift.geometry.cameras import PinholeCameras

__all__ = ["epipolar_lines", "epipole", "essential", "fundamental", "relative_pose", "symmetric_distance"]


def _cross_matrix(v: Tensor) -> Tensor:
    """(..., 3, 3) matrix [v]x with [v]x a = v x a."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def relative_pose(first: PinholeCameras, second: PinholeCameras) -> tuple[Tensor, Tensor]:
    """R (..., 3, 3) and t (..., 3) with x_second = R x_first + t."""
    rotation = second.R @ first.R.transpose(-1, -2)
    return rotation, second.t - (rotation @ first.t[..., None])[..., 0]


def essential(first: PinholeCameras, second: PinholeCameras) -> Tensor:
    """(..., 3, 3) E = [t]x R: x_secondᵀ E x_first = 0 for rays of one point (Longuet-Higgins 1981)."""
    rotation, translation = relative_pose(first, second)
    return _cross_matrix(translation) @ rotation


def fundamental(first: PinholeCameras, second: PinholeCameras) -> Tensor:
    """(..., 3, 3) F = K₂⁻ᵀ E K₁⁻¹: u_secondᵀ F u_first = 0 for pixels of one point."""
    left = torch.linalg.inv(second.K).transpose(-1, -2)
    return left @ essential(first, second) @ torch.linalg.inv(first.K)


def epipolar_lines(F: Tensor, points: Tensor) -> Tensor:
    """(..., N, 3) lines l = F x, a² + b² = 1, in the second view of pixels (..., N, 2) in the first."""
    homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], -1)
    lines = homogeneous @ F.transpose(-1, -2)
    return lines / lines[..., :2].norm(dim=-1, keepdim=True).clamp(min=1e-12)


def epipole(first: PinholeCameras, second: PinholeCameras) -> Tensor:
    """(..., 3) homogeneous picture of the first camera's centre in the second view; third entry 0 when at infinity."""
    return (second.matrix @ torch.cat([first.centre, torch.ones_like(first.centre[..., :1])], -1)[..., None])[..., 0]


def symmetric_distance(F: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(..., N) mean distance in pixels of both points to the lines of their partners.

    Args:
        F: (..., 3, 3) from the first to the second view.
        first, second: (..., N, 2) pixels of the same points.
    """
    there, back = epipolar_lines(F, first), epipolar_lines(F.transpose(-1, -2), second)

    def distance(lines: Tensor, points: Tensor) -> Tensor:
        return ((lines[..., :2] * points).sum(-1) + lines[..., 2]).abs()

    return 0.5 * (distance(there, second) + distance(back, first))
