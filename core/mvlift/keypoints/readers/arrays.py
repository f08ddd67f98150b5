"""Keypoints as plain numpy arrays: our own npz, (T, J, 2) or (T, J, 3), also flat; freemocap's and MoveNet's output.

Our npz holds ``points`` (T, J, 2) in pixels and, where known, ``confidence`` (T, J), ``names`` (J,), ``fps``,
``image_size`` (width, height) and ``first_frame``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS
from mvlift.keypoints.identify import candidates_for
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import MAX_CELLS, name_keypoints
from mvlift.keypoints.readers.mediapipe import refuse_world_landmarks
from mvlift.keypoints.readers.point_tracks import frames_first
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__: list[str] = []

_POINTS: Final = (
    "points",
    "keypoints",
    "keypoints_2d",
    "kpts",
    "kps",
    "poses",
    "pose",
    "joints",
    "joints_2d",
    "pose2d",
)
_SCORES: Final = ("confidence", "confidences", "scores", "score", "keypoint_scores", "visibility", "conf")
_NAMES: Final = ("names", "keypoint_names", "node_names", "joint_names")
_MEDIAPIPE: Final = 33
_MEDIAPIPE_COUNTS: Final = (33, 75, 543, 553)
"""Of the body alone, and with hands and face behind it."""
_POSE_FACE_HANDS: Final = 543
_MOST: Final = 40
"""People of a frame; more rows than this on the second axis are keypoints."""
_CAMERAS: Final = 16
_SURE: Final = 1.6
"""A third number above this is no confidence (SimCC and heat maps reach a little more than 1)."""


def _unfolded(array: NDArray[Any]) -> NDArray[Any] | None:
    """The array with an axis of 2, 3 or 4 numbers at its end, None where it can be no keypoints.

    Rows of 3 K numbers are x, y and confidence of the K keypoints of a layout where every third number can be one,
    rows of 2 K are x and y, and rows of 4 times 33 are MediaPipe's x, y, z and visibility, of which z is left out.
    """
    if array.dtype.kind not in "fiu" or not array.size:
        return None
    if array.ndim != 2:
        return array if 3 <= array.ndim <= 5 and array.shape[-1] in (2, 3, 4) else None
    count = array.shape[1]
    if count == 4 * _MEDIAPIPE:
        return array.reshape(len(array), -1, 4)[..., [0, 1, 3]]
    pairs = array.reshape(len(array), -1, 2) if count % 2 == 0 and candidates_for(count // 2) else None
    if count % 3 or not candidates_for(count // 3):
        return pairs
    triples = array.reshape(len(array), -1, 3)
    known = triples[..., 2][np.isfinite(triples[..., 2])]
    scored = known.size > 0 and float(known.min()) >= -0.01 and float(known.max()) <= _SURE
    return triples if scored or pairs is None else pairs


def _main(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    return next((k for k in _POINTS if k in arrays and _unfolded(arrays[k]) is not None), None)


def _recognise(source: Source) -> str | None:
    if source.array is not None:
        array = source.array
        return f"an array of shape {array.shape}" if _unfolded(array) is not None else None
    key = _main(source.arrays)
    return f"an array called {key}" if key else None


def _checked(array: NDArray[Any] | None, name: str) -> F64:
    if array is None or not array.size or array.size > 3 * MAX_CELLS:
        shape = array.shape if array is not None else ()
        raise KeypointError(f"{name}: an array of shape {shape} is not a clip.", "Save (frames, keypoints, 2).")
    return array.astype(np.float64)


def _per_person(array: F64, name: str, notes: list[str]) -> F64:
    """(T, people, J, 2 or 3) of any arrangement."""
    if array.ndim == 3:
        points_first = not candidates_for(array.shape[1]) and array.shape[-1] == 2 and not frames_first(array)
        return (array.transpose(1, 0, 2) if points_first and name.lower().endswith(".npy") else array)[:, None]
    if array.ndim == 5:  # MoveNet's raw output: (T, 1, 1, J, 3) of y, x, confidence
        notes.append("Taken for MoveNet's raw output, which has y before x.")
        array = array.reshape(len(array), -1, *array.shape[-2:])
        return array[..., [1, 0, 2]] if array.shape[-1] == 3 else array[..., 1::-1]
    cameras = len(array) <= _CAMERAS and (array.shape[1] > _MOST or _are_cameras(array))
    if cameras or "numcams" in name.lower():  # freemocap: (cameras, T, J, 2)
        best = int(np.isfinite(array[..., 0]).sum((1, 2)).argmax())
        notes.append(f"The file holds {len(array)} cameras; number {best}, which saw most, was taken.")
        return array[best][:, None]
    if array.shape[1] > _MOST:
        raise KeypointError(
            f"{name}: an array of shape {array.shape} has {array.shape[1]} people in a frame.",
            "Save (frames, people, keypoints, 2).",
        )
    return array


def _are_cameras(array: F64) -> bool:
    """Whether the first axis of MediaPipe's points counts cameras: points move less between frames than they differ
    between cameras."""
    if array.shape[1] < 2 or array.shape[2] not in _MEDIAPIPE_COUNTS:
        return False
    known: NDArray[np.bool_] = np.asarray(np.isfinite(array[..., :2]).all(-1))
    middle = np.where(known[..., None], array[..., :2], 0).sum(2) / np.maximum(known.sum(2), 1)[..., None]
    middle[np.asarray(~known.any(axis=-1))] = np.nan
    return not frames_first(middle)


def _scores(source: Source, points: F64, shape: tuple[int, ...]) -> F64 | None:
    """Confidence from an array of its own, else from the third number, unless that is a depth."""
    key = next((k for k in _SCORES if k in source.arrays), None)
    if key is not None and source.arrays[key].dtype.kind in "biuf" and source.arrays[key].size == int(np.prod(shape)):
        return source.arrays[key].astype(np.float64).reshape(shape)
    if points.shape[-1] < 3:
        return None
    last = points[..., -1]
    known = last[np.isfinite(last)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    name = PurePath(source.names[0]).name
    if points.shape[-1] == 3 and "2d" in name.lower() and "numcams" in name.lower():
        return None
    share = points[..., :2][np.isfinite(points[..., :2])]
    if low < -0.01 and points.shape[2] in _MEDIAPIPE_COUNTS and ((share >= -0.5) & (share <= 1.5)).mean() > 0.95:
        return None  # MediaPipe's depth beside fractions of the picture
    if low < -0.01 or high > _SURE or (high <= 0 and known.size > 0):
        raise KeypointError(
            f"{name} holds 3D points (third number from {low:.3g} to {high:.3g}), not x, y, confidence.",
            "Import the 2D keypoints that the 3D points were made from.",
        )
    return last


@reader("arrays", "Numpy array of keypoints", _recognise, rank=40)
def _read(source: Source) -> Detections:
    key, name, notes = _main(source.arrays), PurePath(source.names[0]).name, list[str]()
    array = source.array if source.array is not None else source.arrays[key or ""]
    table = _per_person(_checked(_unfolded(array), name), name, notes)
    frames, people, joints = table.shape[:3]
    score = _scores(source, table, table.shape[:3])
    start = _whole(source.arrays.get("first_frame"))
    there = np.isfinite(table[..., :2]).all(-1).any(-1)
    frame, person = np.nonzero(there)
    detections = Detections(
        frame=frame + start,
        points=table[frame, person, :, :2],
        confidence=None if score is None else score[frame, person],
        layouts=candidates_for(joints),
        person=person.astype(np.str_) if people > 1 else np.full(len(frame), "0"),
        ids_certain=people == 1,
        span=(start, start + frames - 1),
        image_size=_size(source.arrays),
        notes=notes,
        axes_uncertain=True,
    )
    rate = source.arrays.get("fps")
    if rate is not None:
        detections.fps = _rate(rate)
    _name(detections, source, joints)
    return detections


def _name(detections: Detections, source: Source, joints: int) -> None:
    """Names from the file, or MediaPipe's for its counts, or numbers for points that belong to no known layout."""
    key = next((k for k in _NAMES if k in source.arrays and source.arrays[k].size == joints), None)
    if key is not None:
        name_keypoints(detections, _texts(source.arrays[key].reshape(-1), source.path.name))
    elif joints in _MEDIAPIPE_COUNTS:
        detections.hands = _mediapipe_hands(detections)
        detections.points = detections.points[:, :_MEDIAPIPE]
        detections.confidence = None if detections.confidence is None else detections.confidence[:, :_MEDIAPIPE]
        detections.layouts = ("mediapipe33",)
        refuse_world_landmarks(detections.points, get_layout("mediapipe33").names, source.path.name)
    elif not detections.layouts:
        detections.names = tuple(f"point_{i + 1}" for i in range(joints))


