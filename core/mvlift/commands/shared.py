"""Arguments that several commands read in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mvlift.detection.video import VIDEO_SUFFIXES
from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.people import find_person
from mvlift.keypoints.rates import checked_rate
from mvlift.keypoints.reading import Inspection, inspect_keypoints
from mvlift.lifting.options import parse_size

if TYPE_CHECKING:
    from mvlift.cli import VideoFacts

__all__ = ["chosen_people", "read_inputs"]


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
