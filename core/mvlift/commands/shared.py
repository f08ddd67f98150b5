"""Arguments that several commands read in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mvlift.detection.video import VIDEO_SUFFIXES
from mvlift.errors import KeypointError, MvliftError, UsageError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.people import find_person
from mvlift.keypoints.rates import checked_rate
from mvlift.keypoints.readers import get_reader
from mvlift.keypoints.reading import Inspection, inspect_keypoints
from mvlift.lifting.options import parse_size

if TYPE_CHECKING:
    from mvlift.cli import VideoFacts

__all__ = ["check_device", "check_inputs", "check_video", "chosen_people", "read_inputs", "usage_errors"]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Errors of the block are those of the command's arguments.

    Raises:
        UsageError: in place of any other error of MVLift.
    """
    try:
        yield
    except MvliftError as error:
        raise UsageError(error.message, error.remedy) from error


def check_inputs(inputs: Sequence[Path]) -> None:
    """Refuse a command without inputs.

    Raises:
        UsageError: there are none.
    """
    if not inputs:
        raise UsageError("No input was given.", "Give a video, a keypoint file or a folder.")


def check_device(device: str | None) -> None:
    """Refuse a device that no machine has.

    Raises:
        UsageError: its name is not known.
    """
    if device and not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps|directml|coreml", device):
        raise UsageError(f"There is no device {device!r}.", "Choose auto, cpu, cuda, cuda:1, mps, directml or coreml.")


def check_video(video: VideoFacts) -> None:
    """Refuse what was said about a video when no file could agree with it.

    Raises:
        UsageError: a rate, size, layout or format is not one.
    """
    with usage_errors():
        checked_rate(video.fps)
        parse_size(video.image_size)
        if video.layout:
            get_layout(video.layout)
        if video.format:
            get_reader(video.format)


def read_inputs(path: Path, video: VideoFacts) -> Inspection:
    """A clip file with what the user said about its video.

    Raises:
        KeypointError: it cannot be read, or is a video.
    """
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        raise KeypointError(f"{path.name} is a video.", f"Detect its people first: mvlift detect {path} -o people.npz")
    return inspect_keypoints(
        path,
        fps=checked_rate(video.fps),
        image_size=parse_size(video.image_size),
        layout=video.layout or None,
        format=video.format or None,
        mirrored=video.mirrored,
        pixel_aspect=video.pixel_aspect,
    )


def chosen_people(clips: tuple[KeypointClip, ...], person: str) -> list[KeypointClip]:
    """best, all, or one by its name.

    Raises:
        MvliftError: there is nobody of that name.
    """
    if person in ("best", "all"):
        return list(clips[:1] if person == "best" else clips)
    one = find_person(clips, person)
    chosen = [] if one is None else [one]
    if not chosen:
        raise MvliftError(f"There is no person {person!r}.", f"People: {', '.join(c.track_id for c in clips)}.")
    return chosen
