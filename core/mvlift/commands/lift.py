"""`mvlift lift`: one clip to named files, or many clips to a folder, resumable, with a report."""

from __future__ import annotations

import json
import queue
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mvlift.commands.outputs import People, write_motion
from mvlift.commands.rigid_objects import object_of, with_object_of
from mvlift.commands.shared import chosen_people, read_inputs
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.options import LiftOptions, option_fields
from mvlift.motion import LiftedMotion
from mvlift.worker.client import EngineClient

if TYPE_CHECKING:
    from mvlift.cli import Lift

__all__ = ["Tell", "run_lift"]

Tell = Callable[[str, float], None]
"""Takes a stage in words and the share of the whole clip that is done."""
Lifter = Callable[[KeypointClip, Tell], LiftedMotion]
Writer = Callable[[People, Path], None]


@dataclass(frozen=True)
class _Task:
    """One clip file and the outputs of its best (or only) person."""

    source: Path
    outputs: tuple[Path, ...]


@dataclass
class _Outcome:
    source: Path
    people: int = 0
    frames: int = 0
    seconds: float = 0.0
    error: str = ""
    skipped: bool = False
    timings: dict[str, float] = field(default_factory=dict)


def _is_folder_output(command: Lift) -> bool:
    many = command.batch or len(command.inputs) > 1
    return many or (len(command.output) == 1 and (command.output[0].is_dir() or not command.output[0].suffix))


def _tasks(command: Lift) -> list[_Task]:
    inputs = list(command.inputs)
    if command.batch:
        inputs = [p for folder in inputs for p in _clips_in(folder)]
    if not _is_folder_output(command):
        return [_Task(inputs[0], tuple(command.output))]
    if len(command.output) != 1 or command.output[0].suffix:
        raise MvliftError(
            f"Several clips need one folder as output, not {', '.join(map(str, command.output))}.", "Give -o FOLDER."
        )
    folder = command.output[0]
    names: dict[str, int] = {}
    tasks = []
    for source in inputs:
        stem = source.stem if source.is_file() else source.name
        names[stem] = names.get(stem, 0) + 1
        stem = stem if names[stem] == 1 else f"{stem}.{names[stem]}"
        tasks.append(_Task(source, tuple(folder / f"{stem}.{e.lstrip('.')}" for e in command.extensions)))
    return tasks


def _clips_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise MvliftError(f"{folder} is not a folder.", "With --batch, give the folder that holds the clips.")
    found = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    if not found:
        raise MvliftError(f"{folder} is empty.", "Put keypoint files or folders of them there.")
    return found


def _options(command: Lift) -> LiftOptions:
    """The options as typed; those that the command line states in its own way are made from several arguments."""
    typed = {f.name: getattr(command, f.name) for f in option_fields() if hasattr(command, f.name)}
    return LiftOptions(**{**typed, "models": _models(command.weights), "rigid_object": object_of(command)})


def _models(weights: Path | None) -> dict[str, str] | None:
    """Weights of the user's in the roles of ``mvlift.lift``: a stage-1 model lifts alone."""
    if weights is None:
        return None
    from mvlift.models import describe_model

    alone = describe_model(weights).get("kind") == "line"
    return {"line": str(weights), "multiview": ""} if alone else {"multiview": str(weights)}


def _clips_of(task: _Task, command: Lift, tell: Tell) -> tuple[KeypointClip, ...]:
    """Everybody in a task's keypoint file or video; a video's keypoints are kept beside its first output."""
    from mvlift.detection.video import is_video

    if not is_video(task.source):
        return read_inputs(task.source, command.video).clips
    from mvlift.commands.detect import detection_options, keypoints_of_video

    options = detection_options(command.detector, command.video.fps)
    kept = task.outputs[0].with_name(f"{task.source.stem}.keypoints.npz")
    return tuple(keypoints_of_video(task.source, options, kept, lambda p: tell("detect people", 0.5 * p.fraction)))


def _lift_task(task: _Task, command: Lift, options: LiftOptions, lift: Lifter, tell: Tell) -> tuple[_Outcome, People]:
    outcome, began = _Outcome(task.source), time.perf_counter()
    if not command.overwrite and _is_folder_output(command) and all(o.exists() for o in task.outputs):
        outcome.skipped = True
        return outcome, []
    motions: People = []
    try:
        clips = _clips_of(task, command, tell)
        people = with_object_of(chosen_people(clips, command.person), clips, options.rigid_object, command)
        if options.frames is not None:
            people = [c.restricted(*options.frames) for c in people]
        for i, clip in enumerate(people):
            motion = lift(clip, lambda s, x, i=i: tell(s, (i + x) / len(people)))  # type: ignore[misc]
            motions.append((clip, motion))
            for stage, seconds in dict(motion.metadata.get("timings", {})).items():  # type: ignore[call-overload]
                outcome.timings[stage] = round(outcome.timings.get(stage, 0.0) + seconds, 4)
        motions = _together(motions, command)
        outcome.people, outcome.frames = len(motions), sum(len(m) for _, m in motions)
    except MvliftError as error:
        outcome.error = str(error)
    outcome.seconds = time.perf_counter() - began
    return outcome, motions


