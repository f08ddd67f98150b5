"""Stretches of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["runs"]


def runs(flags: NDArray[np.bool_], shortest: int = 1) -> list[slice]:
    """Stretches of at least so many frames in which flags (T,) are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= shortest]
