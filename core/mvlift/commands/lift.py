"""`mvlift lift`: one clip to named files, or many clips to a folder, resumable, with a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mvlift.commands.batch.planning import Task, check_outputs, clips_in, person_paths, plan_tasks, shard_of
from mvlift.commands.batch.report import Outcome, check_report, say_all, say_one, write_report
from mvlift.commands.batch.running import Tell, attempt, run_in_parallel, run_serially, stops_at_once
from mvlift.commands.outputs import BLENDER_FORMATS, FORMATS, People, blender_command, write_motion
from mvlift.commands.rigid_objects import object_of, with_object_of
from mvlift.commands.shared import check_device, check_inputs, check_video, chosen_people, read_inputs, usage_errors
from mvlift.errors import MvliftError, UsageError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.options import LiftOptions, option_fields
from mvlift.lifting.subjects import check_height, get_subject
from mvlift.motion import LiftedMotion
from mvlift.worker.client import EngineClient

if TYPE_CHECKING:
    from mvlift.cli import Lift

__all__ = ["lift_batch", "plan", "run_lift"]

Writer = Callable[[People, Path], None]


def plan(command: Lift, console: Console, write: Writer | None = None) -> list[Task]:
    """The clips of a command and the files that they become, checked before anything is lifted.

    Args:
        command: what was typed.
        console: for what is skipped.
        write: writes Blender's formats itself; None for an own Blender, which has to be there.

    Raises:
        MvliftError: a name or format cannot be written, or an output is an input.
    """
    sources = list(command.inputs)
    if command.batch:
        clips_and_skipped = [clips_in(folder) for folder in sources]
        sources = [clip for clips, _ in clips_and_skipped for clip in clips]
        for sentence in (s for _, skipped in clips_and_skipped for s in skipped):
            console.print(sentence, markup=False, soft_wrap=True)
    many = command.batch or len(command.inputs) > 1
    texts = (command.body, command.constraints, command.start_from)
    files = (command.weights, command.object_points, command.object_shape, *(Path(t) if t else None for t in texts))
    with usage_errors():
        tasks = plan_tasks(sources, command.output, command.extensions, many, FORMATS)
        check_outputs(tasks, [p for p in files if p is not None], FORMATS)
    if write is None and any(o.suffix.lower() in BLENDER_FORMATS for t in tasks for o in t.outputs):
        blender_command(command.blender)
    return tasks


def _options(command: Lift) -> LiftOptions:
    """The options as typed; those that the command line states in its own way are made from several arguments."""
    typed = {f.name: getattr(command, f.name) for f in option_fields() if hasattr(command, f.name)}
    with usage_errors():
        get_subject(command.subject)
    models, rigid_object = _models(command.weights), object_of(command)
    with usage_errors():
        options = LiftOptions(**{**typed, "models": models, "rigid_object": rigid_object})
        check_height(options.height, get_subject(command.subject))
    return options


def _models(weights: Path | None) -> dict[str, str] | None:
    """Weights of the user's in the roles of ``mvlift.lift``: a stage-1 model lifts alone."""
    if weights is None:
        return None
    from mvlift.models import describe_model

    alone = describe_model(weights).get("kind") == "line"
    return {"line": str(weights), "multiview": ""} if alone else {"multiview": str(weights)}


def _clips_of(task: Task, command: Lift, report_progress: Tell) -> tuple[KeypointClip, ...]:
    """The people in a task's keypoint file or video; a video's keypoints are kept beside its first output."""
    from mvlift.detection.video import is_video

    if not is_video(task.source):
        return read_inputs(task.source, command.video).clips
    from mvlift.commands.detect import detection_options
    from mvlift.detection.kept import keypoints_of_video

    options = detection_options(command.detector, command.video.fps)
    kept = task.outputs[0].with_name(f"{task.source.stem}.keypoints.npz")
    return tuple(
        keypoints_of_video(task.source, options, kept, lambda p: report_progress("detect people", 0.5 * p.fraction))
    )


def _lift_task(
    task: Task,
    client: EngineClient | None,
    outcome: Outcome,
    report_progress: Tell,
    *,
    command: Lift,
    options: LiftOptions,
) -> People:
    """Lift the people of a clip; an empty list where every output is there already."""
    resumes = task.resumes and not command.overwrite
    if resumes and command.person != "all" and all(o.exists() for o in task.outputs):
        outcome.skipped, outcome.outputs = True, [str(o) for o in task.outputs]
        return []
    clips = _clips_of(task, command, report_progress)
    people = with_object_of(chosen_people(clips, command.person), clips, options.rigid_object, command)
    planned = [p for output in task.outputs for p in _files_of(output, people)]
    if resumes and all(p.exists() for p in planned):
        outcome.skipped, outcome.outputs = True, [str(p) for p in planned]
        return []
    if options.frames is not None:
        people = [c.restricted(*options.frames) for c in people]
    options = _with_camera(task, options, clips, report_progress)
    motions: People = []
    for i, clip in enumerate(people):
        motion = _lift(clip, client, options, lambda s, x, i=i: report_progress(s, (i + x) / len(people)))  # type: ignore[misc]
        motions.append((clip, motion))
        for stage, seconds in dict(motion.metadata.get("timings", {})).items():  # type: ignore[call-overload]
            outcome.timings[stage] = round(outcome.timings.get(stage, 0.0) + seconds, 4)
    motions = _together(motions, command)
    outcome.people, outcome.frames = len(motions), sum(len(m) for _, m in motions)
    assumed = [str(n) for _, m in motions for n in m.metadata.get("assumptions", ())]  # type: ignore[attr-defined]
    outcome.notes = list(dict.fromkeys(assumed))
    return motions


