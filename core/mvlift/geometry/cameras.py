"""Pinhole cameras, batched: intrinsics in square pixels, poses looking at a point, rings round the origin.

World: z up, metres. Camera: x right, y down, z forward. x_camera = R x_world + t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["PinholeCameras", "camera_ring", "look_at"]


@dataclass(frozen=True)
class PinholeCameras:
    """A batch of cameras.

    Attributes:
        K: (..., 3, 3) intrinsics in pixels; square pixels, no skew.
        R: (..., 3, 3) world to camera.
        t: (..., 3) metres.
    """

    K: Tensor
    R: Tensor
    t: Tensor

    @property
    def centre(self) -> Tensor:
        """(..., 3) positions in the world."""
        return -(self.R.transpose(-1, -2) @ self.t[..., None])[..., 0]

    @property
    def matrix(self) -> Tensor:
        """(..., 3, 4) projection matrices P = K [R | t]."""
        return self.K @ torch.cat([self.R, self.t[..., None]], -1)

    def to_camera(self, points: Tensor) -> Tensor:
        """(..., N, 3) world points (..., N, 3) in camera axes."""
        return points @ self.R.transpose(-1, -2) + self.t[..., None, :]

    def project(self, points: Tensor) -> Tensor:
        """(..., N, 2) pixels of world points (..., N, 3); NaN behind the camera."""
        camera = self.to_camera(points)
        image = camera @ self.K.transpose(-1, -2)
        depth = torch.where(image[..., 2:] > 1e-6, image[..., 2:], torch.full_like(image[..., 2:], math.nan))
        return image[..., :2] / depth


def look_at(centre: Tensor, target: Tensor, roll: float = 0.0) -> tuple[Tensor, Tensor]:
    """Rotation (..., 3, 3) and translation (..., 3) of cameras at ``centre`` (..., 3) that look at ``target`` (..., 3).

    Args:
        centre: positions, metres.
        target: what the middle of the picture shows; not straight above or below.
        roll: radians by which the picture turns clockwise.
    """
    forward = torch.nn.functional.normalize(target - centre, dim=-1)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=centre.dtype, device=centre.device).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    c, s = math.cos(roll), math.sin(roll)
    rotation = torch.stack([c * right + s * down, c * down - s * right, forward], -2)
    return rotation, -(rotation @ centre[..., None])[..., 0]


def camera_ring(
    azimuths: Tensor, radius: float, elevation: float, focal: float, image_size: tuple[int, int], height: float = 0.0
) -> PinholeCameras:
    """Cameras on a circle that look at the point at ``height`` above the origin.

    Args:
        azimuths: (V,) radians; 0 looks along +y, growing counter-clockwise seen from above.
        radius: metres.
        elevation: radians above the horizontal.
        focal: pixels.
        image_size: (width, height); any aspect, the pixels are square.
        height: metres.
    """
    level = radius * math.cos(elevation)
    target = torch.zeros(len(azimuths), 3, dtype=azimuths.dtype, device=azimuths.device)
    target[:, 2] = height
    up = torch.full_like(azimuths, radius * math.sin(elevation) + height)
    centre = torch.stack([level * azimuths.sin(), -level * azimuths.cos(), up], -1)
    rotation, translation = look_at(centre, target)
    K = torch.tensor(
        [[focal, 0, image_size[0] / 2], [0, focal, image_size[1] / 2], [0, 0, 1]],
        dtype=azimuths.dtype,
        device=azimuths.device,
    )
    return PinholeCameras(K.expand(len(azimuths), 3, 3), rotation, translation)
