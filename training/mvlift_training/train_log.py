"""The log of a training: ``log.jsonl`` and TensorBoard; a resumed run goes on in both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from mvlift.files import whole_file
from torch import Tensor

__all__ = ["TrainLog"]


def _cut_log(path: Path, step: int) -> None:
    """Drop the lines after a checkpoint, which the resumed run writes again."""
    if path.is_file():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        if not kept:
            path.unlink()
            return
        with whole_file(path) as part:
            part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _writer(folder: Path, step: int) -> Any:
    """TensorBoard's writer, or None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)  # type: ignore[no-untyped-call]


class TrainLog:
    """Mean loss terms into ``log.jsonl`` and TensorBoard, written by the first rank.

    Args:
        folder: of both.
        step: where a resumed run goes on; what an earlier run wrote beyond it is dropped.
        interval: steps in a mean.
        fabric: says which rank this is.
        on_log: called with the step and the means, on every rank.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        interval: int,
        fabric: Fabric,
        on_log: Callable[[int, dict[str, float]], None] | None,
    ) -> None:
        self._path, self._interval, self._on_log = folder / "log.jsonl", interval, on_log
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._main = fabric.is_global_zero
        self._writer: Any = None
        if self._main:
            _cut_log(self._path, step)
            self._writer = _writer(folder, step)

    def __enter__(self) -> TrainLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, step: int, seconds: float, terms: dict[str, Tensor]) -> None:
        """One step's terms; after each ``interval`` steps their means are written."""
        for key, value in terms.items():
            self._sums[key] = self._sums.get(key, torch.zeros((), device=value.device)) + value.detach()
        self._count += 1
        if step % self._interval:
            return
        means = {k: float(v) / self._count for k, v in self._sums.items()}
        self._sums, self._count = {}, 0
        if self._main:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, "seconds": round(seconds, 1), **means}) + "\n")
            if self._writer is not None:
                for key, mean in means.items():
                    self._writer.add_scalar(key, mean, step)
        if self._on_log is not None:
            self._on_log(step, means)
