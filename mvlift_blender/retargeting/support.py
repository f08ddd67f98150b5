"""How a body of other proportions has to move for its resting feet to stay where the source's rest."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["body_offset", "smooth_maximum"]

Array = NDArray[np.float64]
_SMOOTH: Final = 81.0
"""Weight of the second difference: with frames of weight 1 it smooths over about three frames."""
_STILL: Final = 9.0
"""Weight of a resting foot's step along the floor: smoothed over three frames as well."""
_FREE: Final = 0.3
"""Weight of the offset's own step: without a foot on the floor it goes straight from one value to the next."""
_PATH: Final = 1e-4
"""Weight of the offset itself along the floor: what is not carried by the path is left to the legs after 300 frames."""
_FLOAT: Final = 1e-4
"""The same for the height."""
_KERNEL: Final = 3
"""Standard deviation, in frames, of the kernel of ``smooth_maximum``."""


def body_offset(wanted: Array, down: NDArray[np.bool_], up: Array) -> Array:
    """(T, 3) the smooth offset of a body that leaves least to do for the legs of its resting feet.

    Least squares over the clip: along the floor resting feet should move by what is wanted from frame to frame, upwards
    they should be where it is wanted; the offset is smooth, and small where nothing rests.

    Args:
        wanted: (L, T, 3) from where each foot is to where it should be, up to a constant along the floor.
        down: (L, T) when it rests.
        up: (3,) unit vector.
    """
    frames = wanted.shape[1]
    count = down.sum(0)
    if frames < 2 or not count.any():
        return np.zeros((frames, 3))
    height = wanted @ up
    along = wanted - height[..., None] * up
    both = down[:, 1:] & down[:, :-1]
    pairs = both.sum(0)
    steps = (np.diff(along, axis=1) * both[..., None]).sum(0)
    flat = _solve(_STILL * pairs + _FREE, np.full(frames, _PATH), _from_steps(_STILL * steps))
    raised = _solve(np.full(frames - 1, _FREE), count + _FLOAT, (height * down).sum(0)[:, None])
    return flat + raised * up


def _from_steps(steps: Array) -> Array:
    """(T, K) the right-hand side of weighted steps (T - 1, K)."""
    edge = np.zeros((1, steps.shape[1]))
    return np.concatenate([edge, steps]) - np.concatenate([steps, edge])


def _solve(steps: Array, values: Array, right: Array) -> Array:
    """(T, K) the minimum of a quadratic over frames with weighted steps, values and second differences.

    Args:
        steps: (T - 1,) weights of x[t+1] - x[t].
        values: (T,) weights of x[t].
        right: (T, K).
    """
    frames = len(values)
    main = values.astype(float)
    main[1:] += steps
    main[:-1] += steps
    one, two = -steps.astype(float), np.zeros(max(frames - 2, 0))
    if frames > 2:
        main[:-2] += _SMOOTH
        main[1:-1] += 4 * _SMOOTH
        main[2:] += _SMOOTH
        one[:-1] -= 2 * _SMOOTH
        one[1:] -= 2 * _SMOOTH
        two += _SMOOTH
    return _pentadiagonal(main, one, two, right)


def _pentadiagonal(main: Array, one: Array, two: Array, right: Array) -> Array:
    """(T, K) the solution of a symmetric positive definite system of bandwidth 2, by its L D L^T factors."""
    frames = len(main)
    d, e, f = main.tolist(), [*one.tolist(), 0.0, 0.0], [*two.tolist(), 0.0, 0.0]
    y = right.copy()
    for t in range(frames):
        if t + 1 < frames:
            one_below, two_below = e[t] / d[t], f[t] / d[t]
            d[t + 1] -= one_below * e[t]
            e[t + 1] -= one_below * f[t]
            y[t + 1] -= one_below * y[t]
            if t + 2 < frames:
                d[t + 2] -= two_below * f[t]
                y[t + 2] -= two_below * y[t]
            e[t], f[t] = one_below, two_below
    y /= np.array(d)[:, None]
    for t in range(frames - 2, -1, -1):
        y[t] -= e[t] * y[t + 1]
        if t + 2 < frames:
            y[t] -= f[t] * y[t + 2]
    return y


def smooth_maximum(values: Array) -> Array:
    """(T,) a smooth curve that is nowhere below ``values`` (T,), and only raised near where they are high."""
    reach = 3 * _KERNEL
    padded = np.pad(values, 2 * reach, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=-1)
    at = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (at / _KERNEL) ** 2)
    return np.convolve(highest, kernel / kernel.sum(), mode="valid")
