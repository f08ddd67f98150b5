"""V7's Darwin json, versions 1.0 and 2.0: skeletons in video (key frames) or in single pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import HIDDEN, KeypointTable, interpolated
from mvlift.keypoints.sources import Source

__all__: list[str] = []


def _annotations(document: object) -> list[dict[str, Any]] | None:
    """Annotations of a Darwin document, None for others."""
    if not isinstance(document, dict) or not isinstance(document.get("annotations"), list):
        return None
    if "item" not in document and not isinstance(document.get("image"), dict):
        return None
    return [a for a in document["annotations"] if isinstance(a, dict)]


def _recognise(source: Source) -> str | None:
    if source.is_series:
        fits = [_annotations(d) is not None for d in source.first_documents]
        return "json of V7 Darwin, one file per picture" if 2 * sum(fits) > len(fits) else None
    return "json of V7 Darwin" if _annotations(source.document) is not None else None


def _nodes(frame: object, label: str) -> dict[str, tuple[float, float, float]]:
    """name -> x, y, confidence of a skeleton (its nodes are in no order), or of a single keypoint."""
    if not isinstance(frame, dict):
        return {}
    skeleton, single = frame.get("skeleton"), frame.get("keypoint")
    nodes = skeleton.get("nodes") if isinstance(skeleton, dict) else None
    if isinstance(nodes, list):
        return {
            str(n["name"]): (float(n["x"]), float(n["y"]), HIDDEN if n.get("occluded") else 1.0)
            for n in nodes
            if isinstance(n, dict) and n.get("x") is not None and n.get("y") is not None
        }
    if isinstance(single, dict):
        return {label: (float(single["x"]), float(single["y"]), 1.0)}
    return {}


def _add_video(table: KeypointTable, annotation: Mapping[str, Any], person: str) -> None:
    """Add all frames of an annotation, interpolated between its key frames."""
    label = str(annotation.get("name", ""))
    frames = {int(k): _nodes(v, label) for k, v in annotation["frames"].items() if str(k).isdecimal()}
    frames = {k: nodes for k, nodes in frames.items() if nodes}
    if not frames:
        return
    names = list(dict.fromkeys(n for nodes in frames.values() for n in nodes))
    keys: dict[int, NDArray[np.float64]] = {
        frame: np.array([nodes.get(n, (0.0, 0.0, 0.0)) for n in names]) for frame, nodes in frames.items()
    }
    listed_ranges = annotation.get("ranges", annotation.get("segments"))
    ranges = [(int(r[0]), int(r[1])) for r in listed_ranges or [] if len(r) > 1 and isinstance(r[1], int)]
    last = max((b - 1 for _, b in ranges), default=None)
    every_frame = interpolated(keys, last) if annotation.get("interpolated", True) else keys
    for frame, values in every_frame.items():
        if ranges and not any(a <= frame < b for a, b in ranges):
            continue
        for name, (x, y, sure) in zip(names, values.tolist(), strict=True):
            table.add(frame, person, name, x, y, sure)


def _has_skeleton(annotation: Mapping[str, Any]) -> bool:
    frames = annotation.get("frames")
    first = next(iter(frames.values()), None) if isinstance(frames, dict) else annotation
    return isinstance(first, dict) and "skeleton" in first


def _add(table: KeypointTable, annotations: list[dict[str, Any]], frame: int) -> bool:
    """Adds annotations; True where they are tracked over a video."""
    tracked, seen = False, dict[str, int]()
    skeletons = Counter(str(a.get("name", "")) for a in annotations if _has_skeleton(a))
    if len(skeletons) > 1:  # several classes (people and dogs): the most frequent one
        wanted = skeletons.most_common(1)[0][0]
        annotations = [a for a in annotations if not _has_skeleton(a) or str(a.get("name", "")) == wanted]
    for number, annotation in enumerate(annotations):
        label = str(annotation.get("name", ""))
        seen[label] = seen.get(label, 0) + 1
        first = next(iter(annotation["frames"].values()), None) if isinstance(annotation.get("frames"), dict) else None
        single = "keypoint" in annotation or (isinstance(first, dict) and "keypoint" in first)
        person = str(seen[label] - 1) if single else str(number)
        if isinstance(annotation.get("frames"), dict):
            _add_video(table, annotation, person)
            tracked = True
        else:
            for name, (x, y, sure) in _nodes(annotation, label).items():
                table.add(frame, person, name, x, y, sure)
    return tracked


def _facts(document: object) -> dict[str, Any]:
    """Where size and rate are: ``image`` in 1.0, the first slot of ``item`` in 2.0."""
    if not isinstance(document, dict):
        return {}
    item = document.get("item")
    slots = item.get("slots") if isinstance(item, dict) else None
    if isinstance(slots, list) and slots and isinstance(slots[0], dict):
        return slots[0]
    return document["image"] if isinstance(document.get("image"), dict) else {}


@reader("darwin", "V7 Darwin", _recognise, rank=11)
def _read(source: Source) -> Detections:
    table, name = KeypointTable(), source.path.name
    if source.is_series:
        facts = _facts(next(iter(source.first_documents), None))
        for frame, document in source.documents():
            _add(table, _annotations(document) or [], frame)
        tracked = False
    else:
        facts = _facts(source.document)
        tracked = _add(table, _annotations(source.document) or [], last_number(source.names[0]) or 0)
    if not len(table):
        raise KeypointError(f"{name} holds no skeletons or keypoints.", "Annotate with a skeleton class, and export.")
    detections = table.build(name)
    detections.person, detections.ids_certain = (detections.person, True) if tracked else (None, False)
    width, height, rate = facts.get("width"), facts.get("height"), facts.get("fps")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        detections.image_size = (width, height)
    detections.fps = exact_rate(float(rate)) if isinstance(rate, int | float) else None
    detections.units = "pixels"
    return detections
