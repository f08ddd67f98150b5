"""Stage 2: 3D from 2D for every training sequence, with the model of stage 1 (or of stage 4 in a self-training round).

Each sequence's result is a file of its own, so a killed run goes on where it was; ranks share the sequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.normalise import intrinsics, normalise
from mvlift.lifting.sampled import given_view
from mvlift.lifting.sampling import GivenView, Sampled, SampleOptions, sample_lines, sample_views
from mvlift.lifting.subjects import Subject
from rich.progress import track

from mvlift_training.config import TrainConfig
from mvlift_training.motion_data import SequenceSet
from mvlift_training.sds import distil_views, sds_options

__all__ = ["lift_sequences", "lifted_path"]


def lifted_path(folder: Path, index: int) -> Path:
    """File of one sequence's lifted motion."""
    return folder / f"{index:05d}.npz"


def _shares(chosen: range, fabric: Fabric) -> Iterator[int]:
    yield from chosen[fabric.global_rank :: fabric.world_size]


def _sample(
    config: TrainConfig,
    network: MotionDenoiser,
    schedule: CosineSchedule,
    given: GivenView,
    generator: torch.Generator,
    method: str,
) -> Sampled:
    options = SampleOptions(
        sampler=config.stage2.sampler,
        steps=config.stage2.steps,
        window=config.window,
        stride=config.window // 2,
        hypotheses=config.stage2.hypotheses,
    )
    if method == "sds":
        return distil_views(network, given, schedule, sds_options(config.stage2.sds_iterations), generator)
    if method == "stage4":
        return sample_views(network, given, schedule, options, generator)
    return sample_lines(network, given, schedule, options, generator)


def lift_sequences(
    config: TrainConfig,
    subject: Subject,
    sequences: SequenceSet,
    network: MotionDenoiser,
    schedule: CosineSchedule,
    folder: Path,
    fabric: Fabric,
    method: Literal["loop", "sds", "stage4"],
) -> None:
    """Lift every sequence that has no result yet.

    ``network`` is stage 4's for the method "stage4" and stage 1's for the others.
    Writes per sequence ``points`` (H, T, P, 3), root-relative in the camera's axes, network units, and ``tilt`` (H, 2).
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = range(0, len(sequences.points), config.stage2.every)
    todo = [i for i in _shares(chosen, fabric) if not lifted_path(folder, i).is_file()]
    for i in track(todo, description="stage 2", disable=not fabric.is_global_zero):
        K = intrinsics(sequences.image_size[i])
        motion = normalise(sequences.points[i], sequences.confidence[i], subject, K)
        given = given_view(motion, fabric.device, config.stage2.elevation)
        generator = torch.Generator(fabric.device).manual_seed(config.seed * 100_003 + i)
        lifted = _sample(config, network, schedule, given, generator, method)
        temporary = folder / f"{i:05d}.tmp.npz"
        np.savez(
            temporary,
            points=lifted.in_camera().cpu().numpy().astype(np.float32),
            tilt=lifted.tilt.cpu().numpy(),
            depth=motion.depth,
        )
        temporary.replace(lifted_path(folder, i))
    fabric.barrier()
