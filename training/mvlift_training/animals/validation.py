"""A validation set of animals of our own making: 3D truth in metres, the camera, and what a detector would see.

Its keys are those of every validation file (``mvlift_training.evaluation.data``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from mvlift.errors import KeypointError
from mvlift.files import whole_file
from mvlift.lifting.normalise import UNIT_METRES, normalise
from mvlift.lifting.subjects import Subject
from mvlift.typing import F64

from mvlift_training.animals.footage import Camera, Footage, common_layout
from mvlift_training.animals.species import Kind, kinds_of
from mvlift_training.detector_noise import DetectorNoise, corrupt

__all__ = ["VALIDATION_NOISE", "detected", "in_metres", "write_validation"]

VALIDATION_NOISE: Final = DetectorNoise(
    jitter=0.06, drift=0.05, gross=0.015, dropped=0.05, swapped=0.0, groups_lost=0.0, frames_lost=0.0, clean=0.0
)
"""About as strong on average as in the validation set of dogs (a median of 1.1 % of the animal's extent in the picture,
0.7 % of points far off, 1.6 % lost, sides not exchanged); it differs more between sequences."""
_TRUTH: Final = 1
"""Marks the random draws that are the validation set's own."""


def _drawn(seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, index, _TRUTH])


def in_metres(
    footage: Footage, random: np.random.Generator, table: Mapping[str, Kind] | None = None
) -> tuple[F64, Camera]:
    """Points (T, K, 3) and camera of an animal of our own in metres, at a height that is usual for its kind.

    Raises:
        KeypointError: the footage is not of our own making, so its truth is unknown.
    """
    if footage.points3d is None or footage.camera is None:
        raise KeypointError(f"{footage.clip} has no 3D truth.", "Validate with generated animals.")
    table = kinds_of(None).kinds if table is None else table
    metres = random.uniform(*table[footage.kind].shoulder_metres)
    return footage.points3d * metres, replace(footage.camera, t=footage.camera.t * metres)


def detected(
    footage: Footage, camera: Camera, subject: Subject, noise: DetectorNoise, random: np.random.Generator
) -> tuple[F64, F64]:
    """What a detector would see.

    Args:
        footage: the true keypoints.
        camera: who took them.
        subject: whose keypoints they are.
        noise: strengths.
        random: randomness.

    Returns:
        Keypoints (T, K, 2) in pixels and confidence (T, K); both 0 where lost or outside the picture.

    Raises:
        LiftError: too little is in the picture to measure its size.
    """
    seen = np.asarray(np.isfinite(footage.xy).all(-1))
    pixels = np.nan_to_num(footage.xy)
    scale = normalise(pixels, np.asarray(seen, dtype=np.float64), subject, camera.K).pixels_per_metre
    unit = UNIT_METRES * scale[:, None, None]
    count = len(subject.layout.names)
    x = torch.zeros(1, len(pixels), count + 1, 2)  # the last point is the root's velocity, which is not written
    x[0, :, :count] = torch.as_tensor(pixels / unit)
    mirror = torch.as_tensor(np.concatenate([subject.layout.mirrored(), [count]]))
    groups = torch.zeros(0, count + 1, dtype=torch.bool)
    generator = torch.Generator().manual_seed(int(random.integers(2**31)))
    points, confidence = (v[0, :, :count].double().numpy() for v in corrupt(x, noise, mirror, groups, generator))
    confidence = np.where(seen, confidence, 0)
    return np.where(confidence[..., None] > 0, points * unit, 0), confidence


def write_validation(
    path: Path, footage: list[Footage], subject: Subject, seed: int, table: Mapping[str, Kind] | None = None
) -> None:
    """A validation set of generated animals; atomically, and the same for the same footage and seed.

    Args:
        path: of the .npz.
        footage: of our own making.
        subject: whose keypoints they are.
        seed: of sizes and noise.
        table: measures by kind; None: those that come along.

    Raises:
        MvliftError: there is no footage, or one has no truth or shows too little.
    """
    if not footage:
        raise KeypointError("There are no animals to validate with.", "Give --sequences 1 or more.")
    draws = [_drawn(seed, i) for i in range(len(footage))]
    truth = [in_metres(f, random, table) for f, random in zip(footage, draws, strict=True)]
    noisy = [
        detected(f, camera, subject, VALIDATION_NOISE, random)
        for f, (_, camera), random in zip(footage, truth, draws, strict=True)
    ]
    cameras = [camera for _, camera in truth]
    with whole_file(path) as part:
        np.savez_compressed(
            part,
            **common_layout(footage, subject.layout.names),
            noisy_xy=np.concatenate([xy for xy, _ in noisy]).astype(np.float32),
            noisy_confidence=np.concatenate([c for _, c in noisy]).astype(np.float32),
            points3d=np.concatenate([points for points, _ in truth]).astype(np.float32),
            K=np.stack([c.K for c in cameras]),
            R=np.stack([c.R for c in cameras]),
            t=np.stack([c.t for c in cameras]),
        )
