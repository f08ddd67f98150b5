"""Json of scripts that list landmarks frame by frame: MediaPipe, TensorFlow.js, ML Kit, Apple Vision.

None of them has an official file. Seen are lists of frames with 33 landmarks each; entries with a frame number and
``landmarks`` as a list, by name, or for several people; dictionaries by frame and person; ``{score, keypoints: [{x, y,
name}]}``; landmarks with a ``position`` or ``location`` and a ``type``; hands beside the pose.
Frames without a person are absent, null, ``{}``, ``[]`` or a copy of the frame before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeGuard

import numpy as np

from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__ = ["LandmarkFrame", "Pose", "entries", "has_poses", "only_in_space", "picture_size", "read_frames", "score_of"]

_FRAME: Final = (
    "frame",
    "frame_number",
    "frame_id",
    "frame_idx",
    "frame_index",
    "frame_num",
    "frameNumber",
    "frameIndex",
    "frameId",
)
_TIME: Final = (
    *("timestamp", "timestamp_ms", "time", "timestampMs", "time_sec", "timeStamp", "timestampMillis"),
    *("time_ms", "timestamp_us", "timestampUs", "timestamp_s", "t", "ts", "presentationTime", "seconds"),
)
_LANDMARKS: Final = (
    *("landmarks", "pose_landmarks", "poseLandmarks", "landmark", "keypoints", "pose", "poses"),
    *("allPoseLandmarks", "joints", "recognizedPoints", "recognized_points", "bodyPose", "body_pose", "observations"),
    *("landmarkPoints", "points"),
)
_WORLD: Final = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks", "keypoints3D")
_SEEN: Final = ("has_pose", "detected", "pose_detected")
_SCORE: Final = (
    "visibility",
    "score",
    "confidence",
    "inFrameLikelihood",
    "likelihood",
    "in_frame_likelihood",
    "presence",
)
_NAME: Final = ("name", "part", "type", "landmarkType", "landmark_type", "jointName", "joint", "key", "identifier")
_PLACE: Final = ("position", "position3D", "position3d", "location", "point")
_HANDS: Final = tuple(
    tuple(
        k.format(s=s, S=s.capitalize())
        for k in ("{s}_hand_landmarks", "{s}HandLandmarks", "{s}_hand", "{s}Hand", "hand_{s}", "{s}_hand_keypoints")
    )
    for s in ("left", "right")
)
_OTHER_PARTS: Final = re.compile("hand|face|world|keypoints3D|iris", re.IGNORECASE)
_COUNTS: Final = (33, 39)  # 39 with the auxiliary points that follow the 33
_LOOKED: Final = 200
_LEAST: Final = 5
"""Fewer landmarks than this are not taken for a pose."""

Pose = list[Any] | dict[str, Any]


@dataclass
class LandmarkFrame:
    """One frame: its number as written, its time stamp (NaN for none), people as (name, pose), and hands."""

    number: int | None
    time: float
    poses: list[tuple[str, Pose]]
    hands: F64 | None = field(default=None, compare=False)


def _is_point(value: object) -> bool:
    return isinstance(value, dict) and "x" in value and "y" in value and isinstance(value["x"], int | float)


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and 2 <= len(value) <= 5 and all(isinstance(n, int | float) for n in value)


def _is_pose(value: object) -> TypeGuard[Pose]:
    """A list of {x, y}, or names with {x, y} or [x, y, ...]."""
    if isinstance(value, list):
        return len(value) >= _LEAST and all(p is None or _is_point(p) for p in value) and any(map(_is_point, value))
    if not isinstance(value, dict) or len(value) < _LEAST:
        return False
    return all(p is None or _is_point(p) or _is_numbers(p) for p in value.values()) and any(value.values())


def score_of(point: Mapping[str, Any]) -> Any:
    """Confidence of a point under any of its names, None where it has none."""
    return next((point[k] for k in _SCORE if point.get(k) is not None), None)


def _flat_point(value: object) -> object:
    """A point whose place is an object or list of its own, as {x, y, name, score}; anything else as it is."""
    if not isinstance(value, dict) or "x" in value:
        if isinstance(value, dict) and "name" not in value and (name := _name_of(value)) is not None:
            return {**value, "name": name}
        return value
    place = next((value[k] for k in _PLACE if isinstance(value.get(k), dict | list)), None)
    if _is_numbers(place) and isinstance(place, list):
        place = dict(zip(("x", "y", "z"), place[:3], strict=False))
    if not _is_point(place) or not isinstance(place, dict):
        return value
    made = {**place, "score": score_of(value)}
    return made if (name := _name_of(value)) is None else {**made, "name": name}


def _name_of(value: Mapping[str, Any]) -> str | None:
    """A point's name or number."""
    label = next((value[k] for k in _NAME if isinstance(value.get(k), str | int)), None)
    return None if label is None or isinstance(label, bool) else str(label)


def _points(value: object) -> object:
    """Landmarks as lists [x, y, z] or [x, y, z, visibility], with a place of their own, or as Swift's list of keys and
    values one after the other, become {x, y, ...}."""
    if isinstance(value, list) and len(value) in _COUNTS and all(_is_numbers(p) and len(p) > 2 for p in value):
        return [dict(zip(("x", "y", "z", "visibility"), p, strict=False)) for p in value]
    if isinstance(value, list) and len(value) >= 2 * _LEAST and all(isinstance(k, str) for k in value[::2]):
        pairs = list(zip(value[::2], map(_flat_point, value[1::2]), strict=False))
        return dict(pairs) if all(_is_point(p) for _, p in pairs) else value
    if isinstance(value, list) and len(value) >= _LEAST and isinstance(value[0], dict):
        return [_flat_point(p) for p in value]
    if isinstance(value, dict) and len(value) >= _LEAST:
        return {k: _flat_point(p) for k, p in value.items()}
    return value


