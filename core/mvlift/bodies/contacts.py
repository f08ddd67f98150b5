"""Which keypoints rest on the floor, and where the floor is."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import expit, gaussian_filter1d, minimum_filter1d
from mvlift.typing import F64

__all__ = ["contact_probability", "floor_height", "level_up", "point_speed", "resting", "standing"]

SPEED: Final = 0.45
"""Metres a second at which a point is as likely moving as resting: lifted feet tremble."""
SPEED_WIDTH: Final = 0.12
HEIGHT: Final = 0.15
"""Metres above the floor, likewise."""
HEIGHT_WIDTH: Final = 0.05
LEVEL: Final = 0.1
"""Metres from one level that resting points seem to be: soles roll, depth is uncertain."""
LOWEST: Final = 0.1
"""Metres that a frame's lowest foot may be above the floor."""
BALANCE: Final = 0.09
"""Radians by which a clip's mean of soles to centre of mass is off the vertical; measured: 3 to 7 degrees."""
UNBALANCED: Final = 0.25
SLOPE: Final = 0.25
"""Radians between the plane of what rests and everything else that is known of gravity, from which on the ground is
taken to slope, or to be stairs."""
STEPS: Final = 2.0
"""Seconds over which steps and sways cancel."""
MAX_LEVEL: Final = 0.4
"""Radians that the floor may change the up direction."""


TILT_SHARES: Final = np.array([0.4, 2.0])
"""Standard deviations of a first guess of the up direction sideways (roll) and forwards (elevation), as shares of its
sigma: cameras have little roll, but any elevation, for which a lift's guess is biased to the usual one."""


def floor_height(height: F64) -> float:
    """Height of the floor under contact points (T, C): the low end of each frame's lowest point."""
    return float(np.percentile(height.min(1), 10))


def contact_probability(
    points: F64,
    up: F64,
    floor: float | F64,
    fps: float,
    height_limit: float | F64 = HEIGHT,
    speed: F64 | None = None,
) -> F64:
    """(T, C) probability that each point rests on the floor, from its speed and height.

    Args:
        points: (T, C, 3) metres.
        up: (3,) unit vector.
        floor: height of the floor along ``up``, one for all, (T, 1) or (T, C).
        fps: frames a second.
        height_limit: metres above the floor at which a point is as likely to rest as not, one for all, (C,) or (T, C).
        speed: (T, C) metres a second where it is known better than from the points.
    """
    speed = point_speed(points, fps) if speed is None else speed
    height = points @ up - floor
    fast, high = (speed - SPEED) / SPEED_WIDTH, (np.abs(height) - height_limit) / HEIGHT_WIDTH
    return np.asarray(expit(-fast) * expit(-high))


def point_speed(points: F64, fps: float) -> F64:
    """(T, C) metres a second of points (T, C, 3): the faster of the steps before and after, smoothed over a frame."""
    speed = np.zeros(points.shape[:2])
    if len(points) > 1:
        moved = np.linalg.norm(np.diff(points, axis=0), axis=-1) * fps
        speed[:-1] = moved
        speed[1:] = np.maximum(speed[1:], moved)
    return gaussian_filter1d(speed, fps / 30, reflect=True)


def resting(points: F64, up: F64, fps: float, speed: F64 | None = None) -> F64:
    """(T, C) probability that a point rests on the ground under it, wherever that is.

    Like ``contact_probability``, but heights count from the lowest point of the seconds around, so that a floor which
    still seems to slope does not hide its contacts.
    """
    lowest = minimum_filter1d((points @ up).min(1), 2 * round(0.6 * fps) + 1)
    return contact_probability(points, up, lowest[:, None], fps, speed=speed)


def standing(joints: F64, skeleton: BodySkeleton, kinematic_model: KinematicModel) -> F64 | None:
    """(3,) metres from the soles to the centre of mass, mean over the joints' (T, J, 3) poses; None without masses."""
    if not (kinematic_model.masses and kinematic_model.soles):
        return None
    share = np.array([kinematic_model.masses.get(name, 0.0) for name in skeleton.joint_names])
    soles = [skeleton.joint_names.index(name) for name in kinematic_model.soles]
    mean = joints.mean(0)
    return np.asarray(share @ mean / share.sum() - mean[soles].mean(0))


