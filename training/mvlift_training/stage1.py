"""Stage 1: diffusion of single-view 2D motion, conditioned on epipolar lines (section 3.1 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from mvlift.diffusion.conditioning import LINE_FEATURES, line_features
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.geometry.lines import line_through, point_line_distance
from torch import Tensor

from mvlift_training.draws import Draws
from mvlift_training.motion_data import MotionWindows

__all__ = ["LineTask", "random_lines"]


def random_lines(x: Tensor, generator: torch.Generator, noise: float) -> Tensor:
    """Lines from one random virtual epipole per sequence through every point, slightly displaced.

    Half of the epipoles are those of a ring of level cameras (nearly horizontal lines), the others lie anywhere; half
    are at infinity, as in the parallel views that lifting uses.

    Args:
        x: (B, T, P, 2) clean points.
        generator: randomness.
        noise: standard deviation of the line's displacement, which makes the condition soft against detector noise.

    Returns:
        (B, T, P, 3).
    """
    b = len(x)
    draw = Draws(generator)
    angle = torch.where(draw.uniform(b) < 0.6, draw.normal(b) * 0.15, (draw.uniform(b) - 0.5) * math.pi)
    # 1 / distance of the epipole
    nearness = torch.where(
        draw.uniform(b) < 0.5, torch.zeros(b, device=x.device), draw.uniform(b) * 0.15
    )  # 1 / distance
    nearness[: b // 2] *= -1
    towards = torch.stack([angle.cos(), angle.sin()], -1)[:, None, None]  # (B, 1, 1, 2)
    at = x + noise * draw.uniform(b)[:, None, None, None] * draw.normal(*x.shape)
    direction = towards - nearness[:, None, None, None] * at  # epipole at towards / nearness, times nearness
    direction[:, :, -1] = towards[:, :, 0]  # the root's velocity is a difference: its epipole is at infinity
    return line_through(at, direction)


@dataclass(frozen=True)
class LineTask:
    """Loss of stage 1: eq. 2 (L1 on X_0) and eq. 3 (distance from the lines).

    Attributes:
        windows: the data.
        schedule: noise schedule.
        line_weight: weight of eq. 3.
        line_noise: largest displacement of a training line, units.
        unconditional: share of windows that see no line at all, so that one network also serves without condition.
    """

    windows: MotionWindows
    schedule: CosineSchedule
    line_weight: float = 1.0
    line_noise: float = 0.03
    unconditional: float = 0.1

    def network(self, width: int, layers: int, heads: int, patch: int, dropout: float) -> MotionDenoiser:
        """A fresh denoiser for this task."""
        points = self.windows.x.shape[1]
        return MotionDenoiser(
            DenoiserConfig(points, LINE_FEATURES, width, layers, heads, patch, cross_view=False, dropout=dropout)
        )

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random windows, noise levels and lines."""
        x, seen, frames = self.windows.batch(size, generator)
        device = x.device
        draw = Draws(generator)
        level = torch.randint(1, self.schedule.steps + 1, (size,), generator=generator, device=device)
        noise = torch.randn(x.shape, generator=generator, device=device)
        share = draw.uniform(size)[:, None] ** 3 * 0.5  # of keypoints without a line, mostly few
        has_line = seen & (draw.uniform(size, x.shape[2]) >= share)[:, None]
        has_line &= (draw.uniform(size) >= self.unconditional)[:, None, None]
        noisy = self.schedule.add_noise(x, level, noise) * seen[..., None]
        lines = random_lines(x, generator, self.line_noise)
        return {"x": x, "seen": seen, "frames": frames, "level": level, "noisy": noisy,
                "lines": lines, "has_line": has_line}  # fmt: skip

    def loss(self, network: Callable[..., Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalar terms; ``loss`` is what is minimised."""
        features = line_features(batch["noisy"], batch["lines"], batch["has_line"])[:, None]
        code = features.new_zeros(len(features), 1, 8)
        clean = network(features, batch["level"], code, batch["frames"])[:, 0].float()
        seen, has_line = batch["seen"].float(), batch["has_line"].float()
        data = ((clean - batch["x"]).abs().mean(-1) * seen).sum() / seen.sum().clamp(min=1)
        line = (point_line_distance(clean, batch["lines"]) * has_line).sum() / has_line.sum().clamp(min=1)
        return {"loss": data + self.line_weight * line, "data": data.detach(), "line": line.detach()}
