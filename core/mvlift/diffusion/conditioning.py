"""What the two denoisers read: noisy motion with lines (stage 1), or noisy views beside the given one (stage 4).

Features of a point, stage 1 (6): noisy x, y; line a, b, c; 1 where the point has a line.
Features of a point, stage 4 (6): noisy x, y; given x, y; confidence of the given point; 1 in the given view's stream.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

__all__ = ["LINE_FEATURES", "VIEW_FEATURES", "line_features", "view_code", "view_features"]

LINE_FEATURES: Final = 6
VIEW_FEATURES: Final = 6


def line_features(noisy: Tensor, lines: Tensor, has_line: Tensor) -> Tensor:
    """(..., P, 6) from noisy points (..., P, 2), lines (..., P, 3) and has_line (..., P) bool or 0/1."""
    flag = has_line.to(noisy.dtype)[..., None]
    return torch.cat([noisy, lines * flag, flag], -1)


def view_features(noisy: Tensor, given: Tensor, confidence: Tensor) -> Tensor:
    """Features of the given view's stream and the noisy views' streams.

    Args:
        noisy: (B, V, T, P, 2) noisy points of the views to generate.
        given: (B, T, P, 2) points of the given view, 0 where missing.
        confidence: (B, T, P) in [0, 1].

    Returns:
        (B, 1 + V, T, P, 6): stream 0 is the given view.
    """
    streams = noisy.shape[1] + 1
    weight = confidence[:, None, :, :, None].to(noisy.dtype)
    seen = torch.cat([given[:, None] * (weight > 0), weight], -1).expand(-1, streams, -1, -1, -1)
    first = torch.zeros_like(noisy[:, :1])
    flag = torch.zeros((*noisy.shape[:1], streams, *noisy.shape[2:4], 1), dtype=noisy.dtype, device=noisy.device)
    flag[:, 0] = 1
    return torch.cat([torch.cat([first, noisy], 1), seen, flag], -1)


def view_code(azimuth: Tensor, elevation: Tensor, given: Tensor) -> Tensor:
    """(..., 8) direction of a view relative to the given one: harmonics of azimuth, elevation, and the given flag.

    Args:
        azimuth: (...) radians about the vertical from the given view.
        elevation: (...) radians above the horizontal.
        given: (...) 1 for the given view's stream (whose elevation is not told).
    """
    flag = given.to(azimuth.dtype)
    rest = 1 - flag
    return torch.stack(
        [
            flag,
            rest * azimuth.sin(),
            rest * azimuth.cos(),
            rest * (2 * azimuth).sin(),
            rest * (2 * azimuth).cos(),
            rest * elevation.sin(),
            rest,
            torch.zeros_like(rest),
        ],
        -1,
    )
