"""Makes a little footage to train on: the bundled walk seen from all round, as OpenPose would see it.

python examples/make_footage.py runs/demo/footage
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from make_walk import SIZE, world_points
from mvlift.bodies import default_human_skeleton
from mvlift.keypoints import write_keypoints
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout

CLIPS, FPS = 24, Fraction(30)


def seen_from(points: np.ndarray, azimuth: float, tilt: float, distance: float, focal: float) -> np.ndarray:
    """(T, K, 2) pixels of world points (T, K, 3), z up, through a camera that stands ``distance`` metres away."""
    right = np.array([math.cos(azimuth), math.sin(azimuth), 0])
    ahead = np.array([-math.sin(azimuth) * math.cos(tilt), math.cos(azimuth) * math.cos(tilt), -math.sin(tilt)])
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    seen = (points - np.array([0, 0, 0.9])) @ rotation.T + np.array([0, 0, distance])
    return focal * seen[..., :2] / seen[..., 2:] + np.array(SIZE) / 2


def clips(seed: int = 3) -> list[KeypointClip]:
    """The walk from cameras all round, half of them backwards in time, in BODY_25 order."""
    random = np.random.default_rng(seed)
    layout, names = get_layout("body25"), default_human_skeleton().keypoint_names
    world = world_points()
    hips = [names.index("l_hip"), names.index("r_hip")]
    made = []
    for number in range(CLIPS):
        azimuth = 2 * math.pi * (number + random.random()) / CLIPS
        xy = seen_from(world, azimuth, random.uniform(-0.05, 0.3), random.uniform(5, 9), random.uniform(900, 1900))
        if number % 2:
            xy = xy[::-1]
        columns = [xy[:, names.index(n)] if n in names else xy[:, hips].mean(1) for n in layout.names]
        points = np.stack(columns, 1) + random.normal(size=(len(xy), len(columns), 2))
        confidence = np.clip(0.85 + 0.06 * random.normal(size=points.shape[:2]), 0.2, 0.98)
        clip = KeypointClip(points.astype(np.float32), confidence.astype(np.float32), layout, FPS, SIZE)
        made.append(replace(clip, track_id=str(number)))
    return made


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo/footage")
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips():
        write_keypoints([clip], folder / f"walk_{clip.track_id}.zip")
    print(f"{CLIPS} clips in {folder}")
