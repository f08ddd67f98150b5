"""Stage 2 by the whole lift: sampling, body fit and refinement passes, exactly what a user gets; stage 3 only filters.

Each sequence's result is a file of its own, so a killed run goes on where it was; ranks share the sequences.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from lightning_fabric import Fabric
from mvlift.errors import MvliftError
from mvlift.files import whole_file
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.body_of import body_of
from mvlift.lifting.pipeline import lift
from mvlift.lifting.subjects import Subject
from mvlift.motion import LiftedMotion
from rich.progress import track

from mvlift_training.config import TrainConfig
from mvlift_training.motion_data import SequenceSet
from mvlift_training.stage2 import lifted_path

__all__ = ["lift_whole", "measures"]

STATURE: Final = 1.7
"""Metres that one body height stands for."""


def measures(motion: LiftedMotion, subject: Subject) -> list[float]:
    """Reprojection (share of the body's height), agreement (0: the lift keeps no second opinion), energy of the pose
    prior, and the root's 99th percentile of speed in metres a second."""
    prior = body_of(subject.alone)[2]
    depth = (motion.keypoints @ motion.camera.R.T + motion.camera.t)[..., 2]
    metre = float(motion.camera.K[0, 0] / np.median(np.maximum(depth, 0.1)))
    rotations = exp_map(motion.rotations.reshape(-1, 3).astype(np.float64)).reshape(*motion.rotations.shape, 3)
    energy = 0.0 if prior is None else float(np.median(prior.energy(rotations[:, 1:22])))
    speed = np.linalg.norm(np.diff(motion.translation, axis=0), axis=-1) * float(motion.fps)
    travel = float(np.percentile(speed, 99)) if len(speed) else 0.0
    return [float(np.nanmedian(motion.reprojection_error)) / (metre * STATURE), 0.0, energy, travel]


def _clip(sequences: SequenceSet, i: int, subject: Subject) -> KeypointClip:
    return KeypointClip(
        points=sequences.points[i].astype(np.float32),
        confidence=sequences.confidence[i].astype(np.float32),
        layout=subject.layout,
        fps=Fraction(sequences.fps).limit_denominator(1001),
        image_size=sequences.image_size[i],
        source_format="training",
    )


def lift_whole(
    config: TrainConfig, subject: Subject, sequences: SequenceSet, weights: str, folder: Path, fabric: Fabric
) -> None:
    """Lift every sequence that has no result yet.

    Args:
        config: stage2.preset, every; seed and device.
        subject: what is lifted.
        sequences: the data set.
        weights: of the multi-view model, by name or path.
        folder: of the results: per sequence ``world`` (T, K, 3) metres, z up, and ``measures`` (4,); empty and infinite
            where the lift was given up.
        fabric: says which rank this is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = range(0, len(sequences.points), config.stage2.stride)[fabric.global_rank :: fabric.world_size]
    todo = [i for i in chosen if not lifted_path(folder, i).is_file()]
    for i in track(todo, description="stage 2", disable=not fabric.is_global_zero):
        world, quality = np.zeros((0, 0, 3), np.float32), [np.inf] * 4
        try:
            motion = lift(_clip(sequences, i, subject), subject=subject, preset=config.stage2.preset,
                          seed=config.seed * 100_003 + i, models={"multiview": weights},
                          device=fabric.device.type)  # fmt: skip
            world, quality = motion.keypoints.astype(np.float32), measures(motion, subject)
        except MvliftError:
            pass  # stage 3 counts it as dropped
        with whole_file(lifted_path(folder, i)) as part:
            np.savez(part, world=world, measures=np.array(quality))
    fabric.barrier()
