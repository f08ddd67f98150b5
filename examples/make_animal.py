"""Makes the examples of animals: a dog that trots past the camera, a horse that walks. Nobody was filmed.

python examples/make_animal.py dog examples/dog.csv
python examples/make_animal.py horse examples/horse.csv
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Animal:
    """Kind, gait, subject, height of the shoulder in metres, seed."""

    kind: str
    gait: str
    subject: str
    height: float
    seed: int


ANIMALS = {
    "dog": Animal("dog", "trot", "quadruped17", 0.6, 7),
    "horse": Animal("horse", "walk", "ungulate16", 1.4, 3),
}


def world_points(animal: Animal) -> np.ndarray:
    """(T, K, 3) keypoints of the subject, metres, z up; the animal goes along +x at first."""
    random = np.random.default_rng(animal.seed)
    measures = draw_measures(random, (animal.kind,))
    motion = draw_motion(animal.gait, FRAMES, measures, random)
    points = keypoints_of(measures, motion, draw_looks(random))
    chosen = np.stack([points[n] for n in get_subject(animal.subject).layout.names], 1) * animal.height
    way = chosen[-1].mean(0) - chosen[0].mean(0)
    cos, sin = way[:2] / np.linalg.norm(way[:2])
    ahead = chosen @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return ahead - np.append(ahead.mean((0, 1))[:2], 0)


def pixels(points: np.ndarray, height: float) -> np.ndarray:
    """(T, K, 2) as a camera sees them that looks down a little, from the side and in front."""
    turn, tilt = np.radians(-50), np.radians(6)
    forward = np.array([np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), -np.sin(tilt)])
    right = np.array([np.cos(turn), -np.sin(turn), 0])
    eye = height * (np.array([0, 0, 0.58]) - 9.2 * forward)
    camera = (points - eye) @ np.stack([right, np.cross(forward, right), forward]).T
    return FOCAL * camera[..., :2] / camera[..., 2:] + np.array(SIZE) / 2


def main(name: str, output: Path) -> None:
    animal = ANIMALS[name]
    xy = pixels(world_points(animal), animal.height)
    if not ((xy > 0) & (xy < SIZE)).all():
        raise SystemExit("The animal leaves the picture; choose another seed.")
    trembling = xy + 1.2 * np.random.default_rng(1).normal(size=xy.shape)
    layout = get_subject(animal.subject).layout
    clip = KeypointClip(trembling, np.full(xy.shape[:2], 0.9), layout, fps=Fraction(FPS), image_size=SIZE)
    write_keypoints([clip], output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