def _together(people: People, command: Lift) -> People:
    """One camera, one floor and one scale for everybody in the video."""
    from mvlift.lifting.multi_person import align_people, body_for_size

    if len(people) < 2:
        return people
    motions = [motion for _, motion in people]
    bodies = [body_for_size(m, str(command.body) if command.body else None) for m in motions]
    placed = align_people(motions, bodies)
    return [(clip, motion) for (clip, _), motion in zip(people, placed, strict=True)]


def _write_task(task: _Task, outcome: _Outcome, motions: People, write: Writer) -> None:
    """Every output of a clip; a failure is kept in the outcome."""
    if outcome.error or outcome.skipped:
        return
    began = time.perf_counter()
    try:
        for output in task.outputs:
            write(motions, output)
    except MvliftError as error:
        outcome.error = str(error)
    outcome.seconds += time.perf_counter() - began


def run_lift(
    command: Lift,
    console: Console,
    engine: Callable[[], EngineClient] | None = None,
    write: Writer | None = None,
) -> int:
    """Lift every task; 0 when all went well.

    Args:
        command: what was typed.
        console: for progress and the report.
        engine: makes engine processes to lift with; without it one clip at a time is lifted in this process.
        write: writes a clip's people to a file, always called in this thread; None for `write_motion`.
    """
    tasks, options = _tasks(command), _options(command)
    writer = write or (lambda motions, output: write_motion(motions, output, command.blender, command.body))
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bars:
        if command.jobs > 1 and len(tasks) > 1:
            outcomes = _run_parallel(tasks, command, options, bars, engine or EngineClient, writer)
        else:
            outcomes = _run_serially(tasks, command, options, bars, engine, writer)
    return _report(outcomes, tasks, command, console)


def _run_serially(
    tasks: list[_Task],
    command: Lift,
    options: LiftOptions,
    bars: Progress,
    engine: Callable[[], EngineClient] | None,
    write: Writer,
) -> list[_Outcome]:
    from mvlift.lifting.pipeline import lift as lift_clip

    client = engine() if engine is not None else None
    outcomes = []

    def lift(clip: KeypointClip, tell: Tell) -> LiftedMotion:
        if client is None:
            return lift_clip(clip, options, progress=tell)
        return client.run(clip, options, tell)

    try:
        for task in tasks:
            bar = bars.add_task(task.source.name, total=1.0)

            def tell(stage: str, share: float, bar: object = bar) -> None:
                bars.update(bar, completed=share, description=stage)  # type: ignore[arg-type]

            outcome, motions = _lift_task(task, command, options, lift, tell)
            _write_task(task, outcome, motions, write)
            bars.remove_task(bar)
            _report_one(outcome, task, bars.console, command.timings)
            outcomes.append(outcome)
    finally:
        if client is not None:
            client.close()
    return outcomes


def _run_parallel(
    tasks: list[_Task],
    command: Lift,
    options: LiftOptions,
    bars: Progress,
    engine: Callable[[], EngineClient],
    write: Writer,
) -> list[_Outcome]:
    """Several engine processes, each with its share of the processor; files are written in this thread."""
    jobs = min(command.jobs, len(tasks))
    engines: queue.Queue[EngineClient] = queue.Queue()
    for _ in range(jobs):
        engines.put(engine())

    def one(task: _Task) -> tuple[_Outcome, People]:
        client = engines.get()
        try:
            return _lift_task(
                task, command, options, lambda c, _: client.run(c, options), lambda *_: None
            )  # fmt: skip
        finally:
            engines.put(client)

    bar = bars.add_task("clips", total=len(tasks))
    done: dict[int, _Outcome] = {}
    try:
        with ThreadPoolExecutor(jobs) as pool:
            waiting: dict[Future[tuple[_Outcome, People]], int] = {pool.submit(one, t): i for i, t in enumerate(tasks)}
            for future in as_completed(waiting):
                i = waiting.pop(future)
                done[i], motions = future.result()
                _write_task(tasks[i], done[i], motions, write)
                _report_one(done[i], tasks[i], bars.console, command.timings)
                bars.advance(bar)
    finally:
        while not engines.empty():
            engines.get().close()
    return [done[i] for i in range(len(tasks))]


def _report_one(outcome: _Outcome, task: _Task, console: Console, timings: bool) -> None:
    name = task.source.name
    if timings and not outcome.error:
        print(json.dumps({"clip": str(outcome.source), "frames": outcome.frames, **outcome.timings}), flush=True)
    if outcome.error:
        console.print(f"{name}: {outcome.error}", style="red", markup=False, soft_wrap=True)
    elif outcome.skipped:
        console.print(f"{name}: already there", markup=False)
    else:
        rate = outcome.frames / max(outcome.seconds, 1e-9)
        wrote = " ".join(str(o) for o in task.outputs)
        console.print(
            f"{name}: {outcome.people} x {outcome.frames // max(outcome.people, 1)} frames in {outcome.seconds:.1f} s "
            f"({rate:.0f} frames/s) -> {wrote}",
            markup=False,
            soft_wrap=True,
        )


def _report(outcomes: list[_Outcome], tasks: list[_Task], command: Lift, console: Console) -> int:
    bad = [o for o in outcomes if o.error]
    if len(tasks) > 1:
        skipped = sum(o.skipped for o in outcomes)
        console.print(
            f"{len(outcomes) - len(bad) - skipped} lifted, {skipped} already there, {len(bad)} failed"
            + (": " + ", ".join(o.source.name for o in bad) if bad else ""),
            markup=False,
            soft_wrap=True,
        )
    sys.stdout.flush()
    return 1 if bad else 0
