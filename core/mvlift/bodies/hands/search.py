"""Rough finger angles: a grid of angles for each finger, and the best path through it over time.

Seen from one side a finger that bends towards the camera and one that bends away look alike, and a local solver stays
with the one that it starts from. Here all angles of a coarse grid are evaluated in every frame, and dynamic programming
takes the path of least cost.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.model import ANGLES, FLEX1, FLEX2, FLEX3, ORDER, SPREAD, THUMB, HandModel
from mvlift.bodies.hands.view import HandView, depth_cost
from mvlift.typing import F64

__all__ = ["COUPLING", "finger_costs", "finger_paths", "grid_angles"]


COUPLING: Final = 2 / 3
"""Flexion of the end joint over that of the middle one."""
_FINGER: Final = tuple(product((-14.0, 0.0, 14.0), (-15.0, 8.0, 32.0, 58.0, 85.0), (2.0, 30.0, 60.0, 92.0)))
"""Degrees from the flat hand: spread, flexion of the knuckle and of the middle joint."""
_THUMB: Final = tuple(product((-20.0, 5.0, 28.0), (-22.0, 4.0, 30.0), (-12.0, 22.0, 50.0), (0.0, 32.0, 66.0)))
"""Degrees from rest: spread, flexion of the three joints."""
COARSE: Final = 0.009
"""Metres that a grid's step moves a point."""
CAP: Final = 9.0
STEP: Final = np.radians(16.0)
"""Change of an angle from one frame to the next at 30 fps."""
STEP_CAP: Final = 6.0


@cache
def _grid() -> F64:
    """(5, C, 5) radians, absolute for fingers and from rest for the thumb; rows repeat where a finger has fewer."""
    count = max(len(_FINGER), len(_THUMB))
    grid = np.zeros((len(ORDER), count, ANGLES))
    fingers = np.array([_FINGER[i % len(_FINGER)] for i in range(count)])
    grid[:, :, [SPREAD, FLEX1, FLEX2]] = fingers
    grid[:, :, FLEX3] = COUPLING * fingers[:, 2]
    grid[THUMB, :, [SPREAD, FLEX1, FLEX2, FLEX3]] = np.array(_THUMB).T
    return np.radians(grid)


def grid_angles(hand: HandModel) -> F64:
    """(5, C, 5) the grid as angles from rest, within the hand's limits."""
    angles = _grid().copy()
    angles[..., FLEX1 : FLEX3 + 1] -= hand.rest[:, None, FLEX1 : FLEX3 + 1]
    angles[THUMB] = _grid()[THUMB]
    return np.asarray(np.clip(angles, hand.limits[:, None, :, 0], hand.limits[:, None, :, 1]))


def finger_costs(view: HandView, hand: HandModel, wrists: F64) -> F64:
    """(T, W, 5, C) cost of every bend of the grid.

    Args:
        view, hand: the detections and the hand.
        wrists: (T, W, 3, 3) in the view's axes.
    """
    angles = grid_angles(hand)
    points = hand.points(angles.transpose(1, 0, 2))[:, 1:].reshape(-1, 5, 4, 3)  # (C, 5, 4, 3)
    points = points[:, :, 1:].transpose(1, 0, 2, 3)  # (5, C, 3, 3): the first of each finger belongs to the palm
    turned = np.einsum("twab,fckb->twfcka", wrists.astype(np.float32), points.astype(np.float32), optimize=True)
    distance = view.distance.astype(np.float32)[:, None, None, None, None, None]
    shown = turned[..., :2] / np.maximum(1 + turned[..., 2:] / distance, 0.2)
    there = view.points[:, 1:].astype(np.float32).reshape(-1, 5, 4, 2)[:, None, :, None, 1:]
    weight = view.weight[:, 1:].astype(np.float32).reshape(-1, 5, 4)[:, None, :, None, 1:]
    weight = weight / (1 + weight * COARSE**2)  # confidence / (sigma^2 + coarse^2)
    shift = _shift(view, hand, wrists).astype(np.float32)[:, :, None, None, None]
    squared = ((shown - there - shift) ** 2).sum(-1)
    cost = np.minimum(weight * squared, CAP).sum(-1)
    if np.isfinite(view.depth).any():
        hint = view.depth[:, 1:].reshape(-1, 5, 4)[:, None, :, None, 1:]
        cost = cost + depth_cost(turned[..., 2], hint).sum(-1)
    return np.asarray(cost + _strain(hand, angles))


def _shift(view: HandView, hand: HandModel, wrists: F64) -> F64:
    """(T, W, 2) by how much the whole palm is seen beside where its wrist puts it."""
    rows = [0, 5, 9, 13, 17]
    rest = hand.points(np.zeros((5, ANGLES)))[rows]
    turned = np.einsum("twab,kb->twka", wrists, rest)
    shown = turned[..., :2] / np.maximum(1 + turned[..., 2:] / view.distance[:, None, None, None], 0.2)
    weight = view.weight[:, None, rows, None]
    off = (weight * (shown - view.points[:, None, rows])).sum(2)
    return np.asarray(off / np.maximum(weight.sum(2), 1e-9))


def _strain(hand: HandModel, angles: F64) -> F64:
    """(5, C) what a bend costs in itself: hyperextension and wide spread are rare."""
    spread = (angles[..., SPREAD] / np.radians(20.0)) ** 2
    flat = angles[..., FLEX1] + hand.rest[:, None, FLEX1]
    back = (np.minimum(flat + np.radians(5), 0) / np.radians(12.0)) ** 2
    back[THUMB] = (angles[THUMB][..., FLEX1] / np.radians(40.0)) ** 2
    return np.asarray(0.5 * spread + back)


def finger_paths(cost: F64, hand: HandModel, rows: NDArray[np.int64], fps: float) -> F64:
    """(N, 5, 5) angles of the best way through the grid.

    Args:
        cost: (N, 5, C) of the seen frames.
        hand: whose grid.
        rows: (N,) numbers of these frames.
        fps: frames a second.
    """
    angles = grid_angles(hand)
    apart = ((angles[:, :, None] - angles[:, None]) ** 2).sum(-1)  # (5, C, C)
    total, back = cost[0], []
    for n in range(1, len(cost)):
        sigma = STEP * np.sqrt(float(rows[n] - rows[n - 1]) * 30 / fps)
        through = total[:, :, None] + np.minimum(apart / sigma**2, STEP_CAP)
        back.append(through.argmin(1))
        total = through.min(1) + cost[n]
    fingers = np.arange(len(angles))
    at = total.argmin(1)
    path = [at]
    for choice in reversed(back):
        at = choice[fingers, at]
        path.append(at)
    return np.asarray(angles[fingers, np.array(path[::-1])])
