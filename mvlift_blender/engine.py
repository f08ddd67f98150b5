"""The engine process as Blender sees it: one warm process, started and polled without ever blocking the window."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlift.errors import EngineError, MvliftError
from mvlift.keypoints import KeypointClip
from mvlift.motion import LiftedMotion
from mvlift.worker.client import EngineClient, Failure, LiftOptions, Progress, Result, Warning

__all__ = ["EngineSource", "LiftQueue", "LiftRequest", "QueueState", "close_engine", "shared_client"]


@dataclass(frozen=True)
class EngineSource:
    """Which Python the engine runs in.

    Attributes:
        python: an interpreter that has torch, or None for Blender's own with the bundled packages.
        pythonpath: folders that it finds packages in.
    """

    python: Path | None = None
    pythonpath: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class LiftRequest:
    """One person to lift: a name for people, the clip, the engine's options, and where the clip came from."""

    name: str
    clip: KeypointClip
    options: LiftOptions
    source: str = ""
    track: str = ""


@dataclass
class QueueState:
    """What a queue shows. ``fraction`` is of all its requests; ``left`` is in seconds, None while unknown."""

    stage: str = "Starting the engine"
    fraction: float = 0.0
    left: float | None = None
    warnings: list[str] = field(default_factory=list)


_client: EngineClient | None = None
_source: EngineSource | None = None


def shared_client(source: EngineSource) -> EngineClient:
    """The one client of this Blender; another source closes the old process."""
    global _client, _source
    if _client is None or _source != source:
        close_engine()
        _client, _source = EngineClient(python=source.python, pythonpath=source.pythonpath), source
    return _client


def close_engine() -> None:
    """End the engine process; the next lift starts another."""
    global _client, _source
    client, _client, _source = _client, None, None
    if client is not None:
        client.close()


def portable_package(folder: Path) -> Path:
    """A folder that holds nothing but the ``mvlift`` package, for an interpreter other than Blender's.

    The bundled packages around it are built for Blender's Python and must not reach another one.
    """
    import mvlift

    package = Path(mvlift.__file__).parent
    target = folder / "engine" / f"{abs(hash((str(package), package.stat().st_mtime_ns))):x}"
    if not (target / "mvlift").is_dir():
        partial = target.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(package, partial / "mvlift", ignore=shutil.ignore_patterns("__pycache__"))
        partial.rename(target)
    return target


class LiftQueue:
    """Lifts requests one after the other; ``poll`` never blocks.

    Attributes:
        state: for the panel.
        done: requests with their motions so far.
    """

    def __init__(self, client: EngineClient, requests: Sequence[LiftRequest]) -> None:
        self.state = QueueState()
        self.done: list[tuple[LiftRequest, LiftedMotion]] = []
        self._client, self._requests = client, list(requests)
        self._error: BaseException | None = None
        self._job: int | None = None
        self._started = time.monotonic()
        self._start = threading.Thread(target=self._open, daemon=True)
        self._start.start()

    def _open(self) -> None:
        try:
            if not self._client.alive:
                self._client.start()
        except BaseException as error:  # handed to the main thread by poll
            self._error = error

    def poll(self) -> bool:
        """Take in what the engine said. True while there is more to come.

        Raises:
            MvliftError: a lift failed, or the engine did.
        """
        if self._start.is_alive():
            return True
        if self._error is not None:
            raise self._error
        if self._job is None:
            self._submit()
        for message in self._client.poll():
            if not self._take(message):
                continue
            if len(self.done) == len(self._requests):
                return False
            self._submit()
        return True

    def _submit(self) -> None:
        request = self._requests[len(self.done)]
        self._job = self._client.submit_lift(request.clip, request.options)

    def _take(self, message: Any) -> bool:
        """True when the message ends the current request."""
        state, count = self.state, len(self._requests)
        request = self._requests[len(self.done)]
        if isinstance(message, Progress):
            which = f"{request.name}: " if count > 1 else ""
            state.stage = which + message.stage
            state.fraction = (len(self.done) + message.fraction) / count
            elapsed = time.monotonic() - self._started
            state.left = elapsed / state.fraction * (1 - state.fraction) if state.fraction > 0.02 else None
        elif isinstance(message, Warning):
            state.warnings.append(message.message)
        elif isinstance(message, Failure):
            raise message.error
        elif isinstance(message, Result):
            self.done.append((request, message.motion))
            return True
        return False

    def cancel(self) -> None:
        """Give up; the engine stays warm where it can."""
        if self._job is not None and self._client.alive:
            self._client.cancel()

    def run(
        self, on_change: Callable[[QueueState], None] = lambda _state: None
    ) -> list[tuple[LiftRequest, LiftedMotion]]:
        """Block until everything is lifted; for background mode and scripts."""
        shown = ("", -1.0)
        while self.poll():
            if shown != (self.state.stage, self.state.fraction):
                shown = (self.state.stage, self.state.fraction)
                on_change(self.state)
            time.sleep(0.01)
        return self.done


def explain(error: BaseException) -> str | None:
    """The sentence for an expected error, or None for a bug."""
    if isinstance(error, EngineError):
        return f"The engine failed: {error}"
    return str(error) if isinstance(error, MvliftError) else None
