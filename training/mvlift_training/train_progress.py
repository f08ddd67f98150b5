"""Progress report of stages 1 and 4: windows a second, loss, time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mvlift_training.train_options import TrainOptions

__all__ = ["TrainProgress"]

LINE_EVERY: Final = 30.0
"""Seconds between the lines that are written where no bar can be drawn."""


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min" if minutes else "< 1 min"


class TrainProgress:
    """A bar on a terminal, else a line every half minute; on the first rank only.

    Args:
        stage: its name.
        options: steps, batch and time limit.
        fabric: says which rank this is.
        console: where to.
    """

    def __init__(self, stage: str, options: TrainOptions, fabric: Fabric, console: Console) -> None:
        self._stage, self._options, self._console = stage, options, console
        self._main = fabric.is_global_zero
        self._began = self._said = time.monotonic()
        self._first: int | None = None
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
        shown = self._main and console.is_terminal
        self._bar = Progress(*columns, console=console, disable=not shown)
        self._task = self._bar.add_task(stage, total=options.steps, state="")

    def __enter__(self) -> TrainProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def _state(self, step: int, means: dict[str, float], now: float) -> str:
        first = step - self._options.log_every if self._first is None else self._first
        rate = (step - first) / max(now - self._began, 1e-6)  # steps a second
        left = (self._options.steps - step) / max(rate, 1e-9)
        if self._options.minutes is not None:
            left = min(left, max(60 * self._options.minutes - (now - self._began), 0.0))
        loss = ", ".join(f"{key} {value:.4f}" for key, value in means.items())
        return f"step {step}, {rate * self._options.batch:.0f} windows/s, {loss}, {_clock(left)} left"

    def show(self, step: int, means: dict[str, float]) -> None:
        """Called after every ``log_every`` steps with the mean loss terms."""
        now = time.monotonic()
        if not self._main:
            return
        state = self._state(step, means, now)
        self._first = step - self._options.log_every if self._first is None else self._first
        self._bar.update(self._task, completed=step, state=state)
        if not self._console.is_terminal and (now - self._said >= LINE_EVERY or step >= self._options.steps):
            self._console.print(f"{self._stage}: {state}")
            self._said = now
