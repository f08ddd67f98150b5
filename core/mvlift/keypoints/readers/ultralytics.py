"""Ultralytics' json and csv (``Results.to_json``, ``to_csv``; one or many frames) and YOLOv7's rows of 58 numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, FlatDetections, SplitDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.tables import first_rows, frame_numbers, rows_of
from mvlift.keypoints.sources import Source, parse_json

__all__: list[str] = []

_LAYOUTS: Final = {17: ("coco17",)}
_ROW: Final = 58  # frame or batch, class or number, x, y, width, height, confidence, 17 keypoints
_LEAD: Final = 7
_LOOKED: Final = 200
_CSV_FRAME: Final = ("frame", "frame_id", "frame_idx", "frame_number", "image", "image_name", "file", "path")


def _is_result(value: object) -> bool:
    """One person of ``Results.summary()``."""
    points = value.get("keypoints") if isinstance(value, dict) else None
    if not isinstance(points, dict) or not isinstance(points.get("x"), list) or not isinstance(points.get("y"), list):
        return False
    return len(points["x"]) == len(points["y"])


def _people(value: object) -> list[Any] | None:
    """The people of a frame, which may be a list, a string of json, or an object around them."""
    if isinstance(value, str) and value[:1] == "[":
        value = parse_json(value.encode(), "a frame")
    if isinstance(value, dict) and not _is_result(value):
        value = next((value[k] for k in ("results", "detections", "predictions", "people") if k in value), value)
    if _is_result(value):
        return [value]
    return value if isinstance(value, list) else None


def _frames(source: Source) -> list[tuple[int, list[Any]]] | None:
    """(0-based frame, people) of a document, None when it is not Ultralytics'."""
    document = source.document
    if isinstance(document, list) and document and all(map(_is_result, document[:_LOOKED])):
        return [(last_number(source.names[0]) or 0, document)]
    if isinstance(document, dict) and isinstance(document.get("frames"), list):
        document = document["frames"]
    if not isinstance(document, list | dict):
        return None
    sample = list(islice(document.values() if isinstance(document, dict) else document, _LOOKED))
    looked = [people for entry in sample if (people := _people(entry)) is not None]
    if not any(_is_result(p) for people in looked for p in people) or 2 * len(looked) < len(sample):
        return None
    if isinstance(document, dict):
        numbered = ((last_number(str(key)), entry) for key, entry in document.items())
        return [(n, _people(entry) or []) for n, entry in numbered if n is not None]
    return [(_number(entry, i), _people(entry) or []) for i, entry in enumerate(document)]


def _number(entry: object, count: int) -> int:
    for key in ("frame", "frame_id", "frame_idx", "frame_number", "frame_index"):
        value = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(value, int):
            return value
    return count


def _recognise(source: Source) -> str | None:
    if source.is_series:
        people = [_people(d) or [] for d in source.first_documents]
        return "json with keypoints {x, y, visible}, one file per frame" if any(map(_any_result, people)) else None
    return "json with keypoints {x, y, visible}" if _frames(source) else None


def _any_result(people: list[Any]) -> bool:
    return any(map(_is_result, people))


def _all_frames(source: Source) -> Iterator[tuple[int, list[Any]]]:
    if source.is_series:
        for number, document in source.documents():
            yield number, _people(document) or []
    else:
        yield from _frames(source) or []


@reader("ultralytics", "Ultralytics YOLO", _recognise, rank=15)
def _read(source: Source) -> Detections:
    poses, numbers = SplitDetections(), []
    for number, people in _all_frames(source):
        numbers.append(number)
        for one in filter(_is_result, people):
            points = one["keypoints"]
            scores = points.get("visible", points.get("conf"))
            pairs = list(zip(points["x"], points["y"], strict=True))
            poses.add(number, pairs, scores if isinstance(scores, list) else None, one.get("track_id", ""))
    detections = poses.build(source.path.name)
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    detections.span = (min(numbers), max(numbers))
    return detections


def _v7_rows(source: Source) -> list[list[Any]] | None:
    document = source.document
    if isinstance(document, list) and document and isinstance(document[0], list):
        if all(isinstance(frame, list) for frame in document) and not _is_row(document[0]):
            rows = [row for frame in document for row in frame]
        else:
            rows = document
        if rows and all(map(_is_row, rows[:_LOOKED])):
            return rows
    return None


def _is_row(value: object) -> bool:
    return isinstance(value, list) and len(value) == _ROW and all(isinstance(n, int | float) for n in value[:_LEAD])


def _recognise_v7(source: Source) -> str | None:
    return "json rows of 58 numbers" if _v7_rows(source) else None


@reader("yolov7", "YOLOv7 pose rows", _recognise_v7, rank=18)
def _read_v7(source: Source) -> Detections:
    rows = FlatDetections()
    for row in _v7_rows(source) or []:
        if _is_row(row):
            rows.add(int(row[0]), row[_LEAD:])
    detections = rows.build(source.path.name)
    detections.layouts = _LAYOUTS[17]
    nested = isinstance(source.document, list) and not _is_row(source.document[0])
    if nested and not np.any(detections.frame):
        counts = [len(frame) for frame in source.document]  # type: ignore[union-attr,attr-defined]
        detections.frame = np.repeat(np.arange(len(counts)), counts)[: len(detections.frame)].astype(np.int64)
    detections.notes.append(
        "YOLOv7 writes pixels of the picture that the network saw (640 wide, with borders): if the keypoints do not "
        "lie on the person, scale them to the video."
    )
    return detections


def _csv_columns(rows: list[list[str]]) -> tuple[int, int | None, int | None] | None:
    """Columns of keypoints, frame and track of ``Results.to_csv``, whose cells hold {'x': [...], 'y': [...]}."""
    titles = [t.lower() for t in rows[0]] if len(rows) > 1 else []
    if "keypoints" not in titles or "box" not in titles:
        return None
    frame = next((titles.index(t) for t in _CSV_FRAME if t in titles), None)
    return titles.index("keypoints"), frame, titles.index("track_id") if "track_id" in titles else None


def _recognise_csv(source: Source) -> str | None:
    return "csv with box and keypoints" if _csv_columns(first_rows(source, 2)) else None


@reader("ultralytics-csv", "Ultralytics YOLO csv", _recognise_csv, rank=16)
def _read_csv(source: Source) -> Detections:
    rows, name, notes = rows_of(source), source.path.name, list[str]()
    at, frame, track = _csv_columns(rows) or (0, None, None)
    body = [row for row in rows[1:] if len(row) > at and row[at]]
    cells = [row[frame] if frame is not None and frame < len(row) else "0" for row in body]
    numbers = frame_numbers(cells, notes) if body else None
    if numbers is None:
        raise KeypointError(f"{name}: its rows have no frame numbers.", "Write the frame into each row.")
    poses = SplitDetections()
    for number, row in zip(numbers.tolist(), body, strict=True):
        points = parse_json(row[at].replace("'", '"').encode(), name)
        if _is_result({"keypoints": points}) and isinstance(points, dict):
            track_id = row[track] if track is not None and track < len(row) else ""
            pairs = list(zip(points["x"], points["y"], strict=True))
            scores = points.get("visible")
            poses.add(number, pairs, scores if isinstance(scores, list) else None, track_id)
    detections = poses.build(name)
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    if frame is None:
        detections.notes.append("The csv is of one picture.")
    detections.notes += notes
    return detections
