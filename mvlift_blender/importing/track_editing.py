"""Corrections to the list of people: split, join, exchange, trim. The keypoint files are never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mvlift.errors import KeypointError
from mvlift.keypoints.people import Piece, cut, exchanged, joined, pieces_of, track_text

from .people import state_facts
from .sources import clip_of

__all__ = ["join_people", "split_person", "swap_people", "trim_person"]


def _pieces(person: Any) -> tuple[Piece, ...]:
    return pieces_of(person.track, person.first, person.last)


def _become(settings: Any, changes: Sequence[tuple[Any, Sequence[Piece]]]) -> None:
    """Set the track pieces of several people, all of them or none."""
    before = [(person, person.track) for person, _ in changes]
    try:
        for person, pieces in changes:
            person.track = track_text(pieces)
        clips = [clip_of(settings, person) for person, _ in changes]
    except KeypointError:
        for person, track in before:
            person.track = track
        raise
    for (person, _), clip in zip(changes, clips, strict=True):
        state_facts(person, clip)


def _inside(person: Any, frame: int) -> None:
    if not person.first < frame <= person.last:
        raise KeypointError(
            f"Frame {frame} of the video is not inside {person.name}, who has frames {person.first} to {person.last}.",
            "Choose a frame between them.",
        )


def _same_source(a: Any, b: Any) -> None:
    if a.source != b.source:
        raise KeypointError(f"{a.name} and {b.name} come from different files.", "Choose two people of the same file.")


def split_person(settings: Any, index: int, frame: int) -> Any:
    """Cut a person in two; the second one, from ``frame`` (of the video) on, is new in the list.

    Raises:
        KeypointError: the frame is not inside the person's.
    """
    person = settings.people[index]
    _inside(person, frame)
    pieces, name, chosen = _pieces(person), person.name, person.chosen
    first, last = person.first, person.last
    facts = {key: getattr(person, key) for key in ("source", "fps", "width", "height")}
    _become(settings, [(person, cut(pieces, first, frame - 1))])
    new = settings.people.add()
    settings.people.move(len(settings.people) - 1, index + 1)
    new = settings.people[index + 1]
    for key, value in facts.items():
        setattr(new, key, value)
    new.name, new.chosen = f"{name} from {frame}", chosen
    _become(settings, [(new, cut(pieces, frame, last))])
    return new


def join_people(settings: Any, index: int, other: int) -> None:
    """Make one person of two; where both have a frame, the first one's keypoints count.

    Raises:
        KeypointError: they are the same, or come from different files.
    """
    a, b = _pair(settings, index, other)
    _become(settings, [(a, joined(_pieces(a), _pieces(b)))])
    settings.people.remove(other)
    settings.active = index - (other < index)


def swap_people(settings: Any, index: int, other: int, frame: int) -> None:
    """Exchange the keypoints of two people from a frame of the video on, where a tracker mixed them up.

    Raises:
        KeypointError: they are the same, or come from different files, or nobody has frames after that one.
    """
    a, b = _pair(settings, index, other)
    first, last = min(a.first, b.first), max(a.last, b.last)
    ours, theirs = exchanged(_pieces(a), _pieces(b), frame)
    if not first < frame <= last or not ours or not theirs:
        raise KeypointError(
            f"There is nothing to exchange from frame {frame} on.", f"Choose a frame from {first + 1} to {last}."
        )
    _become(settings, [(a, ours), (b, theirs)])


def trim_person(settings: Any, index: int, first: int, last: int) -> None:
    """Keep only frames ``first`` to ``last`` of a person.

    Raises:
        KeypointError: the person has none of them.
    """
    person = settings.people[index]
    pieces = cut(_pieces(person), first, last)
    if not pieces or last <= first:
        raise KeypointError(
            f"{person.name} has frames {person.first} to {person.last}, not {first} to {last}.", "Choose other frames."
        )
    _become(settings, [(person, pieces)])


def _pair(settings: Any, index: int, other: int) -> tuple[Any, Any]:
    if index == other or not 0 <= other < len(settings.people):
        raise KeypointError("Two people are needed.", "Choose another person of the list.")
    a, b = settings.people[index], settings.people[other]
    _same_source(a, b)
    return a, b