LEVEL_CAMERA: Final = 0.01
"""Radians by which a camera's roll changes while it turns,"""
LEANING_AXIS: Final = 0.03
"""and by which the axis that it turns about leans."""


def turns_about(right: F64, up: F64, axes: F64) -> tuple[F64, F64]:
    """What a camera that turns tells of gravity: its x axis is level in every frame, so it spans the level plane.

    A roll that is the same in all frames says nothing here.

    Args:
        right: (T, 3) the camera's x axis in each frame.
        up: (3,) first guess of the direction against gravity.
        axes: (3, 2) directions into which it turns.

    Returns:
        The turn (2,) that makes all x axes level, and its precision (2, 2).
    """
    apart = right - right.mean(0)
    value, vector = np.linalg.eigh(axes.T @ apart.T @ apart @ axes / len(right))
    precision = np.maximum(value, 0) / LEVEL_CAMERA**2
    turn, *_ = np.linalg.lstsq(apart @ axes, -apart @ up, rcond=1e-3)
    return turn, np.asarray((vector * (precision / (1 + precision * LEANING_AXIS**2))) @ vector.T)


def _balance(standing: F64 | None, up: F64, axes: F64, seconds: float) -> tuple[F64, float]:
    """Turn (2,) of ``up`` that puts the body over its soles, and its weight: none for a sitting, lying or hanging
    person."""
    if standing is None or standing @ up < 0.5 * np.linalg.norm(standing):
        return np.zeros(2), 0.0
    turn = standing @ axes / np.linalg.norm(standing)
    squared_angle = float(turn @ turn) / UNBALANCED**2
    return turn, min(seconds / STEPS, 1.0) / BALANCE**2 / (1 + squared_angle) ** 2


def level_up(
    points: F64,
    contact: F64,
    up: F64,
    sigma: float,
    fps: float,
    standing: F64 | None = None,
    right: F64 | None = None,
) -> F64:
    """The up direction for which the resting points lie in one level plane.

    Weighted least squares on a turn of ``up``, held by a Gaussian prior; contacts at a single place do not
    determine it and change nothing. The lowest point of each frame counts a little too: a runner hardly has contacts,
    but stays near the floor.

    Args:
        points: (T, C, 3) metres.
        contact: (T, C) probabilities.
        up: (3,) first guess.
        sigma: standard deviation of the guess, radians; sideways and forwards by ``TILT_SHARES`` of it.
        fps: frames per second.
        standing: (3,) metres from the soles to the centre of mass, mean over the clip; in balance it is parallel to
            ``up``.
        right: (T, 3) the x axis of a camera that turns, see ``turns_about``; None of a still one.

    Returns:
        (3,) unit vector.
    """
    lowest = np.eye(points.shape[1])[(points @ up).argmin(1)]
    weight = (contact**2 + (LEVEL / LOWEST) ** 2 * lowest).reshape(-1)
    total = weight.sum()
    if total < 1e-3:
        return up
    flat = points.reshape(-1, 3)
    centred = flat - (weight[:, None] * flat).sum(0) / total
    side = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(up, side)], 1)  # (3, 2) turns of up
    seconds = max(len(points) / fps, 0.3)  # the frames of one step are one observation
    scale = seconds / len(points) / LEVEL**2
    a = centred @ axes
    over, sure = _balance(standing, up, axes, len(points) / fps)
    known, wanted = np.diag(1 / (TILT_SHARES * sigma) ** 2 + sure), sure * over
    if right is not None:
        level_turn, precision = turns_about(right, up, axes)
        known, wanted = known + precision, wanted + precision @ level_turn
    footing, slope = scale * (a.T @ (a * weight[:, None])), -scale * (a.T @ (weight * (centred @ up)))
    apart = np.linalg.lstsq(footing, slope, rcond=1e-6)[0] - np.linalg.solve(known, wanted)
    level = 1 / (1 + float(apart @ apart) / SLOPE**2) ** 2  # whoever climbs stairs rests on a slope
    turn = np.linalg.solve(level * footing + known, wanted + level * slope)
    moved = up + axes @ np.clip(turn, -MAX_LEVEL, MAX_LEVEL)
    return np.asarray(moved / np.linalg.norm(moved))
