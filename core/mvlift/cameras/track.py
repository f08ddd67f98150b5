"""`CameraTrack`: where a camera was and how it was zoomed, frame by frame, in a world of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mvlift.cameras.distortion import Distortion
from mvlift.errors import CameraError
from mvlift.kinematics import quaternions
from mvlift.kinematics.rotations import nearest_rotation
from mvlift.typing import F64

__all__ = ["OPENGL", "CameraTrack", "Scale", "track_from_poses"]

Scale = Literal["metric", "unknown", "none"]
"""Metres; any unit; or a camera that only turns and zooms, whose place means nothing."""
OPENGL: Final = np.diag([1.0, -1.0, -1.0])
"""Turns camera axes x right, y up, z backward into x right, y down, z forward, and back."""
_RIGID: Final = 0.02
"""Largest entry of R R^T - 1 in a rotation that was written with few digits."""
_LONGEST_GAP: Final = 15
"""Frames without a pose that are bridged."""


@dataclass(frozen=True, eq=False)
class CameraTrack:
    """A camera over time: x_camera = R x_world + t, pixels = K x_camera / depth.

    Attributes:
        frames: (T,) frame numbers in the video, 0-based, ascending.
        R: (T, 3, 3) world to camera; camera x right, y down, z forward.
        t: (T, 3) in the unit that ``scale`` says.
        K: (T, 3, 3) in pixels of a picture of ``image_size``; None where the track says nothing of the lens.
        image_size: (width, height) that K refers to, None for the video's own.
        scale: unit of ``t``.
        up: (3,) against gravity in the track's world, None when unknown.
        fps: of the track, None when unknown.
        source: file or program.
        floor_known: the floor is at height 0 of the track's world (of a level scene).
        distortion: of the lens, None for none; keypoints are undistorted before they are lifted.

    Raises:
        CameraError: a shape or value is outside the above.
    """

    frames: NDArray[np.int64]
    R: F64
    t: F64
    K: F64 | None = None
    image_size: tuple[int, int] | None = None
    scale: Scale = "unknown"
    up: F64 | None = None
    fps: Fraction | None = None
    source: str = ""
    floor_known: bool = False
    distortion: Distortion | None = None

    def __post_init__(self) -> None:
        name = self.source or "the camera track"
        count = len(self.frames)
        R, t = np.asarray(self.R, dtype=np.float64), np.asarray(self.t, dtype=np.float64)
        if not count:
            raise CameraError(f"{name} has no frames.", "Export the solved camera again.")
        if R.shape != (count, 3, 3) or t.shape != (count, 3):
            raise CameraError(
                f"{name}: rotations have shape {R.shape} and places {t.shape}, expected ({count}, 3, 3) and "
                f"({count}, 3).",
                "Give one pose for each frame.",
            )
        if (np.diff(self.frames) <= 0).any():
            raise CameraError(f"{name}: the frame numbers do not ascend.", "Give each frame once, in order.")
        if not (np.isfinite(R).all() and np.isfinite(t).all()):
            bad = int(np.flatnonzero(~(np.isfinite(R).all((1, 2)) & np.isfinite(t).all(1)))[0])
            raise CameraError(
                f"{name}: the pose of frame {self.frames[bad]} is not finite.", "Leave out frames that were not solved."
            )
        object.__setattr__(self, "R", _rigid(R, name))
        object.__setattr__(self, "t", t)
        if self.K is not None:
            object.__setattr__(self, "K", _checked_lens(self.K, count, name))
        if self.up is not None:
            object.__setattr__(self, "up", _unit(self.up, name))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def centres(self) -> F64:
        """(T, 3) where the camera was, in the track's world."""
        return -np.einsum("tba,tb->ta", self.R, self.t)

    def aligned(self, first: int, count: int, fps: Fraction | None = None) -> CameraTrack:
        """The track on every frame of a clip; short gaps are bridged.

        Args:
            first: number of the clip's first frame.
            count: frames of the clip.
            fps: of the clip.

        Raises:
            CameraError: the track is shorter than the clip, has long gaps, or another frame rate.
        """
        name = self.source or "The camera track"
        if self.fps is not None and fps is not None and abs(float(self.fps / fps) - 1) > 0.002:
            raise CameraError(
                f"{name} has {float(self.fps):.5g} frames per second, the clip {float(fps):.5g}.",
                "Solve the camera at the video's own rate.",
            )
        last = first + count - 1
        if self.frames[0] > first or self.frames[-1] < last:
            raise CameraError(
                f"{name} has frames {self.frames[0]} to {self.frames[-1]}, the clip frames {first} to {last}.",
                "Solve the whole clip, choose a frame range inside the track, or give its first frame.",
            )
        wanted = np.arange(first, last + 1)
        after = np.searchsorted(self.frames, wanted)
        gap = self.frames[after] - self.frames[np.maximum(after - 1, 0)]
        missing = self.frames[after] != wanted
        if (missing & (gap > _LONGEST_GAP)).any():
            first_missing = int(wanted[missing & (gap > _LONGEST_GAP)][0])
            raise CameraError(
                f"{name} has no pose about frame {first_missing}.", "Solve it, or choose a range without it."
            )
        if not missing.any():
            return self._chosen(after, wanted)
        return self._interpolated(wanted)

    def _chosen(self, rows: NDArray[np.int64], frames: NDArray[np.int64]) -> CameraTrack:
        K = None if self.K is None else self.K[rows]
        return replace(self, frames=frames, R=self.R[rows], t=self.t[rows], K=K)

    def _interpolated(self, wanted: NDArray[np.int64]) -> CameraTrack:
        at = self.frames.astype(np.float64)
        after = np.clip(np.searchsorted(self.frames, wanted), 1, len(self) - 1)
        share = (wanted - at[after - 1]) / (at[after] - at[after - 1])
        turns = quaternions.from_matrix(self.R)
        R = quaternions.to_matrix(quaternions.slerp(turns[after - 1], turns[after], share))
        centre = np.stack([np.interp(wanted, at, column) for column in self.centres.T], 1)
        K = None
        if self.K is not None:
            flat = self.K.reshape(len(self), 9)
            K = np.stack([np.interp(wanted, at, column) for column in flat.T], 1).reshape(-1, 3, 3)
        return replace(self, frames=wanted, R=R, t=-np.einsum("tab,tb->ta", R, centre), K=K)

    def for_picture(self, image_size: tuple[int, int]) -> CameraTrack:
        """The track with K in the pixels of a picture of another size (the same picture, scaled).

        Raises:
            CameraError: the two pictures have different shapes.
        """
        if self.K is None or self.image_size is None or self.image_size == image_size:
            return replace(self, image_size=image_size)
        size, wanted_size = np.array(self.image_size, dtype=np.float64), np.array(image_size, dtype=np.float64)
        factor = wanted_size / size
        if abs(factor[0] / factor[1] - 1) > 0.02:
            raise CameraError(
                f"{self.source or 'The camera track'} is of a picture of {self.image_size[0]}x{self.image_size[1]}, "
                f"the clip of {image_size[0]}x{image_size[1]}.",
                "Solve the camera from the same video.",
            )
        K = self.K.copy()
        K[:, 0] *= factor[0]
        K[:, 1] *= factor[1]
        return replace(self, K=K, image_size=image_size)


