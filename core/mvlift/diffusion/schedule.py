"""Noise schedule of the forward process q(X_n | X_0) = N(sqrt(ā_n) X_0, (1 - ā_n) I)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mvlift.arrays import Array, array_like
from mvlift.typing import F64

__all__ = ["CosineSchedule"]


@dataclass(frozen=True)
class CosineSchedule:
    """Cosine schedule (Nichol and Dhariwal 2021, eq. 17), with betas clipped at 0.999.

    Timesteps are numbered as in the paper: n = 1 is almost clean, n = ``steps`` almost pure noise; n = 0 is clean.

    Attributes:
        steps: N, number of timesteps.
        offset: the small s of eq. 17.
    """

    steps: int = 1000
    offset: float = 0.008

    def alpha_bar(self) -> F64:
        """(N + 1,) ā_n for n = 0 .. N, ā_0 = 1."""
        n = np.arange(self.steps + 1) / self.steps
        f = np.cos((n + self.offset) / (1 + self.offset) * math.pi / 2) ** 2
        return np.concatenate([[1.0], np.cumprod(np.maximum(f[1:] / f[:-1], 1e-3))])

    def add_noise(self, clean: Array, timestep: Array, noise: Array) -> Array:
        """X_n from X_0.

        Args:
            clean: (B, ...) X_0.
            timestep: (B,) integer n.
            noise: (B, ...) standard normal.
        """
        bar = array_like(self.alpha_bar(), clean)[timestep]
        bar = bar.reshape(-1, *[1] * (clean.ndim - 1))
        return bar**0.5 * clean + (1 - bar) ** 0.5 * noise

    def timesteps(self, count: int) -> list[int]:
        """``count`` timesteps from N down to 1, evenly spaced, for a few-step sampler.

        Raises:
            ValueError: more timesteps than the schedule has, or none.
        """
        if not 1 <= count <= self.steps:
            raise ValueError(f"{count} sampling steps asked for; the schedule has 1 to {self.steps}.")
        return [round(self.steps - i * self.steps / count) for i in range(count)]
