"""Fixtures of the training tests: one tiny run of all stages, which most tests look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: on a busy machine its threads wait for each other

import pytest
import torch
from mvlift_training.cli import main
from tiny_runs import tiny_config
from walkers import write_data_set


@dataclass(frozen=True)
class TinyRun:
    """A finished ``mvlift-train all``."""

    config: Path
    folder: Path
    data: Path


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread: the networks are too small for more, and sums keep their order."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five walks of 48 frames as 2D."""
    return write_data_set(tmp_path_factory.mktemp("data") / "walks.npz")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, data: Path) -> TinyRun:
    """All four stages on the walks, through the command."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    config = tiny_config(folder, data)
    assert main(["all", "--config", str(config)]) == 0
    return TinyRun(config, folder, data)