def _mediapipe_hands(detections: Detections) -> F64 | None:
    """(N, 2, 21, 4) hands behind MediaPipe's 33 keypoints: 42 columns after them, or after the face.

    Programs differ in which hand is first: each is given to the wrist of the body that it is nearer to.
    """
    joints = detections.points.shape[1]
    if joints < _MEDIAPIPE + 2 * HAND_KEYPOINTS:
        return None
    start = joints - 2 * HAND_KEYPOINTS if joints == _POSE_FACE_HANDS else _MEDIAPIPE
    columns = np.arange(start, start + 2 * HAND_KEYPOINTS).reshape(2, HAND_KEYPOINTS)
    hands = np.full((len(detections.points), 2, HAND_KEYPOINTS, 4), np.nan)
    hands[..., :2] = detections.points[:, columns]
    hands[..., 2] = 1.0 if detections.confidence is None else detections.confidence[:, columns]
    wrists = detections.points[:, [15, 16]]
    distance = np.linalg.norm(hands[:, :, None, 0, :2] - wrists[:, None], axis=-1)  # (N, hand, wrist)
    known = np.isfinite(distance).all((1, 2)) & (hands[:, :, 0, :2] != 0).any((1, 2))
    if known.any() and distance[known][:, 0, 0].sum() > distance[known][:, 0, 1].sum():
        hands = hands[:, ::-1]
    return hands


def _texts(values: NDArray[Any], name: str) -> list[str]:
    if (
        values.dtype.kind == "U"
        and values.size
        and (values.astype(values.dtype.newbyteorder("=")).view(np.uint32) > 0x10FFFF).any()
    ):
        raise KeypointError(f"{name}: the names in it are damaged.", "Save it again.")
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]


def _whole(array: NDArray[Any] | None) -> int:
    good = array is not None and array.size == 1 and array.dtype.kind in "iu"
    return int(array.reshape(-1)[0]) if good and array is not None else 0


def _rate(array: NDArray[Any]) -> Fraction | None:
    """A number, or text such as 30000/1001."""
    if array.size != 1:
        return None
    value = array.reshape(-1)[0]
    try:
        return exact_rate(str(value) if array.dtype.kind == "U" else float(value))
    except (ValueError, TypeError):
        return None


def _size(arrays: Mapping[str, NDArray[Any]]) -> tuple[int, int] | None:
    both = arrays.get("image_size")
    if both is not None and both.size == 2 and both.dtype.kind in "iuf":
        width, height = (float(v) for v in both.reshape(-1))
    else:
        width, height = (float(_whole(arrays.get(k))) for k in ("width", "height"))
    good = all(np.isfinite(v) and 1 <= v < 1e6 for v in (width, height))
    return (int(width), int(height)) if good else None
