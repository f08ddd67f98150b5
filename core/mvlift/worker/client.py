"""The engine from the caller's side: hand it jobs and read its messages, without ever blocking."""

from __future__ import annotations

import contextlib
import queue
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mvlift.errors import EngineError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import save_clip
from mvlift.lifting.options import LiftOptions
from mvlift.motion import LiftedMotion
from mvlift.worker.messages import (
    Cancelled,
    DetectionResult,
    EngineWarning,
    Failure,
    LiftResult,
    Message,
    Progress,
    error_of,
)
from mvlift.worker.process import EngineProcess, last_line

__all__ = [
    "Cancelled",
    "DetectionResult",
    "EngineClient",
    "EngineWarning",
    "Failure",
    "LiftOptions",
    "LiftResult",
    "Message",
    "Progress",
]

_CANCEL_SECONDS: Final = 0.7
"""Time for an engine to react to a cancellation before its process is ended."""


class EngineClient:
    """One engine process, started on demand and kept warm.

    Args:
        python: interpreter of the engine; None for the running one.
        pythonpath: folders in which it finds packages, before its own.
        behind: run the engine with a lower priority than this process, which may draw the window that waits for it.
    """

    def __init__(
        self, python: Path | str | None = None, pythonpath: Sequence[Path | str] = (), behind: bool = False
    ) -> None:
        self._python, self._pythonpath = str(python or sys.executable), [str(p) for p in pythonpath]
        self._behind = behind
        self._process: EngineProcess | None = None
        self._job, self._running, self._cancelled_at = 0, 0, 0.0
        self._log: deque[str] = deque(maxlen=60)
        self.hello: dict[str, Any] = {}

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.alive

    @property
    def busy(self) -> bool:
        """True while a job is under way."""
        return self._running > 0

    @property
    def log(self) -> str:
        """The last lines that the engine printed."""
        return "\n".join(self._log)

    def start(self) -> None:
        """Start the process and wait for its greeting (its networks load in the background).

        Raises:
            EngineError: the interpreter is not there, lacks MVLift or modules that it needs, or is of another version.
        """
        self.close()
        self._process = EngineProcess(self._python, self._pythonpath, self._behind, self._log)
        self.hello = self._process.hello

    def submit_lift(self, clip: KeypointClip, options: LiftOptions, start: LiftedMotion | None = None) -> int:
        """Hand over a clip; results come through ``poll``.

        Args:
            clip: to lift.
            options: how.
            start: a motion that is changed by the options' constraints instead of lifting anew.

        Returns:
            Number of the job.

        Raises:
            EngineError: the engine is not running, or is busy.
        """
        folder = self._take_job()
        try:
            source, target = folder / f"{self._job}.clip.npz", folder / f"{self._job}.motion.npz"
            save_clip(clip, source)
            if start is not None:
                options = replace(options, start_from=str(start.save(folder / f"{self._job}.start.npz")))
        except OSError as error:
            self._running = 0
            raise EngineError(f"The engine's folder {folder} cannot be written ({error.strerror}).") from error
        self._send(
            {"do": "lift", "job": self._job, "clip": str(source), "out": str(target), "options": options.to_json()}
        )
        return self._job

    def submit_detection(self, video: Path, keypoints: Path, **options: object) -> int:
        """Hand over a video; `DetectionResult` comes through ``poll``.

        Args:
            video: the file, or a folder of pictures.
            keypoints: npz that the people's keypoints are kept in; where it holds them already, nothing is detected.
            options: of `mvlift.detection.DetectionOptions`, values that JSON can hold.

        Returns:
            Number of the job.

        Raises:
            EngineError: the engine is not running, or is busy.
        """
        self._take_job()
        request = {"video": str(video), "out": str(keypoints), "options": options}
        self._send({"do": "detect", "job": self._job, **request})
        return self._job

    def _take_job(self) -> Path:
        """Begin a job; the folder for its files."""
        if self._running:
            raise EngineError("The engine is busy.", "Wait for what is running, or cancel it.")
        if self._process is None or not self._process.alive:
            raise EngineError("The engine is not running.", "Start it again.")
        self._job += 1
        self._running = self._job
        return self._process.folder

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is not None:
            self._process.send(message)

    def poll(self) -> list[Message]:
        """What the engine said since the last call; a crashed engine is one `Failure`."""
        if self._cancelled_at and time.monotonic() - self._cancelled_at > _CANCEL_SECONDS:
            job = self._running
            self.close(wait=False)  # it hangs in a long step: end it, the next lift starts another
            return [Cancelled(job)] if job else []
        messages: list[Message] = []
        while self._process is not None:
            try:
                message = self._process.receive()
            except queue.Empty:
                break
            if message is None:
                messages += self._ended(self._process)
                break
            translated = self._translate(message)
            if translated is not None:
                messages.append(translated)
        return messages

    def _translate(self, message: dict[str, Any]) -> Message | None:
        kind, job = message.get("is"), int(message.get("job", -1))
        if job != self._running:
            return None
        if kind == "progress":
            return None if self._cancelled_at else Progress(job, str(message["stage"]), float(message["fraction"]))
        if kind == "warning":
            return EngineWarning(job, str(message["message"]))
        if kind not in ("result", "error", "cancelled"):
            return None
        self._running, cancelled = 0, bool(self._cancelled_at)
        self._cancelled_at = 0.0
        if kind == "cancelled" or cancelled:
            self._forget(job)
            return Cancelled(job)
        if kind == "error":
            self._forget(job)
            return Failure(job, error_of(message))
        if message.get("what") == "keypoints":
            return DetectionResult(job, Path(message["file"]))
        try:
            return LiftResult(job, LiftedMotion.load(message["file"]))
        except MvliftError as error:
            return Failure(job, EngineError(f"The engine's result cannot be read: {error.message}", error.remedy))
        finally:
            self._forget(job)

    def _forget(self, job: int) -> None:
        """Remove a finished job's files: a warm engine may lift hundreds of clips."""
        if self._process is not None:
            for path in self._process.folder.glob(f"{job}.*.npz"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def _ended(self, process: EngineProcess) -> list[Message]:
        job, cancelled, reason = self._running, bool(self._cancelled_at), process.exit_reason()
        self.close()
        if not job:
            return []
        if cancelled:
            return [Cancelled(job)]
        return [Failure(job, EngineError(f"The engine process ended ({reason}).", "Lift again: a new one starts."))]

    def cancel(self) -> None:
        """Cancel the running job; `Cancelled` follows from ``poll`` within a second."""
        if self._running and not self._cancelled_at:
            self._cancelled_at = time.monotonic()
            self._send({"do": "cancel", "job": self._running})

    def describe(self, timeout: float = 180.0) -> dict[str, Any]:
        """What the engine's interpreter has: ONNX Runtime and its devices, torch, CUDA, graphics cards.

        Raises:
            EngineError: it does not answer.
        """
        if not self.alive:
            self.start()
        self._send({"do": "describe", "job": 0})
        ends = time.monotonic() + timeout
        while self._process is not None and time.monotonic() < ends:
            try:
                message = self._process.receive(timeout=0.2)
            except queue.Empty:
                continue
            if message is None:
                break
            if message.get("is") == "description":
                return {**self.hello, **message}
            if message.get("is") == "error":
                raise error_of(message)
        text = last_line(self.log)
        self.close()
        raise EngineError(f"The engine in {self._python} does not answer: {text}.", "Restart it; the log says more.")

    def run(
        self,
        clip: KeypointClip,
        options: LiftOptions | None = None,
        report_progress: Callable[[str, float], None] | None = None,
    ) -> LiftedMotion:
        """Lift and wait, for scripts.

        Args:
            clip: to lift.
            options: how.
            report_progress: called with the stage in words and the share of the job that is done.

        Raises:
            MvliftError: the lift failed, or the engine did.
        """
        if not self.alive:
            self.start()
        self.submit_lift(clip, options or LiftOptions())
        while True:
            for message in self.poll():
                if isinstance(message, Progress) and report_progress is not None:
                    report_progress(message.stage, message.fraction)
                if isinstance(message, LiftResult):
                    return message.motion
                if isinstance(message, Failure):
                    raise message.error
                if isinstance(message, Cancelled):
                    raise EngineError("The lift was cancelled.")
            if not self.busy and not self.alive:
                raise EngineError("The engine was closed.")
            time.sleep(0.005)

    def close(self, wait: bool = True) -> None:
        """End the process at once and remove its files.

        Args:
            wait: return only when the system has removed the process; see `EngineProcess.end`.
        """
        process, self._process = self._process, None
        self._running, self._cancelled_at = 0, 0.0
        if process is not None:
            process.end(wait)

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
