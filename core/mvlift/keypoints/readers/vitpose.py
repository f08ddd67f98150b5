"""easy_ViTPose's json. Its points are (y, x, confidence). (MMPose's ViTPose writes MMPose's json.)"""

from __future__ import annotations

from typing import Any

import numpy as np

from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []


def _people(value: object) -> bool:
    """True for {id: list of (y, x, confidence)}; also when nobody is in it."""
    if not isinstance(value, dict):
        return False
    return all(isinstance(p, list) and p and isinstance(p[0], list) and len(p[0]) == 3 for p in value.values())


def _document(source: Source) -> dict[str, Any] | None:
    document = source.document
    if not isinstance(document, dict) or not isinstance(document.get("skeleton"), dict):
        return None
    frames = document.get("keypoints")
    fits = _people(frames) if isinstance(frames, dict) else isinstance(frames, list) and all(map(_people, frames))
    return document if fits else None


def _recognise(source: Source) -> str | None:
    return "json with keypoints by person and a skeleton of names" if _document(source) else None


@reader("easy-vitpose", "easy_ViTPose", _recognise, rank=15)
def _read(source: Source) -> Detections:
    document = _document(source) or {}
    frames = document["keypoints"]
    single = isinstance(frames, dict)
    first = (last_number(source.names[0]) or 0) if single else 0
    poses = SplitDetections()
    for frame, people in enumerate([frames] if single else frames):
        for person_id, points in people.items():
            values = np.array(points, dtype=np.float64)
            poses.add(frame + first, values[:, 1::-1].tolist(), values[:, 2].tolist(), person_id)
    detections = poses.build(source.path.name)
    names = document["skeleton"]
    ordered = sorted(names, key=lambda k: int(k)) if all(str(k).isdigit() for k in names) else []
    if len(ordered) == detections.points.shape[1]:
        detections.names = tuple(str(names[k]) for k in ordered)
    detections.span = (first, first + (0 if single else len(frames) - 1))
    detections.units = "pixels"
    return detections
