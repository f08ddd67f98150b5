"""OpenPose's json, one file per frame, and what writes like it (rtmlib, Pose2Sim, Sports2D, tf-pose)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, FlatDetections
from mvlift.keypoints.hand_keypoints import hand_rows
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__ = ["LAYOUTS"]

_KEYS: Final = ("pose_keypoints_2d", "pose_keypoints")  # the second was written by 1.0 and 1.1
_NUMBERS: Final = ("frame", "frame_id", "frame_number", "frame_idx")
_LOOKED: Final = 200
LAYOUTS: Final = {15: ("mpi15",), 18: ("openpose18", "coco17neck"), 25: ("body25", "body25b"), 26: ("halpe26",)}


def _people(document: object) -> list[object] | None:
    if not isinstance(document, dict):
        return None
    people = document.get("people")
    return people if isinstance(people, list) and "canvas_width" not in document else None


def _is_person(person: object) -> bool:
    return isinstance(person, dict) and any(k in person for k in _KEYS)


def _list(source: Source) -> list[object] | None:
    """OpenPose's documents of many frames, as scripts gather them in one list (or one document a line)."""
    document = source.document
    sample = document[:50] if isinstance(document, list) else []
    people = [_people(d) for d in sample]
    if (
        not sample
        or any(p is None for p in people)
        or not any(_is_person(p) for people_of_frame in people for p in people_of_frame or ())
    ):
        return None
    return document if isinstance(document, list) else None


def _recognise(source: Source) -> str | None:
    if _list(source) is not None:
        return "json list of people[].pose_keypoints_2d"
    documents = source.first_documents or [source.document]
    lists = [p for p in map(_people, documents) if p is not None]
    if len(lists) < max(1, len(documents) // 2):
        return None
    people = [p for people_of_frame in lists for p in people_of_frame]
    if people and not any(map(_is_person, people)):
        return None
    return "json with people[].pose_keypoints_2d" + (", one file per frame" if source.is_series else "")


def _values(person: object) -> list[object]:
    if not isinstance(person, dict):
        return []
    values = next((person[k] for k in _KEYS if isinstance(person.get(k), list)), None)
    return values or []


def _hands(person: object) -> F64 | None:
    """(2, 21, 4) hands; OpenPose 1.0 and 1.1 leave "_2d" out of their names."""
    if not isinstance(person, dict):
        return None
    left, right = (
        person.get(f"hand_{side}_keypoints_2d", person.get(f"hand_{side}_keypoints")) for side in ("left", "right")
    )
    return hand_rows(left, right)


def _identity(person: object) -> int | None:
    """The tracked id where OpenPose was asked for one; -1 means none."""
    person_id = person.get("person_id") if isinstance(person, dict) else None
    if isinstance(person_id, list):
        person_id = person_id[0] if person_id else None
    return person_id if isinstance(person_id, int) and person_id >= 0 else None


def _frames(source: Source) -> Iterator[tuple[int, object]]:
    if source.is_series:
        yield from source.documents()
        return
    listed = _list(source)
    if listed is None:
        yield last_number(source.names[0]) or 0, source.document
        return
    numbers = [next((d[k] for k in _NUMBERS if k in d), None) if isinstance(d, dict) else None for d in listed]
    counted = all(isinstance(n, int) for n in numbers) and len(set(numbers)) == len(numbers)
    yield from zip((n if counted and isinstance(n, int) else i for i, n in enumerate(numbers)), listed, strict=True)


@reader("openpose", "OpenPose", _recognise, rank=10)
def _read(source: Source) -> Detections:
    rows, first, last, slots = FlatDetections(), None, 0, 0
    for frame, document in _frames(source):
        people = _people(document)
        if people is None:
            continue
        first, last = (frame if first is None else first), frame
        slots = max(slots, len(people))
        for person in people:
            rows.add(
                frame, _values(person), "" if (person_id := _identity(person)) is None else person_id, _hands(person)
            )
    if first is None or not len(rows):
        raise KeypointError(
            f"{source.path.name}: no frame of the OpenPose files shows a person.", "Run the detector again."
        )
    detections = rows.build(source.path.name)
    detections.layouts = LAYOUTS.get(detections.points.shape[1], ())
    detections.span = (first, last)
    detections.notes += source.numbered[1] if source.is_series else []
    return detections


def _aggregate(source: Source) -> dict[str, list[object]] | None:
    """{name of a frame: flat list}, as scripts gather OpenPose's files into one."""
    document = source.document
    if not isinstance(document, dict) or len(document) < 2:
        return None
    sample = dict(islice(document.items(), _LOOKED))
    lists = [v for v in sample.values() if isinstance(v, list) and all(isinstance(n, int | float) for n in v[:4])]
    lengths = {len(v) for v in lists if v}
    if len(lists) != len(sample) or len(lengths) != 1 or (length := lengths.pop()) % 3 or length // 3 < 15:
        return None
    return document if sum(last_number(str(k)) is not None for k in sample) > 0.9 * len(sample) else None


def _recognise_aggregate(source: Source) -> str | None:
    return "json of {frame: flat list of x, y, confidence}" if _aggregate(source) else None


@reader("openpose-aggregate", "OpenPose, frames in one file", _recognise_aggregate, rank=40)
def _read_aggregate(source: Source) -> Detections:
    rows = FlatDetections()
    for count, (key, values) in enumerate((_aggregate(source) or {}).items()):
        number = last_number(key)
        if isinstance(values, list):
            rows.add(count if number is None else number, values)
    detections = rows.build(source.path.name)
    detections.layouts = LAYOUTS.get(detections.points.shape[1], ())
    return detections
