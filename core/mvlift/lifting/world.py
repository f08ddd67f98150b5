"""From the camera's axes to the world: z up, metres, floor at z = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.runs import runs
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.kinematics.rotations import log_map, rotation_between
from mvlift.lifting.keypoint_confidence import keypoint_confidence
from mvlift.motion import Camera, LiftedMotion
from mvlift.typing import F64

if TYPE_CHECKING:  # imported here because Blender aligns people with numpy alone
    from mvlift.bodies.fit import BodyFit
    from mvlift.cameras.moving import MovingView
    from mvlift.lifting.prepared import PreparedClip

__all__ = ["bridged_stretches", "motion_in_world", "world_axes"]


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


BRIDGED_CONFIDENCE: Final = 0.2
"""Factor on the confidence of keypoints whose detections made the body jump and were bridged."""


def bridged_stretches(
    bridged: NDArray[np.bool_] | None, names: tuple[str, ...], first_frame: int
) -> list[dict[str, object]]:
    """What was bridged, as a list for people: keypoint, first and last frame of the video, in order of time.

    Args:
        bridged: (T, K), or None for nothing.
        names: (K,) of the keypoints.
        first_frame: number of row 0.
    """
    if bridged is None:
        return []
    stretches = [
        {"keypoint": name, "first": first_frame + rows.start, "last": first_frame + rows.stop - 1}
        for k, name in enumerate(names)
        for rows in runs(bridged[:, k])
    ]
    return sorted(stretches, key=lambda row: (row["first"], row["last"]))


def motion_in_world(
    prepared: PreparedClip, fitted: BodyFit, sigma: F64, expected: F64, skeleton: BodySkeleton
) -> LiftedMotion:
    """A fit in the camera's axes as motion in the world, its first root above the origin.

    Args:
        prepared: the clip.
        fitted: body in the camera's axes.
        sigma: (T, K) metres, how sure the lifted keypoints are.
        expected: (T, K) metres of expected error, see ``lifted_error``.
        skeleton: that was fitted.
    """
    axes, origin = _placed(prepared.view, prepared.up, fitted)
    rest, _ = skeleton.shaped(fitted.betas)
    rotations = fitted.rotations.copy()
    rotations[:, 0] = axes @ rotations[:, 0]
    camera = _camera(prepared, axes, origin)
    points = fitted.points @ axes.T - origin
    seen = (
        prepared.raw.points
        if prepared.view is None
        else prepared.view.with_zoom(prepared.raw.points.astype(np.float64))
    )
    error = np.linalg.norm(camera.project(points.astype(np.float32)) - seen, axis=-1)
    confidence = keypoint_confidence(prepared.clip.confidence.astype(np.float64), sigma, expected)
    if fitted.bridged is not None:
        confidence = np.where(fitted.bridged, BRIDGED_CONFIDENCE * confidence, confidence)
    return LiftedMotion(
        body=skeleton.kind,
        joint_names=skeleton.joint_names,
        parents=skeleton.parents,
        rest_joints=rest.astype(np.float32),
        betas=fitted.betas[: len(fitted.betas) - skeleton.keypoint_offsets].astype(np.float32),
        translation=(fitted.root @ axes.T - origin - rest[0]).astype(np.float32),
        rotations=log_map(rotations).astype(np.float32),
        keypoints=points.astype(np.float32),
        keypoint_names=prepared.clip.layout.names,
        keypoint_confidence=confidence.astype(np.float32),
        reprojection_error=np.where(prepared.raw.seen, error, np.nan).astype(np.float32),
        contacts=fitted.contacts.astype(np.float32),
        contact_names=fitted.contact_names,
        camera=camera,
        fps=prepared.fps,
        first_frame=prepared.raw.first_frame,
    )


def _placed(view: MovingView | None, up: F64 | None, fitted: BodyFit) -> tuple[F64, F64]:
    """Rotation (3, 3) of the fit's axes into the world, and what is then subtracted (3,).

    The first root comes above the origin, unless a camera of known size and gravity has a world of its own.
    """
    if view is None or up is None or view.scale != "metric":
        axes = world_axes(fitted.up)
        root = fitted.points.mean(1)[0] @ axes.T
        return axes, np.array([root[0], root[1], fitted.floor])
    level = rotation_between(view.to_world @ up, np.array([0.0, 0.0, 1.0]))
    origin = -level @ view.origin
    if not view.floor_known:
        origin[2] = fitted.floor
    return level @ view.to_world, origin


def _camera(prepared: PreparedClip, axes: F64, origin: F64) -> Camera:
    """The camera that sees the world as the clip shows it."""
    view = prepared.view
    if view is None:
        K, R, t = prepared.K, axes.T, axes.T @ origin
    else:
        K, R = view.K, view.R @ axes.T
        t = np.einsum("tab,tb->ta", view.R, axes.T @ origin - view.path)
    return Camera(K.astype(np.float32), R.astype(np.float32), t.astype(np.float32), prepared.image_size)
