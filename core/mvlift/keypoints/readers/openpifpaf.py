"""OpenPifPaf's predictions of pictures: ``x.predictions.json``, a list of people with flat keypoints, box and score."""

from __future__ import annotations

from typing import Any, Final

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, FlatDetections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {17: ("coco17",), 133: ("coco133",)}


def _people(document: object) -> list[Any] | None:
    """The people of a picture; an empty list for nobody, None for what is no list of people."""
    if not isinstance(document, list):
        return None
    all_people = all(
        isinstance(p, dict) and isinstance(p.get("keypoints"), list) and "bbox" in p and "image_id" not in p
        for p in document[:20]
    )
    flat = [isinstance(p["keypoints"][0], int | float) for p in document[:20] if all_people and p["keypoints"]]
    return document if all_people and all(flat) else None


def _recognise(source: Source) -> str | None:
    documents = source.first_documents if source.is_series else [source.document]
    lists = [_people(d) for d in documents]
    if not any(lists) or any(p is None for p in lists):
        return None
    return "json lists of people with keypoints, bbox and score" + (", one file per picture" * source.is_series)


@reader("openpifpaf", "OpenPifPaf, pictures", _recognise, rank=17)
def _read(source: Source) -> Detections:
    frames = source.documents() if source.is_series else [(last_number(source.names[0]) or 0, source.document)]
    rows, numbers = FlatDetections(), list[int]()
    for number, document in frames:
        numbers.append(number)
        for person in _people(document) or []:
            rows.add(number, person["keypoints"], person.get("id_", ""))
    if not len(rows):
        raise KeypointError(f"{source.path.name}: no picture shows a person.", "Run the detector again.")
    detections = rows.build(source.path.name)
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    detections.span = (min(numbers), max(numbers))
    detections.units = "pixels"
    detections.notes += source.numbered[1] if source.is_series else []
    return detections
