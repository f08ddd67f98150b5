"""`mvlift lift`: one clip to named files, or many clips to a folder, resumable, with a report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mvlift.commands.shared import chosen_people, parse_frames, read_inputs
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.motion import LiftedMotion
from mvlift.worker.protocol import LiftOptions

if TYPE_CHECKING:
    from mvlift.cli import Lift

__all__ = ["run_lift", "write_motion"]

Tell = Callable[[str, float], None]
_OWN: Final = (".npz", ".bvh", ".png")
_STAGES: Final = {"prepare": 0.0, "sample": 0.05, "fit": 0.7, "write": 0.97}


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


def write_motion(motions: list[tuple[KeypointClip, LiftedMotion]], output: Path) -> None:
    """Write the lifted people of one clip to a file; Blender formats through the Blender package, where installed.

    Raises:
        MvliftError: the format needs what is not installed.
    """
    suffix = output.suffix.lower()
    if suffix in _OWN:
        for i, (clip, motion) in enumerate(motions):
            target = output if i == 0 else output.with_stem(f"{output.stem}.{clip.track_id}")
            if suffix == ".png":
                _draw(motion, clip, target)
            else:
                motion.save(target)
        return
    writers = {e.name: e for e in entry_points(group="mvlift.writers")}
    if suffix.lstrip(".") not in writers:
        known = ", ".join([*_OWN, *(f".{n}" for n in sorted(writers))])
        raise MvliftError(f"{output.name}: {suffix or 'no extension'} cannot be written.", f"Use one of {known}.")
    writers[suffix.lstrip(".")].load()(motions, output)


def _draw(motion: LiftedMotion, clip: KeypointClip, target: Path) -> None:
    from mvlift.preview import draw_preview

    try:
        draw_preview(motion, clip, target)
    except OSError as error:
        raise MvliftError(f"{target} cannot be written ({error.strerror}).", "Choose another folder.") from error


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
    return LiftOptions(
        subject=command.subject,
        preset=command.preset,
        device=command.device,
        height=command.height,
        focal=command.focal,
        seed=command.seed,
        smoothing=command.smoothing,
        body=str(command.body) if command.body else None,
        frames=parse_frames(command.frames),
    )


def _lift_here(clip: KeypointClip, options: LiftOptions, tell: Tell) -> LiftedMotion:
    from mvlift.lifting.pipeline import lift

    arguments = {k: v for k, v in options.__dict__.items() if k != "frames"}
    return lift(clip, **arguments, progress=tell)


def _lift_task(task: _Task, command: Lift, lift: Callable[[KeypointClip, Tell], LiftedMotion], tell: Tell) -> _Outcome:
    outcome, began = _Outcome(task.source), time.perf_counter()
    if not command.overwrite and _is_folder_output(command) and all(o.exists() for o in task.outputs):
        outcome.skipped = True
        return outcome
    try:
        people = chosen_people(read_inputs(task.source, command.video).clips, command.person)
        frames = parse_frames(command.frames)
        if frames is not None:
            people = [c.restricted(*frames) for c in people]
        motions = []
        for i, clip in enumerate(people):
            motion = lift(clip, lambda s, x, i=i: tell(s, (i + x) / len(people)))  # type: ignore[misc]
            motions.append((clip, motion))
            for stage, seconds in dict(motion.metadata.get("timings", {})).items():  # type: ignore[call-overload]
                outcome.timings[stage] = round(outcome.timings.get(stage, 0.0) + seconds, 4)
        for output in task.outputs:
            write_motion(motions, output)
        outcome.people, outcome.frames = len(motions), sum(len(m) for _, m in motions)
    except MvliftError as error:
        outcome.error = str(error)
    outcome.seconds = time.perf_counter() - began
    return outcome


def run_lift(command: Lift, console: Console) -> int:
    """Lift every task; 0 when all went well."""
    tasks, options = _tasks(command), _options(command)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bars:
        outcomes = _run_parallel(tasks, command, options, bars) if command.jobs > 1 else []
        for task in tasks if command.jobs <= 1 else []:
            bar = bars.add_task(task.source.name, total=1.0)

            def tell(stage: str, share: float, bar: object = bar) -> None:
                low = _STAGES.get(stage, 0.0)
                high = min([v for v in _STAGES.values() if v > low], default=1.0)
                bars.update(bar, completed=low + (high - low) * share, description=stage)  # type: ignore[arg-type]

            outcomes.append(_lift_task(task, command, lambda c, t: _lift_here(c, options, t), tell))
            bars.remove_task(bar)
            _report_one(outcomes[-1], task, console, command.timings)
    return _report(outcomes, tasks, command, console)


def _run_parallel(tasks: list[_Task], command: Lift, options: LiftOptions, bars: Progress) -> list[_Outcome]:
    """Several engine processes, each with its share of the processor."""
    import os
    import queue

    from mvlift.worker.client import EngineClient

    jobs = min(command.jobs, len(tasks))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    engines: queue.Queue[EngineClient] = queue.Queue()
    for _ in range(jobs):
        engines.put(EngineClient())

    def one(task: _Task) -> _Outcome:
        engine = engines.get()
        try:
            return _lift_task(task, command, lambda c, _: engine.run(c, replace(options, frames=None)), lambda *_: None)
        finally:
            engines.put(engine)

    bar = bars.add_task("clips", total=len(tasks))
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(one, task): i for i, task in enumerate(tasks)}
        done: dict[int, _Outcome] = {}
        for future in as_completed(waiting):
            done[waiting[future]] = future.result()
            _report_one(done[waiting[future]], tasks[waiting[future]], bars.console, command.timings)
            bars.advance(bar)
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
