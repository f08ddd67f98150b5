"""Any length: overlapping windows through the network, their estimates averaged inside every sampling step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Windows"]


@dataclass(frozen=True)
class Windows:
    """Overlapping windows over T frames; cost and memory are linear in T.

    Attributes:
        frames: T.
        size: frames in a window, a multiple of the network's patch.
        stride: frames between windows.
        chunk: windows evaluated at once, which bounds memory.
    """

    frames: int
    size: int
    stride: int
    chunk: int = 32

    def starts(self) -> list[int]:
        """First frame of each window; the last one ends with the clip (or reaches past a clip shorter than it)."""
        if self.frames <= self.size:
            return [0]
        starts = list(range(0, self.frames - self.size, self.stride))
        return [*starts, self.frames - self.size]

    def mean(self, evaluate: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Weighted mean of window estimates.

        Args:
            evaluate: (rows (W, size) frame numbers, inside (W, size) False beyond the clip) -> (W, size, ...).

        Returns:
            (T, ...) with weights that fall off towards a window's ends.
        """
        starts = torch.tensor(self.starts())
        rows = starts[:, None] + torch.arange(self.size)
        inside = rows < self.frames
        rows = rows.clamp(max=self.frames - 1)
        ramp = torch.minimum(torch.arange(1, self.size + 1), torch.arange(self.size, 0, -1)).float()
        total: Tensor | None = None
        weight = torch.zeros(self.frames)
        for i in range(0, len(starts), self.chunk):
            part = evaluate(rows[i : i + self.chunk], inside[i : i + self.chunk])
            w = ramp * inside[i : i + self.chunk]
            flat = rows[i : i + self.chunk].reshape(-1)
            if total is None:
                total = torch.zeros((self.frames, *part.shape[2:]), dtype=part.dtype, device=part.device)
            w_part = w.to(part).view(*w.shape, *[1] * (part.ndim - 2))
            total.index_add_(0, flat.to(part.device), (part * w_part).flatten(0, 1))
            weight.index_add_(0, flat, w.reshape(-1))
        if total is None:
            raise ValueError("A clip without frames has no windows.")
        return total / weight.to(total).view(-1, *[1] * (total.ndim - 1))
