"""Key reduction with a bound on the distance that any joint moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from mvlift.typing import F64
from numpy.typing import NDArray

from .skeleton import RestSkeleton

__all__ = ["Channel", "Thinned", "fewest", "hermite", "slopes_of", "thin", "thin_motion"]

Rows = NDArray[np.int64]

ReducedT = TypeVar("ReducedT", bound="Reduced")

_ROUNDS = 9
_SKIN = 0.15  # metres; the skin around a joint without children is moved by its turns too


@dataclass(frozen=True, eq=False)
class Channel:
    """The keys that are left of one bone's rotation (C = 4) or location (C = 3).

    Attributes:
        rows: (K,) of the dense motion.
        values: (K, C).
        slopes: (K, C) a frame.
    """

    rows: Rows
    values: F64
    slopes: F64


@dataclass(frozen=True, eq=False)
class Thinned:
    """A thinned motion. ``error`` is the largest distance in metres that a joint is off in any frame."""

    rotations: tuple[Channel, ...]
    location: Channel
    error: float

    @property
    def keys(self) -> int:
        """How many places in time have keys, over all bones."""
        return len(self.location.rows) + sum(len(c.rows) for c in self.rotations)


def slopes_of(values: F64, frames: F64) -> F64:
    """(N, C) slopes of a dense curve, a frame."""
    return np.asarray(np.gradient(values, frames, axis=0)) if len(frames) > 1 else np.zeros_like(values)


def hermite(values: F64, slopes: F64, frames: F64, rows: Rows) -> F64:
    """(N, C) the cubic curve through the keys at ``rows``, at all frames (N,): what an F-curve with those keys shows.

    The handles lie at a third of the way to the next key, where a Bezier curve is a cubic of time.
    """
    index = np.arange(len(frames))
    start = np.clip(np.searchsorted(rows, index, side="right") - 1, 0, max(len(rows) - 2, 0))
    a, b = rows[start], rows[np.minimum(start + 1, len(rows) - 1)]
    length = np.maximum(frames[b] - frames[a], 1e-9)
    t = ((frames - frames[a]) / length)[:, None]
    m0, m1 = slopes[a] * length[:, None], slopes[b] * length[:, None]
    s = 1 - t
    return values[a] * (1 + 2 * t) * s * s + m0 * t * s * s + values[b] * t * t * (3 - 2 * t) - m1 * t * t * s


def thin(values: F64, slopes: F64, frames: F64, tolerance: float, reach: float, rotation: bool) -> Rows:
    """(K,) rows to keep so that no frame is off by more than a tolerance.

    Every stretch that is off is cut where it is off most, all of them at once, until none is.

    Args:
        values: (N, C) quaternions with continuous signs, or locations.
        slopes: (N, C) a frame.
        frames: (N,).
        tolerance: metres.
        reach: metres from the joint to the furthest that hangs on it, for rotations.
        rotation: the values are quaternions.
    """
    count = len(frames)
    if count < 3:
        return np.arange(count)
    keep = np.zeros(count, dtype=bool)
    keep[[0, -1]] = True
    while True:
        rows = np.flatnonzero(keep)
        off = _off(hermite(values, slopes, frames, rows), values, reach, rotation)
        off[rows] = 0.0
        if off.max(initial=0.0) <= tolerance:
            return rows
        worst = np.maximum.reduceat(off, rows[:-1])
        segment = np.searchsorted(rows, np.arange(count), side="right") - 1
        hit = (off > tolerance) & (off >= worst[np.minimum(segment, len(worst) - 1)])
        keep |= hit


def _off(fitted: F64, values: F64, reach: float, rotation: bool) -> F64:
    """(N,) metres by which the furthest joint is off because of one channel."""
    if not rotation:
        return np.asarray(np.linalg.norm(fitted - values, axis=-1))
    unit = fitted / np.maximum(np.linalg.norm(fitted, axis=-1, keepdims=True), 1e-9)
    # chord: a point at distance r turned by the angle a moves 2 r sin(a / 2); |q - p| = 2 sin(a / 4)
    half = np.clip(0.5 * np.linalg.norm(unit - values, axis=-1), 0, 1)
    return np.asarray(2 * reach * np.sin(2 * np.arcsin(half)))


class Reduced(Protocol):
    """A motion that was thinned out: its largest error in metres, and how many keys are left."""

    @property
    def error(self) -> float: ...

    @property
    def keys(self) -> int: ...


def fewest(thinned: Callable[[float], ReducedT], bound: float) -> ReducedT | None:
    """Of the motions thinned with a tolerance for each channel, one with few keys within a bound for all together.

    Args:
        thinned: makes one of a tolerance in metres.
        bound: metres.

    Returns:
        The best one, or None when every one is beyond the bound.
    """
    best: ReducedT | None = None
    low, high, share = 0.0, np.inf, 0.5
    for _ in range(_ROUNDS):
        candidate = thinned(share * bound)
        if candidate.error <= bound:
            low = share
            if best is None or candidate.keys < best.keys:
                best = candidate
        else:
            high = share
        if best is not None and low > 0 and high < 1.12 * low:
            break
        share = 2 * share if np.isinf(high) else 0.5 * (low + high)
    return best


def thin_motion(skeleton: RestSkeleton, frames: F64, rotations: F64, locations: F64, bound: float) -> Thinned:
    """As few keys as keep every joint within ``bound`` metres of where it was, in every frame.

    Each bone gets a share of the bound; the whole body is then measured, and the shares are made larger or smaller.

    Args:
        skeleton: at rest.
        frames: (N,) scene frames.
        rotations: (N, J, 4) with continuous signs.
        locations: (N, 3) of the root.
        bound: metres, positive.
    """
    truth, _ = skeleton.forward(rotations, locations)
    turn_slopes, move_slopes = slopes_of(rotations, frames), slopes_of(locations, frames)
    best = fewest(
        lambda tolerance: _thinned(
            skeleton, frames, (rotations, turn_slopes), (locations, move_slopes), truth, tolerance
        ),
        bound,
    )
    if best is None:  # nothing can go
        all_rows = np.arange(len(frames))
        channels = tuple(Channel(all_rows, rotations[:, j], turn_slopes[:, j]) for j in range(rotations.shape[1]))
        return Thinned(channels, Channel(all_rows, locations, move_slopes), 0.0)
    return best


def _thinned(
    skeleton: RestSkeleton,
    frames: F64,
    turns: tuple[F64, F64],
    moves: tuple[F64, F64],
    truth: F64,
    tolerance: float,
) -> Thinned:
    """Keys for one tolerance of each channel, and the largest error that they make together."""
    shown, channels = np.empty_like(turns[0]), []
    for j in range(turns[0].shape[1]):
        values, slopes = turns[0][:, j], turns[1][:, j]
        rows = thin(values, slopes, frames, tolerance, max(float(skeleton.reach[j]), _SKIN), rotation=True)
        fitted = hermite(values, slopes, frames, rows)
        shown[:, j] = fitted / np.maximum(np.linalg.norm(fitted, axis=-1, keepdims=True), 1e-9)
        channels.append(Channel(rows, values[rows], slopes[rows]))
    rows = thin(moves[0], moves[1], frames, tolerance, 1.0, rotation=False)
    places, _ = skeleton.forward(shown, hermite(moves[0], moves[1], frames, rows))
    error = float(np.linalg.norm(places - truth, axis=-1).max())
    return Thinned(tuple(channels), Channel(rows, moves[0][rows], moves[1][rows]), error)
