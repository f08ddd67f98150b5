"""Synthetic people who walk, seen by static cameras: the data of the training tests, made when they are needed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.geometry.cameras import look_at
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64

NAMES = get_subject("human").layout.names
SIZE = (1280, 720)
SWINGS = {  # joint: (axis of its rest frame, amplitude, mean), radians; right side in antiphase
    "hip": (0, 0.5, -0.1), "knee": (0, 0.4, 0.5), "shoulder": (1, 0.5, 0.0), "elbow": (1, 0.3, -0.4),
}  # fmt: skip


def walker(seed: int, frames: int) -> F64:
    """(T, 24, 3) keypoints in metres, z up, feet about z = 0: somebody who walks a gentle curve at 30 fps."""
    random = np.random.default_rng(seed)
    skeleton = default_human_skeleton().with_keypoints(NAMES)
    t = np.arange(frames)
    phase = random.uniform(0, 6) + 2 * math.pi * t / random.uniform(28, 40)
    turn = np.zeros((frames, len(skeleton.joint_names), 3))
    for joint, (axis, swing, mean) in SWINGS.items():
        for side, offset in (("left", 0.0), ("right", math.pi)):
            column = skeleton.joint_names.index(f"{side}_{joint}")
            mirror = -1.0 if axis == 1 and side == "right" else 1.0  # arms point sideways at rest
            turn[:, column, axis] = mirror * (mean + swing * np.sin(phase + offset))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        turn[:, skeleton.joint_names.index(f"{side}_collar"), 2] = sign * 0.9
    rotations = exp_map(turn.reshape(-1, 3)).reshape(*turn.shape, 3)
    heading = random.uniform(0, 2 * math.pi) + np.linspace(0, random.uniform(-1.5, 1.5), frames)
    upright = exp_map(np.array([[math.pi / 2, 0, 0]]))[0]
    rotations[:, 0] = exp_map(np.stack([0 * heading, 0 * heading, heading], 1)) @ upright
    step = 0.035 * np.stack([np.sin(heading), -np.cos(heading)], 1)
    path = np.concatenate([np.cumsum(step, 0), 1.15 + 0.02 * np.sin(2 * phase)[:, None]], 1)
    points = skeleton.posed(np.zeros(skeleton.shape_joints.shape[2]), rotations, path)[1]
    return np.asarray(points - [*points[..., :2].mean((0, 1)), np.percentile(points[..., 2], 5)])


def camera(seed: int) -> tuple[F64, F64, F64]:
    """K, R, t of a static camera that sees somebody at the origin; x_camera = R x_world + t."""
    random = np.random.default_rng(seed)
    angle, distance = random.uniform(0, 2 * math.pi), random.uniform(4, 6)
    centre = np.array([distance * math.cos(angle), distance * math.sin(angle), random.uniform(1.0, 1.8)])
    rotation = look_at(centre, np.array([0.0, 0.0, 0.9]))
    focal = 1.1 * SIZE[0]
    return (
        np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]]),
        rotation,
        -rotation @ centre,
    )


def seen(points: F64, K: F64, R: F64, t: F64) -> F64:
    """(T, K, 2) pixels."""
    there = (points @ R.T + t) @ K.T
    return np.asarray(there[..., :2] / there[..., 2:])


def filmed(seed: int, frames: int) -> F64:
    """(T, 24, 2) pixels of a walker before a camera."""
    return seen(walker(seed, frames), *camera(seed))


def common_keys(lengths: list[int]) -> dict[str, Any]:
    """Keys that every data set of the common layout has."""
    return {
        "names": np.array(NAMES),
        "fps": np.float32(30),
        "start": np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        "length": np.array(lengths),
        "image_size": np.array([SIZE] * len(lengths)),
        "clip": np.array([f"walk{i}" for i in range(len(lengths))]),
        "category": np.array(["walk"] * len(lengths)),
    }


def write_data_set(path: Path, sequences: int = 5, frames: int = 48) -> Path:
    """A 2D data set for training."""
    xy = np.concatenate([filmed(i, frames) for i in range(sequences)])
    np.savez(path, xy=xy.astype(np.float32), **common_keys([frames] * sequences))
    return path


def write_validation(path: Path, sequences: int = 2, frames: int = 16) -> Path:
    """A validation set: clean and noisy 2D input with the 3D truth and cameras."""
    random = np.random.default_rng(0)
    truth = [walker(50 + i, frames) for i in range(sequences)]
    cameras = [camera(50 + i) for i in range(sequences)]
    xy = np.concatenate([seen(p, *c) for p, c in zip(truth, cameras, strict=True)])
    confidence = random.uniform(0.6, 0.95, xy.shape[:2])
    confidence[random.random(confidence.shape) < 0.05] = 0
    noisy = np.where(confidence[..., None] > 0, xy + random.normal(0, 3, xy.shape), 0)
    K, R, t = (np.stack(values) for values in zip(*cameras, strict=True))
    np.savez(path, xy=xy, noisy_xy=noisy, noisy_confidence=confidence, points3d=np.concatenate(truth),
             K=K, R=R, t=t, **common_keys([frames] * sequences))  # fmt: skip
    return path
