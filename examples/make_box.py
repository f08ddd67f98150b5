"""Makes the example of a person with an object: somebody bends down, lifts a box and walks off with it.

python examples/make_box.py examples/box.zip
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from make_walk import FPS, pixels, world_points
from mvlift.bodies import default_human_skeleton
from mvlift_training.interaction.boxes import CORNERS, facing
from mvlift_training.interaction.reach import Body, bend, bend_needed, reach
from scipy.ndimage import gaussian_filter1d

SIZE = np.array([0.42, 0.30, 0.26])  # across, along the person's facing, up; metres
WAIT, DOWN, UP = 10, 30, 28  # frames before the person bends, until the hands are on the box, until it is at the chest
FRAMES = 170
AHEAD, CHEST = 0.40, 1.12


def smooth(x: np.ndarray) -> np.ndarray:
    """From 0 to 1 without a jerk."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints (T, K, 3) of the person, corners (T, 8, 3) of the box, z up, metres, and (T,) when it is held."""
    names = default_human_skeleton().keypoint_names
    body, t = Body(names), np.arange(FRAMES)
    begin, held = WAIT + DOWN, (t >= WAIT + DOWN)
    walk = world_points()
    start = begin + UP
    # the walk begins slowly: frames of it as a function of time
    at = np.clip(np.where(t < start, 0, (t - start) ** 2 / 40), 0, np.maximum(t - start - 10, 0)).clip(0, len(walk) - 1)
    low = np.floor(at).astype(int)
    share = (at - low)[:, None, None]
    points = (1 - share) * walk[low] + share * walk[np.minimum(low + 1, len(walk) - 1)]
    ahead = facing(points, body)
    hips = gaussian_filter1d(points[:, body.at("l_hip", "r_hip")].mean(1), 3, axis=0, mode="nearest")
    up = smooth((t - begin) / UP)
    centre = hips + (AHEAD + 0.08 * (1 - up))[:, None] * ahead
    centre[:, 2] = (1 - up) * SIZE[2] / 2 + up * (CHEST + hips[:, 2] - np.median(hips[:, 2]))
    turn = np.stack([np.cross(ahead, [0.0, 0.0, 1.0]), ahead, np.broadcast_to([0.0, 0.0, 1.0], ahead.shape)], -1)
    left = np.array([-SIZE[0] / 2 - 0.03, -0.05, 0.0])  # x of the box points to the person's right
    grips = np.stack([left, left * [-1, 1, 1]])
    wanted = centre[:, None] + np.einsum("tab,hb->tha", turn, grips)
    approach = smooth((t - WAIT) / DOWN)
    need = bend_needed(points, body, wanted, ahead, 1.0, 0.35) * approach
    need = np.clip(gaussian_filter1d(need, 3, mode="nearest"), 0, 1)
    points = bend(points, body, need, ahead, 1.0, 0.35)
    for hand, (side, way) in enumerate((("l", 1.0), ("r", -1.0))):
        shoulder, elbow, wrist = body.at(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
        target = points[:, wrist] + approach[:, None] * (wanted[:, hand] - points[:, wrist])
        pole = way * 0.5 * np.cross([0.0, 0.0, 1.0], ahead) - [0, 0, 0.6] - 0.4 * ahead
        bent, end = reach(points[:, shoulder], points[:, elbow], points[:, wrist], target, pole)
        points[:, elbow] = points[:, elbow] + approach[:, None] * (bent - points[:, elbow])
        points[:, wrist] = end
    corners = centre[:, None] + np.einsum("tab,kb->tka", turn, CORNERS * SIZE)
    return points, corners, held


def write(path: Path, seed: int = 3) -> None:
    """One csv (frame, keypoint, x, y, confidence) in a zip, trembling as a detector's."""
    points, corners, _ = scene()
    names = (*default_human_skeleton().keypoint_names, *(f"object_corner_{i}" for i in range(8)))
    random = np.random.default_rng(seed)
    xy = pixels(np.concatenate([points, corners], 1))
    xy += 1.2 * random.normal(size=xy.shape)
    sure = np.clip(0.85 + 0.06 * random.normal(size=xy.shape[:2]), 0.2, 0.98)
    lines = ["frame,person,keypoint,x,y,confidence"]
    for frame in range(FRAMES):
        for k, name in enumerate(names):
            x, y = xy[frame, k]
            lines.append(f"{frame},0,{name},{x:.1f},{y:.1f},{sure[frame, k]:.2f}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("box.csv", (2020, 1, 1, 0, 0, 0))
        archive.writestr(info, "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED)
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {FRAMES} frames, {FPS} a second")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "examples/box.zip"))
