"""Tiny trainings: their config files, and processes that run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

STEPS: Final = 60
COMMAND: Final = [
    sys.executable,
    "-c",
    "import sys; from mvlift_training.cli import main; sys.exit(main(sys.argv[1:]))",
]
ENVIRONMENT: Final = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def tiny_config(folder: Path, data: Path, **changes: Any) -> Path:
    """Write FOLDER.yaml: two-layer networks with dropout, whose run goes to FOLDER."""
    steps = {"steps": STEPS, "batch": 16, "learning_rate": 3.0e-3, "warmup": 5, "ema": 0.9, "log_every": 5}
    values: dict[str, Any] = {
        "data": str(data), "folder": str(folder), "name": "tiny", "window": 32, "device": "cpu", "threads": 1,
        "network": {"width": 32, "layers": 2, "heads": 2, "patch": 4, "dropout": 0.1},
        "train1": steps, "train4": steps,
        "stage2": {"steps": 4, "hypotheses": 2},
        "stage3": {"workers": 1, "max_reprojection": 1.0, "max_energy": 1e3, "max_disagreement": 5.0,
                   "max_speed": 1e3},
    }  # fmt: skip
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(values.get(key), dict) else value
    path = folder.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def two_ranks(arguments: list[str]) -> None:
    """Run a script or ``-m module`` as two processes of one gloo group under torchrun; fails with their output."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
