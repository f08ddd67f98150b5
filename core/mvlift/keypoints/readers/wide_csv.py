"""Tables with a row for each frame (or person and frame) and columns for x and y of each keypoint.

Read are ``nose_x, nose_y, nose_score`` with ``_ . - :`` or a blank between, ``noseX, noseY``, ``x_nose, y_nose``,
``x0, y0, c0`` and MocapNET's ``2DX_nose, 2DY_nose, visible_nose``; hence also the csv of Ultralytics scripts, of SLEAP
and of most custom scripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.naming import layout_of_names
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import MAX_CELLS, name_keypoints
from mvlift.keypoints.readers.mediapipe import refuse_world_landmarks
from mvlift.keypoints.readers.tables import first_rows, frame_numbers, numbers, rows_of
from mvlift.keypoints.sources import Source

__all__ = ["refuse_space"]

_AXES: Final = {"x": "x", "y": "y", "z": "z", "px": "x", "py": "y"} | dict.fromkeys(
    ("c", "s", "v", "p", "conf", "confidence", "score", "likelihood", "visibility", "visible", "vis", "prob"), "score"
)
_SUFFIX: Final = re.compile(rf"(.+?)[\s_.\-:/|]+({'|'.join(_AXES)})", re.IGNORECASE)
_CAMEL: Final = re.compile(r"(.*[a-z0-9])([XYZ])")
_PREFIX: Final = re.compile(rf"(?:2D_?)?({'|'.join(_AXES)})(?:[\s_.\-:/|]+(.+)|(\d+))", re.IGNORECASE)
_BOX: Final = re.compile(r"b?box|bounding.?box|rect|bb|roi", re.IGNORECASE)
_FRAME: Final = ("frame", "frameid", "frameidx", "frameno", "framenumber", "framenum", "frameindex", "frames",
                 "image", "imageid", "imagename", "filename", "file", "img")  # fmt: skip
_PERSON: Final = ("person", "personid", "trackid", "track", "trackname", "id", "pid", "subject", "subjectid",
                  "individual", "instance", "instanceid", "skeletonid", "animal", "animalid", "identity", "objectid",
                  "index")  # fmt: skip
_TIME: Final = ("time", "timestamp", "times", "timestampms", "timems", "timesec", "seconds", "sec", "ms", "t")
_LEAST: Final = 2
_LONGEST: Final = 200
"""Letters of a column's title; longer ones are data."""


@dataclass
class _Header:
    """Columns of a table: keypoint name -> {"x": column, "y": ..., "score": ...}, and the others by purpose."""

    keypoints: dict[str, dict[str, int]] = field(default_factory=dict)
    frame: int | None = None
    person: list[int] = field(default_factory=list)
    time: int | None = None


def _split(cell: str) -> tuple[str, str] | None:
    """(keypoint, "x", "y", "z" or "score") of a column's title."""
    if len(cell) > _LONGEST:
        return None
    if match := _SUFFIX.fullmatch(cell) or _CAMEL.fullmatch(cell):
        return match[1], _AXES[match[2].lower()]
    if match := _PREFIX.fullmatch(cell):
        return match[2] or match[3], _AXES[match[1].lower()]
    return None


def _header(row: Sequence[str]) -> _Header:
    made = _Header()
    by_name: dict[str, dict[str, int]] = {}
    for i, cell in enumerate(row):
        plain = re.sub(r"[^a-z]", "", cell.lower())
        if made.frame is None and plain in _FRAME:
            made.frame = i
        elif plain in _PERSON:
            made.person.append(i)
        elif made.time is None and plain in _TIME:
            made.time = i
        elif (split := _split(cell)) and not _BOX.fullmatch(split[0]):
            by_name.setdefault(split[0], {}).setdefault(split[1], i)
    counts = next((i for i in made.person if row[i].lower() == "index"), None)
    if made.frame is None and counts is not None:
        made.frame = counts
        made.person.remove(counts)
    made.keypoints = {n: axes for n, axes in by_name.items() if {"x", "y"} <= axes.keys()}
    return made


def _recognise(source: Source) -> str | None:
    rows = first_rows(source, 3)
    if len(rows) < 2:
        return None
    count = len(_header(rows[0]).keypoints)
    return f"csv with x and y of {count} keypoints in columns" if count >= _LEAST else None


def _people(rows: Sequence[Sequence[str]], columns: Sequence[int], frame: NDArray[np.int64]) -> list[str] | None:
    """Ids from the first column in which nobody occurs twice in a frame, and that does not merely count the rows."""
    for column in columns:
        ids = [row[column] if column < len(row) else "" for row in rows]
        once = len(set(zip(frame.tolist(), ids, strict=True))) == len(rows)
        if once and len(set(ids)) < len(rows):
            return ids
    return None


