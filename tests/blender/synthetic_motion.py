"""A walking person made by formula, for tests of what is written into a scene."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from mvlift.motion import Camera, LiftedMotion

ORDER = """
pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot
neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hand
right_hand"""
NAMES = tuple(ORDER.split())
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
OFFSETS = {
    "pelvis": (0, -0.223, 0.028), "left_hip": (0.070, -0.091, -0.007), "spine1": (0, 0.109, -0.027),
    "left_knee": (0.034, -0.375, -0.005), "spine2": (0, 0.135, 0.001), "left_ankle": (-0.014, -0.398, -0.044),
    "spine3": (0, 0.053, 0.025), "left_foot": (0.026, -0.056, 0.119), "neck": (0, 0.214, -0.043),
    "left_collar": (0.079, 0.122, -0.034), "head": (0.0, 0.065, 0.051), "left_shoulder": (0.091, 0.031, -0.009),
    "left_elbow": (0.260, -0.013, -0.028), "left_wrist": (0.249, 0.009, -0.001), "left_hand": (0.084, -0.008, -0.015),
}  # fmt: skip


def rest_joints() -> np.ndarray:
    """(24, 3) an average adult in SMPL's T-pose."""
    rest = np.zeros((24, 3))
    for j, (name, parent) in enumerate(zip(NAMES, PARENTS, strict=True)):
        mirrored = name.startswith("right")
        offset = np.array(OFFSETS[name.replace("right", "left")], dtype=float) * ([-1, 1, 1] if mirrored else [1, 1, 1])
        rest[j] = offset + (rest[parent] if parent >= 0 else 0)
    return rest.astype(np.float32)


def matrices(vectors: np.ndarray) -> np.ndarray:
    """Rodrigues' formula, (..., 3) to (..., 3, 3)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / np.maximum(angle[..., 0], 1e-12), -1, 0)
    o = np.zeros_like(x)
    K = np.stack([np.stack([o, -z, y], -1), np.stack([z, o, -x], -1), np.stack([-y, x, o], -1)], -2)
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


def forward(motion: LiftedMotion) -> tuple[np.ndarray, np.ndarray]:
    """World joints (T, J, 3) and global rotations (T, J, 3, 3) by SMPL's own convention."""
    R = matrices(motion.rotations.astype(float))
    G, p = np.empty_like(R), np.empty((len(motion), len(PARENTS), 3))
    rest = motion.rest_joints.astype(float)
    for j, parent in enumerate(motion.parents):
        if parent < 0:
            G[:, j], p[:, j] = R[:, j], rest[j] + motion.translation
        else:
            G[:, j] = G[:, parent] @ R[:, j]
            p[:, j] = p[:, parent] + G[:, parent] @ (rest[j] - rest[parent])
    return p, G


def log(R: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations well away from 0 and 180 degrees to (T, 3) axis times angle."""
    angle = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    skew = np.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], -1)
    return skew / (2 * np.sin(angle))[:, None] * angle[:, None]


def walk(
    frames: int = 60, fps: Fraction = Fraction(30), seed: int = 3, size: tuple[int, int] = (1280, 720)
) -> LiftedMotion:
    """A person who walks along +X, turning a little, arms down and swinging."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / float(fps)
    phase = 2 * np.pi * 0.9 * t
    rotations = np.zeros((frames, 24, 3))
    index = NAMES.index
    rotations[:, index("left_hip"), 0] = -0.5 * np.sin(phase)
    rotations[:, index("right_hip"), 0] = 0.5 * np.sin(phase)
    rotations[:, index("left_knee"), 0] = 0.5 - 0.5 * np.cos(phase)
    rotations[:, index("right_knee"), 0] = 0.5 + 0.5 * np.cos(phase)
    rotations[:, index("left_shoulder"), 2] = -1.2
    rotations[:, index("right_shoulder"), 2] = 1.2
    rotations[:, index("left_elbow"), 1] = -0.4 - 0.2 * np.sin(phase)
    rotations[:, index("right_elbow"), 1] = 0.4 - 0.2 * np.sin(phase)
    rotations[:, 3:] += 0.05 * rng.normal(size=(1, 21, 3))
    yaw = np.stack([0 * t, 0 * t, np.pi / 2 + 0.3 * np.sin(0.5 * t)], -1)
    rotations[:, 0] = log(matrices(yaw) @ matrices(np.array([np.pi / 2, 0, 0])))
    rest = rest_joints()
    translation = np.stack([0.9 * t, 0.05 * np.sin(t), 1.15 + 0.02 * np.cos(2 * phase)], -1)
    camera = Camera(
        K=np.array([[1100, 0, size[0] / 2 + 20], [0, 1100, size[1] / 2 - 12], [0, 0, 1]], dtype=np.float32),
        R=np.array([[1, 0, 0], [0, -0.0871557, -0.9961947], [0, 0.9961947, -0.0871557]], dtype=np.float32),
        t=np.array([-0.8, 1.1, 4.2], dtype=np.float32),
        image_size=size,
    )
    motion = LiftedMotion(
        body="smpl", joint_names=tuple(NAMES), parents=PARENTS, rest_joints=rest, betas=np.zeros(10, np.float32),
        translation=translation.astype(np.float32), rotations=rotations.astype(np.float32),
        keypoints=np.zeros((frames, 24, 3), np.float32), keypoint_names=tuple(NAMES),
        keypoint_confidence=np.full((frames, 24), 0.9, np.float32),
        reprojection_error=np.full((frames, 24), 1.5, np.float32),
        contacts=np.stack([np.cos(phase) > 0, np.cos(phase) <= 0], -1).astype(np.float32),
        contact_names=("l_heel", "r_heel"), camera=camera, fps=fps, first_frame=5,
    )  # fmt: skip
    joints, _ = forward(motion)
    object.__setattr__(motion, "keypoints", joints.astype(np.float32))
    return motion
