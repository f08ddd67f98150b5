"""Tables with a row for each landmark and a z: MediaPipe's in the picture are read, points of space are refused.

MediaPipe scripts write ``frame, landmark, x, y, z, visibility``, freemocap ``frame, keypoint, x, y, z, model``.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import KeypointTable
from mvlift.keypoints.readers.mediapipe import refuse_world_landmarks
from mvlift.keypoints.readers.tables import first_rows, frame_numbers, numbers, rows_of
from mvlift.keypoints.readers.wide_csv import refuse_space
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_TITLES: Final = {
    "frame": ("frame", "frameid", "framenumber", "frameidx", "frameindex", "frameno"),
    "name": ("keypoint", "landmark", "landmarkid", "landmarkindex", "landmarkname", "joint", "name", "id", "bodypart",
             "index", "keypointname", "jointname", "node", "point", "keypointid"),
    "x": ("x",),
    "y": ("y",),
    "z": ("z",),
    "score": ("visibility", "confidence", "score", "presence", "reprojectionerror"),
    "person": ("person", "personid", "track", "trackid", "pose"),
}  # fmt: skip


def _columns(titles: list[str]) -> dict[str, int]:
    plain = [re.sub(r"[^a-z]", "", t.lower()) for t in titles]
    column_of = {kind: next((plain.index(t) for t in known if t in plain), -1) for kind, known in _TITLES.items()}
    return {kind: i for kind, i in column_of.items() if i >= 0}


def _recognise(source: Source) -> str | None:
    rows = first_rows(source, 2)
    needed = {"frame", "name", "x", "y", "z"}
    return "csv with a row for each landmark" if len(rows) > 1 and needed <= _columns(rows[0]).keys() else None


@reader("landmark-csv", "Landmark table (csv)", _recognise, rank=28)
def _read(source: Source) -> Detections:
    rows, name = rows_of(source), source.path.name
    at, body = _columns(rows[0]), rows[1:]
    trusted = at.get("score", -1) if "score" in at and "error" not in rows[0][at["score"]].lower() else -1
    try:
        values = numbers(body, [at["x"], at["y"], at["z"], trusted if trusted >= 0 else len(rows[0])])
    except ValueError as error:
        raise KeypointError(f"{name}: {error}.", "Write numbers under x, y and z.") from error
    refuse_space(values[:, None, :2], values[:, None, 2], trusted >= 0, name)
    notes: list[str] = []
    frame = frame_numbers([r[at["frame"]] if at["frame"] < len(r) else "" for r in body], notes)
    if frame is None:
        raise KeypointError(f"{name}: the column {rows[0][at['frame']]} holds no frame numbers.", "Number the frames.")
    table = KeypointTable()
    for number, row, (x, y, _, score) in zip(frame.tolist(), body, values.tolist(), strict=True):
        person = row[at["person"]] if "person" in at and at["person"] < len(row) else ""
        if at["name"] < len(row):
            table.add(number, person, row[at["name"]], x, y, 1.0 if trusted < 0 else score)
    detections = table.build(name)
    mediapipe = get_layout("mediapipe33").names
    known = detections.names or (mediapipe if detections.points.shape[1] == len(mediapipe) else ())
    refuse_world_landmarks(detections.points, known, name)
    detections.confidence = detections.confidence if trusted >= 0 else None
    if detections.person is None:
        detections.person, detections.ids_certain = np.full(len(detections.frame), "0"), True
    detections.notes += notes
    detections.axes_uncertain = True
    return detections
