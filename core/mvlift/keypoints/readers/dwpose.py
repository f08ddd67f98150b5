"""DWPose's arrays: ``bodies`` in fractions of the picture, with ``body_scores`` or ``subset``.

Forks write an npz or a pickle for each frame, or a pickled list of all frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS, hand_rows
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source
from mvlift.safe_reading import named_arrays
from mvlift.typing import F64

__all__: list[str] = []

_BODY: Final = 18  # OpenPose's order, whatever else DWPose found
_HAND_SCORES: Final = ("hands_scores", "hands_score", "hand_scores", "hand_score")
_SCORES: Final = ("body_scores", "bodies_score", "body_score", "subset", "score")


def _listed(source: Source) -> list[dict[str, NDArray[Any]]]:
    """The frames of a pickled list."""
    content = source.unpickled
    return [named_arrays(frame) for frame in content] if isinstance(content, list) else []


def _recognise(source: Source) -> str | None:
    if "bodies" in next(iter(_listed(source)), {}):
        return "pickled list of frames with bodies"
    arrays = source.first_arrays or source.arrays
    return "arrays called bodies" + (", one file per frame" if source.is_series else "") if "bodies" in arrays else None


def _unwrapped(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays, where ``bodies`` is a dictionary {candidate, subset} with its content."""
    bodies = arrays["bodies"]
    if bodies.dtype.hasobject and bodies.ndim == 0 and isinstance(bodies.item(), dict):
        inner = bodies.item()
        return {**arrays, **inner, "bodies": np.asarray(inner.get("candidate"))}
    return dict(arrays)


def _frame(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[F64, F64 | None]:
    """(people, 18, 2) points and (people, 18) scores of one file."""
    arrays = _unwrapped(arrays)
    bodies = arrays["bodies"]
    if bodies.dtype.kind not in "fiu" or bodies.ndim < 2 or bodies.shape[-1] not in (2, 3, 4):
        raise KeypointError(
            f"{name}: bodies has shape {bodies.shape}, expected (18 n, 2).", "Save DWPose's own arrays."
        )
    candidates = bodies[..., :2].reshape(-1, 2).astype(np.float64)
    score_array = next((arrays[k] for k in _SCORES if k in arrays), None)
    if score_array is None or score_array.dtype.kind not in "fiu" or score_array.shape[-1] < _BODY:
        return candidates[: len(candidates) // _BODY * _BODY].reshape(-1, _BODY, 2), None
    scores = score_array.reshape(-1, score_array.shape[-1])[:, :_BODY].astype(np.float64)
    are_indices = bool((scores == np.round(scores)).all())
    if are_indices and (
        scores.max(initial=0) > 1 or len(candidates) != scores.size
    ):  # numbers of candidates, -1 = missing
        at = np.clip(scores.astype(np.int64), 0, max(len(candidates) - 1, 0))
        points = candidates[at] if len(candidates) else np.zeros((*at.shape, 2))
        return points, (scores >= 0).astype(np.float64)
    if len(candidates) != scores.size:
        raise KeypointError(
            f"{name}: {len(candidates)} points in bodies, {scores.size} scores.", "Save DWPose's own arrays."
        )
    return candidates.reshape(*scores.shape, 2), scores


def _people(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[F64, F64 | None, list[F64 | None]]:
    points, scores = _frame(arrays, name)
    return points, scores, _hands(arrays, len(points))


def _hands(arrays: Mapping[str, NDArray[Any]], people: int) -> list[F64 | None]:
    """Hands of each person: ``hands`` (2 n, 21, 2) has the left hands of all, then the right ones."""
    arrays = _unwrapped(arrays)
    hands, scores = arrays.get("hands"), next((arrays[k] for k in _HAND_SCORES if k in arrays), None)
    if hands is None or hands.dtype.kind not in "fiu" or hands.ndim != 3 or hands.shape[1] != HAND_KEYPOINTS:
        return [None] * people
    if hands.shape[0] != 2 * people or hands.shape[2] not in (2, 3):
        return [None] * people
    both = hands.astype(np.float64)
    if scores is not None and scores.dtype.kind in "fiu" and scores.size == hands.shape[0] * HAND_KEYPOINTS:
        sure = scores.astype(np.float64).reshape(hands.shape[0], HAND_KEYPOINTS, 1)
        both = np.concatenate([both[..., :2], sure], -1)
    return [hand_rows(both[i], both[people + i]) for i in range(people)]


def _frames(source: Source) -> Iterator[tuple[int, F64, F64 | None, list[F64 | None]]]:
    """(0-based frame, points, scores, hands): files that begin with 1 are counted from 1."""
    if listed := _listed(source):
        for i, arrays in enumerate(listed):
            if "bodies" in arrays:
                yield i, *_people(arrays, source.path.name)
        return
    if not source.is_series:
        points, scores = _frame(source.arrays, source.path.name)
        for i in range(len(points)) if source.arrays["bodies"].ndim > 2 else [0]:
            rows = slice(i, i + 1) if source.arrays["bodies"].ndim > 2 else slice(None)
            hands: list[F64 | None] = [None]
            if source.arrays["bodies"].ndim < 3:
                hands = _hands(source.arrays, len(points))
            yield i, points[rows], None if scores is None else scores[rows], hands
        return
    numbered = source.numbered[0]
    first = 1 if numbered[0][1] == 1 else 0
    for number, name, arrays in source.frames_of_arrays():
        if "bodies" in arrays:
            yield number - first, *_people(arrays, name)


@reader("dwpose", "DWPose arrays", _recognise, rank=15)
def _read(source: Source) -> Detections:
    poses, numbers = SplitDetections(), []
    for number, points, scores, hands in _frames(source):
        numbers.append(number)
        for i, one in enumerate(points):
            poses.add(number, one.tolist(), None if scores is None else scores[i].tolist(), hands=hands[i])
    detections = poses.build(source.path.name)
    detections.layouts = ("openpose18",)
    detections.span = (min(numbers), max(numbers))
    if source.is_series:
        detections.notes += source.numbered[1]
        if source.numbered[0][0][1] == 1:
            detections.notes.append("The files are numbered from 1: file 1 is the first frame.")
    return detections
