"""The engine's process: started, written to, read by threads without blocking, and ended."""

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
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from mvlift.errors import EngineError
from mvlift.files import temporary_folder
from mvlift.worker.protocol import PROTOCOL, read_messages, write_message

__all__ = ["EngineProcess", "last_line"]

_ERROR: Final = re.compile(r"[\w.]*(Error|Exception): ")
_START_SECONDS: Final = 90.0
_NICENESS: Final = 5
"""Niceness above this process's of an engine with ``low_priority``."""


class EngineProcess:
    """A running engine process.

    Args:
        python: interpreter of the engine.
        pythonpath: folders in which it finds packages, before its own.
        low_priority: run with a lower priority than this process.
        log: takes the lines that the engine prints.

    Attributes:
        folder: for the files that are exchanged; removed by ``end``.
        hello: the engine's greeting.

    Raises:
        EngineError: the interpreter is not there, lacks MVLift or modules that it needs, or is of another version.
    """

    def __init__(self, python: str, pythonpath: Sequence[str], low_priority: bool, log: deque[str]) -> None:
        self._python, self._log = python, log
        self._inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.folder = temporary_folder()
        try:
            self._process = _started(python, pythonpath, low_priority)
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise EngineError(
                f"The engine's Python {python} cannot be started ({error.strerror}).",
                "Choose another interpreter in the preferences.",
            ) from error
        threading.Thread(target=self._read, daemon=True).start()
        self._logging = threading.Thread(target=self._read_log, daemon=True)
        self._logging.start()
        try:
            self.hello = self._greeting()
        except EngineError:
            self.end()
            raise

    def _greeting(self) -> dict[str, Any]:
        try:
            hello = self._inbox.get(timeout=_START_SECONDS)
        except queue.Empty:
            hello = None
        if hello is None or hello.get("is") != "hello":
            log = self._final_log()
            missing = "No module named" in log
            raise EngineError(
                f"The engine did not start with {self._python}: {last_line(log)}.",
                f"Install it there: {self._python} -m pip install mvlift." if missing else "See the log.",
            )
        if hello.get("protocol") != PROTOCOL:
            raise EngineError(
                f"The engine in {self._python} speaks protocol {hello.get('protocol')}, this is {PROTOCOL}.",
                "Install the same version of MVLift there.",
            )
        if hello.get("missing"):
            raise EngineError(*_missing_modules(self._python, hello["missing"]))
        return hello

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            for message in read_messages(stream, self._log.append):  # type: ignore[arg-type]
                self._inbox.put(message)
        except (ValueError, OSError) as error:
            self._log.append(f"unreadable: {error}")
        self._inbox.put(None)

    def _read_log(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        for line in stream:
            self._log.append(line.decode(errors="replace").rstrip())

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def _final_log(self) -> str:
        """The log of an engine that has ended, once all of it has come through the other pipe."""
        self._logging.join(timeout=0.5)
        return "\n".join(self._log)

    def send(self, message: dict[str, Any]) -> None:
        """Write a message; nothing happens where the process has ended, which ``receive`` reports."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                write_message(self._process.stdin, message)  # type: ignore[arg-type]

    def receive(self, timeout: float = 0.0) -> dict[str, Any] | None:
        """The next message; None when the process has ended.

        Raises:
            queue.Empty: there is none within so many seconds.
        """
        return self._inbox.get(block=timeout > 0, timeout=timeout or None)

    def exit_reason(self) -> str:
        """Why a process that has ended did so, in words."""
        return _reason(self._process.wait(timeout=5), last_line(self._final_log()))

    def end(self, wait: bool = True) -> None:
        """Kill the process and remove its folder.

        Args:
            wait: return only when the system has removed the process, which takes long on a busy machine; otherwise
                a thread waits.
        """
        self._process.kill()
        if wait:
            self._remove()
        else:
            threading.Thread(target=self._remove).start()

    def _remove(self) -> None:
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _started(python: str, pythonpath: Sequence[str], low_priority: bool) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if pythonpath:
        paths = [*pythonpath, os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # on Windows: no console window, and a priority below normal
    flags = {"creationflags": 0x08000000 | 0x4000 * low_priority} if sys.platform == "win32" else {}
    process = subprocess.Popen(
        [python, "-m", "mvlift.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        **flags,  # type: ignore[call-overload]
    )
    if low_priority and sys.platform != "win32":
        with contextlib.suppress(OSError):  # a system that does not allow it
            priority = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, process.pid, min(priority + _NICENESS, 19))
    return process


def _missing_modules(python: str, modules: list[str]) -> tuple[str, str]:
    """Message and remedy for an interpreter without modules that the engine needs."""
    names = ", ".join(modules)
    packages = " ".join(name.replace("_", "-") for name in modules)
    return (
        f"The engine's Python {python} has no {names}.",
        f"Install what is missing: {python} -m pip install {packages}",
    )


def _reason(code: int, last: str) -> str:
    if code in (-signal.SIGTERM, -9):
        return "it was killed; memory may have run out"
    if code < 0:
        try:
            return f"it crashed with {signal.Signals(-code).name}; its last words: {last}"
        except ValueError:
            return f"it crashed with signal {-code}; its last words: {last}"
    return f"exit code {code}, {last}"


def last_line(log: str) -> str:
    """The line of a log that says most: the last exception, or else the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]  # what follows is the interpreter's own end
    if errors:
        return errors[-1]
    return lines[-1] if lines else "it said nothing"
