"""What a lift returns: a body's motion in the world, with the camera that reproduces the video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from mvlift.kinematics.quaternions import from_matrix, multiply
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F32, F64

__all__ = ["Camera", "LiftedMotion", "ObjectMotion"]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera: x_camera = R x_world + t, pixels = K x_camera / depth.

    A camera that moves has one K, R and t for each frame, (T, 3, 3), (T, 3, 3) and (T, 3).

    Attributes:
        K: (3, 3) or (T, 3, 3) intrinsics in pixels, square pixels, no skew.
        R: (3, 3) or (T, 3, 3) world to camera; camera x right, y down, z forward; world z up.
        t: (3,) or (T, 3) metres.
        image_size: (width, height) in pixels.
    """

    K: F32
    R: F32
    t: F32
    image_size: tuple[int, int]

    @property
    def moves(self) -> bool:
        """Whether it has a pose or a lens of its own in each frame."""
        return self.K.ndim == 3 or self.R.ndim == 3 or self.t.ndim == 2

    def to_camera(self, points: F32) -> F32:
        """World points (..., 3) in camera axes; (T, ..., 3) of a camera that moves."""
        if self.R.ndim == 2 and self.t.ndim == 1:
            return np.asarray(points @ self.R.T + self.t)
        frames = len(points)
        R, t = np.broadcast_to(self.R, (frames, 3, 3)), np.broadcast_to(self.t, (frames, 3))
        return np.asarray(np.einsum("tab,t...b->t...a", R, points) + t.reshape(frames, *[1] * (points.ndim - 2), 3))

    def project(self, points: F32) -> F32:
        """World points (..., 3) in metres to (..., 2) pixels; (T, ..., 3) of a camera that moves."""
        camera = self.to_camera(points)
        pixels = camera @ self.K.T if self.K.ndim == 2 else np.einsum("tab,t...b->t...a", self.K, camera)
        return np.asarray(pixels[..., :2] / np.maximum(pixels[..., 2:], 1e-6), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class ObjectMotion:
    """A rigid object's path.

    Attributes:
        name: what the user calls it.
        position: (T, 3) metres, of the object's origin.
        rotation: (T, 4) unit quaternions, w x y z, signs continuous.
        size: (3,) metres.
        points: (P, 3) its keypoints in its own frame, metres.
        point_names: (P,) their names.
    """

    name: str
    position: F32
    rotation: F32
    size: F32
    points: F32
    point_names: tuple[str, ...]

    def transformed(self, rotation: F64, translation: F64) -> ObjectMotion:
        """Moved as a rigid whole, X' = A X + b, for a rotation (3, 3) and a translation (3,) in metres."""
        turned = multiply(from_matrix(np.asarray(rotation, np.float64)), np.asarray(self.rotation, np.float64))
        place = np.asarray(self.position, np.float64) @ rotation.T + translation
        return replace(self, position=place.astype(np.float32), rotation=turned.astype(np.float32))


@dataclass(frozen=True, eq=False)
class LiftedMotion:
    """3D motion in a z-up world, metres, floor at z = 0.

    Attributes:
        body: kind of body ("smpl", "smal").
        joint_names: (J,) names of the body's joints, root first.
        parents: (J,) parent of each joint, -1 for the root.
        rest_joints: (J, 3) joint positions of the fitted, unposed body in its own frame (SMPL: x left, y up, z front).
        betas: (B,) shape coefficients of the body model.
        translation: (T, 3) AMASS/SMPL ``trans``: the root joint's world position minus its rest position.
        rotations: (T, J, 3) axis-angle of each joint relative to its parent; the root's is relative to the world.
        keypoints: (T, K, 3) the lifted keypoints, world.
        keypoint_names: (K,).
        keypoint_confidence: (T, K) in [0, 1], falls with the expected error of each 3D keypoint; 0 where none was seen.
        reprojection_error: (T, K) pixels between the lifted and the given 2D keypoint, NaN where none was given.
        contacts: (T, C) probability that a part rests on the floor or on something that does not move.
        contact_names: (C,) names of the parts that may rest: keypoints, "pelvis" (the seat) and "chest".
        camera: reproduces the video.
        fps: exact frame rate.
        first_frame: number in the video of row 0.
        objects: objects that move with the person.
        gender: of the body model ("neutral" for the default body).
        joint_confidence: (T, J) in [0, 1]: how far each joint's rotation rests on what was seen; None: not known.
        metadata: provenance (model versions, seed, preset, source, assumptions), values that JSON can hold.
    """

    body: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    rest_joints: F32
    betas: F32
    translation: F32
    rotations: F32
    keypoints: F32
    keypoint_names: tuple[str, ...]
    keypoint_confidence: F32
    reprojection_error: F32
    contacts: F32
    contact_names: tuple[str, ...]
    camera: Camera
    fps: Fraction
    first_frame: int = 0
    objects: tuple[ObjectMotion, ...] = ()
    gender: str = "neutral"
    joint_confidence: F32 | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.translation.shape[0])

    def transformed(self, rotation: F64, translation: F64) -> LiftedMotion:
        """The motion moved as a rigid whole, X' = A X + b, with its objects and its camera: the picture stays the same.

        Args:
            rotation: (3, 3) A.
            translation: (3,) b, metres.
        """
        A, b = np.asarray(rotation, np.float64), np.asarray(translation, np.float64)
        root = self.parents.index(-1)
        rest = np.asarray(self.rest_joints[root], np.float64)
        turned = np.asarray(self.rotations, np.float64).copy()
        turned[:, root] = log_map(A @ exp_map(turned[:, root]))
        R = self.camera.R @ A.T
        return replace(
            self,
            translation=((self.translation + rest) @ A.T + b - rest).astype(np.float32),
            rotations=turned.astype(np.float32),
            keypoints=(self.keypoints @ A.T + b).astype(np.float32),
            camera=replace(self.camera, R=R.astype(np.float32), t=(self.camera.t - R @ b).astype(np.float32)),
            objects=tuple(o.transformed(A, b) for o in self.objects),
        )

    def scaled(self, factor: float) -> LiftedMotion:
        """Everything that is a length, times a factor: the same picture from so much further away."""

        def times(values: F32) -> F32:
            return np.asarray(values * np.float32(factor), np.float32)

        objects = [
            replace(o, position=times(o.position), size=times(o.size), points=times(o.points)) for o in self.objects
        ]
        return replace(
            self,
            objects=tuple(objects),
            rest_joints=times(self.rest_joints),
            translation=times(self.translation),
            keypoints=times(self.keypoints),
            camera=replace(self.camera, t=times(self.camera.t)),
        )

    def with_camera(self, camera: Camera) -> LiftedMotion:
        """The same motion seen by another camera; each reprojection error grows by the way that its keypoint moves."""
        shift = camera.project(self.keypoints) - self.camera.project(self.keypoints)
        error = np.hypot(self.reprojection_error, np.linalg.norm(shift, axis=-1))
        return replace(self, camera=camera, reprojection_error=error.astype(np.float32))

    def save(self, path: str | Path) -> Path:
        """Write the motion as ``.npz`` (AMASS keys and all else) or ``.bvh``; see `mvlift.motion_files`.

        Raises:
            MotionFileError: it cannot be written so.
        """
        from mvlift.motion_files import save_motion

        return save_motion(self, path)

    @staticmethod
    def load(path: str | Path) -> LiftedMotion:
        """Read what ``save`` wrote as npz.

        Raises:
            MotionFileError: it is not such a file.
        """
        from mvlift.motion_files import load_motion

        return load_motion(path)
