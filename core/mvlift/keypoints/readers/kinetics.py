"""Skeletons of ST-GCN (Kinetics-skeleton): ``data[].skeleton[]`` with ``pose`` and ``score``; and PYSKL's pickles."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {18: ("openpose18", "coco17neck"), 17: ("coco17",), 25: ("body25",), 133: ("coco133",)}


def _data(document: object) -> list[Any] | None:
    frames = document.get("data") if isinstance(document, dict) else None
    if not isinstance(frames, list) or not frames:
        return None
    with_skeletons = [f for f in frames[:50] if isinstance(f, dict) and isinstance(f.get("skeleton"), list)]
    poses = any(isinstance(s, dict) and isinstance(s.get("pose"), list) for f in with_skeletons for s in f["skeleton"])
    return frames if 2 * len(with_skeletons) > len(frames[:50]) and poses else None


def _recognise(source: Source) -> str | None:
    return "json with data[].skeleton[].pose" if _data(source.document) else None


@reader("kinetics-skeleton", "ST-GCN, Kinetics-skeleton", _recognise, rank=14)
def _read(source: Source) -> Detections:
    poses, numbers = SplitDetections(), list[int]()
    for count, frame in enumerate(_data(source.document) or []):
        if not isinstance(frame, dict):
            continue
        number = frame.get("frame_index")
        numbers.append(number if isinstance(number, int) else count)
        for one in frame.get("skeleton") or []:
            flat, scores = (one.get(k) for k in ("pose", "score")) if isinstance(one, dict) else (None, None)
            if isinstance(flat, list) and len(flat) % 2 == 0 and flat:
                pairs = list(zip(flat[::2], flat[1::2], strict=True))
                complete = isinstance(scores, list) and len(scores) == len(pairs)
                poses.add(numbers[-1], pairs, scores if complete else None)
    if not len(poses):
        raise KeypointError(f"{source.path.name}: no frame has a skeleton.", "Extract the poses again.")
    detections = poses.build(source.path.name)
    if min(numbers) == 1:  # Kinetics-skeleton counts from 1
        detections.frame = detections.frame - 1
        numbers = [n - 1 for n in numbers]
    detections.span = (min(numbers), max(numbers))
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    return detections


def _annotation(source: Source) -> dict[str, Any] | None:
    """One clip of PYSKL's or MMAction's pickle: ``keypoint`` (people, frames, J, 2) and ``keypoint_score``."""
    content = source.unpickled
    if isinstance(content, dict) and isinstance(content.get("annotations"), list) and content["annotations"]:
        content = content["annotations"][0]
    if isinstance(content, list) and content and isinstance(content[0], dict):
        content = content[0]
    points = content.get("keypoint") if isinstance(content, dict) else None
    good = isinstance(points, np.ndarray) and points.ndim == 4 and points.dtype.kind in "fiu" and points.size
    return content if good and isinstance(content, dict) else None


def _recognise_pickle(source: Source) -> str | None:
    return "pickle with keypoint and keypoint_score" if _annotation(source) else None


@reader("pyskl", "PYSKL or MMAction skeletons", _recognise_pickle, rank=12)
def _read_pickle(source: Source) -> Detections:
    clip = _annotation(source) or {}
    points: NDArray[Any] = clip["keypoint"].astype(np.float64)
    if points.shape[-1] != 2 and not (points.shape[-1] == 3 and "keypoint_score" not in clip):
        raise KeypointError(f"{source.path.name} holds 3D skeletons.", "Use the annotations of 2D skeletons.")
    people, frames, joints, columns = points.shape
    scores = clip.get("keypoint_score")
    if columns == 3:
        if np.nanmin(points[..., 2]) < 0 or np.nanmax(points[..., 2]) > 1.6:
            raise KeypointError(f"{source.path.name} holds 3D skeletons.", "Use the annotations of 2D skeletons.")
        scores = points[..., 2]
    complete = isinstance(scores, np.ndarray) and scores.shape == (people, frames, joints)
    person, frame = np.nonzero((points[..., :2] != 0).any((2, 3)))
    size = clip.get("original_shape", clip.get("img_shape"))
    several = isinstance(source.unpickled, dict) and len(source.unpickled.get("annotations", ())) > 1
    detections = Detections(
        frame=frame.astype(np.int64),
        points=points[person, frame, :, :2],
        confidence=scores[person, frame].astype(np.float64) if complete and isinstance(scores, np.ndarray) else None,
        layouts=_LAYOUTS.get(joints, ()),
        span=(0, frames - 1),
        units="pixels",
        notes=["The file holds several clips; the first was taken."] if several else [],
    )
    if isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size):
        detections.image_size = (size[1], size[0])  # written as height, width
    return detections
