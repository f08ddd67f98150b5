"""Landmarks by frame, as scripts write them: MediaPipe (33, Holistic), TensorFlow.js, ML Kit and Apple Vision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, stacked_hands
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.naming import layout_of_names
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.landmark_frames import (
    LandmarkFrame,
    Pose,
    entries,
    has_poses,
    only_in_space,
    picture_size,
    read_frames,
    score_of,
)
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__ = ["refuse_world_landmarks"]

_COUNTS: Final = (33, 39)  # 39 with the auxiliary points that follow the 33
_MIDDLE: Final = 0.03
"""World landmarks have the middle of the hips closer to (0, 0) than this."""
_APPLE: Final = ("head_joint", "left_upLeg_joint", "right_upLeg_joint", "neck_1_joint")
"""Raw names of Apple's Vision framework, whose y points up from the lower edge."""


def _recognise(source: Source) -> str | None:
    if source.is_series:
        with_poses = [has_poses(d) for d in source.first_documents]
        return (
            "json with landmarks, one file per frame" if with_poses and 2 * sum(with_poses) > len(with_poses) else None
        )
    looked = 0
    for _, entry in entries(source):
        if has_poses(entry):
            return "json of frames with landmarks {x, y}"
        if only_in_space(entry):
            return "json of frames with world landmarks"
        looked += bool(entry) and not isinstance(entry, dict)
        if looked > 20:
            return None
    return None


@dataclass
class _Table:
    """Poses as arrays: rows are detections, columns landmarks."""

    columns: dict[str, int] = field(default_factory=dict)
    frame: list[int] = field(default_factory=list)
    time: list[float] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    cells: list[dict[int, tuple[Any, ...]]] = field(default_factory=list)
    named: bool = False
    scored: bool = False
    hands: list[F64 | None] = field(default_factory=list)

    def add(self, frame: int, time: float, person: str, pose: Pose, hands: F64 | None = None) -> None:
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
        self.time.append(time)
        self.hands.append(hands)
        self.people.append(person)
        self.cells.append(cells)

    def _cell(self, point: dict[str, Any] | list[Any]) -> tuple[Any, ...]:
        if isinstance(point, list):
            score = point[3] if len(point) > 3 else None
            x, y = point[:2]
        else:
            x, y, score = point["x"], point["y"], score_of(point)
        self.scored |= score is not None
        return (np.nan if x is None else x, np.nan if y is None else y, 1.0 if score is None else score)

    def arrays(self) -> F64:
        """(N, J, 3) x, y, score; NaN where a landmark is absent."""
        values = np.full((len(self.cells), len(self.columns), 3), np.nan)
        for row, cells in zip(values, self.cells, strict=True):
            row[list(cells)] = list(cells.values())
        return values


def refuse_world_landmarks(points: F64, names: tuple[str, ...], name: str) -> None:
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


def _numbers(frames: list[LandmarkFrame], notes: list[str]) -> tuple[list[int], str]:
    """0-based numbers of the frames, and a sentence for the user where they were only counted."""
    frame_numbers = [f.number for f in frames]
    if any(n is None for n in frame_numbers) or len(set(frame_numbers)) < len(frame_numbers):
        return list(range(len(frames))), (
            "The frames have no numbers: they were counted in the file's order. "
            "Frames without a person may be missing from the file."
        )
    numbers = [n for n in frame_numbers if n is not None]
    if numbers[0] == 1 and numbers == list(range(1, len(numbers) + 1)):
        notes.append("The frames are numbered from 1: 1 is the first frame.")
        return [n - 1 for n in numbers], ""
    return numbers, ""


def _without_repeats(frames: list[LandmarkFrame], notes: list[str]) -> None:
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


def _by_index(values: F64, columns: list[str], table: Mapping[str, int]) -> F64:
    """(N, 33, 3): each landmark at the number that the table gives its name."""
    made = np.full((len(values), len(get_layout("mediapipe33").names), 3), np.nan)
    for column, name in enumerate(columns):
        made[:, table[name]] = values[:, column]
    return made


def _size_of_pixels(frames: list[LandmarkFrame]) -> tuple[int, int] | None:
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


@reader("mediapipe", "MediaPipe, TensorFlow.js, ML Kit or Apple Vision landmarks", _recognise, rank=25)
def _read(source: Source) -> Detections:
    frames, notes, table = read_frames(source), list[str](), _Table()
    _without_repeats(frames, notes)
    numbers, counted = _numbers(frames, notes)
    for number, frame in zip(numbers, frames, strict=True):
        for person, pose in frame.poses:
            table.add(number, frame.time, person, pose, frame.hands if len(frame.poses) == 1 else None)
    if not table.cells:
        raise KeypointError(
            f"{source.path.name}: no frame has 2D landmarks.", "Save pose_landmarks, not the world landmarks."
        )
    detections = _found(table, _index_table(source), notes)
    detections.span, detections.counted = (min(numbers), max(numbers)), counted
    names = layout_of_names(detections.names).names if detections.names else get_layout("mediapipe33").names
    refuse_world_landmarks(
        detections.points, names if len(names) == detections.points.shape[1] else (), source.path.name
    )
    detections.units = "pixels" if np.nanquantile(np.abs(detections.points), 0.95) > 5 else "fraction"
    detections.image_size = _size_of_pixels(frames) or (None if source.is_series else picture_size(source.document))
    if detections.names is not None and any(n in table.columns for n in _APPLE):
        height = (
            1.0 if detections.units == "fraction" or detections.image_size is None else float(detections.image_size[1])
        )
        detections.points[..., 1] = height - detections.points[..., 1]
        detections.format = "apple-vision"
        detections.notes.append("Apple's Vision has y pointing up from the lower edge: it was turned over.")
    detections.axes_uncertain = True
    return detections


def _found(table: _Table, indices: Mapping[str, int], notes: list[str]) -> Detections:
    """The table as detections, with names or layout."""
    values, columns, all_of_them = table.arrays(), list(table.columns), len(get_layout("mediapipe33").names)
    layouts: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    if indices and set(columns) <= set(indices) and all(0 <= i < all_of_them for i in indices.values()):
        values, layouts = _by_index(values, columns, indices), ("mediapipe33",)
        notes.append("The keypoints were told apart by the file's table of landmark numbers, not by their names.")
    elif table.named and all(c.isdigit() for c in columns):
        numbered = {c: int(c) for c in columns}
        if max(numbered.values()) < all_of_them:
            values, layouts = _by_index(values, columns, numbered), ("mediapipe33",)
    elif table.named:
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
        hands=stacked_hands(table.hands),
        time=np.array(table.time) if np.isfinite(table.time).all() else None,
    )
