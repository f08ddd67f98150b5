"""The engine process as Blender sees it: one warm process, started and polled without ever blocking the window."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvlift.errors import EngineError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.motion import LiftedMotion
from mvlift.worker.client import (
    Cancelled,
    EngineClient,
    EngineWarning,
    Failure,
    LiftOptions,
    LiftResult,
    Message,
    Progress,
)

__all__ = [
    "EngineSource",
    "LiftQueue",
    "LiftRequest",
    "QueueState",
    "bundled_packages",
    "close_engine",
    "explain",
    "portable_package",
    "shared_client",
]


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
    cancelled: bool = False
    warnings: list[str] = field(default_factory=list)


_client: EngineClient | None = None
_source: EngineSource | None = None


def shared_client(source: EngineSource) -> EngineClient:
    """The one client of this Blender; another source closes the old process."""
    global _client, _source
    if _client is None or _source != source:
        close_engine()
        _client, _source = EngineClient(source.python, source.pythonpath, behind=True), source
    return _client


def close_engine() -> None:
    """End the engine process; the next lift starts another."""
    global _client, _source
    client, _client, _source = _client, None, None
    if client is not None:
        client.close()


def bundled_packages() -> Path:
    """The folder from which Blender took ``mvlift``: the extension's packages, or a source tree."""
    import mvlift

    return Path(mvlift.__file__).resolve().parents[1]


def portable_package(folder: Path) -> Path:
    """A folder that holds nothing but the ``mvlift`` package, for an interpreter other than Blender's.

    The bundled packages around it are built for Blender's Python and must not reach another one. A copy of another
    version is left alone: a second Blender may be using it.

    Args:
        folder: that copies are kept in.
    """
    package = bundled_packages() / "mvlift"
    target = folder / "engine" / _fingerprint(package)
    if not (target / "mvlift").is_dir():
        partial = target.with_name(f"{target.name}.{os.getpid()}.part")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(package, partial / "mvlift", ignore=shutil.ignore_patterns("__pycache__"))
        for facts in package.parent.glob("mvlift-*.dist-info"):  # where its version is written
            shutil.copytree(facts, partial / facts.name)
        try:
            partial.rename(target)
        except OSError:  # another Blender was first
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _fingerprint(package: Path) -> str:
    """Changes when a file of the package does."""
    facts = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        stat = path.stat()
        facts.update(f"{path.relative_to(package)}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return facts.hexdigest()[:16]


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
        self._began = self._latest = time.monotonic()
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
        if self.state.cancelled:
            return False
        if self._start.is_alive():
            return True
        if self._error is not None:
            raise self._error
        if self._job is None:
            self._submit()
        for message in self._client.poll():
            if isinstance(message, Cancelled):
                self.state.cancelled = True
                return False
            if not self._take(message):
                continue
            if len(self.done) == len(self._requests):
                return False
            self._submit()
        self._estimate()
        return True

    def _submit(self) -> None:
        request = self._requests[len(self.done)]
        if self._job is None:
            self._began = time.monotonic()
        self._job = self._client.submit_lift(request.clip, request.options)

    def _take(self, message: Message) -> bool:
        """True when the message ends the current request."""
        state, count = self.state, len(self._requests)
        request = self._requests[len(self.done)]
        if isinstance(message, Progress):
            which = f"{request.name}: " if count > 1 else ""
            state.stage = which + message.stage
            state.fraction = max(state.fraction, (len(self.done) + message.fraction) / count)
            self._latest = time.monotonic()
        elif isinstance(message, EngineWarning):
            state.warnings.append(message.message)
        elif isinstance(message, Failure):
            raise message.error
        elif isinstance(message, LiftResult):
            self.done.append((request, message.motion))
            return True
        return False

    def _estimate(self) -> None:
        state = self.state
        if state.fraction > 0.02:
            total = (self._latest - self._began) / state.fraction
            state.left = max(0.0, self._began + total - time.monotonic())

    def cancel(self) -> None:
        """Give up; the engine stays warm where it can. ``poll`` ends within a second."""
        if self._job is not None and self._client.busy:
            self._client.cancel()
        else:  # nothing was handed over yet; an engine that is starting goes on, for the next lift
            self.state.cancelled = True

    def run(
        self, on_change: Callable[[QueueState], None] = lambda _state: None
    ) -> list[tuple[LiftRequest, LiftedMotion]]:
        """Block until everything is lifted; for background mode and scripts.

        Raises:
            MvliftError: a lift failed, or the engine did.
        """
        shown = ("", -1.0)
        while self.poll():
            if shown != (self.state.stage, self.state.fraction):
                shown = (self.state.stage, self.state.fraction)
                on_change(self.state)
            time.sleep(0.005)
        return self.done


def explain(error: BaseException) -> str | None:
    """The sentence for an expected error, or None for a bug."""
    if isinstance(error, EngineError) and "No module named" in error.message:
        missing = error.message.rpartition("No module named")[2].strip(" ').")
        return (
            f"The engine's Python has no {missing}. In the extension's preferences choose an interpreter that has "
            "torch, or install the edition of MVLift that brings it."
        )
    return str(error) if isinstance(error, MvliftError) else None
