"""Arguments that several commands read in the same way."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mvlift.detection.video import VIDEO_SUFFIXES
from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.people import find_person
from mvlift.keypoints.reading import Inspection, inspect_keypoints

if TYPE_CHECKING:
    from mvlift.cli import VideoFacts

__all__ = ["chosen_people", "parse_fps", "parse_frames", "parse_size", "read_inputs"]


def parse_fps(text: str) -> Fraction | None:
    """A frame rate as typed; 29.97 and the like mean the exact NTSC rate.

    Raises:
        MvliftError: it is none.
    """
    if not text:
        return None
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise MvliftError(f"--fps {text} is no frame rate.", "Give 25, 29.97 or 30000/1001.") from None
    ntsc = Fraction(round(value * 1001 / 1000) * 1000, 1001)
    return ntsc if value.denominator != 1 and abs(ntsc - value) < Fraction(1, 200) else value


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height as typed.

    Raises:
        MvliftError: it is none.
    """
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,6})[x,](\d{1,6})", text)
    if not found or not int(found[1]) or not int(found[2]):
        raise MvliftError(f"--image-size {text} is no size.", "Give width and height, such as 1920x1080.")
    return int(found[1]), int(found[2])


def parse_frames(text: str) -> tuple[int, int] | None:
    """A frame range as typed.

    Raises:
        MvliftError: it is none.
    """
    if not text:
        return None
    found = re.fullmatch(r"(\d+)[-:](\d+)", text)
    if not found or int(found[2]) <= int(found[1]):
        raise MvliftError(f"--frames {text} is no range.", "Give first and last frame, such as 120-480.")
    return int(found[1]), int(found[2])


def read_inputs(path: Path, video: VideoFacts) -> Inspection:
    """A clip file with what the user said about its video.

    Raises:
        KeypointError: it cannot be read, or is a video.
    """
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        raise KeypointError(f"{path.name} is a video.", f"Detect its people first: mvlift detect {path} -o people.npz")
    return inspect_keypoints(
        path,
        fps=parse_fps(video.fps),
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
    found = [] if one is None else [one]
    if not found:
        raise MvliftError(f"There is no person {person!r}.", f"People: {', '.join(c.track_id for c in clips)}.")
    return found
