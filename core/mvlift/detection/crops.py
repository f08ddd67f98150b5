"""Turned square crops of a picture, and points in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvlift.typing import F32, F64

__all__ = ["Crop", "letterbox", "sample"]

U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Crop:
    """A square in a picture.

    Attributes:
        x, y: its middle, pixels.
        size: its side, pixels.
        angle: radians, by which its x axis is turned from the picture's towards the picture's y axis (down).
    """

    x: float
    y: float
    size: float
    angle: float = 0.0

    @property
    def axes(self) -> F64:
        """(2, 2) rows: the crop's x and y directions in the picture, unit length."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, s], [-s, c]])

    def to_picture(self, points: F64) -> F64:
        """(..., 2) points of the picture from points in [0, 1] x [0, 1] of the crop."""
        return np.asarray((points - 0.5) * self.size @ self.axes + [self.x, self.y])

    def scaled(self, factor: float) -> Crop:
        """The same square in a picture that is larger by a factor."""
        return Crop(self.x * factor, self.y * factor, self.size * factor, self.angle)

    def as_array(self) -> F64:
        """(4,) x, y, size, angle."""
        return np.array([self.x, self.y, self.size, self.angle])

    @classmethod
    def between(cls, start: F64, end: F64, factor: float) -> Crop:
        """The square round ``start`` whose top is in the direction of ``end``.

        Args:
            start: (2,) middle.
            end: (2,) point on a circle round it.
            factor: side of the square in diameters of that circle.
        """
        dx, dy = end - start
        return cls(float(start[0]), float(start[1]), 2 * factor * float(np.hypot(dx, dy)), float(np.arctan2(dx, -dy)))


def letterbox(width: int, height: int) -> Crop:
    """The least upright square that holds a whole picture."""
    return Crop(width / 2, height / 2, max(width, height))


def sample(image: U8, crop: Crop, side: int, outside_black: bool = False) -> F32:
    """A crop (side, side, 3) in [0, 1], bilinear.

    Args:
        image: (H, W, 4).
        crop: of the picture.
        side: pixels of the result.
        outside_black: outside of the picture is black; else its border is repeated.
    """
    height, width = image.shape[:2]
    step = (np.arange(side) + 0.5) / side - 0.5
    (ax, ay), (bx, by) = crop.axes * crop.size
    x = (crop.x - 0.5 + step[None] * ax + step[:, None] * bx).astype(np.float32)  # (side, side)
    y = (crop.y - 0.5 + step[None] * ay + step[:, None] * by).astype(np.float32)
    left, top = np.floor(x), np.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    x0, y0 = left.astype(np.int32), top.astype(np.int32)
    x1, y1 = (np.clip(v + 1, 0, n - 1) for v, n in ((x0, width), (y0, height)))
    row0, row1 = np.clip(y0, 0, height - 1) * width, y1 * width
    column = np.clip(x0, 0, width - 1)
    # the four bytes of a pixel are fetched at once
    flat = np.ascontiguousarray(image).view(np.uint32).reshape(-1)

    def fetched(index: NDArray[np.int32]) -> F32:
        return flat[index].view(np.uint8).reshape(side, side, 4)[..., :3].astype(np.float32)

    upper = fetched(row0 + column)
    upper += (fetched(row0 + x1) - upper) * fx
    lower = fetched(row1 + column)
    lower += (fetched(row1 + x1) - lower) * fx
    upper += (lower - upper) * fy
    upper *= np.float32(1 / 255)
    if outside_black:
        upper[(x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)] = 0
    return upper
