"""What is known of the camera's elevation and roll before the generated views agree on them: how people film, and what
the network's camera head reads from the input view."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mvlift.diffusion.conditioning import view_code, view_features
from mvlift.lifting.sampling.views import project, ring
from mvlift.lifting.sampling.windows import Windows

__all__ = ["TILT_MEAN", "TILT_SPREAD", "TiltPrior", "camera_tilt", "tilt_prior"]

TILT_MEAN: Final = (0.12, 0.0)
TILT_SPREAD: Final = (0.13, 0.06)
"""Elevation and roll in radians of cameras in general: hand-held and tripod footage looks slightly down."""
NOISE_DRAWS: Final = 2
"""Random noisy views that the camera head is asked with; its answer is their mean."""


@dataclass(frozen=True)
class TiltPrior:
    """Independent normal distributions of elevation and roll, radians."""

    mean: tuple[float, float] = TILT_MEAN
    spread: tuple[float, float] = TILT_SPREAD

    def product(self, mean: tuple[float, float], spread: tuple[float, float]) -> TiltPrior:
        """Both this and another opinion that is independent of it."""
        means, spreads = [], []
        for m, s, n, t in zip(self.mean, self.spread, mean, spread, strict=True):
            a, b = s**-2, t**-2
            means.append((a * m + b * n) / (a + b))
            spreads.append((a + b) ** -0.5)
        return TiltPrior((means[0], means[1]), (spreads[0], spreads[1]))


def camera_tilt(tilt: Tensor) -> Tensor:
    """(..., 3, 3) upright axes to camera axes for elevation and roll (..., 2)."""
    upright = ring(torch.zeros_like(tilt[..., 0]), tilt[..., 0])
    c, s = tilt[..., 1].cos(), tilt[..., 1].sin()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).unflatten(-1, (3, 3)) @ upright


def _tilt_of(up: Tensor) -> tuple[float, float]:
    """Elevation and roll of a camera that sees the direction against gravity (3,) in its axes: x right, y down."""
    x, y, z = (up / up.norm()).tolist()
    return math.asin(max(-1.0, min(1.0, -z))), math.atan2(x, -y)


def tilt_prior(
    network: nn.Module, x: Tensor, confidence: Tensor, turn: Tensor, windows: Windows, last: int
) -> TiltPrior:
    """Prior of the input camera's tilt: the general one, sharpened by the camera head where the network has one.

    The head knows each window's camera turned towards the root; its up vectors are turned back and averaged.

    Args:
        network: multi-view denoiser.
        x: (T, P, 2) input view.
        confidence: (T, P).
        turn: (T, 3, 3) camera axes to the axes of the camera turned towards the root.
        windows: how the clip is divided.
        last: the schedule's last timestep, at which the noisy views say nothing and the input view all.
    """
    config = network.config
    if not config.camera_head:  # type: ignore[union-attr]
        return TiltPrior()
    angle = torch.tensor([math.radians(a) for a in config.azimuths], device=x.device)  # type: ignore[union-attr]
    flags = torch.tensor([1.0] + [0.0] * len(angle), device=x.device)
    codes = view_code(torch.cat([angle[:1] * 0, angle]), torch.zeros_like(flags), flags)
    rotations = ring(angle, angle * 0)[:, None]
    generator = torch.Generator().manual_seed(0)
    spreads: list[Tensor] = []

    def up_vectors(rows: Tensor, inside: Tensor) -> Tensor:
        """(W, size, 3) against gravity in the camera's axes."""
        noise = torch.randn(NOISE_DRAWS, len(rows), rows.shape[1], x.shape[1], 3, generator=generator).to(x)
        views = project(rotations, noise.flatten(0, 1)[:, None])
        features = view_features(
            views, x[rows].repeat(NOISE_DRAWS, 1, 1, 1), confidence[rows].repeat(NOISE_DRAWS, 1, 1)
        )
        n = torch.full((len(features),), last, device=x.device)
        mask = inside.to(x.device).repeat(NOISE_DRAWS, 1)
        _, said = network(features, n, codes.expand(len(features), -1, -1), mask, with_camera=True)
        said = said.to(x).unflatten(0, (NOISE_DRAWS, -1)).mean(0)
        spreads.append(said[:, 3:5])
        up = -camera_tilt(said[:, :2])[:, None, :, 1]  # (W, 1, 3) in the turned camera's axes
        return (up[..., None, :] @ turn[rows].to(x))[..., 0, :]

    with torch.inference_mode():
        up = windows.mean(up_vectors).mean(0)
    elevation, roll = torch.cat(spreads).mean(0).exp().tolist()
    return TiltPrior().product(_tilt_of(up), (elevation, roll))
