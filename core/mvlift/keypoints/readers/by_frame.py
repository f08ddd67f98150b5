"""Json of scripts that list people by picture or frame: ``{picture: [{keypoints, ...}]}``, a list of such frames, or
``{person: {frame: {keypoints, scores}}}`` (PoseFlow and what follows AlphaPose).

People are a list, or an object {id: person}. Keypoints are pairs, triples (x, y, confidence), or one flat list of
triples, in an object or bare.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.numbering import last_number, number_files
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {17: ("coco17",)}
_POINTS: Final = ("keypoints", "pose", "joints", "pose_keypoints_2d")
_SCORES: Final = ("keypoint_scores", "keypoints_scores", "scores", "keypoint_score", "confidences")
_IDS: Final = ("track_id", "idx", "person_id", "id")
_FRAMES: Final = ("frame", "frame_id", "frame_idx", "frame_number", "image", "image_name", "file_name", "filename")
_PEOPLE: Final = ("people", "persons", "predictions", "detections", "instances", "poses")
_LOOKED: Final = 50
_LEAST: Final = 5
"""Fewer numbers or points than this are no person."""
_OF_PEOPLE: Final = ("person", "track", "id", "player")
_OF_FRAMES: Final = ("frame", "image", "img", ".")
_LONGEST: Final = 200
"""Letters of a frame's name that are looked at, from its end."""


def _points(person: object) -> list[list[Any]] | None:
    """The keypoints of a person as pairs or triples."""
    if not isinstance(person, dict):
        return None
    return _pairs(next((person[k] for k in _POINTS if isinstance(person.get(k), list)), None))


def _pairs(values: list[Any] | None) -> list[list[Any]] | None:
    """Pairs or triples, which a flat list is cut into; None for what is neither."""
    if not values:
        return None
    if all(isinstance(p, list) and 2 <= len(p) <= 3 for p in values):
        return values
    flat = all(isinstance(n, int | float) for n in values[:6]) and len(values) % 3 == 0 and len(values) >= 15
    return [values[i : i + 3] for i in range(0, len(values), 3)] if flat else None


def _people(frame: object) -> list[Any] | None:
    """The people of a frame: a list, or an object that has one; None for anything else."""
    if isinstance(frame, dict):
        if _points(frame) is not None:
            return [frame]
        inner = next((frame[k] for k in _PEOPLE if isinstance(frame.get(k), list | dict)), frame)
        frame = _by_id(inner) if isinstance(inner, dict) else inner
    if not isinstance(frame, list) or not all(isinstance(p, dict) for p in frame[:3]):
        return None
    return frame


def _by_id(people: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The people of {id: person}, where a person may be a bare list of keypoints; None for anything else."""
    entries = []
    for person_id, person in people.items():
        made = {"keypoints": person} if isinstance(person, list) and len(person) >= _LEAST else person
        if last_number(str(person_id)) is None or _points(made) is None:
            return None
        entries.append({"id": str(person_id), **made})
    return entries


def _entries(source: Source) -> list[tuple[object, object]]:
    """(name or number, content) of each frame."""
    document = source.document
    if isinstance(document, dict):
        lists = ("frames", "images", "results")
        inner = next((document[k] for k in lists if isinstance(document.get(k), list | dict)), document)
        if isinstance(inner, dict):
            return list(inner.items())
        document = inner
    if not isinstance(document, list):
        return []
    return [(_key(frame, i), frame) for i, frame in enumerate(document)]


def _key(frame: object, count: int) -> object:
    numbers = (frame.get(k) for k in _FRAMES) if isinstance(frame, dict) else ()
    return next((k for k in numbers if isinstance(k, int | str)), count)


def _by_person(document: object) -> dict[str, dict[str, Any]] | None:
    """{person: {frame: {keypoints, scores}}}."""
    if not isinstance(document, dict) or not document:
        return None
    inner = set[str]()
    for frames in islice(document.values(), _LOOKED):
        if not isinstance(frames, dict) or not frames:
            return None
        if not all(last_number(str(k)) is not None and _points(v) for k, v in islice(frames.items(), _LOOKED)):
            return None
        inner.update(frames)
    name = str(next(iter(document))).lower()
    named = any(word in name for word in _OF_PEOPLE) - any(word in name for word in _OF_FRAMES)
    return document if named > 0 or (named == 0 and len(document) <= len(inner)) else None


def _recognise(source: Source) -> str | None:
    if _by_person(source.document):
        return "json of {person: {frame: keypoints}}"
    entries = _entries(source)[:_LOOKED]
    looked = [people for _, frame in entries if (people := _people(frame)) is not None]
    any_person = any(_points(p) for people in looked for p in people)
    return "json of people with keypoints by frame" if any_person and 2 * len(looked) > len(entries) else None


def _frames(source: Source, notes: list[str]) -> Iterator[tuple[int, Any, object]]:
    """(frame, person, id) of every person."""
    by_person = _by_person(source.document)
    if by_person is not None:
        for person_id, frames in by_person.items():
            for key, person in frames.items():
                yield last_number(str(key)) or 0, person, person_id
        return
    entries = _entries(source)
    numbers = _numbers([key for key, _ in entries], notes)
    for number, (_, frame) in zip(numbers, entries, strict=True):
        for person in (_people(frame) or []) if number is not None else []:
            yield number or 0, person, next((person[k] for k in _IDS if isinstance(person.get(k), int | str)), "")


def _numbers(keys: list[object], notes: list[str]) -> list[int | None]:
    """Frame numbers from keys, None for pictures outside the series."""
    if len({str(k)[-_LONGEST:] for k in keys}) < len(keys):
        notes.append("Several frames have one name; frames are counted in the list's order.")
        return list(range(len(keys)))
    if all(isinstance(k, int) for k in keys):
        return [int(str(k)) for k in keys]
    names = [str(k)[-_LONGEST:] for k in keys]
    numbered, more = number_files(names)
    notes += more
    by_name = dict(numbered)
    return [by_name.get(n) for n in names]


@reader("by-frame", "Keypoints by frame", _recognise, rank=45)
def _read(source: Source) -> Detections:
    poses, notes, spatial = SplitDetections(), list[str](), 0
    for frame, person, person_id in _frames(source, notes):
        points = _points(person)
        if points is None:
            continue
        scores = next((person[k] for k in _SCORES if isinstance(person.get(k), list)), None)
        if scores is None and all(len(p) > 2 for p in points):
            scores = [p[2] for p in points]
            spatial += any(isinstance(s, int | float) and not -0.01 <= s <= 10 for s in scores)
        poses.add(frame, points, scores, person_id)
    if not len(poses):
        raise KeypointError(f"{source.path.name}: no frame shows a person.", "Run the detector again.")
    if 2 * spatial > len(poses):
        raise KeypointError(
            f"{source.path.name} holds points with three coordinates, not x, y and confidence.",
            "Import the 2D keypoints of the same video.",
        )
    detections = poses.build(source.path.name)
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    detections.notes += notes
    detections.axes_uncertain = True
    return detections