def _with_camera(
    task: Task, options: LiftOptions, people: Sequence[KeypointClip], report_progress: Tell
) -> LiftOptions:
    """The options with the camera of the video where it is to be estimated; its track is kept beside the outputs.

    Raises:
        MvliftError: there is no video, or its camera cannot be estimated.
    """
    if options.camera != "estimate":
        return options
    from mvlift.cameras.estimate import estimate_rotation
    from mvlift.cameras.writing import save_track
    from mvlift.detection.video import is_video

    named = people[0].metadata.get("video") if people else None
    video = task.source if is_video(task.source) else Path(str(named)) if named else None
    if video is None or not video.exists():
        raise MvliftError(f"{task.source.name}: estimating the camera needs its video.", "Lift the video itself.")
    track, _ = estimate_rotation(
        video, people, options.focal, lambda share: report_progress("Estimating the camera", 0.1 * share)
    )
    return replace(options, camera=str(save_track(track, task.outputs[0].with_name(f"{task.source.stem}.camera.npz"))))


def _files_of(output: Path, people: Sequence[KeypointClip]) -> list[Path]:
    """The files of a clip's people: Blender's formats hold all of them in one."""
    if output.suffix.lower() in BLENDER_FORMATS:
        return [output]
    return person_paths(output, [clip.track_id for clip in people])


def _lift(clip: KeypointClip, client: EngineClient | None, options: LiftOptions, report_progress: Tell) -> LiftedMotion:
    if client is not None:
        return client.run(clip, options, report_progress)
    from mvlift.lifting.pipeline import lift

    return lift(clip, options, progress=report_progress)


def _together(people: People, command: Lift) -> People:
    """One camera, one floor and one scale for all people in the video."""
    from mvlift.lifting.multi_person import align_people, body_for_size

    motions = [motion for _, motion in people]
    if len(people) < 2 or any(motion.camera.moves for motion in motions):
        return people  # one track is one world already
    bodies = [body_for_size(m, str(command.body) if command.body else None) for m in motions]
    placed = align_people(motions, bodies)
    return [(clip, motion) for (clip, _), motion in zip(people, placed, strict=True)]


def _write_task(task: Task, outcome: Outcome, people: People, *, write: Writer) -> None:
    """Every output of a clip; a failure is kept in the outcome."""
    if outcome.error or outcome.skipped:
        return

    def work() -> People:
        for output in task.outputs:
            write(people, output)
            outcome.outputs += [str(p) for p in _files_of(output, [clip for clip, _ in people])]
        return people

    attempt(outcome, work)


def lift_batch(
    command: Lift,
    console: Console,
    engine: Callable[[], EngineClient] | None = None,
    write: Writer | None = None,
) -> list[Outcome]:
    """Lift every clip of a command in this process and its engines; arguments as `run_lift`.

    Raises:
        MvliftError: the command cannot be carried out as a whole.
        KeyboardInterrupt: it was stopped; what was done is reported and kept.
    """
    options, tasks = _options(command), plan(command, console, write)
    with usage_errors():
        tasks = shard_of(tasks, command.shard)
    writer = write or (lambda people, output: write_motion(people, output, command.blender, _path(command.body)))
    outcomes: list[Outcome] = []
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        say_one(outcome, bars.console, command.timings)

    lift, put = partial(_lift_task, command=command, options=options), partial(_write_task, write=writer)
    try:
        with stops_at_once(), bars:
            if command.jobs > 1 and len(tasks) > 1:
                run_in_parallel(tasks, lift, put, done, bars, engine or EngineClient, command.jobs)
            else:
                run_serially(tasks, lift, put, done, bars, engine)
    except KeyboardInterrupt:
        _finish(outcomes, [t.source for t in tasks], command, console)
        if len(tasks) > 1:
            console.print("Stopped. The same command goes on where it was.", markup=False)
        raise
    _finish(outcomes, [t.source for t in tasks], command, console)
    return outcomes


def _path(text: str | Path | None) -> Path | None:
    return Path(text) if text else None


def _finish(outcomes: Sequence[Outcome], sources: Sequence[Path], command: Lift, console: Console) -> int:
    """The summary, and the report where one is wanted; 1 when a clip failed."""
    if command.report is not None:
        done = {o.source for o in outcomes}
        write_report(outcomes, [s for s in sources if s not in done], command.report)
    return say_all(outcomes, len(sources), console)


def run_lift(
    command: Lift,
    console: Console,
    engine: Callable[[], EngineClient] | None = None,
    write: Writer | None = None,
) -> int:
    """Lift every clip; 0 when all went well, 1 when one failed.

    Args:
        command: what was typed.
        console: for progress and the report.
        engine: makes engine processes to lift with; without it one clip at a time is lifted in this process.
        write: writes a clip's people to a file, always called in this thread; None for `write_motion`.
    """
    check_inputs(command.inputs)
    check_device(command.device)
    check_video(command.video)
    with usage_errors():
        check_report(command.report)
    if not command.executor:
        return 1 if any(o.error for o in lift_batch(command, console, engine, write)) else 0
    from mvlift.commands.batch.cluster import run_on_cluster

    tasks = plan(command, console, write)
    if not tasks[0].resumes:
        raise UsageError("One clip needs no cluster.", "Leave out --executor, or give a folder as output.")
    outcomes: list[Outcome] = []

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        say_one(outcome, console, command.timings)

    logs = command.output[0].resolve() / ".mvlift-jobs"
    try:
        with stops_at_once():
            run_on_cluster(command, min(command.workers, len(tasks)), logs, done)
    finally:
        failed = _finish(outcomes, [t.source.resolve() for t in tasks], command, console)  # jobs have whole paths
    return failed
