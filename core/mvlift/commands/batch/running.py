"""Clips lifted one after the other, or side by side by several engine processes. One that fails stops no other."""

from __future__ import annotations

import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Final

from rich.progress import Progress

from mvlift.commands.batch.planning import Task
from mvlift.commands.batch.report import Outcome
from mvlift.commands.outputs import People
from mvlift.errors import MvliftError
from mvlift.worker.client import EngineClient

__all__ = ["Stopped", "Tell", "attempt", "run_in_parallel", "run_serially", "stops_at_once"]

Tell = Callable[[str, float], None]
"""Takes a stage in words and the share of the whole clip that is done."""
LiftTask = Callable[[Task, EngineClient | None, Outcome, Tell], People]
"""Lifts a task's people with an engine (or in this process) and fills in the outcome; raises what went wrong."""
WriteTask = Callable[[Task, Outcome, People], None]
_PATIENCE: Final = 0.1
"""Seconds between two checks for a request to stop."""


class Stopped(KeyboardInterrupt):
    """The process was asked to end by SIGTERM, as job systems do."""


@contextmanager
def stops_at_once() -> Iterator[None]:
    """SIGTERM stops like Ctrl-C, so that engines and half-written files are taken away."""

    def stop(_: int, __: FrameType | None) -> None:
        raise Stopped

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Ctrl-C too: shells start background jobs with that signal ignored
    before = signal.signal(signal.SIGTERM, stop), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            # None: it was not set in Python, as inside Blender, and cannot be given back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def attempt(outcome: Outcome, work: Callable[[], People]) -> People:
    """The result of ``work``; an exception becomes the outcome's error, so that the batch goes on."""
    began = time.perf_counter()
    try:
        return work()
    except MvliftError as error:
        outcome.error = str(error)
    except OSError as error:
        outcome.error = f"{error.filename or 'A file'} cannot be read or written ({error.strerror or error})."
    except MemoryError:
        outcome.error = "The memory ran out. Lift fewer clips at once, a shorter range, or close other programs."
    except Exception as error:  # an error of the program: this clip is lost, the others are not
        outcome.error = f"MVLift itself failed ({type(error).__name__}: {error}). Please report it with this clip."
        outcome.trace = traceback.format_exc()
    finally:
        outcome.seconds += time.perf_counter() - began
    return []


def run_serially(
    tasks: Sequence[Task],
    lift: LiftTask,
    write: WriteTask,
    done: Callable[[Outcome], None],
    bars: Progress,
    engine: Callable[[], EngineClient] | None,
) -> None:
    """Lift and write one clip after the other.

    Args:
        tasks: the clips.
        lift: lifts one.
        write: writes one.
        done: called with each outcome as soon as it is final.
        bars: shows how far the clip is.
        engine: makes an engine process; None lifts in this process.
    """
    client = engine() if engine is not None else None
    try:
        for task in tasks:
            bar = bars.add_task(task.source.name, total=1.0)

            def report_progress(stage: str, share: float, bar: object = bar) -> None:
                bars.update(bar, completed=share, description=stage)  # type: ignore[arg-type]

            outcome = Outcome(task.source)
            people = attempt(outcome, partial(lift, task, client, outcome, report_progress))
            write(task, outcome, people)
            bars.remove_task(bar)
            done(outcome)
    finally:
        if client is not None:
            client.close()


def run_in_parallel(
    tasks: Sequence[Task],
    lift: LiftTask,
    write: WriteTask,
    done: Callable[[Outcome], None],
    bars: Progress,
    engine: Callable[[], EngineClient],
    jobs: int,
) -> None:
    """Lift several clips at once, each in an engine process; files are written in this thread.

    Ctrl-C ends the engines without waiting for them; arguments as `run_serially`.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[Task, Outcome, People]] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    clients = [engine() for _ in range(min(jobs, len(tasks)))]
    stopped = threading.Event()

    def work(client: EngineClient) -> None:
        while not stopped.is_set():
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            outcome = Outcome(task.source)
            people = attempt(outcome, partial(lift, task, client, outcome, lambda *_: None))
            finished.put((task, outcome, people))

    threads = [threading.Thread(target=work, args=(client,), daemon=True) for client in clients]
    bar = bars.add_task("clips", total=len(tasks))
    try:
        for thread in threads:
            thread.start()
        for _ in tasks:
            task, outcome, people = _next(finished)
            write(task, outcome, people)
            done(outcome)
            bars.advance(bar)
    finally:
        stopped.set()
        for client in clients:
            client.close(wait=False)


def _next(finished: queue.SimpleQueue[tuple[Task, Outcome, People]]) -> tuple[Task, Outcome, People]:
    """The next clip that is lifted. Waits in short steps, between which a signal can come through on every system."""
    while True:
        try:
            return finished.get(timeout=_PATIENCE)
        except queue.Empty:
            continue
