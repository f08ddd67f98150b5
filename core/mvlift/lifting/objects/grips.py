"""Detection of grips: which hand holds an object, when and where. Positions across the line of sight count most,
because depth is uncertain."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.runs import runs
from mvlift.typing import F64

__all__ = ["find_grips"]

BoolArray = NDArray[np.bool_]
ACROSS_SIGMA: Final = 0.03
"""Standard deviation, metres across the line of sight, of a holding hand about its grip."""
ALONG_SIGMA: Final = 0.3
"""Metres along it: person and object are lifted with depths that err independently."""
HOLD_DISTANCE: Final = 0.16
"""Metres from the wrist to the part of the object that the hand holds."""
HOLD_SPREAD: Final = 0.07
"""Metres across the line of sight, median over a hold."""
SHIFTS: Final = np.linspace(-0.8, 0.8, 33)
"""Errors of depth between person and object that are tried, metres."""
ROUNDS: Final = 4


def _outside(points: F64, low: F64, high: F64) -> F64:
    """(...,) distance of points (..., 3) from a box."""
    return np.asarray(np.linalg.norm(np.maximum(np.maximum(low - points, points - high), 0), axis=-1))


def _grip(position: F64, rotation: F64, hand: F64, shift: float) -> tuple[F64, F64, F64]:
    """Where a hand (T, 3) would hold, if the object were ``shift`` metres nearer than it seems.

    Least squares over g of |(I - r rᵀ)(p + R g)|² / σ² + (rᵀ(p + R g - h - s r))² / σ_z², r the direction of the hand
    from the camera: linear in g, and robust by reweighting.

    Returns:
        g (3,), its distance from the hand across the line of sight (T,), and the mean squared error.
    """
    ray = hand / np.linalg.norm(hand, axis=-1, keepdims=True)
    across = np.eye(3) - ray[:, :, None] * ray[:, None]
    rows = np.concatenate([across @ rotation / ACROSS_SIGMA, ray[:, None] @ rotation / ALONG_SIGMA], 1)  # (T, 4, 3)
    depth_gap = (hand * ray).sum(-1) + shift - (position * ray).sum(-1)
    wanted = np.concatenate(
        [-np.einsum("tab,tb->ta", across, position) / ACROSS_SIGMA, depth_gap[:, None] / ALONG_SIGMA], 1
    )
    weight = np.ones(len(hand))
    grip = distance = np.zeros(3)
    for _ in range(ROUNDS):
        normal = np.einsum("t,tia,tib->ab", weight, rows, rows) + 1e-6 * np.eye(3)
        grip = np.linalg.solve(normal, np.einsum("t,tia,ti->a", weight, rows, wanted))
        left = rows @ grip - wanted
        distance = ACROSS_SIGMA * np.linalg.norm(left[:, :3], axis=1)
        weight = 1 / (1 + (distance / 0.06) ** 2)
    return grip, distance, (weight[:, None] * left**2).sum(1) / np.maximum(weight.mean(), 1e-6)


def find_grips(position: F64, rotation: F64, local_points: F64, hands: F64, moving: BoolArray) -> tuple[F64, F64]:
    """Holds and grips.

    In every stretch in which the object moves, one error of depth between person and object is found, the one at which
    the hands that move along with the object touch it.

    Args:
        position: (T, 3) of the object in the camera's axes.
        rotation: (T, 3, 3).
        local_points: (P, 3) its keypoints in its own frame, metres.
        hands: (T, H, 3) wrists in the camera's axes.
        moving: (T,) False where the object rests.

    Returns:
        Grip probability (T, H) in [0, 1], grips (T, H, 3) in the object's frame.
    """
    frames, count = hands.shape[:2]
    grip_probability, grips = np.zeros((frames, count)), np.zeros((frames, count, 3))
    low, high = local_points.min(0), local_points.max(0)
    for run in runs(moving):
        if run.stop - run.start < 5:
            continue
        tried = [
            [_grip(position[run], rotation[run], hands[run, h], s) for s in SHIFTS] for h in range(count)
        ]  # H lists of one for each shift
        spread = np.array([[np.median(distance) for _, distance, _ in row] for row in tried])
        gap = np.array([[_outside(grip, low, high) for grip, _, _ in row] for row in tried])
        error = np.array([[np.median(left) for _, _, left in row] for row in tried])
        along = spread < HOLD_SPREAD
        cost = np.minimum(error + (gap / 0.05) ** 2, 40.0).sum(0) + (SHIFTS / ALONG_SIGMA) ** 2
        best = int(cost.argmin())
        for h in range(count):
            if along[h, best] and gap[h, best] < HOLD_DISTANCE:
                grip, distance, _ = tried[h][best]
                grip_probability[run, h] = 1 / (1 + (distance / (2 * HOLD_SPREAD)) ** 2)
                grips[run, h] = grip
    return grip_probability, grips
