"""Makes the bundled example: a person who walks in an arc and waves, as OpenPose would see it. Nobody was filmed.

python examples/make_walk.py examples/walk.zip
"""

from __future__ import annotations

import io
import json
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
from mvlift.bodies import default_human_skeleton
from mvlift.keypoints.layouts import get_layout
from mvlift.kinematics.rotations import exp_map

FRAMES, FPS, SIZE, FOCAL = 150, 30, (1280, 720), 1250.0
STRIDE = 34  # frames of one gait cycle


def bump(phase: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A smooth periodic bump of height 1."""
    offset = (phase - centre + 0.5) % 1 - 0.5
    return np.exp(-0.5 * (offset / width) ** 2)


def gait(phase: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hip, knee and ankle flexion in degrees over a cycle that begins with the heel's strike (normal walking)."""
    hip = 8 + 22 * np.cos(2 * math.pi * phase) + 3 * np.cos(4 * math.pi * phase)
    knee = 4 + 14 * bump(phase, 0.13, 0.07) + 56 * bump(phase, 0.72, 0.10)
    ankle = 6 * bump(phase, 0.42, 0.12) - 16 * bump(phase, 0.62, 0.06) + 3 * bump(phase, 0.85, 0.1)
    return hip, knee, ankle


def rotations() -> np.ndarray:
    """(T, 24, 3, 3) rotations of the walk, the root's about the vertical apart (body axes: x left, y up, z front)."""
    skeleton = default_human_skeleton()
    t = np.arange(FRAMES)
    vector = np.zeros((FRAMES, 24, 3))
    j = skeleton.joint_names.index
    for side, shift, sign in (("left", 0.0, 1.0), ("right", 0.5, -1.0)):
        phase = (t / STRIDE + shift) % 1
        hip, knee, ankle = (np.radians(a) for a in gait(phase))
        vector[:, j(f"{side}_hip"), 0] = -hip
        vector[:, j(f"{side}_hip"), 2] = sign * 0.03
        vector[:, j(f"{side}_knee"), 0] = knee
        vector[:, j(f"{side}_ankle"), 0] = -ankle
        swing = math.radians(22) * np.cos(2 * math.pi * (phase + 0.5))
        vector[:, j(f"{side}_shoulder")] = np.stack([0 * swing, -sign * swing, np.full(FRAMES, -sign * 1.25)], 1)
        vector[:, j(f"{side}_elbow"), 1] = -sign * (0.35 + 0.25 * np.cos(2 * math.pi * (phase + 0.5)))
    sway = np.sin(2 * math.pi * t / STRIDE)
    vector[:, j("spine1"), 1], vector[:, j("spine3"), 1] = 0.05 * sway, -0.09 * sway
    vector[:, j("spine1"), 0] = 0.04
    wave = np.clip(np.minimum((t - 55) / 15, (115 - t) / 15), 0, 1)
    wave = wave * wave * (3 - 2 * wave)
    right = j("right_shoulder")
    vector[:, right] = (1 - wave)[:, None] * vector[:, right] + wave[:, None] * np.array([0.0, 0.35, -0.35])
    elbow = j("right_elbow")
    waving = np.stack([0 * t, 0.25 + 0 * t, -1.35 - 0.35 * np.sin(2 * math.pi * t / 15)], 1)
    vector[:, elbow] = (1 - wave)[:, None] * vector[:, elbow] + wave[:, None] * waving
    return exp_map(vector)


def walk() -> tuple[np.ndarray, np.ndarray]:
    """(T, 24, 3, 3) rotations with the root's relative to the world, z up, and (T, 3) translation in metres.

    The foot that bears the weight stays where it is.
    """
    skeleton = default_human_skeleton()
    turn = rotations()
    t = np.arange(FRAMES)
    yaw = np.radians(-70 + 150 * t / FRAMES)
    heading = np.zeros((FRAMES, 3))
    heading[:, 2] = yaw
    upright = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # body axes to z up
    turn[:, 0] = exp_map(heading) @ upright @ turn[:, 0]
    _, points = skeleton.posed(np.zeros(10), turn, np.zeros((FRAMES, 3)))
    names = skeleton.keypoint_names
    feet = points[:, [names.index(n) for n in ("l_heel", "l_big_toe", "r_heel", "r_big_toe")]]
    root = np.zeros((FRAMES, 3))
    root[:, 2] = -feet[..., 2].min(1)
    step = np.diff(feet, axis=0)
    for i in range(1, FRAMES):
        low = feet[i, :, 2]
        weight = np.exp(-(low - low.min()) / 0.01)
        root[i, :2] = root[i - 1, :2] - (weight[:, None] * step[i - 1]).sum(0)[:2] / weight.sum()
    root[:, :2] -= (points + root[:, None])[..., :2].mean((0, 1))
    return turn, root


def world_points() -> np.ndarray:
    """(T, K, 3) keypoints, z up, metres."""
    return default_human_skeleton().posed(np.zeros(10), *walk())[1]


def pixels(points: np.ndarray) -> np.ndarray:
    """(T, K, 2) through a camera on a tripod, slightly above and looking slightly down."""
    tilt = math.radians(7)
    forward = np.array([0, math.cos(tilt), -math.sin(tilt)])
    down = np.array([0, -math.sin(tilt), -math.cos(tilt)])
    rotation = np.stack([[1.0, 0, 0], down, forward])
    seen = (points - np.array([0.1, -6.5, 1.6])) @ rotation.T
    return FOCAL * seen[..., :2] / seen[..., 2:] + np.array(SIZE) / 2


def detected(seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (T, 25, 2) in BODY_25 order and confidence (T, 25), with a detector's tremble and gaps."""
    skeleton, layout = default_human_skeleton(), get_layout("body25")
    xy = pixels(world_points())
    index = {n: i for i, n in enumerate(skeleton.keypoint_names)}
    columns = []
    for name in layout.names:
        columns.append(xy[:, index[name]] if name in index else xy[:, [index["l_hip"], index["r_hip"]]].mean(1))
    points = np.stack(columns, 1)
    random = np.random.default_rng(seed)
    slow = np.cumsum(random.normal(size=(FRAMES, 25, 2)), 0)
    slow = slow - np.linspace(0, 1, FRAMES)[:, None, None] * slow[-1]
    points = points + random.normal(size=points.shape) * 1.3 + 0.25 * slow / np.abs(slow).max() * 12
    confidence = np.clip(0.85 + 0.06 * random.normal(size=points.shape[:2]), 0.2, 0.98)
    missing = random.random(points.shape[:2]) < 0.01
    confidence[missing] = 0
    points[missing] = 0
    return points, confidence


def write(path: Path) -> None:
    """One OpenPose file a frame, in a zip."""
    points, confidence = detected()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for frame in range(FRAMES):
            values = np.concatenate([points[frame], confidence[frame][:, None]], 1).round(3).ravel().tolist()
            content = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": values}]}
            info = zipfile.ZipInfo(f"walk_{frame:012d}_keypoints.json", (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, json.dumps(content), zipfile.ZIP_DEFLATED)
    path.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "examples/walk.zip"))
