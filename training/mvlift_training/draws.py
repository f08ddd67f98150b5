"""Random draws on a device from one explicit generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Draws"]


@dataclass(frozen=True)
class Draws:
    """Random numbers of given shapes.

    Attributes:
        generator: the only source of randomness; draws are made on its device.
    """

    generator: torch.Generator

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(*shape, generator=self.generator, device=self.generator.device)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(*shape, generator=self.generator, device=self.generator.device)

    def integer(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform integers in [low, high)."""
        return torch.randint(low, high, shape, generator=self.generator, device=self.generator.device)
