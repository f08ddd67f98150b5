"""The engine process from the other side: start it, hand it jobs, read what it says, without ever blocking."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mvlift import errors
from mvlift.errors import EngineError, MvliftError
from mvlift.files import temporary_folder
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import save_clip
from mvlift.lifting.options import LiftOptions
from mvlift.motion import LiftedMotion
from mvlift.worker.protocol import PROTOCOL, read_messages, write_message

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

_ERROR: Final = re.compile(r"[\w.]*(Error|Exception): ")
_START_SECONDS: Final = 90.0
_CANCEL_SECONDS: Final = 0.7
"""After which an engine that does not let go of a job is ended."""
_BEHIND: Final = 5
"""How much nicer than this process an engine is that gives way."""


@dataclass(frozen=True)
class Progress:
    """Stage in words, and the share of the whole job that is done."""

    job: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class EngineWarning:
    """Something that the user should know."""

    job: int
    message: str


@dataclass(frozen=True, eq=False)
class LiftResult:
    """A finished job."""

    job: int
    motion: LiftedMotion


@dataclass(frozen=True)
class DetectionResult:
    """A video whose keypoints are in a file."""

    job: int
    file: Path


@dataclass(frozen=True)
class Failure:
    """A job that failed."""

    job: int
    error: MvliftError


@dataclass(frozen=True)
class Cancelled:
    """A job that was given up."""

    job: int


Message = Progress | EngineWarning | LiftResult | DetectionResult | Failure | Cancelled


class EngineClient:
    """One engine process, started on demand and kept warm.

    Args:
        python: interpreter of the engine; None for the running one.
        pythonpath: folders in which it finds packages, before its own.
        behind: the engine gives way to other programs that want the processor, such as the window that waits for it.
    """

    def __init__(
        self, python: Path | str | None = None, pythonpath: Sequence[Path | str] = (), behind: bool = False
    ) -> None:
        self._python, self._pythonpath = str(python or sys.executable), [str(p) for p in pythonpath]
        self._behind = behind
        self._process: subprocess.Popen[bytes] | None = None
        self._inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._log: deque[str] = deque(maxlen=60)
        self._logging: threading.Thread | None = None
        self._folder: Path | None = None
        self._job, self._running, self._cancelled_at = 0, 0, 0.0
        self.hello: dict[str, Any] = {}

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def busy(self) -> bool:
        """True while a job is under way."""
        return self._running > 0

    def start(self) -> None:
        """Start the process and wait for its greeting (its networks load in the background).

        Raises:
            EngineError: the interpreter is not there, lacks MVLift or modules that it needs, or is of another version.
        """
        self.close()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if self._pythonpath:
            before = os.pathsep.join(self._pythonpath)
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [before, os.environ.get("PYTHONPATH", "")]))
        self._inbox, self._folder = queue.Queue(), temporary_folder()
        # on Windows: no console window, and a priority below normal
        flags = {"creationflags": 0x08000000 | 0x4000 * self._behind} if sys.platform == "win32" else {}
        try:
            self._process = subprocess.Popen(
                [self._python, "-m", "mvlift.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                **flags,  # type: ignore[call-overload]
            )
        except OSError as error:
            self.close()
            raise EngineError(
                f"The engine's Python {self._python} cannot be started ({error.strerror}).",
                "Choose another interpreter in the preferences.",
            ) from error
        if self._behind and sys.platform != "win32":
            with contextlib.suppress(OSError):  # a system that does not allow it
                priority = os.getpriority(os.PRIO_PROCESS, 0)
                os.setpriority(os.PRIO_PROCESS, self._process.pid, min(priority + _BEHIND, 19))
        threading.Thread(target=self._read, args=(self._process, self._inbox), daemon=True).start()
        self._logging = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._logging.start()
        self._greet()

    def _greet(self) -> None:
        try:
            hello = self._inbox.get(timeout=_START_SECONDS)
        except queue.Empty:
            hello = None
        if hello is None or hello.get("is") != "hello":
            log = self._last_words()
            self.close()
            missing = "No module named" in log
            raise EngineError(
                f"The engine did not start with {self._python}: {_last_line(log)}.",
                f"Install it there: {self._python} -m pip install mvlift." if missing else "See the log.",
            )
        if hello.get("protocol") != PROTOCOL:
            self.close()
            raise EngineError(
                f"The engine in {self._python} speaks protocol {hello.get('protocol')}, this is {PROTOCOL}.",
                "Install the same version of MVLift there.",
            )
        if hello.get("missing"):
            self.close()
            raise EngineError(*_lacking(self._python, hello["missing"]))
        self.hello = hello

    def _read(self, process: subprocess.Popen[bytes], inbox: queue.Queue[dict[str, Any] | None]) -> None:
        assert process.stdout is not None
        try:
            for message in read_messages(process.stdout, self._log.append):  # type: ignore[arg-type]
                inbox.put(message)
        except (ValueError, OSError) as error:
            self._log.append(f"unreadable: {error}")
        inbox.put(None)

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._log.append(line.decode(errors="replace").rstrip())

    @property
    def log(self) -> str:
        """The last lines that the engine printed."""
        return "\n".join(self._log)

    def _last_words(self) -> str:
        """The log of an engine that has ended, once all of it has come through the other pipe."""
        if self._logging is not None:
            self._logging.join(timeout=0.5)
        return self.log

    def submit_lift(self, clip: KeypointClip, options: LiftOptions) -> int:
        """Hand over a clip; results come through ``poll``.

        Returns:
            Number of the job.

        Raises:
            EngineError: the engine is not running, or is busy.
        """
        folder = self._take_job()
        try:
            source, target = folder / f"{self._job}.clip.npz", folder / f"{self._job}.motion.npz"
            save_clip(clip, source)
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
        folder = self._folder
        if not self.alive or folder is None:
            raise EngineError("The engine is not running.", "Start it again.")
        self._job += 1
        self._running = self._job
        return folder

    def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):  # it has ended: poll says so
            write_message(process.stdin, message)  # type: ignore[arg-type]

    def poll(self) -> list[Message]:
        """What the engine said since the last call; a crashed engine is one `Failure`."""
        if self._cancelled_at and time.monotonic() - self._cancelled_at > _CANCEL_SECONDS:
            job = self._running
            self.close(wait=False)  # it hangs in a long step: end it, the next lift starts another
            return [Cancelled(job)] if job else []
        messages: list[Message] = []
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return messages
            if message is None:
                messages += self._ended()
                return messages
            translated = self._translate(message)
            if translated is not None:
                messages.append(translated)

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
            return Failure(job, _error(message))
        if message.get("what") == "keypoints":
            return DetectionResult(job, Path(message["file"]))
        try:
            return LiftResult(job, LiftedMotion.load(message["file"]))
        except MvliftError as error:
            return Failure(job, EngineError(f"The engine's result cannot be read: {error.message}", error.remedy))
        finally:
            self._forget(job)

    def _forget(self, job: int) -> None:
        """Removes a finished job's files: a warm engine may lift hundreds of clips."""
        if self._folder is not None:
            for path in self._folder.glob(f"{job}.*.npz"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def _ended(self) -> list[Message]:
        job, process = self._running, self._process
        cancelled = bool(self._cancelled_at)
        code = process.wait(timeout=5) if process is not None else 0
        text = _last_line(self._last_words())
        self.close()
        if not job:
            return []
        if cancelled:
            return [Cancelled(job)]
        why = _end(code, text)
        return [Failure(job, EngineError(f"The engine process ended ({why}).", "Lift again: a new one starts."))]

    def cancel(self) -> None:
        """Give up the running job; `Cancelled` follows from ``poll`` within a second."""
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
        while time.monotonic() < ends:
            try:
                message = self._inbox.get(timeout=0.2)
            except queue.Empty:
                continue
            if message is None:
                break
            if message.get("is") == "description":
                return {**self.hello, **message}
            if message.get("is") == "error":
                raise _error(message)
        text = _last_line(self.log)
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
            wait: until the system has taken the process away, which lasts on a busy machine; otherwise that goes on
                beside the caller.
        """
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        self._running, self._cancelled_at = 0, 0.0
        if process is not None:
            process.kill()
        if wait:
            _tidy(process, folder)
        else:
            threading.Thread(target=_tidy, args=(process, folder)).start()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _tidy(process: subprocess.Popen[bytes] | None, folder: Path | None) -> None:
    """Take in the end of a process and remove its folder."""
    if process is not None:
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _lacking(python: str, modules: list[str]) -> tuple[str, str]:
    """What to say of an interpreter without modules that the engine needs, and how to get them."""
    names = ", ".join(modules)
    packages = " ".join(name.replace("_", "-") for name in modules)
    return (
        f"The engine's Python {python} has no {names}.",
        f"Install what is missing: {python} -m pip install {packages}",
    )


def _end(code: int, last: str) -> str:
    """Why a process ended, in words."""
    if code in (-signal.SIGTERM, -9):
        return "it was killed; memory may have run out"
    if code < 0:
        try:
            return f"it crashed with {signal.Signals(-code).name}; its last words: {last}"
        except ValueError:
            return f"it crashed with signal {-code}; its last words: {last}"
    return f"exit code {code}, {last}"


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]  # what follows is the interpreter's own end
    if errors:
        return errors[-1]
    return lines[-1] if lines else "it said nothing"


def _error(message: dict[str, Any]) -> MvliftError:
    kind = getattr(errors, str(message.get("kind")), EngineError)
    if not (isinstance(kind, type) and issubclass(kind, MvliftError)):
        kind = EngineError
    return kind(str(message.get("message", "")), str(message.get("remedy", "")))
