"""What a lift returns: a body's motion in the world, with the camera that reproduces the video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from mvlift.typing import F32

__all__ = ["Camera", "LiftedMotion", "ObjectMotion"]


@dataclass(frozen=True, eq=False)
class Camera:
    """A static pinhole camera: x_camera = R x_world + t, pixels = K x_camera / depth.

    Attributes:
        K: (3, 3) intrinsics in pixels, square pixels, no skew.
        R: (3, 3) world to camera; camera x right, y down, z forward; world z up.
        t: (3,) metres.
        image_size: (width, height) in pixels.
    """

    K: F32
    R: F32
    t: F32
    image_size: tuple[int, int]

    def project(self, points: F32) -> F32:
        """(..., 3) world points in metres to (..., 2) pixels."""
        camera = points @ self.R.T + self.t
        pixels = camera @ self.K.T
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
        keypoint_confidence: (T, K) in [0, 1]: how far each 3D keypoint rests on what was seen.
        reprojection_error: (T, K) pixels between the lifted and the given 2D keypoint, NaN where none was given.
        contacts: (T, C) probability that a contact joint rests on the floor or on something that does not move.
        contact_names: (C,) keypoint names of the contact joints.
        camera: reproduces the video.
        fps: exact frame rate.
        first_frame: number in the video of row 0.
        objects: objects that move with the person.
        gender: of the body model ("neutral" for the default body).
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
    metadata: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.translation.shape[0])

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
