"""Tracks of any points, for objects: CoTracker (frames first), TAPIR and TAP-Vid (points first), as npz or npy."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import MAX_CELLS
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__ = ["frames_first"]

_TRACKS: Final = ("pred_tracks", "tracks", "trajs", "trajectories", "points", "tracked_points")
_SHOWN: Final = ("pred_visibility", "visibility", "visibilities", "visibles", "visible", "vis", "pred_visible")
_HIDDEN: Final = ("occluded", "occlusion", "occlusions", "pred_occluded")
_POINTS_FIRST: Final = ("visibles", "occluded")
_SMOOTHER: Final = 1.5


def _keys(source: Source) -> tuple[str, str] | None:
    """Names of the arrays of places and of visibility."""
    arrays = source.arrays
    tracks = next((k for k in _TRACKS if k in arrays and arrays[k].ndim in (3, 4)), None)
    if tracks is None or arrays[tracks].shape[-1] != 2 or arrays[tracks].dtype.kind not in "fiu":
        return None
    shown = next((k for k in (*_SHOWN, *_HIDDEN) if k in arrays), "")
    named = "track" in tracks or "traj" in tracks
    return (tracks, shown) if named or (shown and "confidence" not in arrays) else None


def _recognise(source: Source) -> str | None:
    keys = _keys(source)
    return f"arrays called {' and '.join(k for k in keys if k)}" if keys else None


def frames_first(tracks: F64, visible: str = "") -> bool:
    """Whether the first axis is time: points move little from frame to frame, but lie far from each other.

    Args:
        tracks: (T, N, 2) or (N, T, 2).
        visible: name of the array of visibility, which decides where the points do not.
    """

    def step(axis: int) -> float:
        moves = np.linalg.norm(np.diff(tracks, axis=axis), axis=-1)
        return float(np.nanmedian(moves)) if np.isfinite(moves).any() else 0.0

    along_first, along_second = step(0), step(1)
    if along_first > _SMOOTHER * along_second or along_second > _SMOOTHER * along_first:
        return along_first < along_second
    return visible not in _POINTS_FIRST


def _points_of_object(points: F64, shown: F64, start: int = 0) -> Detections:
    """One object whose keypoints are the points, called point_1, point_2, ...

    Args:
        points: (T, N, 2) x, y down; NaN where missing.
        shown: (T, N) 0 = hidden.
        start: number of the first frame.
    """
    return Detections(
        frame=np.arange(start, start + len(points)),
        points=points,
        confidence=np.where(np.isfinite(points).all(-1), shown, 0.0),
        names=tuple(f"point_{i + 1}" for i in range(points.shape[1])),
        person=np.full(len(points), "0"),
        ids_certain=True,
        span=(start, start + len(points) - 1),
    )


@reader("point-tracks", "Point tracks (CoTracker, TAPIR)", _recognise, rank=25)
def _read(source: Source) -> Detections:
    keys, name = _keys(source), source.path.name
    if keys is None:
        raise KeypointError(f"{name} holds no tracks (frames, points, 2).", "Save the tracks of CoTracker or TAPIR.")
    tracks = _single(source.arrays[keys[0]], 3, name)
    if not tracks.size or tracks.size > 2 * MAX_CELLS:
        raise KeypointError(f"{name}: tracks of shape {tracks.shape} are not a clip.", "Save (frames, points, 2).")
    shown = np.ones(tracks.shape[:2])
    if keys[1]:
        visibility = source.arrays[keys[1]]
        visibility = (
            visibility[..., 0]
            if visibility.ndim > 2 and visibility.shape[-1] == 1 and visibility.size == shown.size
            else visibility
        )
        visibility = _single(visibility, 2, name)
        if visibility.shape == shown.shape or visibility.T.shape == shown.shape:
            visibility = visibility if visibility.shape == shown.shape else visibility.T
            shown = _visibility(visibility, keys[1])
    if not frames_first(tracks, keys[1]):
        tracks, shown = tracks.transpose(1, 0, 2), shown.T
    detections = _points_of_object(tracks, shown)
    detections.image_size = _size(source.arrays)
    rate = source.arrays.get("fps")
    detections.fps = (
        exact_rate(float(rate.reshape(-1)[0])) if rate is not None and rate.size and rate.dtype.kind in "iuf" else None
    )
    detections.notes.append("Trackers often run on a reduced picture: if the points are off, scale them to the video.")
    return detections


def _single(array: NDArray[Any], ndim: int, name: str) -> F64:
    """Without the axis of batches, which must be of length 1."""
    if array.ndim == ndim + 1 and len(array) == 1:
        array = array[0]
    if array.ndim != ndim or array.dtype.kind not in "biuf":
        raise KeypointError(f"{name}: an array of shape {array.shape} is not a point track.", "Save one video a file.")
    return array.astype(np.float64)


def _visibility(values: F64, key: str) -> F64:
    """Confidence from a flag, a probability, or a logit."""
    if values.size and (values.min() < -0.01 or values.max() > 1.01):
        values = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return 1 - values if key in _HIDDEN else values


def _size(arrays: dict[str, NDArray[Any]]) -> tuple[int, int] | None:
    video = arrays.get("video")
    if video is not None and video.ndim == 4 and min(video.shape) > 0:
        return video.shape[2], video.shape[1]
    width, height = arrays.get("width"), arrays.get("height")
    if width is None or height is None or width.size != 1 or height.size != 1 or width.dtype.kind not in "iu":
        return None
    return (int(width.item()), int(height.item())) if min(width.item(), height.item()) > 0 else None
