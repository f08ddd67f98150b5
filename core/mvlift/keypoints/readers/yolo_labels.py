"""YOLO's label files: one txt per frame, rows of ``class x y width height (x y [v]) ... [confidence] [track]``.

Ultralytics' ``save_txt`` counts frames from 1, writes no file where it saw nobody, and appends when it is run twice.
Training labels look the same; their third number is 0, 1 or 2.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.identify import candidates_for
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_BOX: Final = 5
_PERSON: Final = 17
"""Keypoints of the pose models that come with Ultralytics."""


def _rows(data: bytes) -> list[list[float]]:
    """Rows of numbers; other lines are none."""
    rows = []
    for line in data.splitlines():
        try:
            row = [float(v) for v in line.split()]
        except ValueError:
            continue
        if len(row) > _BOX:
            rows.append(row)
    return rows


def _shapes(length: int) -> list[tuple[int, int, int]]:
    """(keypoints, numbers per keypoint, numbers behind them) that a row of this length can have, likeliest first."""
    options = []
    for behind in (0, 1, 2):
        for each in (3, 2):
            joints, rest = divmod(length - _BOX - behind, each)
            if joints > 0 and not rest:
                options.append((joints, each, behind))
    return sorted(options, key=lambda o: (o[0] != _PERSON, not candidates_for(o[0]), o[2], -o[1]))


def _fits(rows: NDArray[np.float64], shape: tuple[int, int, int]) -> bool:
    """Whether the numbers behind x and y are confidences, and the numbers at the end a confidence and a track."""
    joints, each, behind = shape
    points = rows[:, _BOX : _BOX + joints * each].reshape(len(rows), joints, each)
    good = bool((np.abs(points[..., :2]) < 3).mean() > 0.95)
    if each == 3:
        score = points[..., 2]
        are_visibilities = bool((np.isin(score, (0, 1, 2))).all())
        good &= are_visibilities or bool(((score >= 0) & (score <= 1.2)).all())
    if behind:
        good &= bool(((rows[:, _BOX + joints * each] >= 0) & (rows[:, _BOX + joints * each] <= 1)).all())
    if behind == 2:
        good &= bool((rows[:, -1] == np.round(rows[:, -1])).all())
    return good


def _shape(rows: list[list[float]]) -> tuple[int, int, int] | None:
    """The shape of most rows."""
    if not rows:
        return None
    lengths = Counter(map(len, rows))
    length = lengths.most_common(1)[0][0]
    table = np.array([r for r in rows if len(r) == length])
    if not ((table[:, 0] == np.round(table[:, 0])) & (table[:, 0] >= 0)).all():
        return None
    box = table[:, 1:_BOX]
    if not ((box > -0.5) & (box < 1.5)).all():
        return None
    return next((s for s in _shapes(length) if candidates_for(s[0]) and _fits(table, s)), None) or next(
        (s for s in _shapes(length) if s[0] > 3 and _fits(table, s)), None
    )


def _recognise(source: Source) -> str | None:
    if source.suffix != ".txt":
        return None
    step = max(1, len(source.names) // 8)
    rows = [row for _, data in source.items(source.names[::step][:8]) for row in _rows(data[: 1 << 20])]
    shape = _shape(rows)
    if shape is None:
        return None
    many = ", one file per frame" if source.is_series else ""
    return f"txt rows of a class, a box and {shape[0]} keypoints{many}"


def _first(source: Source, notes: list[str]) -> int:
    """1 for files that Ultralytics numbered ``video_1.txt, video_2.txt, ...`` without zeros in front."""
    numbered = source.numbered[0]
    stems = [PurePath(n).stem for n, _ in numbered]
    padded = any(re.search(r"(?<!\d)0\d*$", s) for s in stems)
    if not source.is_series or padded or numbered[0][1] < 1:
        return 0
    notes.append("The files are numbered from 1, as Ultralytics does: file 1 is the first frame.")
    return 1


@reader("yolo-txt", "YOLO label files", _recognise, rank=20)
def _read(source: Source) -> Detections:
    numbered = source.numbered[0]
    rows: list[list[float]] = []
    frames: list[int] = []
    doubles = 0
    number_of = dict(numbered)
    for name, data in source.items([n for n, _ in numbered]):
        frame_number, rows_of_file = number_of[name], _rows(data)
        once = list(dict.fromkeys(map(tuple, rows_of_file)))
        doubles += len(rows_of_file) - len(once)
        rows += [list(r) for r in once]
        frames += [frame_number] * len(once)
    shape = _shape(rows)
    if shape is None:
        raise KeypointError(f"{source.path.name}: no row has keypoints.", "Use a pose model, not a detection model.")
    joints, each, behind = shape
    length = _BOX + joints * each + behind
    bare = _BOX + joints * each  # rows of people whom the tracker has not named yet lack the last number
    kept = [i for i, row in enumerate(rows) if bare <= len(row) <= length]
    points = np.array([rows[i][_BOX:bare] for i in kept]).reshape(len(kept), joints, each)
    notes = list(source.numbered[1]) if source.is_series else []
    detections = Detections(
        frame=np.array([frames[i] for i in kept], dtype=np.int64) - _first(source, notes),
        points=points[..., :2],
        confidence=_confidence(points[..., 2]) if each == 3 else None,
        layouts=("coco17",) if joints == 17 else (),
        units="fraction",
        notes=notes,
    )
    if behind == 2:
        ids = [str(int(rows[i][-1])) if len(rows[i]) == length else "" for i in kept]
        detections.person = np.array(ids)
    if doubles:
        detections.notes.append(f"{doubles} rows were there twice and were left out: save_txt ran more than once.")
    return detections


def _confidence(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Training labels have 0 absent, 1 hidden, 2 visible; detections a share."""
    return score / 2 if np.isin(score, (0, 1, 2)).all() and (score == 2).any() else score
