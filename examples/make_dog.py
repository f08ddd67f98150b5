"""Makes the example of an animal: a dog that trots past the camera. Nobody was filmed.

python examples/make_dog.py examples/dog.csv
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.writing import write_keypoints
from mvlift.lifting.subjects import get_subject
from mvlift_training.animals.body import draw_measures
from mvlift_training.animals.gaits import FPS, draw_motion
from mvlift_training.animals.keypoints import draw_looks, keypoints_of

FRAMES, SIZE, FOCAL = 90, (1280, 720), 1400.0
WITHERS = 0.6  # metres
SEED = 7


def world_points() -> np.ndarray:
    """(T, K, 3) keypoints of the subject quadruped17, metres, z up; the dog goes along +x at first."""
    random = np.random.default_rng(SEED)
    dog = draw_measures(random, ("dog",))
    motion = draw_motion("trot", FRAMES, dog, random)
    points = keypoints_of(dog, motion, draw_looks(random))
    chosen = np.stack([points[n] for n in get_subject("quadruped17").layout.names], 1) * WITHERS
    way = chosen[-1].mean(0) - chosen[0].mean(0)
    cos, sin = way[:2] / np.linalg.norm(way[:2])
    ahead = chosen @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return ahead - np.append(ahead.mean((0, 1))[:2], 0)


def pixels(points: np.ndarray) -> np.ndarray:
    """(T, K, 2) as a camera sees them that looks down a little, from the side and in front."""
    turn, tilt = np.radians(-50), np.radians(6)
    forward = np.array([np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), -np.sin(tilt)])
    right = np.array([np.cos(turn), -np.sin(turn), 0])
    eye = np.array([0, 0, 0.35]) - 5.5 * forward
    camera = (points - eye) @ np.stack([right, np.cross(forward, right), forward]).T
    return FOCAL * camera[..., :2] / camera[..., 2:] + np.array(SIZE) / 2


def main(output: Path) -> None:
    xy = pixels(world_points())
    if not ((xy > 0) & (xy < SIZE)).all():
        raise SystemExit("The dog leaves the picture; choose another SEED.")
    trembling = xy + 1.2 * np.random.default_rng(1).normal(size=xy.shape)
    layout = get_subject("quadruped17").layout
    clip = KeypointClip(trembling, np.full(xy.shape[:2], 0.9), layout, fps=Fraction(FPS), image_size=SIZE)
    write_keypoints([clip], output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
