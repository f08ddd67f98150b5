"""MVLift's own csv, one keypoint a row: ``frame,person,keypoint,x,y,confidence`` (person and confidence may be absent).

Lines that start with ``#`` give facts: ``# fps=30000/1001``, ``# size=1920x1080``, ``# units=pixels``. Titles such as
``x_percent``, ``x_norm`` and ``x_px`` tell the units too.
"""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from typing import Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, Units
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import name_keypoints
from mvlift.keypoints.readers.tables import cell_number
from mvlift.keypoints.sources import Source

__all__ = ["HEADER"]

HEADER: Final = ("frame", "person", "keypoint", "x", "y", "confidence")
_SPELLINGS: Final = {
    "frame_id": "frame",
    "frame_idx": "frame",
    "frame_number": "frame",
    "person_id": "person",
    "track": "person",
    "track_id": "person",
    "individual": "person",
    "keypoint_name": "keypoint",
    "keypoint_id": "keypoint",
    "joint": "keypoint",
    "joint_name": "keypoint",
    "bodypart": "keypoint",
    "landmark": "keypoint",
    "node": "keypoint",
    "score": "confidence",
    "conf": "confidence",
    "likelihood": "confidence",
    "visibility": "confidence",
}
_UNITS: Final[dict[str, Units]] = {
    "px": "pixels",
    "pixel": "pixels",
    "pixels": "pixels",
    "norm": "fraction",
    "normalized": "fraction",
    "normalised": "fraction",
    "rel": "fraction",
    "fraction": "fraction",
    "pct": "percent",
    "percent": "percent",
    "%": "percent",
}
_PLACE: Final = re.compile(rf"([xy])[\s_]*\(?({'|'.join(map(re.escape, _UNITS))})\)?")


def _facts_and_header(source: Source) -> tuple[dict[str, str], list[str], str, str]:
    """Facts of the comment lines, the header's column names, the rows' text, and what stands between cells."""
    lines = source.text.splitlines()
    facts: dict[str, str] = {}
    start = 0
    while start < len(lines) and lines[start].startswith("#"):
        for key, value in re.findall(r"(\w+)\s*=\s*(\S+)", lines[start]):
            facts[key] = value
        start += 1
    titles = lines[start] if start < len(lines) else ""
    delimiter = max(",;\t", key=titles.count)
    header = titles.split(delimiter)
    plain = [h.strip().strip('"').lower() for h in header]
    places = [_PLACE.fullmatch(h) for h in plain]
    names = [p[1] if p else _SPELLINGS.get(h, h) for h, p in zip(plain, places, strict=True)]
    for place in filter(None, places):
        facts.setdefault("units", place[2])
    return facts, names, "\n".join(lines[start + 1 :]), delimiter


def _recognise(source: Source) -> str | None:
    if source.suffix not in (".csv", ".tsv", ".txt") or source.is_series:
        return None
    names = _facts_and_header(source)[1]
    if {"frame", "keypoint", "x", "y"} <= set(names) and "z" not in names:
        return "csv with a row for each keypoint"
    return None


def _frame_number(text: str) -> int:
    number = float(text)
    if not abs(number) < 1e18:
        raise ValueError(f"{text[:40]} is no frame number")
    return int(number)


@reader("csv", "Keypoint table (csv)", _recognise, rank=30)
def _read(source: Source) -> Detections:
    facts, names, body, delimiter = _facts_and_header(source)
    at = {n: names.index(n) for n in HEADER if n in names}
    rows = [r for r in csv.reader(io.StringIO(body), delimiter=delimiter) if len(r) > max(at.values())]
    if delimiter != ",":  # where a comma stands in numbers
        numeric = [at[k] for k in ("frame", "x", "y", "confidence") if k in at]
        for cells in rows:
            for i in numeric:
                cells[i] = cells[i].replace(",", ".")
    try:
        frames = np.array([_frame_number(r[at["frame"]]) for r in rows], dtype=np.int64)
        xy = np.array([(cell_number(r[at["x"]].strip()), cell_number(r[at["y"]].strip())) for r in rows])
        score = np.array([cell_number(r[at["confidence"]].strip()) for r in rows]) if "confidence" in at else None
    except (ValueError, OverflowError) as error:
        raise KeypointError(f"{source.path.name}: {error}.", f"Write numbers under {', '.join(at)}.") from error
    if not len(rows):
        raise KeypointError(f"{source.path.name} has a header and no rows.", "Export it again.")
    people = [r[at["person"]].strip() for r in rows] if "person" in at else [""] * len(rows)
    keypoints = list(dict.fromkeys(r[at["keypoint"]].strip() for r in rows))
    keys = {key: i for i, key in enumerate(dict.fromkeys(zip(frames.tolist(), people, strict=True)))}
    row = np.array([keys[k] for k in zip(frames.tolist(), people, strict=True)])
    column = np.array([keypoints.index(r[at["keypoint"]].strip()) for r in rows])
    points = np.full((len(keys), len(keypoints), 2), np.nan)
    points[row, column] = xy
    confidence = None
    if score is not None:
        confidence = np.zeros((len(keys), len(keypoints)))
        confidence[row, column] = np.nan_to_num(score)
    detections = Detections(
        frame=np.array([k[0] for k in keys]),
        points=points,
        confidence=confidence,
        person=np.array([k[1] for k in keys]) if any(people) else None,
        ids_certain=facts.get("ids") == "certain",
        units=_UNITS.get(facts.get("units", "").lower(), "unknown"),
        axes_uncertain="units" not in facts,
        fps=_fps(facts.get("fps"), source),
        image_size=_size(facts.get("size"), source),
    )
    return name_keypoints(detections, keypoints)


def _fps(text: str | None, source: Source) -> Fraction | None:
    rate = exact_rate(text) if text else None
    if text and rate is None:
        raise KeypointError(f"{source.path.name}: fps={text[:40]} is not a frame rate.", "Write # fps=30000/1001.")
    return rate


def _size(text: str | None, source: Source) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if not match:
        raise KeypointError(f"{source.path.name}: size={text} is not an image size.", "Write # size=1920x1080.")
    return int(match[1]), int(match[2])
