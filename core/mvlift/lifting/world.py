"""From the camera's axes to the world: z up, metres, floor at z = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.kinematics.rotations import log_map
from mvlift.lifting.keypoint_confidence import expected_error, keypoint_confidence
from mvlift.motion import Camera, LiftedMotion
from mvlift.typing import F64

if TYPE_CHECKING:  # Blender puts people together with numpy alone
    from mvlift.bodies.fit import BodyFit
    from mvlift.lifting.prepared import PreparedClip

__all__ = ["motion_in_world", "world_axes"]


def world_axes(up: F64) -> F64:
    """(3, 3) rotation from camera axes to the world: z against gravity, y forward of the camera, x to its right.

    Args:
        up: (3,) unit vector in camera axes (x right, y down, z forward).
    """
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(forward) < 1e-3:  # looking straight down: the picture's top is forward
        forward = np.array([0.0, -1.0, 0.0]) + up[1] * up
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(forward, up), forward, up])


def motion_in_world(given: PreparedClip, fitted: BodyFit, sigma: F64, skeleton: BodySkeleton) -> LiftedMotion:
    """A fit in the camera's axes as motion in the world, its first root above the origin.

    Args:
        given: the clip.
        fitted: body in the camera's axes.
        sigma: (T, K) metres, how sure the lifted keypoints are.
        skeleton: that was fitted.
    """
    axes = world_axes(fitted.up)
    root = fitted.points.mean(1)[0] @ axes.T
    origin = np.array([root[0], root[1], fitted.floor])
    rest, _ = skeleton.shaped(fitted.betas)
    rotations = fitted.rotations.copy()
    rotations[:, 0] = axes @ rotations[:, 0]
    camera = Camera(
        K=given.K.astype(np.float32),
        R=axes.T.astype(np.float32),
        t=(axes.T @ origin).astype(np.float32),
        image_size=given.image_size,
    )
    points = fitted.points @ axes.T - origin
    error = np.linalg.norm(camera.project(points.astype(np.float32)) - given.raw.points, axis=-1)
    expected = expected_error(fitted.points, fitted.root, float(given.fps))
    confidence = keypoint_confidence(given.clip.confidence.astype(np.float64), sigma, expected)
    return LiftedMotion(
        body=skeleton.kind,
        joint_names=skeleton.joint_names,
        parents=skeleton.parents,
        rest_joints=rest.astype(np.float32),
        betas=fitted.betas[: len(fitted.betas) - skeleton.keypoint_offsets].astype(np.float32),
        translation=(fitted.root @ axes.T - origin - rest[0]).astype(np.float32),
        rotations=log_map(rotations).astype(np.float32),
        keypoints=points.astype(np.float32),
        keypoint_names=given.clip.layout.names,
        keypoint_confidence=confidence.astype(np.float32),
        reprojection_error=np.where(given.raw.seen, error, np.nan).astype(np.float32),
        contacts=fitted.contacts.astype(np.float32),
        contact_names=fitted.contact_names,
        camera=camera,
        fps=given.fps,
        first_frame=given.raw.first_frame,
    )
