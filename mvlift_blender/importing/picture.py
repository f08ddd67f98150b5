"""Reading people again after a change of mirroring or pixel aspect ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.corrections import Corrections

from .people import state_facts
from .sources import clip_of, detected_clip

__all__ = ["is_square", "read_again"]

_SAME_SHAPE: Final = 0.01
_KEPT: Final = "left and right were kept"
"""In the notes of a clip that was turned over: keypoints have the names that they had."""


def read_again(settings: Any, source: Any) -> str:
    """Read a file's people anew in the picture as it is said to be now; corrections by hand move along.

    Returns:
        why that is impossible, or ""; then the people are as they were.
    """
    people = [person for person in settings.people if person.source == source.path]
    before = [person.corrections for person in people]
    try:
        clips = [_clip_in_new_picture(settings, source, person) for person in people]
    except KeypointError as error:
        for person, corrections in zip(people, before, strict=True):
            person.corrections = corrections
        return f"{error.message} {error.remedy}"
    for person, clip in zip(people, clips, strict=True):
        state_facts(person, clip)
    source.read_mirrored, source.read_aspect = source.mirrored, source.pixel_aspect
    size = settings.clip_size(people[0]) if people else None
    source.read_width = size[0] if size is not None else 0
    return ""


def _clip_in_new_picture(settings: Any, source: Any, person: Any) -> KeypointClip:
    if person.corrections:
        clip = detected_clip(settings, person)
        notes = person.notes if source.read_mirrored else "\n".join(clip.assumptions)
        size = settings.clip_size(person)
        place = _between_pictures(source, size[0] if size is not None else 0)
        swapped = source.mirrored != source.read_mirrored and _KEPT not in notes
        order = clip.layout.mirrored() if swapped else range(len(clip.layout.names))
        names = {clip.layout.names[int(old)]: name for name, old in zip(clip.layout.names, order, strict=True)}
        made = Corrections.from_json(person.corrections)
        moved = {
            (frame, names[name]): (place(xy[0]), xy[1]) if xy else None for (frame, name), xy in made.points.items()
        }
        person.corrections = replace(made, points=moved).to_json()
    return clip_of(settings, person)


def _between_pictures(source: Any, width: int) -> Callable[[float], float]:
    """From x in the picture as it was last read to x in the one as it is now, ``width`` square pixels wide."""

    def place(x: float) -> float:
        stored = (source.read_width - x if source.read_mirrored else x) / source.read_aspect
        now = float(stored * source.pixel_aspect)
        return width - now if source.mirrored else now

    return place


def is_square(settings: Any, source: Any) -> bool:
    """Whether the size that a keypoint file states is the video's in square pixels: nothing is left to stretch."""
    person = next((p for p in settings.people if p.source == source.path), None)
    if person is None or min(person.width, person.height, source.video_width, source.video_height) <= 0:
        return False
    shown = source.video_width * source.video_aspect / source.video_height
    return bool(abs(person.width / person.height / shown - 1) < _SAME_SHAPE)
