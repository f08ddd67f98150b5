"""One static random camera over a scene: the 2D data that stage 1 learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mvlift.typing import F64

__all__ = ["View", "filmed"]


@dataclass(frozen=True, eq=False)
class View:
    """What a camera sees.

    Attributes:
        pixels: (T, P, 2), NaN outside the picture.
        image_size: (width, height).
    """

    pixels: F64
    image_size: tuple[int, int]


def filmed(rng: np.random.Generator, points: F64) -> View:
    """Points (T, P, 3), z up, through a camera far enough away to see nearly all of them.

    Elevation -5 to 20 degrees, a little roll, focal length 0.7 to 1.6 times the longer side, landscape or portrait.
    """
    size = (1280, 720) if rng.random() < 0.65 else (720, 1280)
    focal = rng.uniform(0.7, 1.6) * max(size)
    azimuth, elevation, roll = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-5, 20)), np.radians(2 * rng.normal())
    forward = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), -np.sin(elevation)])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    axes = np.stack([c * right + s * down, c * down - s * right, forward])
    local = (points - 0.5 * (points.min((0, 1)) + points.max((0, 1)))) @ axes.T
    half = np.abs(local).max((0, 1))
    distance = max(half[0] * 2 * focal / size[0], half[1] * 2 * focal / size[1]) * rng.uniform(1.05, 1.5) + half[2]
    depth = np.maximum(local[..., 2:] + max(distance, 2.0 + half[2]), 0.2)
    pixels = focal * local[..., :2] / depth + np.array(size) / 2
    outside = ((pixels < 0) | (pixels > np.array(size))).any(-1)
    return View(np.where(outside[..., None], np.nan, pixels), size)
