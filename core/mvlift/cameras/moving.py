"""A camera track as a lift uses it: seen from one fixed set of axes, in which the person moves and the camera too.

The *scene axes* are the mean of the camera's own axes over the clip (x right, y down, z forward), with the origin at
the first place of the camera. In them a keypoint is a ray, so pans, rolls and zooms vanish exactly; what is left of the
camera is its path, whose unit may be unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mvlift.cameras.steady import steady_path
from mvlift.cameras.track import CameraTrack, Scale
from mvlift.kinematics.rotations import mean_rotation
from mvlift.typing import F64

__all__ = ["MovingView", "angles_of", "moving_view", "rays_of_angles"]


@dataclass(frozen=True, eq=False)
class MovingView:
    """A camera that moves, in scene axes: x_camera = R (x - size * centre).

    Attributes:
        K: (T, 3, 3) of each frame, pixels.
        reference: (3, 3) the lens that keypoints are brought to, so that zooming vanishes.
        R: (T, 3, 3) scene axes to camera.
        centre: (T, 3) of the camera in the track's unit.
        size: metres in that unit.
        scale: whether the unit is metres, unknown, or the centre means nothing.
        up: (3,) against gravity in scene axes, None when unknown.
        to_world: (3, 3) scene axes to the track's world.
        origin: (3,) of the scene axes in the track's world and unit.
        floor_known: the track's world has its floor at height 0.
    """

    K: F64
    reference: F64
    R: F64
    centre: F64
    size: float
    scale: Scale
    up: F64 | None
    to_world: F64
    origin: F64
    floor_known: bool = False

    def __len__(self) -> int:
        return len(self.R)

    @property
    def path(self) -> F64:
        """(T, 3) of the camera, metres."""
        return self.size * self.centre

    @property
    def travels(self) -> bool:
        """Whether the camera's place changes and means something."""
        return self.scale != "none" and bool(np.ptp(self.centre, axis=0).max() > 1e-9)

    @property
    def path_size_unknown(self) -> bool:
        """Whether it travels by a path of unknown unit, which is not taken to be one point."""
        return self.scale == "unknown" and self.travels and self.size > 0

    def rescaled(self, size: float) -> MovingView:
        """The same with another unit."""
        return replace(self, size=size)

    def rows(self, rows: slice) -> MovingView:
        """Some of its frames."""
        return replace(self, K=self.K[rows], R=self.R[rows], centre=self.centre[rows])

    def to_camera(self, points: F64) -> F64:
        """(T, ..., 3) points of the scene, metres, in the camera's axes."""
        frames = len(points)
        path = self.path.reshape(frames, *[1] * (points.ndim - 2), 3)
        return np.einsum("tab,t...b->t...a", self.R, points - path)

    def from_camera(self, points: F64) -> F64:
        """Inverse of ``to_camera``."""
        path = self.path.reshape(len(points), *[1] * (points.ndim - 2), 3)
        return np.einsum("tba,t...b->t...a", self.R, points) + path

    def without_zoom(self, pixels: F64) -> F64:
        """(T, N, 2) pixels as the reference lens would have them."""
        return _through(self.reference[None], self.K, pixels)

    def with_zoom(self, pixels: F64) -> F64:
        """Inverse of ``without_zoom``."""
        return _through(self.K, self.reference[None], pixels)

    def rays(self, pixels: F64) -> F64:
        """(T, N, 3) directions in scene axes of pixels of the reference lens."""
        focal, centre = self.reference[[0, 1], [0, 1]], self.reference[:2, 2]
        local = np.concatenate([(pixels - centre) / focal, np.ones((*pixels.shape[:-1], 1))], -1)
        return np.einsum("tba,tnb->tna", self.R, local)

    def pixels_of_rays(self, rays: F64) -> F64:
        """Inverse of ``rays``, for directions in front of the camera."""
        local = np.einsum("tab,tnb->tna", self.R, rays)
        focal, centre = self.reference[[0, 1], [0, 1]], self.reference[:2, 2]
        return np.asarray(focal * local[..., :2] / np.maximum(local[..., 2:], 0.05) + centre)


def _through(to: F64, of: F64, pixels: F64) -> F64:
    """Pixels of lenses ``of`` (T or 1, 3, 3) as lenses ``to`` have them."""
    focal_to, focal_of = to[:, None, [0, 1], [0, 1]], of[:, None, [0, 1], [0, 1]]
    return np.asarray((pixels - of[:, None, :2, 2]) * focal_to / focal_of + to[:, None, :2, 2])


def angles_of(rays: F64) -> F64:
    """(..., 2) azimuth and elevation of directions (..., 3): x right of z, y down; radians."""
    return np.stack([np.arctan2(rays[..., 0], rays[..., 2]),
                     np.arctan2(rays[..., 1], np.hypot(rays[..., 0], rays[..., 2]))], -1)  # fmt: skip


def rays_of_angles(angles: F64) -> F64:
    """(..., 3) unit directions; inverse of ``angles_of``."""
    azimuth, elevation = angles[..., 0], angles[..., 1]
    return np.stack(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], -1
    )  # fmt: skip


def moving_view(track: CameraTrack, default: F64) -> MovingView:
    """A track on a clip's frames in scene axes.

    Args:
        track: aligned with the clip, in its picture's size.
        default: (3, 3) lens where the track knows none.
    """
    frames = len(track)
    K = np.broadcast_to(default, (frames, 3, 3)).copy() if track.K is None else track.K
    reference = np.median(K, axis=0)
    mean = mean_rotation(track.R)
    centres = np.zeros((frames, 3)) if track.scale == "none" else track.centres
    if track.scale == "unknown":
        centres = steady_path(centres)
    origin = centres[0]
    return MovingView(
        K=K,
        reference=reference,
        R=track.R @ mean.T,
        centre=(centres - origin) @ mean.T,
        size=1.0,
        scale=track.scale,
        up=None if track.up is None else mean @ track.up,
        to_world=mean.T,
        origin=origin,
        floor_known=track.floor_known,
    )
