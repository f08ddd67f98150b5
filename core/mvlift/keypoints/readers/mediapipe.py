"""MediaPipe pose landmarks (33) and TensorFlow.js poses, in the json conventions that scripts write them.

There is no official file. Seen are lists of frames with 33 landmarks each; entries with a frame number and
``landmarks`` as a list, by name, or for several people; dictionaries by frame and person; and
``{score, keypoints: [{x, y, name}]}``.
Frames without a person are absent, null, ``{}``, ``[]`` or a copy of the frame before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.naming import layout_of_names
from mvlift.keypoints.rates import rate_of_times
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source, last_number

__all__ = ["refuse_world_landmarks"]

_FRAME: Final = (
    "frame",
    "frame_number",
    "frame_id",
    "frame_idx",
    "frame_index",
    "frame_num",
    "frameNumber",
    "frameIndex",
)
_TIME: Final = ("timestamp", "timestamp_ms", "time", "timestampMs", "time_sec")
_LANDMARKS: Final = ("landmarks", "pose_landmarks", "poseLandmarks", "landmark", "keypoints", "pose", "poses")
_WORLD: Final = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks", "keypoints3D")
_SEEN: Final = ("has_pose", "detected", "pose_detected")
_SCORE: Final = ("visibility", "score", "confidence", "presence")
_OTHER_PARTS: Final = re.compile("hand|face|world|keypoints3D", re.IGNORECASE)
_COUNTS: Final = (33, 39)  # 39 with the auxiliary points that follow the 33
_LOOKED: Final = 200
_LEAST: Final = 5
"""Fewer landmarks than this are not taken for a pose."""
_MIDDLE: Final = 0.03
"""World landmarks have the middle of the hips closer to (0, 0) than this."""

Pose = list[Any] | dict[str, Any]


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
    return all(_is_point(p) or _is_numbers(p) for p in value.values())


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
            for who, part in value.items():
                if not _OTHER_PARTS.search(str(who)):
                    yield from ((str(who), pose) for _, pose in _poses(part, depth + 1))
    elif isinstance(value, list):
        for part in value:
            yield from _poses(part, depth + 1)


def _points(value: object) -> object:
    """Landmarks as lists [x, y, z] or [x, y, z, visibility] become {x, y, ...}."""
    if isinstance(value, list) and len(value) in _COUNTS and all(_is_numbers(p) and len(p) > 2 for p in value):
        return [dict(zip(("x", "y", "z", "visibility"), p, strict=False)) for p in value]
    if isinstance(value, list) and len(value) >= _LEAST and all(_is_part(p) for p in value):  # PoseNet's own
        return [{**p["position"], "score": p.get("score"), "name": p["part"]} for p in value]
    return value


def _is_part(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("part"), str) and isinstance(value.get("position"), dict)


@dataclass
class _Frame:
    number: int | None
    time: float
    poses: list[tuple[str, Pose]]


def _value(entry: object, keys: tuple[str, ...]) -> float | None:
    found = (entry.get(k) for k in keys) if isinstance(entry, dict) else ()
    return next((v for v in found if isinstance(v, int | float) and not isinstance(v, bool)), None)


def _entries(source: Source) -> Iterator[tuple[int | None, object]]:
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
        yield from ((None, document),) if _is_pose(document) else ((None, entry) for entry in document)


def _read_frames(source: Source) -> list[_Frame]:
    frames = []
    for number, entry in _entries(source):
        own = _value(entry, _FRAME)
        time = _value(entry, _TIME)
        number = int(own) if own is not None else number
        frames.append(_Frame(number, np.nan if time is None else float(time), list(_poses(entry))))
    return frames


def _recognise(source: Source) -> str | None:
    if source.is_series:
        some = [any(True for _ in _poses(d)) for d in source.first_documents]
        return "json with landmarks, one file per frame" if 2 * sum(some) > len(some) else None
    looked = 0
    for _, entry in _entries(source):
        if any(True for _ in _poses(entry)):
            return "json of frames with landmarks {x, y}"
        if isinstance(entry, dict) and _world_only(entry):
            return "json of frames with world landmarks"
        looked += bool(entry) and not isinstance(entry, dict)
        if looked > 20:
            return None
    return None


def _world_only(entry: Mapping[str, Any]) -> bool:
    return any(k in entry for k in _WORLD) and not any(k in entry for k in _LANDMARKS)


@dataclass
class _Table:
    """Poses as arrays: rows are detections, columns landmarks."""

    columns: dict[str, int] = field(default_factory=dict)
    frame: list[int] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    cells: list[dict[int, tuple[Any, ...]]] = field(default_factory=list)
    named: bool = False
    scored: bool = False

    def add(self, frame: int, who: str, pose: Pose) -> None:
        if isinstance(pose, dict):
            items = list(pose.items())
            self.named = True
        else:
            self.named |= any(isinstance(p, dict) and "name" in p for p in pose)
            items = [(str(p.get("name", i)) if p else str(i), p) for i, p in enumerate(pose)]
        cells = {}
        for name, point in items:
            if point:
                cells[self.columns.setdefault(name, len(self.columns))] = self._cell(point)
        self.frame.append(frame)
        self.people.append(who)
        self.cells.append(cells)

    def _cell(self, point: dict[str, Any] | list[Any]) -> tuple[Any, ...]:
        if isinstance(point, list):
            score = point[3] if len(point) > 3 else None
            x, y = point[:2]
        else:
            x, y, score = point["x"], point["y"], next((point[k] for k in _SCORE if point.get(k) is not None), None)
        self.scored |= score is not None
        return (np.nan if x is None else x, np.nan if y is None else y, 1.0 if score is None else score)

    def arrays(self) -> NDArray[np.float64]:
        """(N, J, 3) x, y, score; NaN where a landmark is absent."""
        values = np.full((len(self.cells), len(self.columns), 3), np.nan)
        for row, cells in zip(values, self.cells, strict=True):
            row[list(cells)] = list(cells.values())
        return values


def refuse_world_landmarks(points: NDArray[np.float64], names: tuple[str, ...], name: str) -> None:
    """Refuses poses whose origin lies between the hips.

    Args:
        points: (N, J, 2) as written, NaN where missing.
        names: of the J landmarks, in the layouts' vocabulary.
        name: of the file.

    Raises:
        KeypointError: these are world landmarks.
    """
    if not np.isfinite(points).all(-1).any():
        return
    at = [names.index(n) for n in ("l_hip", "r_hip") if n in names]
    middle = np.abs(points[:, at].mean(1)) if len(at) == 2 else np.full((1, 2), np.nan)
    middle = middle[np.isfinite(middle).all(-1)]
    if len(middle):
        world = bool(np.median(middle, axis=0).max() < _MIDDLE)
    else:
        world = bool(((points < -0.02).mean((0, 1)) > 0.3).all() and np.nanquantile(np.abs(points), 0.95) < 3)
    if world:
        raise KeypointError(
            f"{name} holds MediaPipe's world landmarks: 3D points in metres around the hips, not in the picture.",
            "Save the pose_landmarks (poseLandmarks) of the same result instead of the world landmarks.",
        )


def _numbers(frames: list[_Frame], notes: list[str]) -> list[int]:
    """0-based numbers of the frames."""
    given = [f.number for f in frames]
    if any(n is None for n in given) or len(set(given)) < len(given):
        notes.append(
            "The frames have no numbers: they were counted in the file's order. "
            "Frames without a person may be missing from the file."
        )
        return list(range(len(frames)))
    numbers = [n for n in given if n is not None]
    if numbers[0] == 1 and numbers == list(range(1, len(numbers) + 1)):
        notes.append("The frames are numbered from 1: 1 is the first frame.")
        return [n - 1 for n in numbers]
    return numbers


def _without_repeats(frames: list[_Frame], notes: list[str]) -> None:
    """Empties frames that repeat the one before to the last digit: scripts copy it where nobody was found."""
    repeats = [b for a, b in pairwise(frames) if b.poses and a.poses == b.poses]
    for frame in repeats:
        frame.poses = []
    if repeats:
        notes.append(f"{len(repeats)} frames repeat the frame before exactly: taken as frames without a person.")


def _index_table(source: Source) -> dict[str, int]:
    """MediaPipe's number of each name, where the file lists them. The numbers are right, the names may not be."""
    meta = source.document.get("metadata") if isinstance(source.document, dict) else None
    table = meta.get("landmark_indices") if isinstance(meta, dict) else None
    good = isinstance(table, dict) and all(isinstance(i, int) for i in table.values())
    return table if good and isinstance(table, dict) else {}


