"""LabelMe (one json per picture, points with labels) and Label Studio (one json, places in percent)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.numbering import last_number, number_files
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import KeypointTable
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LONGEST: Final = 200
"""Letters of a picture's address that are looked at, from its end; some hold the picture itself."""


def _is_labelme(document: object) -> bool:
    return isinstance(document, dict) and isinstance(document.get("shapes"), list) and "imageWidth" in document


def _recognise_labelme(source: Source) -> str | None:
    if source.is_series:
        fits = [_is_labelme(d) for d in source.first_documents]
        return "json with shapes, one file per picture" if 2 * sum(fits) > len(fits) else None
    return "json with shapes and imageWidth" if _is_labelme(source.document) else None


def _pictures(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    pairs = source.documents() if source.is_series else [(last_number(source.names[0]) or 0, source.document)]
    return ((frame, d) for frame, d in pairs if isinstance(d, dict) and isinstance(d.get("shapes"), list))


def _one_size(sizes: set[tuple[Any, Any]]) -> tuple[int, int] | None:
    """The pictures' width and height, where they agree."""
    width, height = next(iter(sizes)) if len(sizes) == 1 else (None, None)
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return None


@reader("labelme", "LabelMe", _recognise_labelme, rank=12)
def _read_labelme(source: Source) -> Detections:
    table, sizes, grouped = KeypointTable(), set[tuple[Any, Any]](), False
    for frame, document in _pictures(source):
        sizes.add((document.get("imageWidth"), document.get("imageHeight")))
        seen: dict[tuple[str, str], int] = {}
        for shape in document["shapes"]:
            points = shape.get("points") if isinstance(shape, dict) and shape.get("shape_type") == "point" else None
            if not points:
                continue
            group = "" if shape.get("group_id") is None else str(shape["group_id"])
            grouped |= bool(group)
            key = (group, str(shape.get("label", "")))
            seen[key] = seen.get(key, 0) + 1
            person = (
                group or f"nobody {seen[key]}"
            )  # points without a group: the second nose belongs to a second person
            table.add(frame, person, key[1], float(points[0][0]), float(points[0][1]))
    detections = table.build(source.path.name)
    detections.confidence = detections.confidence if detections.points.shape[1] > 1 else None
    detections.person = detections.person if grouped else None
    detections.image_size = _one_size(sizes)
    detections.units = "pixels"
    detections.notes += source.numbered[1] if source.is_series else []
    return detections


def _tasks(document: object) -> list[dict[str, Any]] | None:
    """Label Studio's tasks, None for other documents."""
    tasks = [document] if isinstance(document, dict) else document
    if not isinstance(tasks, list) or not tasks:
        return None
    any_regions = [t for t in tasks[:20] if isinstance(t, dict) and any(True for _ in _regions(t))]
    return [t for t in tasks if isinstance(t, dict)] if any_regions else None


def _regions(task: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(region, its value) of every keypoint, in the full export and in JSON-MIN."""
    versions = task.get("annotations", task.get("completions"))
    if isinstance(versions, list):
        done = [v for v in versions if isinstance(v, dict) and not v.get("was_cancelled")]
        results = done[-1].get("result") if done else None
        for region in results if isinstance(results, list) else []:
            value = region.get("value") if isinstance(region, dict) else None
            if isinstance(value, dict) and "keypointlabels" in value:
                yield region, value
        return
    for values in task.values():
        for value in values if isinstance(values, list) and values and isinstance(values[0], dict) else []:
            if isinstance(value, dict) and "keypointlabels" in value:
                yield value, value


def _recognise_studio(source: Source) -> str | None:
    return "json of Label Studio with keypointlabels" if _tasks(source.document) else None


def _picture(task: dict[str, Any]) -> str:
    """The picture's address, of which the last digits count the frame."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    texts = [
        v
        for k, v in data.items()
        if isinstance(v, str) and ("/" in v or "." in v) and k not in ("created_at", "updated_at")
    ]
    return next((v for v in texts if "image" in data and v == data["image"]), next(iter(texts), ""))[-_LONGEST:]


@reader("label-studio", "Label Studio", _recognise_studio, rank=12)
def _read_studio(source: Source) -> Detections:
    tasks, table, sizes = _tasks(source.document) or [], KeypointTable(), set[tuple[Any, Any]]()
    names = [_picture(t).split("?d=")[-1].split("?")[0] for t in tasks]  # of local files: ?d=folder/0001.png
    distinct = all(names) and len(set(names)) == len(names)
    numbered, notes = number_files(names) if distinct else ([], [])
    frames = dict(numbered) if distinct else {}
    if not distinct:
        notes = ["The pictures have no names of their own; frames are counted in the order of the tasks."]
    for count, (task, name) in enumerate(zip(tasks, names, strict=True)):
        frame = frames.get(name, None if distinct else count)
        seen: dict[tuple[str, str], int] = {}
        for region, value in _regions(task) if frame is not None else ():
            label = str((value["keypointlabels"] or [""])[0])
            key = (str(region.get("parentID", "")), label)
            seen[key] = seen.get(key, 0) + 1
            sizes.add((region.get("original_width"), region.get("original_height")))
            table.add(frame or 0, f"{key[0]} {seen[key]}", label, float(value["x"]), float(value["y"]))
    if not len(table):
        raise KeypointError(f"{source.path.name} holds no keypoints.", "Annotate with KeyPointLabels, and export json.")
    detections = table.build(source.path.name)
    detections.person, detections.units = None, "percent"
    detections.image_size = _one_size(sizes)
    if detections.image_size is None and len(sizes) > 1:
        raise KeypointError(
            f"{source.path.name}: its pictures differ in size, so they are not of one video.",
            "Export the frames of one video.",
        )
    detections.notes += notes
    return detections
