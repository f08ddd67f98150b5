"""MMPose 1.x: predictions of the inferencer and of the top-down demo (RTMPose, ViTPose, ...), and Sapiens like it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__ = ["add_instances"]


def _is_instances(value: object) -> bool:
    """True for a list of people as MMPose writes them; also when it is empty."""
    if not isinstance(value, list):
        return False
    return all(isinstance(i, dict) and "keypoints" in i and "keypoint_scores" in i for i in value[:3])


def add_instances(poses: SplitDetections, frame: int, instances: list[Any], name: str) -> None:
    """Adds the people of a frame.

    Raises:
        KeypointError: they are 3D poses.
    """
    for one in instances:
        points = one["keypoints"]
        if points and isinstance(points[0], list) and len(points[0]) > 2:
            raise KeypointError(
                f"{name} holds 3D poses of MMPose (x, y, z), not the 2D keypoints that MVLift lifts.",
                "Run the 2D demo or inferencer on the same video, without pose lifter, and import what it saves.",
            )
        poses.add(frame, points, one.get("keypoint_scores"), one.get("track_id", one.get("instance_id", "")))


def _numbered(document: object) -> list[dict[str, Any]] | None:
    """Entries {frame_id, instances} of a video, else None."""
    frames = document.get("instance_info") if isinstance(document, dict) else document
    if not isinstance(frames, list) or not frames:
        return None
    entries = [f for f in frames if isinstance(f, dict) and "frame_id" in f and _is_instances(f.get("instances"))]
    return entries if 2 * len(entries) > len(frames) else None


def _image(document: object) -> list[Any] | None:
    """The people of one picture, else None."""
    people = document.get("instance_info") if isinstance(document, dict) else document
    if not isinstance(people, list) or not _is_instances(people):
        return None
    return people if people or isinstance(document, dict) else None


def _recognise(source: Source) -> str | None:
    if source.is_series:
        documents = source.first_documents
        images = [_image(d) for d in documents]
        recognised = any(images) and sum(i is not None or d == [] for i, d in zip(images, documents, strict=True))
        return "json with keypoints and keypoint_scores, one file per frame" if 2 * recognised > len(images) else None
    if _numbered(source.document) is not None:
        return "json with frame_id and instances"
    return "json with keypoints and keypoint_scores" if _image(source.document) else None


def _frames(source: Source) -> Iterator[tuple[int, list[Any]]]:
    """(0-based frame, people): the demo counts from 1, the inferencer from 0."""
    if source.is_series:
        for frame, document in source.documents():
            yield frame, _image(document) or []
        return
    entries = _numbered(source.document)
    if entries is None:
        yield last_number(source.names[0]) or 0, _image(source.document) or []
        return
    first = 1 if isinstance(source.document, dict) else 0
    for entry in entries:
        yield int(entry["frame_id"]) - first, entry["instances"]


def _meta(source: Source) -> dict[str, Any]:
    document = next(iter(source.first_documents), None) if source.is_series else source.document
    meta = document.get("meta_info") if isinstance(document, dict) else None
    return meta if isinstance(meta, dict) else {}


def _names(meta: dict[str, Any], joints: int) -> tuple[str, ...] | None:
    names = meta.get("keypoint_id2name")
    if not isinstance(names, dict) or len(names) != joints:
        return None
    return tuple(str(names[k]) for k in sorted(names, key=int))


@reader("mmpose", "MMPose", _recognise, rank=15)
def _read(source: Source) -> Detections:
    poses, numbers = SplitDetections(), []
    for frame, instances in _frames(source):
        numbers.append(frame)
        add_instances(poses, frame, instances, source.path.name)
    detections = poses.build(source.path.name)
    meta = _meta(source)
    detections.names = _names(meta, detections.points.shape[1])
    detections.span = (min(numbers), max(numbers))
    detections.units = "pixels"
    detections.notes += source.numbered[1] if source.is_series else []
    if isinstance(meta.get("dataset_name"), str):
        detections.metadata["dataset"] = meta["dataset_name"]
        detections.format = "sapiens" if "goliath" in meta["dataset_name"].lower() else "mmpose-demo"
    return detections
