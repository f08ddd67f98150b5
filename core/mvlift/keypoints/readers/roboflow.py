"""Roboflow's keypoint predictions: frames of ``predictions[].keypoints[]`` with ``x, y, confidence, class``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, FlatDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import name_keypoints
from mvlift.keypoints.readers.landmark_frames import picture_size
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LOOKED: Final = 200
_DEEPEST: Final = 3
_FRAME: Final = ("frame_id", "frame", "frame_number", "frame_index", "frame_idx", "frame_offset")


def _predictions(value: object, depth: int = 0) -> list[Any] | None:
    """The people of a frame: a list under ``predictions``, which workflows put into objects around it."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    inner = value.get("predictions", value.get("output", value.get("keypoint_predictions")))
    if isinstance(inner, dict):
        return _predictions(inner, depth + 1)
    return inner if isinstance(inner, list) else None


def _part(frame: object) -> object:
    """What holds the people of a frame: workflows put it into a list of one, under a name that the user chose."""
    frame = frame[0] if isinstance(frame, list) and len(frame) == 1 else frame
    if _predictions(frame) is None and isinstance(frame, dict):
        return next((part for part in frame.values() if _predictions(part) is not None), frame)
    return frame


def _of_frame(frame: object) -> list[Any] | None:
    return _predictions(_part(frame))


def _keypoints(person: object) -> list[Any]:
    """The named points of a person; none for what is no person of Roboflow's."""
    points = person.get("keypoints") if isinstance(person, dict) else None
    named = isinstance(points, list) and all(
        isinstance(p, dict) and "x" in p and "y" in p and any(k in p for k in ("class", "class_name", "class_id"))
        for p in points
    )
    return points if named and isinstance(points, list) else []


def _frames(source: Source) -> Iterator[tuple[int | None, object]]:
    """(number as written, content) of each frame."""
    if source.is_series:
        yield from source.documents()
        return
    document = source.document
    if isinstance(document, dict):
        lists = [v for k, v in document.items() if isinstance(v, list) and any(_predictions(f) for f in v[:_LOOKED])]
        if _predictions(document) is not None:
            yield last_number(source.names[0]) or 0, document
        elif lists:  # video inference: a list by the model's name, beside frame_offset
            offsets = document.get("frame_offset")
            numbers = offsets if isinstance(offsets, list) and len(offsets) == len(lists[0]) else [None] * len(lists[0])
            yield from ((n if isinstance(n, int) else None, f) for n, f in zip(numbers, lists[0], strict=True))
        else:
            yield from ((last_number(str(k)), v) for k, v in document.items())
    elif isinstance(document, list):
        yield from ((_number(frame), frame) for frame in document)


def _number(frame: object) -> int | None:
    numbers = (frame.get(k) for k in _FRAME) if isinstance(frame, dict) else ()
    return next((n for n in numbers if isinstance(n, int) and not isinstance(n, bool)), None)


def _recognise(source: Source) -> str | None:
    if source.is_series:
        frames: Iterator[tuple[int | None, object]] = ((None, d) for d in source.first_documents)
    elif isinstance(source.document, dict | list):
        frames = islice(_frames(source), _LOOKED)
    else:
        return None
    people = [p for _, frame in frames for p in _of_frame(frame) or []]
    many = ", one file per frame" if source.is_series else ""
    return f"json with predictions[].keypoints[] {{x, y, class}}{many}" if any(map(_keypoints, people)) else None


def _label(point: dict[str, Any]) -> str:
    return str(point.get("class", point.get("class_name", point.get("class_id"))))


@reader("roboflow", "Roboflow keypoint predictions", _recognise, rank=14)
def _read(source: Source) -> Detections:
    frames = list(_frames(source))
    numbers = [n for n, _ in frames]
    counted = ""
    if any(n is None for n in numbers) or len(set(numbers)) < len(numbers):
        numbers, counted = list(range(len(frames))), "The frames have no numbers: they were counted in order."
    points = [p for _, frame in frames for person in _of_frame(frame) or [] for p in _keypoints(person)]
    order: dict[str, float] = {}
    for point in points:
        number = point.get("class_id")
        order.setdefault(_label(point), float(number) if isinstance(number, int) else np.inf)
    labels = sorted(order, key=lambda name: order[name])
    column = {name: 3 * i for i, name in enumerate(labels)}
    rows = FlatDetections()
    for number, (_, frame) in zip(numbers, frames, strict=True):
        for person in _of_frame(frame) or []:
            values: list[object] = [np.nan, np.nan, 0.0] * len(labels)
            for point in (keypoints := _keypoints(person)):
                at = column[_label(point)]
                values[at : at + 3] = point["x"], point["y"], point.get("confidence", 1.0)
            if keypoints:
                rows.add(number or 0, values, person.get("tracker_id", person.get("track_id", "")))
    if not len(rows):
        raise KeypointError(f"{source.path.name}: no frame has keypoints.", "Run a keypoint model.")
    found_rows = rows.build(source.path.name)
    found_rows.units, found_rows.counted = "pixels", counted
    known = [n for n in numbers if n is not None]
    found_rows.span = (min(known), max(known))
    first = next((f for _, f in frames if _of_frame(f) is not None), None)
    found_rows.image_size = picture_size(_part(first))
    return name_keypoints(found_rows, labels)
