"""The running job: a queue of lifts with its progress in the panel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import bpy

from ..engine.process import shared_client
from ..engine.queue import EngineQueue, Request
from ..interface.sidebar import redraw_tab
from ..settings.preferences import engine_source

__all__ = ["EngineJob", "running_job", "stop_running_job", "why_busy"]

_TICK = 0.05  # seconds between looks at the engine
_REDRAW = 0.25  # seconds between two states of the progress bar

_running: EngineJob | None = None


def running_job() -> EngineJob | None:
    """The job that is under way, or None."""
    return _running


def why_busy(context: Any) -> str:
    """Why a lift's input cannot be changed now, or ""."""
    running = context.window_manager.mvlift_job.running
    return "The engine is busy: wait until it has finished, or press Esc to cancel" if running else ""


def stop_running_job() -> None:
    """End the job without waiting, for when its window or file goes away."""
    if _running is not None:
        _running.abandon()


class EngineJob:
    """One job at a time; the engine stays warm between them.

    Args:
        context: of Blender.
        requests: what to lift.

    Attributes:
        warnings: what the engine wants the user to know.
    """

    def __init__(self, context: Any, requests: Sequence[Request]) -> None:
        self._queue = EngineQueue(shared_client(engine_source(context)), requests)
        self._timer: Any = None
        self._shown: tuple[object, ...] = ()
        self._shown_at = 0.0

    @property
    def lifted(self) -> list[tuple[Any, Any]]:
        """The results so far."""
        return self._queue.done

    @property
    def cancelled(self) -> bool:
        """True when the user cancelled."""
        return self._queue.state.cancelled

    @property
    def warnings(self) -> list[str]:
        """The engine's warnings."""
        return self._queue.state.warnings

    def run(self) -> list[tuple[Any, Any]]:
        """Block until all is lifted.

        Raises:
            MvliftError: a lift or the engine failed.
        """
        return self._queue.run()

    def begin(self, context: Any) -> None:
        """Show the job in the panel and have timer events sent to the operator that runs it."""
        global _running
        _running = self
        manager = context.window_manager
        self._timer = manager.event_timer_add(_TICK, window=context.window)
        manager.mvlift_job.running, manager.mvlift_job.cancel = True, False
        self._show(context)

    def step(self, context: Any) -> bool:
        """Poll the engine; returns True while the job runs.

        Raises:
            MvliftError: a lift or the engine failed.
        """
        if context.window_manager.mvlift_job.cancel:
            self._queue.cancel()
        more = self._queue.poll()
        self._show(context)
        return more

    def cancel(self) -> None:
        """Cancel; ``step`` returns False within a second."""
        bpy.context.window_manager.mvlift_job.cancel = True

    def end(self, context: Any) -> None:
        """Remove the job from the panel."""
        global _running
        _running = None
        manager = context.window_manager
        if self._timer is not None:
            manager.event_timer_remove(self._timer)
            self._timer = None
        job = manager.mvlift_job
        job.running, job.cancel, job.stage, job.fraction, job.left = False, False, "", 0.0, ""
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        redraw_tab(manager)

    def abandon(self) -> None:
        """Cancel and end at once, without waiting for the engine."""
        self._queue.cancel()
        self.end(bpy.context)

    def _show(self, context: Any) -> None:
        state, job = self._queue.state, context.window_manager.mvlift_job
        left = _duration(state.left)
        shown = (state.stage, job.cancel, round(200 * state.fraction), left)
        now = time.monotonic()
        # a redraw costs the window time: none without news, and numbers that creep are shown now and then
        if shown == self._shown or (shown[:2] == self._shown[:2] and now - self._shown_at < _REDRAW):
            return
        self._shown, self._shown_at = shown, now
        job.stage = "Cancelling" if job.cancel else state.stage
        job.fraction, job.left = min(state.fraction, 1.0), left
        if context.workspace is not None:
            context.workspace.status_text_set(f"MVLift: {job.stage} {100 * job.fraction:.0f} %   Esc: cancel")
        redraw_tab(context.window_manager)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    rounded = round(seconds)
    return f"{rounded} s left" if rounded < 100 else f"{rounded // 60}:{rounded % 60:02d} left"
