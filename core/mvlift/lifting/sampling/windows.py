"""Any length: overlapping windows through the network, their estimates averaged inside every sampling step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvlift.arrays import Array, array_like, array_namespace, device

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

    def mean(self, evaluate: Callable[[NDArray[np.int64], NDArray[np.bool_]], Array]) -> Array:
        """Weighted mean of window estimates.

        Args:
            evaluate: (rows (W, size) frame numbers, inside (W, size) False beyond the clip) -> (W, size, ...).

        Returns:
            (T, ...) with weights that fall off towards a window's ends.
        """
        starts = np.array(self.starts())
        rows = starts[:, None] + np.arange(self.size)
        inside = rows < self.frames
        rows = np.minimum(rows, self.frames - 1)
        ramp = np.minimum(np.arange(1, self.size + 1), np.arange(self.size, 0, -1)).astype(np.float32)
        total: Array | None = None
        weight = np.zeros(self.frames, np.float32)
        for i in range(0, len(starts), self.chunk):
            part = evaluate(rows[i : i + self.chunk], inside[i : i + self.chunk])
            if total is None:
                shape = (self.frames, *part.shape[2:])
                total = array_namespace(part).zeros(shape, dtype=part.dtype, device=device(part))
                scale = array_like(ramp, part).reshape(-1, *[1] * (part.ndim - 2))
            for window, first in zip(part, starts[i : i + self.chunk], strict=True):
                count = min(self.size, self.frames - int(first))
                total[first : first + count] += window[:count] * scale[:count]
                weight[first : first + count] += ramp[:count]
        if total is None:
            raise ValueError("A clip without frames has no windows.")
        return total / array_like(weight, total).reshape(-1, *[1] * (total.ndim - 1))
