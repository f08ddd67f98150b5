"""Arms that hold on: shoulders and elbows turn so that the wrists are where an object is held."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mvlift.bodies.fit import BodyFit
from mvlift.bodies.kinematics import exp_map
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.typing import F64

__all__ = ["ARMS", "snap_wrists_to_object"]

ARMS: Final[dict[str, tuple[str, str, str]]] = {
    "l_wrist": ("left_shoulder", "left_elbow", "left_wrist"),
    "r_wrist": ("right_shoulder", "right_elbow", "right_wrist"),
}
"""Keypoint of a hand -> the joints of its arm."""
LOOSE: Final = 0.995
"""Share of an arm's length beyond which it does not stretch."""
BLEND_SECONDS: Final = 0.1


def _unit(v: F64) -> F64:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))


def _between(a: F64, b: F64) -> F64:
    """(T, 3, 3) least rotations that turn directions a (T, 3) into b (T, 3)."""
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(-1, keepdims=True))
    return exp_map(axis / np.maximum(sine, 1e-9) * angle)


def _worlds(skeleton: BodySkeleton, rotations: F64) -> F64:
    """(T, J, 3, 3) rotations of joints relative to the axes in which the root's is given."""
    world = np.empty_like(rotations)
    for j, parent in enumerate(skeleton.parents):
        world[:, j] = rotations[:, j] if parent < 0 else world[:, parent] @ rotations[:, j]
    return world


def _arm(rotations: F64, world: F64, joints: F64, columns: list[int], parent: int, shift: F64) -> None:
    """Turn one arm, in place, so that its wrist moves by shift (T, 3): first the elbow's angle, then the whole arm."""
    shoulder, elbow, wrist = (joints[:, c] for c in columns)
    upper, lower = elbow - shoulder, wrist - elbow
    a, b = np.linalg.norm(upper, axis=-1), np.linalg.norm(lower, axis=-1)
    target = wrist + shift - shoulder
    far = np.clip(np.linalg.norm(target, axis=-1), np.abs(a - b) + 1e-3, LOOSE * (a + b))
    wanted = np.arccos(np.clip((a**2 + b**2 - far**2) / (2 * a * b), -1, 1))  # inner angle at the elbow
    now = np.arccos(np.clip(-(upper * lower).sum(-1) / (a * b), -1, 1))
    axis = _unit(np.cross(upper, lower))
    bend = exp_map(axis * (now - wanted)[:, None])
    reached = upper + np.einsum("tab,tb->ta", bend, lower)
    swing = _between(_unit(reached), _unit(target))
    s, e = columns[0], columns[1]
    rotations[:, e] = world[:, s].transpose(0, 2, 1) @ bend @ world[:, e]
    rotations[:, s] = world[:, parent].transpose(0, 2, 1) @ swing @ world[:, s]


def snap_wrists_to_object(
    fitted: BodyFit,
    skeleton: BodySkeleton,
    hands: tuple[str, ...],
    targets: F64,
    held: F64,
    fps: float,
) -> BodyFit:
    """The same motion with hands where they hold an object.

    Args:
        fitted: a body in the camera's axes.
        skeleton: that was fitted.
        hands: keypoints of the hands, keys of ``ARMS``; H of them.
        targets: (T, H, 3) where they hold, in the same axes.
        held: (T, H) in [0, 1], 0 where a hand is free.
        fps: frames a second; hands come and go within a tenth of a second.
    """
    if not (held > 0).any():
        return fitted
    rest, _ = skeleton.shaped(fitted.betas)
    trans = fitted.root - rest[0]
    rotations = fitted.rotations.copy()
    share = gaussian_filter1d((held > 0.3).astype(np.float64), BLEND_SECONDS * fps, axis=0, mode="nearest")
    share = np.maximum(share, held > 0.3)
    for _ in range(2):  # the keypoint is not quite the joint
        joints, points = skeleton.posed(fitted.betas, rotations, trans)
        world = _worlds(skeleton, rotations)
        for h, hand in enumerate(hands):
            columns = [skeleton.joint_names.index(n) for n in ARMS[hand]]
            shift = share[:, h, None] * (targets[:, h] - points[:, skeleton.keypoint_names.index(hand)])
            _arm(rotations, world, joints, columns, skeleton.parents[columns[0]], shift)
    _, points = skeleton.posed(fitted.betas, rotations, trans)
    return replace(fitted, rotations=rotations, points=points)
