"""`mvlift detect`: the people of videos as keypoint files; and the keypoints of a video for the other commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mvlift.commands.shared import check_inputs, usage_errors
from mvlift.detection import DetectionOptions, DetectionProgress, detect_keypoints, is_video, probe_video
from mvlift.detection.kept import keypoints_of_video, resume_file
from mvlift.detection.overlay import write_overlay
from mvlift.errors import DetectionError, MvliftError, UsageError
from mvlift.keypoints.rates import checked_rate
from mvlift.keypoints.writing import write_keypoints
from mvlift.lifting.options import parse_frames

if TYPE_CHECKING:
    from mvlift.cli import Detect, DetectorChoice

__all__ = ["describe_progress", "detection_options", "keypoints_of_video", "run_detect"]


def detection_options(choice: DetectorChoice, fps: str, frames: str = "") -> DetectionOptions:
    """The options as typed.

    Raises:
        MvliftError: one of them is none.
    """
    return DetectionOptions(
        detector=choice.detector,
        hands=choice.detect_hands,
        max_people=choice.max_people,
        frames=parse_frames(frames),
        fps=checked_rate(fps),
        threads=choice.detector_threads,
    )


def _outputs(command: Detect) -> list[tuple[Path, Path]]:
    """(video, keypoint file) of each input.

    Raises:
        MvliftError: several videos and one file.
    """
    folder = command.output.is_dir() or not command.output.suffix
    if len(command.inputs) > 1 and not folder:
        raise MvliftError(f"Several videos need a folder as output, not {command.output}.", "Give -o FOLDER.")
    if not folder:
        return [(command.inputs[0], command.output)]
    return [(video, command.output / f"{video.stem}.{command.extension.lstrip('.')}") for video in command.inputs]


def run_detect(command: Detect, console: Console) -> int:
    """Detect in every video; 0 when all went well."""
    failed = 0
    check_inputs(command.inputs)
    with usage_errors():
        pairs, options = _outputs(command), detection_options(command.detector, command.fps, command.frames)
    if command.preview is not None and len(pairs) > 1:
        raise UsageError("--preview is for one video.", "Leave it out, or detect one video at a time.")
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[state]}"),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bars:
        for video, output in pairs:
            try:
                _detect_one(command, video, output, options, bars)
            except MvliftError as error:
                console.print(f"{video.name}: {error}", style="red", markup=False, soft_wrap=True)
                failed += 1
    return 1 if failed else 0


def _detect_one(command: Detect, video: Path, output: Path, options: DetectionOptions, bars: Progress) -> None:
    say = bars.console.print
    if len(command.inputs) > 1 and output.exists() and not command.overwrite:
        say(f"{video.name}: already there", markup=False)
        return
    if video.exists() and not is_video(video):
        raise DetectionError(f"{video} is not a video.", "`mvlift inspect` says what keypoint files hold.")
    bar = bars.add_task(video.name, total=1.0, state="")
    last: list[DetectionProgress] = []

    def report_progress(progress: DetectionProgress) -> None:
        last[:] = [progress]
        bars.update(bar, completed=progress.fraction, state=describe_progress(progress))

    clips = detect_keypoints(video, options, progress=report_progress, resume_file=resume_file(output))
    write_keypoints(clips, output)
    bars.remove_task(bar)
    for note in dict.fromkeys(note for clip in clips for note in clip.assumptions):
        say(f"{video.name}: {note}", markup=False, soft_wrap=True)
    rate = f" at {last[-1].frames_per_second:.0f} frames/s" if last else ""
    count = f"{len(clips)} {'person' if len(clips) == 1 else 'people'}"
    say(f"{video.name}: {count} in {last[-1].frame if last else 0} frames{rate} -> {output}", markup=False,
        soft_wrap=True)  # fmt: skip
    if command.preview is not None:
        write_overlay(probe_video(video), clips, command.preview)
        say(f"{video.name}: skeletons over the frames -> {command.preview}", markup=False, soft_wrap=True)


def describe_progress(progress: DetectionProgress) -> str:
    """Frames, speed and time left in one line."""
    total = f"/{progress.frame_count}" if progress.frame_count else ""
    left = "" if progress.seconds_left is None else f", {_duration(progress.seconds_left)} left"
    return f"{progress.frame}{total} frames, {progress.frames_per_second:.0f} frames/s{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
