"""Sapiens2: one json for a video, with the picture's size. (Sapiens 1 writes MMPose's json, one file per picture.)"""

from __future__ import annotations

from typing import Any, Final

from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.numbering import number_files
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.mmpose import add_instances
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {308: ("goliath308",), 133: ("coco133",), 17: ("coco17",)}


def _document(source: Source) -> dict[str, Any] | None:
    document = source.document
    if not isinstance(document, dict) or not isinstance(document.get("frames"), list):
        return None
    frames = document["frames"]
    listed = all(isinstance(f, dict) and isinstance(f.get("instances"), list) for f in frames[:5])
    return document if frames and listed and "num_keypoints" in document else None


def _recognise(source: Source) -> str | None:
    return "json with num_keypoints, image_size and frames[].instances" if _document(source) else None


def _numbers(frames: list[Any]) -> tuple[list[int | None], list[str]]:
    """Frame numbers from the pictures' names, because frames that failed are not in the list."""
    names = [str(f.get("image_name", ""))[-200:] for f in frames]
    if not all(names) or len(set(names)) < len(names):
        return list(range(len(names))), ["The frames have no names of their own: they are counted in the list's order."]
    numbered, notes = number_files(names)
    by_name = dict(numbered)
    return [by_name.get(n) for n in names], notes


@reader("sapiens", "Sapiens", _recognise, rank=14)
def _read(source: Source) -> Detections:
    document = _document(source) or {}
    numbers, notes = _numbers(document["frames"])
    poses = SplitDetections()
    for frame, entry in zip(numbers, document["frames"], strict=True):
        if frame is not None:
            add_instances(poses, frame, entry["instances"], source.path.name)
    detections = poses.build(source.path.name)
    known = [n for n in numbers if n is not None]
    detections.span = (min(known), max(known))
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    detections.units, detections.notes = "pixels", detections.notes + notes
    size = document.get("image_size")
    if isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size):
        detections.image_size = (size[1], size[0])  # written as height, width
    return detections
