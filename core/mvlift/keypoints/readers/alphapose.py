"""AlphaPose's result json: a flat list of people with image names, or its ``cmu`` and ``open`` layouts."""

from __future__ import annotations

from typing import Final

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, FlatDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {17: ("coco17",), 26: ("halpe26",), 133: ("coco133",), 136: ("halpe136",)}

_LOOKED: Final = 200


def _rows(document: object) -> list[dict[str, object]] | None:
    """The people of a flat list that AlphaPose wrote (its image ids are file names)."""
    if not isinstance(document, list):
        return None
    rows = (r for r in document[:_LOOKED] if isinstance(r, dict) and isinstance(r.get("keypoints"), list))
    first = next(rows, {})
    if "image_id" not in first:
        return None
    is_alphapose = isinstance(first["image_id"], str) or "idx" in first or "box" in first
    return document if is_alphapose and first["keypoints"] and not isinstance(first["keypoints"][0], list) else None


def _recognise(source: Source) -> str | None:
    return "json list with image_id, keypoints, box or idx" if _rows(source.document) else None


def _identity(value: object) -> str:
    """Tracking writes whole numbers; without tracking there is [0.0], or lists of lists."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


@reader("alphapose", "AlphaPose", _recognise, rank=10)
def _read(source: Source) -> Detections:
    rows = FlatDetections()
    skipped = 0
    for row in _rows(source.document) or []:
        image = row.get("image_id") if isinstance(row, dict) else None
        frame = image if isinstance(image, int) else last_number(str(image))
        values = row.get("keypoints") if isinstance(row, dict) else None
        if frame is None or not isinstance(values, list):
            skipped += 1
            continue
        rows.add(frame, values, _identity(row.get("idx")))
    if not len(rows):
        raise KeypointError(
            f"{source.path.name}: no image_id holds a frame number.", "Name the images by frame, such as 000012.jpg."
        )
    detections = rows.build(source.path.name)
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    if skipped:
        detections.notes.append(f"{skipped} rows without frame number or keypoints were left out.")
    if (
        detections.person is not None
        and len(set(detections.person.tolist())) == 1
        and len(rows) > len(set(detections.frame.tolist()))
    ):
        detections.person = None  # all ids are equal: the people were not tracked
    return detections


def _bodies(value: object) -> list[object] | None:
    if not isinstance(value, dict):
        return None
    people = value.get("bodies", value.get("people"))
    return people if isinstance(people, list) else None


def _by_image(source: Source) -> list[tuple[int, list[object]]] | None:
    document = source.document
    if source.is_series:
        if not any(isinstance(d, dict) and isinstance(d.get("bodies"), list) for d in source.first_documents):
            return None
        return [(frame, _bodies(d) or []) for frame, d in source.documents()]
    if not isinstance(document, dict) or not document:
        return None
    if "bodies" in document:
        return [(last_number(source.names[0]) or 0, _bodies(document) or [])]
    numbered_people = []
    for name, value in document.items():
        number, people = last_number(str(name)), _bodies(value)
        if number is None or people is None:
            return None
        numbered_people.append((number, people))
    return numbered_people


def _recognise_cmu(source: Source) -> str | None:
    if source.is_series:
        looks = any(isinstance(d, dict) and isinstance(d.get("bodies"), list) for d in source.first_documents)
        return "json with bodies[].joints, one file per frame" if looks else None
    return "json of {image: bodies or people}" if _by_image(source) else None


@reader("alphapose-cmu", "AlphaPose in OpenPose's order", _recognise_cmu, rank=20)
def _read_cmu(source: Source) -> Detections:
    rows = FlatDetections()
    for frame, people in _by_image(source) or []:
        for person in people:
            values = person.get("joints", person.get("pose_keypoints_2d")) if isinstance(person, dict) else None
            if isinstance(values, list):
                rows.add(frame, values)
    detections = rows.build(source.path.name)
    detections.layouts = ("openpose18",) if detections.points.shape[1] == 18 else ()
    return detections