def _rigid(R: F64, name: str) -> F64:
    """Nearest rotations (T, 3, 3).

    Raises:
        CameraError: some are scaled, sheared or mirrored.
    """
    length = np.linalg.norm(R, axis=-1)
    if (length < 1e-6).any():
        raise CameraError(f"{name}: a pose has scale 0.", "Export the camera's rotation without its scale.")
    off = np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    if (off > _RIGID).any():
        worst = int(off.argmax())
        raise CameraError(
            f"{name}: the matrix of row {worst} is not a rotation (rows of length "
            f"{', '.join(f'{v:.3g}' for v in length[worst])}).",
            "Export the camera's rotation and place, without scale or shear.",
        )
    if (np.linalg.det(R) < 0).any():
        raise CameraError(
            f"{name}: the axes are mirrored (determinant -1).",
            "Export with right-handed axes: x right, y down, z forward, or x right, y up, z backward.",
        )
    return nearest_rotation(R)


def _checked_lens(K: F64, count: int, name: str) -> F64:
    K = np.asarray(K, dtype=np.float64)
    K = np.broadcast_to(K, (count, 3, 3)).copy() if K.shape == (3, 3) else K
    if K.shape != (count, 3, 3):
        raise CameraError(f"{name}: K has shape {K.shape}, expected ({count}, 3, 3).", "Give one lens for each frame.")
    focal = K[:, [0, 1], [0, 1]]
    if not (np.isfinite(K).all() and (focal > 0).all()):
        raise CameraError(f"{name}: a focal length is not a positive number.", "Give focal lengths in pixels.")
    return K


def _unit(up: F64, name: str) -> F64:
    up = np.asarray(up, dtype=np.float64).reshape(-1)
    length = float(np.linalg.norm(up)) if up.shape == (3,) else 0.0
    if not np.isfinite(length) or length < 1e-9:
        raise CameraError(f"{name}: up is not a direction.", "Give three numbers, such as 0 0 1.")
    return up / length


def track_from_poses(
    frames: NDArray[np.int64],
    poses: F64,
    *,
    camera_to_world: bool,
    opengl: bool,
    K: F64 | None = None,
    image_size: tuple[int, int] | None = None,
    scale: Scale = "unknown",
    up: F64 | None = None,
    fps: Fraction | None = None,
    source: str = "",
) -> CameraTrack:
    """A track from matrices of any of the four usual conventions.

    Args:
        frames: (T,) frame numbers.
        poses: (T, 3, 4) or (T, 4, 4).
        camera_to_world: the matrices take points of the camera into the world; else the other way round.
        opengl: the camera's axes are x right, y up, z backward; else x right, y down, z forward.
        K, image_size, scale, up, fps, source: see `CameraTrack`.

    Raises:
        CameraError: the matrices are none, or no rigid motions.
    """
    poses = np.asarray(poses, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] not in ((3, 4), (4, 4)):
        raise CameraError(f"{source}: poses have shape {poses.shape}, expected (frames, 4, 4).", "Export 4x4 matrices.")
    R, t = poses[:, :3, :3], poses[:, :3, 3]
    if camera_to_world:
        finite = np.isfinite(R).all()
        rotation = R @ OPENGL if opengl else R
        # checked before it is inverted: the transpose of a scaled matrix is no inverse
        rotation = _rigid(rotation, source) if finite else rotation
        R = rotation.transpose(0, 2, 1)
        t = -np.einsum("tab,tb->ta", R, t)
    elif opengl:
        R, t = OPENGL @ R, t @ OPENGL
    return CameraTrack(frames, R, t, K, image_size, scale, up, fps, source)
