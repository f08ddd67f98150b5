"""Golden lifts: what weights and fit give, written down. ``python tests/core/golden.py`` writes them anew.

Write them anew only with a change that is meant to change motions, and look at the pictures before.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import mvlift
import numpy as np
from crowds import NAMES as COCO
from crowds import make_crowd
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from scenes import WALK

FILE: Final = Path(__file__).with_suffix(".json")
JOINTS: Final = ("pelvis", "left_knee", "right_hip", "left_shoulder", "right_elbow", "spine2")
CASES: Final = (
    ("walk, 30 fps, fast", "walk", 30, "fast"),
    ("walk, 24 fps, fast", "walk", 24, "fast"),
    ("walk, 120 fps, fast", "walk", 120, "fast"),
    ("first of four, 30 fps, fast", "crowd 0", 30, "fast"),
    ("second of four, 30 fps, fast", "crowd 1", 30, "fast"),
    ("third of four, 30 fps, fast", "crowd 2", 30, "fast"),
    ("fourth of four, 30 fps, fast", "crowd 3", 30, "fast"),
)
SECONDS: Final = 2


def at_rate(clip: KeypointClip, fps: int) -> KeypointClip:
    """The clip's first seconds at another rate, keypoints in between by straight lines."""
    source = float(clip.fps or 30)
    times = np.arange(int(SECONDS * fps)) / fps * source
    low = np.minimum(times.astype(int), len(clip) - 2)
    share = (times - low)[:, None, None]
    points = (1 - share) * clip.points[low] + share * clip.points[low + 1]
    confidence = np.minimum(clip.confidence[low], clip.confidence[low + 1])
    return KeypointClip(points, confidence, clip.layout, fps=Fraction(fps), image_size=(1280, 720))


def golden_clip(source: str, fps: int) -> KeypointClip:
    """The clip of a case: the bundled walk, or somebody of a synthetic crowd that crosses the picture."""
    if source == "walk":
        return at_rate(mvlift.read_keypoints(WALK, fps=30, image_size=(1280, 720))[0], fps)
    crowd = make_crowd("cross", 4, seed=3, frames=SECONDS * 30)
    points: F64 = crowd.pixels[int(source.split()[1])]
    tremble = np.random.default_rng(int(source.split()[1])).normal(0, 1.5, points.shape)
    confidence = np.full(points.shape[:2], 0.8)
    return KeypointClip(points + tremble, confidence, get_layout("coco17"), fps=Fraction(fps), image_size=(1280, 720))


def summary(motion: LiftedMotion) -> dict[str, Any]:
    """Numbers of a motion at its first, middle and last frame that a wrong sign or constant anywhere would change."""
    rows = [0, len(motion) // 2, len(motion) - 1]
    joints = [motion.joint_names.index(name) for name in JOINTS]
    return {
        "root": np.asarray(motion.translation, np.float64)[rows].round(5).tolist(),
        "rotations": np.asarray(motion.rotations, np.float64)[np.ix_(rows, joints)].round(5).tolist(),
        "gravity": np.asarray(motion.camera.R, np.float64)[:, 2].round(5).tolist(),
        "height": round(float(np.ptp(motion.rest_joints[:, 1])), 5),
        "contacts": np.asarray(motion.contacts, np.float64).mean(0).round(4).tolist(),
        "confidence": round(float(motion.keypoint_confidence.mean()), 4),
        "reprojection": round(float(np.nanmean(motion.reprojection_error)), 4),
    }


def golden_lift(case: tuple[str, str, int, str]) -> dict[str, Any]:
    """The summary of a case's lift."""
    _, source, fps, preset = case
    return summary(mvlift.lift(golden_clip(source, fps), preset=preset, device="cpu", seed=7))


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    assert COCO
    FILE.write_text(json.dumps({case[0]: golden_lift(case) for case in CASES}, indent=1) + "\n", encoding="utf-8")
    print(f"{FILE}: {len(CASES)} lifts")