def refuse_space(points: NDArray[np.float64], depth: NDArray[np.float64], scored: bool, name: str) -> None:
    """Refuses points of space: they have a third coordinate, and no fractions of a picture in the first two.

    Args:
        points: (N, J, 2).
        depth: (N, J) third coordinate, NaN where absent.
        scored: whether each point has a visibility too, which MediaPipe's picture landmarks have.
        name: of the file.

    Raises:
        KeypointError: these are 3D points.
    """
    known = np.isfinite(points).all(-1) & np.isfinite(depth)
    if not known.any() or not (depth[known] != 0).any():
        return
    values = points[known]
    fraction = ((values >= -0.5) & (values <= 1.5)).mean() > 0.95 and not (values < -0.1).mean() > 0.2
    if not fraction and not scored:
        raise KeypointError(
            f"{name} holds 3D points (x, y, z), not the keypoints of a picture.",
            "Import the 2D keypoints that they were made from.",
        )


@reader("wide-csv", "Table with a column for each coordinate", _recognise, rank=35)
def _read(source: Source) -> Detections:
    rows, name = rows_of(source), source.path.name
    header, body = _header(rows[0]), rows[1:]
    labels = list(header.keypoints)
    if not body or len(body) * len(labels) > MAX_CELLS:
        raise KeypointError(f"{name} has {len(body)} rows under its header.", "Export it again.")
    columns = [axes.get(a, len(rows[0])) for axes in header.keypoints.values() for a in ("x", "y", "z", "score")]
    try:
        table = numbers(body, columns).reshape(len(body), len(labels), 4)
    except ValueError as error:
        raise KeypointError(f"{name}: {error}.", "Write numbers or nothing under x and y.") from error
    scored = any("score" in axes for axes in header.keypoints.values())
    refuse_space(table[..., :2], table[..., 2], scored, name)
    names = layout_of_names(labels).names
    if any("z" in axes for axes in header.keypoints.values()):
        refuse_world_landmarks(table[..., :2], names, name)
    notes: list[str] = []
    frame, counted = _frames(header, body, notes)
    detections = Detections(
        frame=frame,
        points=table[..., :2],
        confidence=_score(table[..., 3]) if scored else None,
        span=(int(frame.min()), int(frame.max())),
        notes=notes,
        axes_uncertain=True,
        units="fraction" if any(c.upper().startswith("2D") for c in rows[0]) else "unknown",
        format="sleap-csv" if "instance.score" in rows[0] else "mocapnet" if "2DX" in "".join(rows[0]).upper() else "",
    )
    ids = _people(body, header.person, frame)
    if ids is not None and any(ids):
        detections.person = np.array(ids)
    elif len(np.unique(frame)) == len(frame):
        detections.person, detections.ids_certain = np.full(len(frame), "0"), True
    detections.counted = counted
    detections.time = _times(body, header.time) if header.time is not None else None
    return name_keypoints(detections, labels)


def _frames(header: _Header, body: list[list[str]], notes: list[str]) -> tuple[NDArray[np.int64], str]:
    """Frame numbers from the frame column, else from a first column that counts, else the rows' order; and a sentence
    for the user where they were only counted."""
    used = {i for axes in header.keypoints.values() for i in axes.values()} | {*header.person, header.time}
    cells = [row[header.frame or 0] if (header.frame or 0) < len(row) else "" for row in body]
    if header.frame is not None or (0 not in used and all(c.replace(".", "", 1).isdigit() for c in cells)):
        frame = frame_numbers(cells, notes)
        if frame is not None and (header.frame is not None or len(set(cells)) == len(cells)):
            return frame, ""
    return np.arange(len(body)), "The rows have no frame numbers: they were counted in the file's order."


def _times(body: list[list[str]], column: int | None) -> NDArray[np.float64]:
    """Seconds (or milliseconds) of each row from numbers or clock times such as 12:05:09.25; NaN where neither."""
    times = np.full(len(body), np.nan)
    for i, row in enumerate(body if column is not None else ()):
        parts = row[column].split(":") if column is not None and column < len(row) else []
        try:
            times[i] = sum(float(p) * 60**k for k, p in enumerate(reversed(parts[:3]))) if parts else np.nan
        except ValueError:
            continue
    return times


def _score(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Confidence; a keypoint without one, in a table that has them, is sure."""
    blank = np.isnan(values).all(0)
    return np.where(blank, 1.0, np.nan_to_num(values))
