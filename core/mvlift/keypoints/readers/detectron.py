"""Detectron2 as VideoPose3D writes it: one npz per video, or a data set npz of several videos (``positions_2d``)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {"coco": "coco17", "h36m": "h36m17"}
_CLAMPED: Final = 4
"""If at least this many keypoints of one person share a coordinate, that coordinate is an edge of the box."""


def _recognise(source: Source) -> str | None:
    has = {"boxes", "keypoints"} <= set(source.arrays)
    return "npz with boxes, keypoints and metadata" if has else None


def _metadata(source: Source) -> dict[str, Any]:
    array = source.arrays.get("metadata")
    value = array.item() if array is not None and array.ndim == 0 else None
    return value if isinstance(value, dict) else {}


def _size(meta: object) -> tuple[int, int] | None:
    if not isinstance(meta, dict):
        return None
    width, height = meta.get("w"), meta.get("h")
    good = all(isinstance(n, int | np.integer) and n > 0 for n in (width, height))
    return (int(width), int(height)) if good else None  # type: ignore[arg-type]


def _of_frame(entry: Any) -> NDArray[np.float64] | None:
    """(people, 4, J) x, y, logit, heat-map score of one frame, which holds a list for each class of objects."""
    parts = [np.asarray(part) for part in (entry if isinstance(entry, list | tuple) else np.atleast_1d(entry))]
    people = [p for p in parts if p.ndim == 3 and p.shape[1] in (3, 4) and p.dtype.kind in "fiu" and p.size]
    return people[-1].astype(np.float64) if people else None


@reader("videopose3d", "Detectron2 of VideoPose3D", _recognise, rank=10)
def _read(source: Source) -> Detections:
    by_frame = [_of_frame(entry) for entry in source.arrays["keypoints"]]
    joints = {people.shape[2] for people in by_frame if people is not None}
    if not joints:
        raise KeypointError(f"{source.path.name}: no frame has a person.", "Run Detectron2 on frames that show one.")
    if len(joints) > 1:
        raise KeypointError(
            f"{source.path.name}: its frames have {sorted(joints)} keypoints.", "Use one model for the video."
        )
    kept = [(i, people) for i, people in enumerate(by_frame) if people is not None]
    values = np.concatenate([people for _, people in kept])
    size = _size(_metadata(source))
    points = values[:, :2].transpose(0, 2, 1)
    detections = Detections(
        frame=np.repeat([i for i, _ in kept], [len(people) for _, people in kept]).astype(np.int64),
        points=points,
        confidence=_heat(values[:, -1]),
        layouts=("coco17",) if points.shape[1] == 17 else (),
        span=(0, len(by_frame) - 1),
        units="pixels",
        image_size=size,
    )
    _doubt_border(detections)
    return detections


def _heat(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heat-map heights (up to about 6) as confidence: 0.2 stays low, 1 and more is sure."""
    return np.clip(score, 0, 1)


def _doubt_border(detections: Detections) -> None:
    """Detectron2 pushes keypoints outside its box onto the box: where many lie on one edge, their confidence becomes
    0."""
    outside = np.zeros(detections.points.shape[:2], dtype=np.bool_)
    for axis in (0, 1):
        along = detections.points[..., axis]
        for edge in (along.min(1, keepdims=True), along.max(1, keepdims=True)):
            on = np.abs(along - edge) < 0.01
            outside |= on & (on.sum(1, keepdims=True) >= _CLAMPED)
    if detections.confidence is not None and outside.any():
        detections.confidence = np.where(outside, 0.0, detections.confidence)
        detections.notes.append(
            f"{100 * outside.mean():.0f} % of the keypoints lie on the edge of the detected box, because they are "
            "outside the picture: taken as missing."
        )


def _recognise_dataset(source: Source) -> str | None:
    return "npz with positions_2d" if "positions_2d" in source.arrays else None


@reader("videopose3d-dataset", "VideoPose3D data set", _recognise_dataset, rank=10)
def _read_dataset(source: Source) -> Detections:
    array = source.arrays["positions_2d"]
    videos = array.item() if array.ndim == 0 else None
    if not isinstance(videos, dict) or not videos:
        raise KeypointError(
            f"{source.path.name}: positions_2d holds no videos.", "Run prepare_data_2d_custom.py again."
        )
    clips = {
        (str(video), str(action), i): np.asarray(poses)
        for video, actions in videos.items()
        if isinstance(actions, dict)
        for action, cameras in actions.items()
        for i, poses in enumerate(cameras if isinstance(cameras, list | tuple) else [cameras])
    }
    clips = {
        k: v for k, v in clips.items() if v.ndim == 3 and v.shape[2] in (2, 3) and len(v) and v.dtype.kind in "fiu"
    }
    if not clips:
        raise KeypointError(f"{source.path.name}: no video has keypoints.", "Run prepare_data_2d_custom.py again.")
    key = max(clips, key=lambda k: len(clips[k]))
    poses = clips[key].astype(np.float64)
    meta = _metadata(source)
    layout = _LAYOUTS.get(str(meta.get("layout_name")))
    sizes = meta.get("video_metadata")
    detections = Detections(
        frame=np.arange(len(poses)),
        points=poses[..., :2],
        confidence=poses[..., 2] if poses.shape[2] == 3 else None,
        layouts=(layout,) if layout and poses.shape[1] == 17 else (),
        person=np.full(len(poses), "0"),
        ids_certain=True,
        span=(0, len(poses) - 1),
        image_size=_size(sizes.get(key[0])) if isinstance(sizes, dict) else None,
        metadata={"video": key[0]},
    )
    if len(clips) > 1:
        detections.notes.append(f"The file holds {len(clips)} sequences; the longest, {key[0]} ({key[1]}), was taken.")
    return detections
