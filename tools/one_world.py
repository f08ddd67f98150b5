"""How far apart people are, in lifts of several people of one video: each alone, and in one world.

python tools/one_world.py --seed 900 [--people 2 3 4 5 6] [--frames 120]

Synthetic crowds with known 3D (`tests/core/crowds.py`), one scenario for each number of people, seen by trembling
keypoints; the lens is known, heights are not.
"""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

import mvlift
from crowds import NAMES, SCENARIOS, SIZE, Crowd, make_crowd
from mvlift.keypoints import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.lifting.multi_person import align_people, body_for_size
from mvlift.motion import LiftedMotion
from numpy.typing import NDArray

HIPS = ("l_hip", "r_hip")
TREMBLE = 0.006
"""Scatter of keypoints, as a share of the person's height in the picture."""


def clips_of(crowd: Crowd, seed: int) -> list[KeypointClip]:
    """One for each person of a crowd."""
    random = np.random.default_rng(seed)
    height = np.ptp(crowd.pixels[..., 1], axis=2)[..., None, None]
    points = crowd.pixels + TREMBLE * height * random.normal(size=crowd.pixels.shape)
    sure = np.full(points.shape[1:3], 0.9)
    layout = get_layout("coco17")
    return [KeypointClip(p, sure, layout, Fraction(crowd.fps), SIZE, track_id=str(i)) for i, p in enumerate(points)]


def lifts_of(crowd: Crowd, seed: int) -> list[LiftedMotion]:
    """Everybody lifted alone, with the crowd's lens."""
    focal = float(crowd.K[0, 0])
    return [mvlift.lift(clip, preset="fast", focal=focal, seed=seed) for clip in clips_of(crowd, seed)]


def in_camera(motion: LiftedMotion) -> NDArray[np.float64]:
    """(T, 3) middle of the hips in camera axes, metres."""
    hips = motion.keypoints[:, [motion.keypoint_names.index(n) for n in HIPS]].mean(1)
    return np.asarray(hips @ np.asarray(motion.camera.R).T + motion.camera.t, dtype=np.float64)


def errors(motions: list[LiftedMotion], crowd: Crowd) -> dict[str, float]:
    """Medians: error of the distance of two people (m, over frames and pairs), tilt of the camera (degrees), and how
    much too large people are."""
    places = np.stack([in_camera(m) for m in motions])
    true = crowd.points[:, :, [NAMES.index(n) for n in HIPS]].mean(2) @ crowd.R.T + crowd.t
    a, b = np.triu_indices(len(true), 1)
    apart, wanted = (np.linalg.norm(x[a] - x[b], axis=-1) for x in (places, true))
    up = np.stack([np.asarray(m.camera.R, dtype=np.float64)[:, 2] for m in motions])
    tilt = np.degrees(np.arccos(np.clip(up @ crowd.R[:, 2], -1, 1)))
    return {
        "distance": float(np.median(np.abs(apart - wanted))),
        "tilt": float(np.median(tilt)),
        "size": float(np.median(np.linalg.norm(places, axis=-1) / np.linalg.norm(true, axis=-1)) - 1),
    }


def together(alone: list[LiftedMotion]) -> list[LiftedMotion]:
    """In one world, as `mvlift lift --person all` puts them."""
    return align_people(alone, [body_for_size(m) for m in alone])


def main() -> None:
    """Prints a line for each crowd, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--people", type=int, nargs="+", default=[2, 3, 4, 5, 6])
    parser.add_argument("--frames", type=int, default=120)
    arguments = parser.parse_args()
    rows: list[list[float]] = []
    print("| Footage | people | distance (m) | tilt (degrees) | size |\n|---|---|---|---|---|")
    for scenario, people in zip(cycle(SCENARIOS), arguments.people, strict=False):
        crowd = make_crowd(scenario, people, arguments.seed, arguments.frames)
        alone = lifts_of(crowd, arguments.seed)
        scores: list[dict[str, Any]] = [errors(alone, crowd), errors(together(alone), crowd)]
        rows.append([f[k] for k in ("distance", "tilt", "size") for f in scores])
        print(f"| {scenario} | {people} | " + _cells(rows[-1]), flush=True)
    print("| mean | | " + _cells(np.abs(rows).mean(0).tolist()))


def _cells(row: list[float]) -> str:
    metres, degrees, size = row[:2], row[2:4], row[4:]
    return (
        f"{metres[0]:.2f} to {metres[1]:.2f} | {degrees[0]:.1f} to {degrees[1]:.1f} | "
        f"{100 * size[0]:+.1f} % to {100 * size[1]:+.1f} % |"
    )  # fmt: skip


if __name__ == "__main__":
    main()
