"""ComfyUI's POSE_KEYPOINT json (DWPose, OpenPose and AP-10K nodes): frames with people or animals on a canvas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.hand_keypoints import hand_rows
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {"people": {18: ("openpose18",), 25: ("body25",)}, "animals": {17: ("ap10k17",)}}


def _is_frame(value: object) -> bool:
    if not isinstance(value, dict) or not any(isinstance(value.get(k), list) for k in _LAYOUTS):
        return False
    return "canvas_width" in value and "canvas_height" in value


def _batch(document: object) -> list[dict[str, Any]] | None:
    """The frames of one file: the nodes write a list, editors a single frame."""
    frames: list[Any] = document if isinstance(document, list) else [document]
    return frames if frames and all(map(_is_frame, frames)) else None


def _recognise(source: Source) -> str | None:
    documents = source.first_documents or [source.document]
    return "json with people or animals on a canvas" if all(map(_batch, documents)) else None


def _frames(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """(0-based frame, content). ComfyUI counts its files from 1; a file may hold a whole batch."""
    if not source.is_series:
        frames = _batch(source.document) or []
        start = (last_number(source.names[0]) or 0) if len(frames) == 1 and isinstance(source.document, dict) else 0
        yield from enumerate(frames, start)
        return
    batches = [(number, _batch(document) or []) for number, document in source.documents()]
    if max(len(b) for _, b in batches) > 1:  # pieces of a clip, one after the other
        yield from enumerate(frame for _, batch in batches for frame in batch)
        return
    first = 1 if batches[0][0] >= 1 else 0
    for number, batch in batches:
        for frame in batch:
            yield number - first, frame


def _canvas(frame: dict[str, Any]) -> tuple[int, int] | None:
    width, height = frame["canvas_width"], frame["canvas_height"]
    good = all(isinstance(n, int | float) and n > 0 for n in (width, height))
    return (int(width), int(height)) if good else None


def _triples(one: object) -> list[Any]:
    """[[x, y, confidence], ...] of a person (a flat list in an object) or an animal (a list of lists)."""
    if isinstance(one, list):
        return [p if isinstance(p, list) and len(p) > 2 else None for p in one]
    flat = one.get("pose_keypoints_2d") if isinstance(one, dict) else None
    return [flat[i : i + 3] for i in range(0, len(flat) - 2, 3)] if isinstance(flat, list) else []


def _sure(triple: object) -> float:
    """0 for confidence 0 too: such points hold whatever was there before."""
    return float(triple[2] or 0) if isinstance(triple, list) else 0.0


@reader("comfyui", "ComfyUI POSE_KEYPOINT", _recognise, rank=9)
def _read(source: Source) -> Detections:
    frames = list(_frames(source))
    kind = "animals" if any(f.get("animals") for _, f in frames) else "people"
    poses, sizes = SplitDetections(), []
    for number, frame in frames:
        for one in frame.get(kind) or []:
            triples = _triples(one)
            hands = [one.get(f"hand_{s}_keypoints_2d") if isinstance(one, dict) else None for s in ("left", "right")]
            poses.add(number, triples, [_sure(t) for t in triples], hands=hand_rows(*hands))
            sizes += [_canvas(frame)] if triples else []
    if not len(poses):
        raise KeypointError(f"{source.path.name}: no frame has {kind}.", "Run the pose node on frames that show one.")
    detections = poses.build(source.path.name)
    detections.layouts = _LAYOUTS[kind].get(detections.points.shape[1], ())
    detections.span = (min(n for n, _ in frames), max(n for n, _ in frames))
    canvas = set(sizes)
    if len(canvas) == 1 and (size := canvas.pop()) is not None:
        _as_share_of_canvas(detections, size)
    else:
        detections.notes.append("The frames have canvases of several sizes: the keypoints were taken as pixels.")
    return detections


def _as_share_of_canvas(detections: Detections, size: tuple[int, int]) -> None:
    """Fractions of the canvas, which ComfyUI scales from the video; editors write fractions already."""
    seen = detections.points[
        (detections.confidence if detections.confidence is not None else detections.points[..., 0]) > 0
    ]
    if len(seen) and (abs(seen) > 2).mean() > 0.05:
        detections.points = detections.points / size
        if detections.hands is not None:
            pixels = float(np.nanmax(np.abs(detections.hands[..., :2]), initial=0.0)) > 2
            detections.hands[..., :2] /= size if pixels else (1, 1)
        detections.notes.append(
            f"The keypoints lie on ComfyUI's canvas of {size[0]}x{size[1]}. Give the video's size if it is another."
        )
    detections.units, detections.image_size = "fraction", size