def _poses(value: object, depth: int = 0) -> Iterator[tuple[str, Pose]]:
    """(person as named, pose) of everybody in a frame."""
    value = _points(value)
    if _is_pose(value):
        yield "", value
    elif depth > 3:
        return
    elif isinstance(value, dict):
        key = next((k for k in _LANDMARKS if isinstance(value.get(k), dict | list)), None)
        if key is not None and not any(value.get(k) is False for k in _SEEN):
            yield from ((str(value.get("id", name)), pose) for name, pose in _poses(value[key], depth + 1))
        elif key is None and value and all(isinstance(v, dict | list) for v in value.values()):
            for person, part in value.items():
                if not _OTHER_PARTS.search(str(person)):
                    yield from ((str(person), pose) for _, pose in _poses(part, depth + 1))
    elif isinstance(value, list):
        for part in value:
            yield from _poses(part, depth + 1)


def has_poses(entry: object) -> bool:
    """Whether somebody is in a frame."""
    return any(True for _ in _poses(entry))


def only_in_space(entry: object) -> bool:
    """Whether a frame has world landmarks and none of the picture."""
    return (
        isinstance(entry, dict) and any(k in entry for k in _WORLD) and not any(k in entry for k in _LANDMARKS)
    )  # fmt: skip


def _hands(entry: object) -> F64 | None:
    """(2, 21, 4) x, y, confidence, depth of the hands beside a pose."""
    if not isinstance(entry, dict):
        return None
    hands = np.full((2, HAND_KEYPOINTS, 4), np.nan)
    hands[..., 2] = 0
    there = False
    for row, keys in zip(hands, _HANDS, strict=True):
        landmarks = next((entry[k] for k in keys if isinstance(entry.get(k), list | dict)), None)
        if isinstance(landmarks, dict):
            landmarks = next(
                (landmarks[k] for k in _LANDMARKS if isinstance(landmarks.get(k), list)), list(landmarks.values())
            )
        while isinstance(landmarks, list) and len(landmarks) == 1 and isinstance(landmarks[0], list):
            landmarks = landmarks[0]
        if not isinstance(landmarks, list) or len(landmarks) != HAND_KEYPOINTS:
            continue
        points = [_hand_point(p) for p in landmarks]
        if None not in points:
            row[:] = points
            there = True
    return hands if there else None


def _hand_point(value: object) -> tuple[float, float, float, float] | None:
    value = _flat_point(value)
    if _is_numbers(value) and isinstance(value, list):
        return float(value[0]), float(value[1]), 1.0, float(value[2]) if len(value) > 2 else np.nan
    if not isinstance(value, dict) or not _is_point(value) or not isinstance(value["y"], int | float):
        return None
    depth = value.get("z")
    score = score_of({k: v for k, v in value.items() if k not in ("visibility", "presence")})  # always 0 for hands
    sure = float(score) if isinstance(score, int | float) else 1.0
    return float(value["x"]), float(value["y"]), sure, float(depth) if isinstance(depth, int | float) else np.nan


def _value(entry: object, keys: tuple[str, ...]) -> float | None:
    values = (entry.get(k) for k in keys) if isinstance(entry, dict) else ()
    return next((v for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)


def entries(source: Source) -> Iterator[tuple[int | None, object]]:
    """(number as written, content) of each frame."""
    if source.is_series:
        yield from source.documents()
        return
    document = source.document
    if isinstance(document, dict) and isinstance(document.get("frames"), list | dict):
        document = document["frames"]
    if isinstance(document, dict):
        if all(last_number(key) is not None for key in islice(document, _LOOKED)):
            yield from ((last_number(key), entry) for key, entry in document.items())
        elif next(_poses(document), None) is not None and any(k in document for k in _LANDMARKS):
            yield 0, document
    elif isinstance(document, list):
        yield from ((None, document),) if _is_pose(_points(document)) else ((None, entry) for entry in document)


def read_frames(source: Source) -> list[LandmarkFrame]:
    """Every frame of a source, also those without anybody."""
    frames = []
    for number, entry in entries(source):
        frame_number, time = _value(entry, _FRAME), _value(entry, _TIME)
        number = int(frame_number) if frame_number is not None else number
        stamp = np.nan if time is None else float(time)
        frames.append(LandmarkFrame(number, stamp, list(_poses(entry)), _hands(entry)))
    return frames


def _is_length(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and 16 <= value <= 65_536


def picture_size(document: object) -> tuple[int, int] | None:
    """(width, height) that a document or its first frame says."""
    if isinstance(document, list):
        return picture_size(document[0]) if document and isinstance(document[0], dict) else None
    if not isinstance(document, dict):
        return None
    for part in (document, *(document[k] for k in ("metadata", "image", "video", "info", "meta") if k in document)):
        for keys in (("image_width", "image_height"), ("imageWidth", "imageHeight"), ("width", "height"),
                     ("frame_width", "frame_height"), ("frameWidth", "frameHeight")):  # fmt: skip
            width, height = (part.get(k) if isinstance(part, dict) else None for k in keys)
            if _is_length(width) and _is_length(height):
                return int(width), int(height)
    frames = document.get("frames")
    return picture_size(frames) if isinstance(frames, list) else None
