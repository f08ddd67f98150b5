"""First pose of a fit: torso by Procrustes, limbs by their directions, the root's path from apparent size."""

from __future__ import annotations

import numpy as np

from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import gaussian_filter1d, median_filter
from mvlift.kinematics.rotations import nearest_rotation, rotation_between
from mvlift.typing import F64

__all__ = ["camera_path", "relative_size", "starting_rotations"]


def relative_size(points: F64, skeleton: BodySkeleton, kinematic_model: KinematicModel, betas: F64) -> float:
    """Factor that brings lifted keypoints (T, K, 3) to the size of the skeleton (median bone lengths)."""
    index = {n: i for i, n in enumerate(skeleton.keypoint_names)}
    rest = skeleton.shaped(betas)[1]
    skeleton_length = lifted_length = 0.0
    for a, b in kinematic_model.size:
        skeleton_length += float(np.linalg.norm(rest[index[a]] - rest[index[b]]))
        lifted_length += float(np.median(np.linalg.norm(points[:, index[a]] - points[:, index[b]], axis=-1)))
    return skeleton_length / max(lifted_length, 1e-6)


def _procrustes(rest: F64, points: F64) -> F64:
    """(T, 3, 3) rotations R with points ≈ R rest; rest (N, 3), points (T, N, 3)."""
    covariance = np.einsum("tni,nj->tij", points - points.mean(1, keepdims=True), rest - rest.mean(0))
    return nearest_rotation(covariance)


def starting_rotations(points: F64, skeleton: BodySkeleton, kinematic_model: KinematicModel, betas: F64) -> F64:
    """(T, J, 3, 3) rotations relative to the parents that point the limbs along lifted keypoints (T, K, 3)."""
    index = {n: i for i, n in enumerate(skeleton.keypoint_names)}
    rest = skeleton.shaped(betas)[1]
    torso = [index[n] for n in kinematic_model.torso]
    frames, joints = len(points), len(skeleton.joint_names)
    world = np.empty((frames, joints, 3, 3))
    local = np.tile(np.eye(3), (frames, joints, 1, 1))
    for j, parent in enumerate(skeleton.parents):
        if parent < 0:
            world[:, j] = local[:, j] = _procrustes(rest[torso], points[:, torso])
            continue
        world[:, j] = world[:, parent]
        ends = kinematic_model.aim.get(skeleton.joint_names[j])
        if ends is None:
            continue
        a, b = index[ends[0]], index[ends[1]]
        bone = rest[b] - rest[a]
        world[:, j] = rotation_between(world[:, parent] @ bone, points[:, b] - points[:, a]) @ world[:, parent]
        local[:, j] = world[:, parent].transpose(0, 2, 1) @ world[:, j]
    return local


def camera_path(points: F64, pixels: F64, confidence: F64, K: F64, fps: float) -> F64:
    """(T, 3) translation that makes root-relative keypoints project onto the pixels; depth smoothed over time.

    Per frame the weighted least squares of (X + t_x) - u (Z + t_z) = 0 is linear in t.

    Args:
        points: (T, K, 3) metres, camera axes.
        pixels: (T, K, 2).
        confidence: (T, K).
        K: (3, 3).
        fps: frames a second.
    """
    rays = (pixels - K[:2, 2]) / K[0, 0]
    x, y, z = np.moveaxis(points, -1, 0)
    u, v = rays[..., 0], rays[..., 1]
    w = confidence
    normal = np.zeros((len(points), 3, 3))
    right = np.zeros((len(points), 3))
    normal[:, 0, 0] = normal[:, 1, 1] = w.sum(1)
    normal[:, 0, 2] = normal[:, 2, 0] = -(w * u).sum(1)
    normal[:, 1, 2] = normal[:, 2, 1] = -(w * v).sum(1)
    normal[:, 2, 2] = (w * (u**2 + v**2)).sum(1)
    du, dv = u * z - x, v * z - y
    right[:, 0], right[:, 1] = (w * du).sum(1), (w * dv).sum(1)
    right[:, 2] = -(w * (u * du + v * dv)).sum(1)
    known = np.flatnonzero((w > 0).sum(1) >= 3)
    if not len(known):
        return np.tile([0.0, 0.0, 3.0], (len(points), 1))
    depth = np.linalg.solve(normal[known] + 1e-9 * np.eye(3), right[known][..., None])[:, 2, 0]
    depth = np.interp(np.arange(len(points)), known, np.clip(depth, 0.5, 100))
    depth = median_filter(depth, min(2 * round(fps / 2) + 1, 2 * len(depth) - 1))
    depth = gaussian_filter1d(depth, 0.2 * fps)
    aside = np.stack([(w * (r * (z + depth[:, None]) - p)).sum(1) for r, p in ((u, x), (v, y))], 1)
    aside = aside[known] / w[known].sum(1)[:, None]
    aside = np.stack([np.interp(np.arange(len(points)), known, column) for column in aside.T], 1)
    return np.concatenate([aside, depth[:, None]], 1)
