"""Lifts and detections handed to the engine one after the other, polled without ever blocking the window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.options import LiftOptions
from mvlift.motion import LiftedMotion
from mvlift.worker.client import (
    Cancelled,
    DetectionResult,
    EngineClient,
    EngineWarning,
    Failure,
    LiftResult,
    Message,
    Progress,
)

__all__ = ["EngineQueue", "LiftRequest", "QueueState", "Request", "VideoRequest"]


@dataclass(frozen=True, eq=False)
class LiftRequest:
    """One person to lift: a name for people, the clip, the engine's options, and where the clip came from.

    Attributes:
        start: a motion that is changed by the options' constraints instead of lifting anew.
    """

    name: str
    clip: KeypointClip
    options: LiftOptions
    source: str = ""
    track: str = ""
    start: LiftedMotion | None = None

    @property
    def subject(self) -> str:
        """What is lifted."""
        return str(self.options.subject)

    def submit(self, client: EngineClient) -> int:
        """Submit it to the engine; returns the job number."""
        return client.submit_lift(self.clip, self.options, self.start)


@dataclass(frozen=True)
class VideoRequest:
    """A video whose people are to be detected: a name for people, the file, where its keypoints are kept, and hands."""

    name: str
    video: Path
    keypoints: Path
    hands: bool = False

    def submit(self, client: EngineClient) -> int:
        """Submit it to the engine; returns the job number."""
        return client.submit_detection(self.video, self.keypoints, hands=self.hands)


Request: TypeAlias = LiftRequest | VideoRequest


@dataclass
class QueueState:
    """What a queue shows. ``fraction`` is of all its requests; ``left`` is in seconds, None while unknown."""

    stage: str = "Starting the engine"
    fraction: float = 0.0
    left: float | None = None
    cancelled: bool = False
    warnings: list[str] = field(default_factory=list)


class EngineQueue:
    """Has the engine serve requests one after the other; ``poll`` never blocks.

    Attributes:
        state: for the panel.
        done: requests with what came of them so far: motions, or files of keypoints.
    """

    def __init__(self, client: EngineClient, requests: Sequence[Request]) -> None:
        self.state = QueueState()
        self.done: list[tuple[Any, Any]] = []
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
        """Process the engine's messages; returns True while the job runs.

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
        self._job = request.submit(self._client)

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
        elif isinstance(message, DetectionResult):
            self.done.append((request, message.file))
            return True
        return False

    def _estimate(self) -> None:
        state = self.state
        if state.fraction > 0.02:
            total = (self._latest - self._began) / state.fraction
            state.left = max(0.0, self._began + total - time.monotonic())

    def cancel(self) -> None:
        """Cancel; the engine process is kept if possible. ``poll`` returns False within a second."""
        if self._job is not None and self._client.busy:
            self._client.cancel()
        else:  # nothing was handed over yet; an engine that is starting goes on, for the next lift
            self.state.cancelled = True

    def run(self, on_change: Callable[[QueueState], None] = lambda _state: None) -> list[tuple[Any, Any]]:
        """Block until everything is done; for background mode and scripts.

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
