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
from mvlift.arrays import to_numpy
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.files import whole_file
from mvlift.lifting.normalise import intrinsics, normalise
from mvlift.lifting.sampling.in_loop import InputView, Sampled, SampleOptions, sample_lines, sample_views
from mvlift.lifting.sampling.lift_points import input_view
from mvlift.lifting.subjects import Subject
from mvlift.threads import thread_limit
from rich.progress import track

from mvlift_training.config import TrainConfig
from mvlift_training.motion_data import SequenceSet
from mvlift_training.sds import distil_views, sds_options

__all__ = ["Method", "lift_sequences", "lifted_path"]

Method = Literal["loop", "sds", "stage4", "lift"]
"""What lifts: the line-conditioned model by its sampler or by score distillation, the multi-view model by sampling, or
the whole lift with it."""


def lifted_path(folder: Path, index: int) -> Path:
    """File of one sequence's lifted motion."""
    return folder / f"{index:05d}.npz"


def _shares(chosen: range, fabric: Fabric) -> Iterator[int]:
    yield from chosen[fabric.global_rank :: fabric.world_size]


def _sample(
    config: TrainConfig,
    network: MotionDenoiser,
    schedule: CosineSchedule,
    givens: list[InputView],
    generators: list[torch.Generator],
    method: Method,
) -> list[Sampled]:
    if method == "sds":
        o = config.stage2
        chosen = sds_options(o.sds_iterations, consistency=o.consistency_weight, consistency_norm=o.consistency,
                             weighting=o.sds_weighting)  # fmt: skip
        return distil_views(network, givens, schedule, chosen, generators)
    options = SampleOptions(
        sampler=config.stage2.sampler,
        steps=config.stage2.steps,
        window=config.window,
        stride=config.window // 2,
        hypotheses=config.stage2.hypotheses,
    )
    sample = sample_views if method == "stage4" else sample_lines
    return [sample(network, g, schedule, options, r) for g, r in zip(givens, generators, strict=True)]


def lift_sequences(
    config: TrainConfig,
    subject: Subject,
    sequences: SequenceSet,
    network: MotionDenoiser,
    schedule: CosineSchedule,
    folder: Path,
    fabric: Fabric,
    method: Method,
) -> None:
    """Lift every sequence that has no result yet.

    ``network`` is stage 4's for the method "stage4" and stage 1's for the others.

    Writes per sequence ``points`` (H, T, P, 3), root-relative in the camera's axes, network units, and ``tilt`` (H, 2).
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = range(0, len(sequences.points), config.stage2.stride)
    todo = [i for i in _shares(chosen, fabric) if not lifted_path(folder, i).is_file()]
    size = config.stage2.sds_batch if method == "sds" else 1
    if size > 1:
        todo.sort(key=lambda i: len(sequences.points[i]))  # little of a batch is filling
    batches = [todo[k : k + size] for k in range(0, len(todo), size)]
    for batch in track(batches, description="stage 2", disable=not fabric.is_global_zero):
        motions = [
            normalise(sequences.points[i], sequences.confidence[i], subject, intrinsics(sequences.image_size[i]))
            for i in batch
        ]
        givens = [input_view(m, fabric.device, config.stage2.elevation) for m in motions]
        generators = [torch.Generator(fabric.device).manual_seed(config.seed * 100_003 + i) for i in batch]
        with thread_limit(config.threads or None):
            lifted = _sample(config, network, schedule, givens, generators, method)
        for i, motion, sampled in zip(batch, motions, lifted, strict=True):
            with whole_file(lifted_path(folder, i)) as part:
                np.savez(
                    part,
                    points=to_numpy(sampled.in_camera()).astype(np.float32),
                    tilt=to_numpy(sampled.tilt),
                    depth=motion.depth,
                )
    fabric.barrier()
