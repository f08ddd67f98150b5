"""COCO's json: annotations (also PoseTrack, AP-10K, CVAT and Roboflow exports) and results."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, FlatDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_RESULT_LAYOUTS: Final = {17: ("coco17",), 133: ("coco133",)}
_LOOKED: Final = 200
_EXTRA: Final = ("foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")


def _annotations(document: object) -> dict[str, Any] | None:
    if not isinstance(document, dict):
        return None
    lists = all(isinstance(document.get(k), list) for k in ("images", "annotations"))
    if not lists or not any(isinstance(a, dict) and "keypoints" in a for a in document["annotations"][:50]):
        return None
    return document


def _recognise(source: Source) -> str | None:
    return "json with images, annotations and keypoints" if _annotations(source.document) else None


def _frame_numbers(images: list[Any]) -> tuple[dict[object, int], list[str]]:
    """Image id -> frame: from frame_id, else the number in the file name, else the order."""
    frames: dict[object, int] = {}
    notes = []
    for image in images:
        number = image.get("frame_id", image.get("frame_number"))
        if isinstance(number, int) and "vid_id" in image:
            number %= 10_000  # PoseTrack: 1, video (6 digits), frame (4 digits)
        if not isinstance(number, int):
            number = last_number(str(image.get("file_name", "")))
        frames[image.get("id")] = -1 if number is None else number
    values = list(frames.values())
    if -1 in values or len(set(values)) < len(values):
        notes.append("The image names do not count frames; frames are counted in the order of the images.")
        frames = {key: count for count, key in enumerate(frames)}
    return frames, notes


def _names(categories: object, used: list[object]) -> tuple[str, ...] | None:
    if not isinstance(categories, list):
        return None
    for category in categories:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and names and (category.get("id") in used or len(categories) == 1):
            return tuple(str(n) for n in names)
    return None


def _keypoints(annotation: Mapping[str, Any]) -> list[object]:
    values = list(annotation["keypoints"]) if isinstance(annotation.get("keypoints"), list) else []
    extra = [annotation[k] for k in _EXTRA if isinstance(annotation.get(k), list)]
    return values + [v for part in extra for v in part] if len(extra) == len(_EXTRA) and len(values) == 51 else values


def _video(images: list[Any], annotations: list[Any]) -> tuple[list[Any], list[str]]:
    """Images of one video: the one with most annotations, where the file holds several."""
    videos: dict[object, int] = {}
    of = {i.get("id"): i.get("vid_id", i.get("video_id")) for i in images}
    for a in annotations:
        video = of.get(a.get("image_id"))
        if video is not None:
            videos[video] = videos.get(video, 0) + 1
    if len(videos) < 2:
        return images, []
    best = max(videos, key=lambda v: videos[v])
    note = f"The file holds {len(videos)} videos; {best} with the most people was taken."
    return [i for i in images if of[i.get("id")] == best], [note]


@reader("coco", "COCO annotations", _recognise, rank=10)
def _read(source: Source) -> Detections:
    document = _annotations(source.document) or {}
    images = [i for i in document["images"] if isinstance(i, dict) and "id" in i]
    annotations = [a for a in document["annotations"] if isinstance(a, dict)]
    images, notes = _video(images, annotations)
    frames, more = _frame_numbers(images)
    rows = FlatDetections()
    kept = [a for a in annotations if a.get("image_id") in frames and any(_keypoints(a))]
    for annotation in kept:
        rows.add(
            frames[annotation["image_id"]],
            _keypoints(annotation),
            annotation.get("track_name", annotation.get("track_id", "")),
        )
    if not len(rows):
        raise KeypointError(f"{source.path.name}: no annotation has keypoints.", "Export them with keypoints.")
    detections = rows.build(source.path.name)
    detections.names = _names(document.get("categories"), [kept[0].get("category_id")])
    if detections.names is not None and len(detections.names) != detections.points.shape[1]:
        detections.names = None
        detections.layouts = _RESULT_LAYOUTS.get(detections.points.shape[1], ())
    if detections.confidence is not None and np.isin(detections.confidence, (0, 1, 2)).all():
        detections.confidence = detections.confidence / max(
            2.0 * bool((detections.confidence == 2).any()), 1.0
        )  # 1 = hidden
    sizes = {(i.get("width"), i.get("height")) for i in images}
    if len(sizes) == 1 and all(isinstance(v, int) and v > 0 for v in next(iter(sizes))):
        detections.image_size = sizes.pop()  # type: ignore[assignment]
    elif len(sizes) > 1:
        more.append("The images differ in size: they may not be one video.")
    detections.units, detections.notes = "pixels", [*detections.notes, *notes, *more]
    detections.ids_certain = detections.person is not None
    detections.fps = _rate(document)
    return detections


def _rate(document: Mapping[str, Any]) -> Fraction | None:
    """The frame rate that our own writer leaves under info."""
    info = document.get("info")
    return exact_rate(info["fps"]) if isinstance(info, dict) and isinstance(info.get("fps"), str) else None


def _results(document: object) -> list[dict[str, Any]] | None:
    if not isinstance(document, list):
        return None
    rows = (r for r in document[:_LOOKED] if isinstance(r, dict) and isinstance(r.get("keypoints"), list))
    first = next(rows, {})  # rows before it may be boxes only
    keys = "image_id" in first and "category_id" in first
    return document if keys and not isinstance(first["image_id"], str) else None


def _recognise_results(source: Source) -> str | None:
    return "json list with image_id, category_id, keypoints" if _results(source.document) else None


@reader("coco-results", "COCO results", _recognise_results, rank=12)
def _read_results(source: Source) -> Detections:
    rows = FlatDetections()
    for row in _results(source.document) or []:
        if isinstance(row, dict) and isinstance(row.get("image_id"), int) and isinstance(row.get("keypoints"), list):
            rows.add(row["image_id"], row["keypoints"], row.get("track_id", ""))
    detections = rows.build(source.path.name)
    detections.layouts = _RESULT_LAYOUTS.get(detections.points.shape[1], ())
    if detections.confidence is not None and np.isin(detections.confidence, (0, 1, 2)).all():
        detections.confidence = detections.confidence / 2
    return detections
