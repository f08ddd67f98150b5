"""The engine process: waits for jobs on its standard input, lifts, and reports."""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final

from mvlift.errors import MvliftError
from mvlift.lifting.options import LiftOptions
from mvlift.threads import SMALL_WORK
from mvlift.worker.protocol import PROTOCOL, read_messages, write_message

__all__ = ["main"]


class _Cancelled(Exception):
    """The client gave the job up."""


class _Engine:
    def __init__(self, out: BinaryIO) -> None:
        self._out, self._lock = out, threading.Lock()
        self._cancelled: set[int] = set()
        self.jobs: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def say(self, what: str, /, **content: object) -> None:
        with self._lock:
            write_message(self._out, {"is": what, **content})

    def listen(self, stream: BinaryIO) -> None:
        """Take in messages; the process ends when the client goes away, even in the middle of a job."""
        try:
            for message in read_messages(stream):
                if message.get("do") == "cancel":
                    self._cancelled.add(int(message.get("job", -1)))
                else:
                    self.jobs.put(message)
        except ValueError as error:
            sys.stderr.write(f"mvlift.worker: {error}\n")
        finally:
            os._exit(0)

    def lift(self, message: dict[str, Any]) -> None:
        from mvlift.keypoints.clip_file import load_clip
        from mvlift.lifting.pipeline import lift
        from mvlift.motion_files import save_motion

        job = int(message["job"])
        options = LiftOptions.from_json(message["options"])
        clip = load_clip(Path(message["clip"]))

        def progress(stage: str, fraction: float) -> None:
            if job in self._cancelled:
                raise _Cancelled
            self.say("progress", job=job, stage=stage, fraction=fraction)

        motion = lift(clip, options, progress=progress)
        save_motion(motion, message["out"])
        for sentence in motion.metadata.get("assumptions", []):  # type: ignore[attr-defined]
            self.say("warning", job=job, message=sentence)
        self.say("result", job=job, file=message["out"])

    def detect(self, message: dict[str, Any]) -> None:
        """The people of a video, as keypoints in the file that the client names."""
        from mvlift.detection import DetectionOptions, DetectionProgress
        from mvlift.detection.kept import keypoints_of_video

        job = int(message["job"])

        def progress(state: DetectionProgress) -> None:
            if job in self._cancelled:
                raise _Cancelled
            self.say("progress", job=job, stage="Detecting people", fraction=state.fraction)

        progress(DetectionProgress(0, None, 0, 0.0, None))
        clips = keypoints_of_video(
            Path(message["video"]), DetectionOptions(**message["options"]), Path(message["out"]), progress
        )
        for sentence in dict.fromkeys(note for clip in clips for note in clip.assumptions):
            self.say("warning", job=job, message=sentence)
        self.say("result", job=job, file=message["out"], what="keypoints")

    def describe(self) -> dict[str, object]:
        """What this interpreter has."""
        from mvlift.backends.onnx_runtime import available_devices, onnx_runtime

        facts = {"onnxruntime": onnx_runtime().__version__, "devices": available_devices(), "threads": SMALL_WORK}
        return {**facts, **_about_torch()}

    def work(self) -> None:
        """Jobs, one after the other."""
        import mvlift.lifting.pipeline  # noqa: F401  (warm before the first job)

        while (message := self.jobs.get()) is not None:
            job = int(message.get("job", -1))
            try:
                if message.get("do") == "lift":
                    self.lift(message)
                elif message.get("do") == "detect":
                    self.detect(message)
                elif message.get("do") == "describe":
                    self.say("description", job=job, **self.describe())
                else:
                    raise ValueError(f"unknown request {message.get('do')!r}")
            except _Cancelled:
                self.say("cancelled", job=job)
            except MvliftError as error:
                kind = type(error).__name__
                self.say("error", job=job, kind=kind, message=error.message, remedy=error.remedy)
            except MemoryError:
                self.say("error", job=job, kind="EngineError", message="The engine ran out of memory.", remedy=_SHORTER)
            except Exception as error:
                self._unexpected(job, error)

    def _unexpected(self, job: int, error: Exception) -> None:
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        memory = any(words in str(error).lower() for words in _NO_MEMORY)
        self.say(
            "error",
            job=job,
            kind="EngineError",
            message="The engine ran out of memory." if memory else f"The engine failed: {text}.",
            remedy=_SHORTER if memory else "Please report this with the log.",
            detail=traceback.format_exc(),
        )


_NO_MEMORY: Final = (
    "out of memory", "can't allocate memory", "not enough memory", "failed to allocate memory", "bad allocation",
    "bad_alloc",
)  # fmt: skip
"""How torch says it on graphics cards, on the processor, and on Windows; ONNX Runtime; C++."""
NEEDED: Final = ("numpy", "safetensors", "onnxruntime", "array_api_compat", "threadpoolctl")
"""Modules without which nothing can be lifted."""


def _missing() -> list[str]:
    return [name for name in NEEDED if find_spec(name) is None]


def _about_torch() -> dict[str, object]:
    """torch and the cards that it reaches; an empty version where it is not installed or is broken."""
    if find_spec("torch") is None:
        return {"torch": "", "cuda": "", "gpus": [], "gpu_memory": [], "mps": False}
    try:
        import torch
    except (ImportError, OSError) as error:
        return {"torch": "", "torch_problem": str(error), "cuda": "", "gpus": [], "gpu_memory": [], "mps": False}
    cards = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "gpus": [torch.cuda.get_device_name(i) for i in cards],
        "gpu_memory": [torch.cuda.get_device_properties(i).total_memory for i in cards],
        "mps": torch.backends.mps.is_available(),
    }


_SHORTER: Final = "Lift a shorter frame range, or choose the processor as device."


def main() -> None:
    """Run until standard input closes."""
    # whatever else prints must not reach the pipe of the protocol
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    engine = _Engine(out)
    from mvlift import version

    missing = _missing()
    out.write(b"\0")  # ends what the interpreter printed before
    facts = {"mvlift": version(), "python": sys.version.split()[0], "pid": os.getpid(), "missing": missing}
    engine.say("hello", protocol=PROTOCOL, **facts)
    if missing:
        return
    threading.Thread(target=engine.listen, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        engine.work()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # the listening thread would keep the process alive, or break while the interpreter ends
