"""Noise schedule of the forward process q(X_n | X_0) = N(sqrt(ā_n) X_0, (1 - ā_n) I)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["CosineSchedule"]


@dataclass(frozen=True)
class CosineSchedule:
    """Cosine schedule (Nichol and Dhariwal 2021, eq. 17), with betas clipped at 0.999.

    Noise levels are numbered as in the paper: n = 1 is almost clean, n = ``steps`` almost pure noise; n = 0 is clean.

    Attributes:
        steps: N, number of noise levels.
        offset: the small s of eq. 17.
    """

    steps: int = 1000
    offset: float = 0.008

    def alpha_bar(self, device: torch.device | str = "cpu") -> Tensor:
        """(N + 1,) float64 ā_n for n = 0 .. N, ā_0 = 1."""
        n = torch.arange(self.steps + 1, dtype=torch.float64, device=device) / self.steps
        f = torch.cos((n + self.offset) / (1 + self.offset) * math.pi / 2) ** 2
        alpha = (f[1:] / f[:-1]).clamp(min=1e-3)
        return torch.cat([torch.ones(1, dtype=torch.float64, device=device), alpha.cumprod(0)])

    def add_noise(self, clean: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """X_n from X_0.

        Args:
            clean: (B, ...) X_0.
            level: (B,) integer n.
            noise: (B, ...) standard normal.
        """
        place = "cpu" if clean.device.type == "mps" else clean.device  # Apple's devices have no float64
        bar = self.alpha_bar(place).to(clean.dtype).to(clean.device)[level]
        bar = bar.view(-1, *[1] * (clean.ndim - 1))
        return bar.sqrt() * clean + (1 - bar).sqrt() * noise

    def levels(self, count: int) -> list[int]:
        """``count`` noise levels from N down to 1, evenly spaced, for a few-step sampler.

        Raises:
            ValueError: more levels than the schedule has, or none.
        """
        if not 1 <= count <= self.steps:
            raise ValueError(f"{count} sampling steps asked for; the schedule has 1 to {self.steps}.")
        return [round(self.steps - i * self.steps / count) for i in range(count)]
