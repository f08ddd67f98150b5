"""Marker tracks (.trc): Sports2D's files in pixels are read, points of space are refused."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import MAX_CELLS, name_keypoints
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__: list[str] = []

_HEAD: Final = 5
"""Lines before the numbers: kind, titles, facts, markers, coordinates."""
_IN_SPACE: Final = "Import the folder of json files that Pose2Sim or Sports2D wrote beside it (pose/..._json)."
_LARGEST_METRES: Final = 30.0


def _recognise(source: Source) -> str | None:
    if source.is_series:
        return None
    is_trc = source.path.suffix.lower() == ".trc" or source.data[:12] == b"PathFileType"
    return "file of marker tracks (trc)" if is_trc else None


def _rows(lines: list[str], columns: int, name: str) -> F64:
    """(T, columns) numbers; blank cells are NaN."""
    table = np.full((len(lines), columns), np.nan)
    for row, line in zip(table, lines, strict=True):
        cells = line.rstrip("\r\n").split("\t")[:columns]
        try:
            row[: len(cells)] = [float(c) if c.strip() else np.nan for c in cells]
        except ValueError as error:
            raise KeypointError(f"{name}: {error}.", "Write it again.") from error
    return table


@reader("trc", "Marker tracks (Sports2D, OpenSim)", _recognise, rank=5)
def _read(source: Source) -> Detections:
    name, lines = source.path.name, source.text.splitlines()
    if len(lines) <= _HEAD:
        raise KeypointError(f"{name} is a trc file without numbers.", _IN_SPACE)
    titles, facts = (line.split("\t") for line in lines[1:3])
    known = {t.strip().lower(): f.strip() for t, f in zip(titles, facts, strict=False)}
    markers = [m.strip() for m in lines[3].split("\t")[2:] if m.strip()]
    body = [line for line in lines[_HEAD:] if line.strip()]
    if not markers or not body or len(body) * len(markers) > MAX_CELLS:
        raise KeypointError(f"{name} is a trc file without markers.", _IN_SPACE)
    table = _rows(body, 2 + 3 * len(markers), name)
    points = table[:, 2:].reshape(len(body), len(markers), 3)
    depth = points[..., 2][np.isfinite(points[..., 2])]
    reach = float(np.nanquantile(np.abs(points[..., :2]), 0.9)) if np.isfinite(points[..., :2]).any() else 0.0
    if (depth.size and (np.abs(depth) > 1e-9).any()) or reach < _LARGEST_METRES:
        raise KeypointError(f"{name} holds marker tracks in space (trc), not pixels.", _IN_SPACE)
    frame = np.nan_to_num(table[:, 0]).astype(np.int64)
    person = re.search(r"person_?(\d{1,6})", name)
    detections = Detections(
        frame=frame if len(np.unique(frame)) == len(frame) else np.arange(len(frame)),
        points=points[..., :2],
        person=np.full(len(frame), str(int(person[1])) if person else "0"),
        ids_certain=True,
        units="pixels",
        fps=exact_rate(_number(known.get("datarate", known.get("camerarate", "")))),
        axes_uncertain=True,
        format="sports2d-trc",
    )
    detections.span = (int(detections.frame.min()), int(detections.frame.max()))
    return name_keypoints(detections, markers)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
