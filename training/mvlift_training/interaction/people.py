"""The people of the interaction data: a 2D data set lifted by the shipped model, the plausible sequences kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.rates import checked_rate
from mvlift.lifting.pipeline import lift
from mvlift.lifting.subjects import Subject
from rich.console import Console
from rich.progress import track

from mvlift_training.motion_data import SequenceSet, load_sequences
from mvlift_training.motion_library import write_motion_library

__all__ = ["lift_people"]

MAX_REPROJECTION: Final = 0.02
"""Largest median reprojection error, as a share of the body's height in the picture."""
MAX_SPEED: Final = 9.0
"""Fastest root, metres a second."""


def _clip(sequences: SequenceSet, i: int, subject: Subject) -> KeypointClip:
    return KeypointClip(
        points=sequences.points[i].astype(np.float32),
        confidence=sequences.confidence[i].astype(np.float32),
        layout=subject.layout,
        fps=checked_rate(sequences.fps),
        image_size=sequences.image_size[i],
    )


def _lifted(clip: KeypointClip, subject: Subject, preset: str, seed: int) -> np.ndarray | None:
    """(T, K, 3) metres, z up, floor at 0; None where the lift does not agree with the picture."""
    try:
        motion = lift(clip, subject=subject, preset=preset, seed=seed)
    except LiftError:
        return None
    seen = clip.points[clip.seen]
    tall = float(np.percentile(seen[:, 1], 98) - np.percentile(seen[:, 1], 2))
    speed = np.linalg.norm(np.diff(motion.translation, axis=0), axis=1) * float(motion.fps)
    good = np.nanmedian(motion.reprojection_error) < MAX_REPROJECTION * tall and np.percentile(speed, 99) < MAX_SPEED
    return motion.keypoints if good and np.isfinite(motion.keypoints).all() else None


def lift_people(data: Path, output: Path, subject: Subject, preset: str, seed: int, console: Console) -> int:
    """Lift every sequence of a 2D data set and write the plausible ones as a motion library.

    Args:
        data: 2D data set in the subject's layout.
        output: .npz to write.
        subject: the person.
        preset: of the lift.
        seed: of its sampling.
        console: for the report.

    Returns:
        How many were kept.

    Raises:
        LiftError: none was.
    """
    sequences = load_sequences(data)
    kept = []
    for i in track(range(len(sequences.points)), "people", console=console):
        points = _lifted(_clip(sequences, i, subject), subject, preset, seed + i)
        if points is not None:
            kept.append(points)
    if not kept:
        raise LiftError(f"{data}: no sequence could be lifted.", "Check the data set and the weights.")
    write_motion_library(output, kept, subject.layout.names, sequences.fps)
    console.print(f"{len(kept)} of {len(sequences.points)} people lifted, {sum(map(len, kept))} frames")
    return len(kept)