def _by_index(values: NDArray[np.float64], columns: list[str], table: Mapping[str, int]) -> NDArray[np.float64]:
    """(N, 33, 3): each landmark at the number that the table gives its name."""
    made = np.full((len(values), len(get_layout("mediapipe33").names), 3), np.nan)
    for column, name in enumerate(columns):
        made[:, table[name]] = values[:, column]
    return made


def _size_of_pixels(frames: list[_Frame]) -> tuple[int, int] | None:
    """(width, height) from points that have both fractions and whole pixels (pixel = fraction * size, cut off)."""
    points = [p for f in frames[:200] for _, pose in f.poses if isinstance(pose, dict) for p in pose.values()]
    points = [p for p in points if isinstance(p, dict) and "pixel_x" in p and "pixel_y" in p]
    size = []
    for axis in ("x", "y"):
        both = np.array([(p[axis], p[f"pixel_{axis}"]) for p in points], dtype=np.float64).reshape(-1, 2)
        share, pixel = both[(both[:, 0] > 0.05) & (both[:, 1] > 0)].T
        if not len(share):
            return None
        low, high = (pixel / share).max(), ((pixel + 1) / share).min()
        size.append(round(np.median((pixel + 0.5) / share)) if np.ceil(low) >= high else int(np.ceil(low)))
    return size[0], size[1]


