"""Stage 1: diffusion of single-view 2D motion, conditioned on epipolar lines (section 3.1 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from mvlift.diffusion.conditioning import LINE_FEATURES, line_features
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.geometry.lines import line_through, point_line_distance
from torch import Tensor

from mvlift_training.draws import Draws
from mvlift_training.motion_data import MotionWindows

__all__ = ["LineTask", "random_lines"]

RING_FOCAL: Final = 1000 / 960
"""Focal length of the authors' cameras, in half widths of their picture."""


def _mixed_epipoles(x: Tensor, draw: Draws) -> tuple[Tensor, Tensor]:
    """Unit directions (B, 2) towards the epipoles and 1 / distance (B,): three in five nearly horizontal, as between
    level cameras, the others anywhere; half at infinity, as between the parallel views that lifting uses."""
    b = len(x)
    level = draw.uniform(b) < 0.6
    angle = torch.where(level, draw.normal(b) * 0.15, (draw.uniform(b) - 0.5) * math.pi)
    infinite = draw.uniform(b) < 0.5
    nearness = torch.where(infinite, torch.zeros(b, device=x.device), draw.uniform(b) * 0.15)
    side = torch.where(torch.arange(b, device=x.device) < b // 2, -1.0, 1.0)
    return torch.stack([angle.cos(), angle.sin()], -1), nearness * side


def _ring_epipoles(x: Tensor, draw: Draws) -> tuple[Tensor, Tensor]:
    """The same as in the authors' release: half those of a ring of 30 level cameras, half uniform in [-3, 3]^2 of the
    half picture, in which the person is one unit tall (a person of 1.7 m is 3.4 of ours)."""
    b = len(x)
    ours = 3.4
    step = 2 * math.pi / 30
    turn = draw.integer(1, 30, b) * step
    ring = torch.stack([RING_FOCAL / torch.tan(turn / 2), torch.zeros(b, device=x.device)], -1)
    anywhere = draw.uniform(b, 2) * 6 - 3
    epipole = torch.where((draw.uniform(b) < 0.5)[:, None], ring, anywhere) * ours
    distance = epipole.norm(dim=-1).clamp(min=1e-3)
    return epipole / distance[:, None], 1 / distance


EPIPOLES: Final = {"mixed": _mixed_epipoles, "ring": _ring_epipoles}


def random_lines(
    x: Tensor, generator: torch.Generator, noise: float, epipoles: Literal["mixed", "ring"] = "mixed"
) -> tuple[Tensor, Tensor]:
    """Lines from one random virtual epipole per sequence through every point, and the same slightly displaced.

    Args:
        x: (B, T, P, 2) clean points.
        generator: randomness.
        noise: standard deviation of the line's displacement, which makes the condition soft against detector noise.
        epipoles: how they are distributed.

    Returns:
        (B, T, P, 3) lines through the points, which eq. 3 measures, and displaced lines, which the network is told.
    """
    draw = Draws(generator)
    towards, nearness = EPIPOLES[epipoles](x, draw)
    towards, nearness = towards[:, None, None], nearness[:, None, None, None]  # (B, 1, 1, 2), (B, 1, 1, 1)
    displaced = x + noise * draw.uniform(len(x))[:, None, None, None] * draw.normal(*x.shape)

    def lines(at: Tensor) -> Tensor:
        direction = towards - nearness * at  # epipole at towards / nearness, times nearness
        direction[:, :, -1] = towards[:, :, 0]  # the root's velocity is a difference: its epipole is at infinity
        return line_through(at, direction)

    return lines(x), lines(displaced)


@dataclass(frozen=True)
class LineTask:
    """Loss of stage 1: eq. 2 (L1 on X_0) and eq. 3 (distance from the lines through the true points).

    Attributes:
        windows: the data.
        schedule: noise schedule.
        line_weight: weight of eq. 3.
        line_noise: largest displacement of the line that the network is told, units.
        unconditional: share of windows that see no line at all, so that one network also serves without condition.
        lineless: largest share of keypoints without a line in the other windows, mostly few.
        epipoles: distribution of the virtual epipoles, see ``random_lines``.
    """

    windows: MotionWindows
    schedule: CosineSchedule
    line_weight: float = 1.0
    line_noise: float = 0.03
    unconditional: float = 0.1
    lineless: float = 0.5
    epipoles: Literal["mixed", "ring"] = "mixed"

    def network(self, width: int, layers: int, heads: int, patch: int, dropout: float) -> MotionDenoiser:
        """A fresh denoiser for this task."""
        points = self.windows.x.shape[1]
        return MotionDenoiser(
            DenoiserConfig(points, LINE_FEATURES, width, layers, heads, patch, cross_view=False, dropout=dropout)
        )

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random windows, diffusion timesteps and lines."""
        x, seen, frames = self.windows.batch(size, generator)
        device = x.device
        draw = Draws(generator)
        n = torch.randint(1, self.schedule.steps + 1, (size,), generator=generator, device=device)
        noise = torch.randn(x.shape, generator=generator, device=device)
        share = draw.uniform(size)[:, None] ** 3 * self.lineless
        has_line = seen & (draw.uniform(size, x.shape[2]) >= share)[:, None]
        has_line &= (draw.uniform(size) >= self.unconditional)[:, None, None]
        noisy = self.schedule.add_noise(x, n, noise) * seen[..., None]
        true_lines, lines = random_lines(x, generator, self.line_noise, self.epipoles)
        return {"x": x, "seen": seen, "frames": frames, "timestep": n, "noisy": noisy, "lines": lines,
                "true_lines": true_lines, "has_line": has_line}  # fmt: skip

    def loss(self, network: Callable[..., Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalar terms; ``loss`` is what is minimised."""
        features = line_features(batch["noisy"], batch["lines"], batch["has_line"])[:, None]
        code = features.new_zeros(len(features), 1, 8)
        clean = network(features, batch["timestep"], code, batch["frames"])[:, 0].float()
        seen, has_line = batch["seen"].float(), batch["has_line"].float()
        data = ((clean - batch["x"]).abs().mean(-1) * seen).sum() / seen.sum().clamp(min=1)
        line = (point_line_distance(clean, batch["true_lines"]) * has_line).sum() / has_line.sum().clamp(min=1)
        return {"loss": data + self.line_weight * line, "data": data.detach(), "line": line.detach()}
