"""Lens distortion: keypoints as a lens without it would have them.

Coordinates are (x, y) = (pixel - principal point) / focal length, r their distance from 0.

* ``polynomial`` (Brown and Conrady; OpenCV, COLMAP, Blender): distorted = x (1 + k1 r^2 + k2 r^4 + ...), and a
  tangential part.
* ``division`` (Fitzgibbon 2001; Blender): undistorted = distorted / (1 + k1 r^2 + k2 r^4), r of the distorted point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mvlift.errors import CameraError
from mvlift.typing import F64

__all__ = ["Distortion"]

ROUNDS: Final = 50
_STRONGEST: Final = 0.2
"""Least share of its radius that a point keeps; a lens that bends more is given in another unit."""


@dataclass(frozen=True)
class Distortion:
    """How a lens bends the picture.

    Attributes:
        model: see above.
        radial: k1, k2, ...
        tangential: p1 and p2 of the polynomial model, y down.
    """

    model: Literal["polynomial", "division"]
    radial: tuple[float, ...]
    tangential: tuple[float, float] = (0.0, 0.0)

    def distorted(self, points: F64) -> F64:
        """(..., 2) where an ideal point appears; of the polynomial model.

        Raises:
            CameraError: the model has no such direction in closed form.
        """
        if self.model != "polynomial":
            raise CameraError("The division model is only given for undistorting.", "Use the polynomial model.")
        x, y = points[..., 0], points[..., 1]
        square = x**2 + y**2
        p1, p2 = self.tangential
        aside = np.stack([2 * p1 * x * y + p2 * (square + 2 * x**2), p1 * (square + 2 * y**2) + 2 * p2 * x * y], -1)
        return np.asarray(points * self._factor(square)[..., None] + aside)

    def _factor(self, square: F64) -> F64:
        total = np.ones_like(square)
        for power, k in enumerate(self.radial, 1):
            total = total + k * square**power
        return total

    def undistort(self, pixels: F64, K: F64) -> F64:
        """(T, N, 2) pixels of a lens without distortion.

        Args:
            pixels: (T, N, 2) of the video.
            K: (T, 3, 3) intrinsics.

        Raises:
            CameraError: the coefficients cannot be those of this picture.
        """
        focal, centre = K[:, None, [0, 1], [0, 1]], K[:, None, :2, 2]
        seen = (pixels - centre) / focal
        if self.model == "division":
            factor = self._factor((seen**2).sum(-1))
            if factor.min() < _STRONGEST:
                raise CameraError("The lens distortion is too strong for this picture.", "Solve the lens again.")
            return np.asarray(seen / factor[..., None] * focal + centre)
        ideal = seen
        for _ in range(ROUNDS):
            factor = self._factor((ideal**2).sum(-1))[..., None]
            ideal = (seen - (self.distorted(ideal) - ideal * factor)) / np.maximum(factor, _STRONGEST)
        if not np.allclose(self.distorted(ideal), seen, atol=1e-4):
            raise CameraError("The lens distortion is too strong for this picture.", "Solve the lens again.")
        return np.asarray(ideal * focal + centre)
