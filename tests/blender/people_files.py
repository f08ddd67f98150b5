"""Keypoint files of the bundled walk, in the shapes in which users have them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.reading import read_keypoints
from mvlift.keypoints.writing import write_keypoints

WALK = Path(__file__).resolve().parents[2] / "examples" / "walk.zip"
SIZE = (1280, 720)


def walker(frames: int = 150) -> KeypointClip:
    """The bundled clip's person."""
    clip = read_keypoints(WALK, fps=Fraction(30), image_size=SIZE)[0]
    return clip.restricted(clip.first_frame, clip.first_frame + frames - 1)


def two_people(path: Path, frames: int = 60) -> Path:
    """A table with the walker as "a", and as "b", who comes ten frames later and stands further left."""
    a = walker(frames)
    shifted = np.where(a.seen[..., None], a.points * 0.9 - [260, -50], 0).astype(np.float32)
    b = replace(a, points=shifted, confidence=a.confidence * 0.8, first_frame=a.first_frame + 10, track_id="b")
    write_keypoints([replace(a, track_id="a"), b], path)
    return path


def openpose_folder(path: Path, frames: int = 60) -> Path:
    """A folder with one file a frame, which says nothing of frame rate and picture size."""
    write_keypoints([replace(walker(frames), fps=None, image_size=None)], path)
    return path
