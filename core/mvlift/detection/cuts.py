"""Cuts: frames at which a video goes on with another scene or camera."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.typing import F32

__all__ = ["CutFinder"]

U8 = NDArray[np.uint8]
_CELLS: Final = 24
"""Cells along the longer side in which pictures are compared."""
_LEAST_CHANGE: Final = 0.09
"""Mean change of a cell's brightness, of the whole range, below which nothing is a cut."""
_JUMP: Final = 4.0
"""A cut changes the picture by so much more than the frames before."""
_MEMORY: Final = 12
_LEAST_HISTOGRAM: Final = 0.25
"""Share of the picture whose colours change at a cut: a fast pan keeps them."""


class CutFinder:
    """Tells, frame by frame, whether a frame begins another scene."""

    def __init__(self) -> None:
        self._cells: F32 | None = None
        self._colours: F32 = np.zeros(0, np.float32)
        self._changes: deque[float] = deque(maxlen=_MEMORY)

    def is_cut(self, overview: U8) -> bool:
        """True for a frame (H, W, 4) that does not continue the one before."""
        cells, colours = _cells(overview), _colours(overview)
        before, self._cells = self._cells, cells
        colours_before, self._colours = self._colours, colours
        if before is None or before.shape != cells.shape:
            return before is not None
        change = float(np.abs(cells - before).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        histogram = 0.5 * float(np.abs(colours - colours_before).sum())
        cut = change > max(_LEAST_CHANGE, _JUMP * usual) and histogram > _LEAST_HISTOGRAM
        if cut:
            self._changes.clear()
        else:
            self._changes.append(change)
        return cut


def _cells(overview: U8) -> F32:
    """(h, w, 3) mean colours of cells, in [0, 1]."""
    height, width = overview.shape[:2]
    step = max(1, max(height, width) // _CELLS)
    rows, columns = height // step, width // step
    view = overview[: rows * step, : columns * step, :3].reshape(rows, step, columns, step, 3)
    return np.asarray(view.mean((1, 3), dtype=np.float32) / 255)


def _colours(overview: U8) -> F32:
    """(512,) share of each of 8 x 8 x 8 colours."""
    coarse = overview[::2, ::2, :3].astype(np.int32) >> 5
    index = coarse[..., 0] * 64 + coarse[..., 1] * 8 + coarse[..., 2]
    count = np.bincount(index.reshape(-1), minlength=512).astype(np.float32)
    return count / count.sum()
