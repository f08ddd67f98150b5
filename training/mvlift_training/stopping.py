"""When a training ends before its steps are done: signals and time, agreed between ranks."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, Final

import torch
from lightning_fabric import Fabric

__all__ = ["SYNC_STEPS", "StageTimer", "StopSignals"]

SYNC_STEPS: Final = 10
"""Steps between the moments at which ranks agree on the time, and at which a GPU is asked whether all is finite."""


class StopSignals:
    """Turns signals into a flag while training, so that a stopped job saves before it ends: SIGTERM, SIGINT, and
    SIGUSR1, which SLURM sends where it is asked to before time is up."""

    def __init__(self) -> None:
        self.now = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # elsewhere the caller handles signals
            numbers = [signal.SIGTERM, signal.SIGINT, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
            self._before = {n: signal.signal(n, self._set) for n in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.now = True


class StageTimer:
    """Seconds of training and the request to stop, equal on all ranks, which would otherwise deadlock.

    Args:
        fabric: launched.
        spent: seconds of earlier runs.
        stopped: whether this rank was asked to stop.
    """

    def __init__(self, fabric: Fabric, spent: float, stopped: StopSignals) -> None:
        self._fabric, self._stopped, self._began = fabric, stopped, time.monotonic() - spent
        self.seconds, self.stop, self._fresh = spent, False, False

    def read(self, step: int) -> None:
        """Update ``seconds`` and ``stop``; called by all ranks at the same steps."""
        seconds, stop = time.monotonic() - self._began, self._stopped.now
        if self._fabric.world_size > 1:
            if self._fresh and step % SYNC_STEPS:
                return
            state = torch.tensor([seconds, float(stop)], device=self._fabric.device)
            seconds, flag = torch.as_tensor(self._fabric.all_reduce(state, reduce_op="max")).tolist()
            stop = flag > 0
        self.seconds, self.stop, self._fresh = seconds, stop, True
