"""Points from several perspective views in closed form, weighted by confidence."""

from __future__ import annotations

import torch
from torch import Tensor

from mvlift.geometry.cameras import PinholeCameras

__all__ = ["triangulate_pixels"]


def triangulate_pixels(cameras: PinholeCameras, pixels: Tensor, weights: Tensor, reweightings: int = 2) -> Tensor:
    """Least reprojection error by iterated linear least squares (Hartley and Sturm 1997).

    Every view gives two rows (P_1 - u P_3) X = 0 and (P_2 - v P_3) X = 0. Divided by the last solution's depth they
    are residuals in pixels, so that one or two reweightings reach the reprojection optimum.

    Args:
        cameras: (V,) cameras.
        pixels: (V, N, 2).
        weights: (V, N) inverse variances, 0 where a view has nothing to say; at least two views for each point.
        reweightings: solutions after the first.

    Returns:
        (N, 3) metres; NaN for points that fewer than two views see.
    """
    matrix = cameras.matrix  # (V, 3, 4)
    rows = matrix[:, None, :2] - pixels[..., None] * matrix[:, None, 2:]  # (V, N, 2, 4)
    rows = torch.where(weights[..., None, None] > 0, rows, torch.zeros_like(rows))
    scale = torch.ones_like(weights)
    found = torch.zeros(pixels.shape[1], 3, dtype=pixels.dtype, device=pixels.device)
    seen = (weights > 0).sum(0) >= 2
    eye = torch.eye(3, dtype=pixels.dtype, device=pixels.device)
    for _ in range(reweightings + 1):
        scaled = weights * scale
        a, b = rows[..., :3], -rows[..., 3]
        normal = torch.einsum("vn,vnri,vnrj->nij", scaled, a, a)
        right = torch.einsum("vn,vnri,vnr->ni", scaled, a, b)
        normal = torch.where(seen[:, None, None], normal, eye)
        found = torch.linalg.solve(normal, right[..., None])[..., 0]
        depth = torch.einsum("vi,ni->vn", matrix[:, 2, :3], found) + matrix[:, 2, 3:]
        scale = 1 / depth.clamp(min=1e-3) ** 2
    return torch.where(seen[:, None], found, torch.full_like(found, float("nan")))
