"""Run by the tests, alone or under torchrun: a stage's training in which all ranks together see one fixed batch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.subjects import get_subject
from mvlift_training.config import load_config
from mvlift_training.motion_data import MotionWindows, load_sequences
from mvlift_training.motion_library import MotionLibrary
from mvlift_training.runtime import fabric_for, fresh_network
from mvlift_training.stage1 import LineTask
from mvlift_training.stage4 import ViewTask
from mvlift_training.trainer import DiffusionTask, train
from torch import Tensor


class Shared:
    """A task whose global batch comes from one generator; each rank takes its rows."""

    def __init__(self, task: DiffusionTask, fabric: Fabric) -> None:
        self.task, self.rank, self.world = task, fabric.global_rank, fabric.world_size
        self.generator = torch.Generator().manual_seed(3)

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        full_batch = self.task.batch(size * self.world, self.generator)
        return {k: v[self.rank * size : (self.rank + 1) * size] for k, v in full_batch.items()}

    def loss(self, network: Callable[..., Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.task.loss(network, batch)


def main(config_file: str, stage: str, folder: str) -> None:
    """Train a stage of a config into a folder."""
    config, subject = load_config(Path(config_file)), get_subject("human")
    fabric = fabric_for(config)
    task: DiffusionTask
    if stage == "stage1":  # no line term: its mean is over the lines that a rank happens to have
        windows = MotionWindows(load_sequences(config.data), subject, config.window, fabric.device)
        task = LineTask(windows, CosineSchedule(), line_weight=0.0)
    else:
        library = MotionLibrary(config.folder / "stage3" / "motions.npz", subject, config.window, fabric.device)
        task = ViewTask(library, subject, CosineSchedule())
    network = fresh_network(config, subject, "line" if stage == "stage1" else "multiview")
    train(network, Shared(task, fabric), config.train1, Path(folder), fabric=fabric, seed=1, provenance={})


if __name__ == "__main__":
    main(*sys.argv[1:])