@reader("mediapipe", "MediaPipe or TensorFlow.js landmarks", _recognise, rank=25)
def _read(source: Source) -> Detections:
    frames, notes, table = _read_frames(source), list[str](), _Table()
    _without_repeats(frames, notes)
    numbers = _numbers(frames, notes)
    for number, frame in zip(numbers, frames, strict=True):
        for who, pose in frame.poses:
            table.add(number, who, pose)
    if not table.cells:
        raise KeypointError(
            f"{source.path.name}: no frame has 2D landmarks.", "Save pose_landmarks, not the world landmarks."
        )
    found = _found(table, _index_table(source), notes)
    found.span = (min(numbers), max(numbers))
    names = layout_of_names(found.names).names if found.names else get_layout("mediapipe33").names
    refuse_world_landmarks(found.points, names if len(names) == found.points.shape[1] else (), source.path.name)
    found.units = "pixels" if np.nanquantile(np.abs(found.points), 0.95) > 5 else "fraction"
    found.fps = rate_of_times(numbers, [f.time for f in frames])
    found.image_size = _size_of_pixels(frames)
    return found


def _found(table: _Table, indices: Mapping[str, int], notes: list[str]) -> Detections:
    """The table as detections, with names or layout."""
    values, columns, all_of_them = table.arrays(), list(table.columns), len(get_layout("mediapipe33").names)
    layouts: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    if indices and set(columns) <= set(indices) and all(0 <= i < all_of_them for i in indices.values()):
        values, layouts = _by_index(values, columns, indices), ("mediapipe33",)
        notes.append("The keypoints were told apart by the file's table of landmark numbers, not by their names.")
    elif table.named and not all(c.isdigit() for c in columns):
        names = tuple(c.split(".")[-1] for c in columns)
    elif len(columns) in _COUNTS:
        values, layouts = values[:, :all_of_them], ("mediapipe33",)
    return Detections(
        frame=np.array(table.frame, dtype=np.int64),
        points=values[..., :2],
        confidence=values[..., 2] if table.scored else None,
        names=names,
        layouts=layouts,
        person=np.array(table.people) if len(set(table.people)) > 1 else None,
        notes=notes,
    )
