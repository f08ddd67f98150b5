"""SLEAP: projects and predictions (``.slp``) and analysis files (``.h5``, both orders of axes). Csv: see wide_csv."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.damage import reports_damage
from mvlift.keypoints.readers.keypoint_table import MAX_CELLS
from mvlift.keypoints.sources import Source
from mvlift.safe_reading import Hdf5

__all__: list[str] = []

_MATLAB: Final = ("track", "xy", "node", "frame")
_STANDARD: Final = ("frame", "track", "node", "xy")
_PREDICTED: Final = 1
_INSTANCE: Final = ("frame_id", "instance_type", "track", "point_id_start", "point_id_end")


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _fields(table: NDArray[Any]) -> set[str]:
    return set(table.dtype.names or ())


@reports_damage
def _recognise_analysis(source: Source) -> str | None:
    file = source.hdf5
    return "h5 with tracks and node_names" if file and "tracks" in file and "node_names" in file else None


def _axes(file: Hdf5, key: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names of a dataset's axes: as written, else MATLAB's order; else what fits the names of nodes."""
    try:
        written = tuple(str(d) for d in json.loads(_text(file.attributes(key).get("dims", ""))))
    except ValueError:
        written = ()
    if sorted(written) == sorted(_MATLAB):
        return written
    nodes = len(file.array("node_names"))
    matlab = len(shape) == 4 and shape[1] == 2 and shape[2] == nodes
    return _MATLAB if matlab else _STANDARD


def _moved(array: NDArray[Any], axes: tuple[str, ...], wanted: tuple[str, ...]) -> NDArray[np.float64]:
    return array.astype(np.float64).transpose([axes.index(a) for a in wanted])


@reader("sleap-analysis", "SLEAP analysis", _recognise_analysis, rank=10)
@reports_damage
def _read_analysis(source: Source) -> Detections:
    file = source.hdf5
    if file is None:
        raise KeypointError(f"{source.path.name} is no HDF5 file.", "Export SLEAP's analysis h5 again.")
    tracks = file.array("tracks")
    names = tuple(_text(n) for n in file.array("node_names"))
    axes = _axes(file, "tracks", tracks.shape)
    good = tracks.ndim == 4 and tracks.dtype.kind in "fiu" and tracks.shape[axes.index("xy")] == 2
    if not good or tracks.shape[axes.index("node")] != len(names):
        raise KeypointError(
            f"{source.path.name}: tracks has shape {tracks.shape} with {len(names)} nodes.", "Export it again."
        )
    points = _moved(tracks, axes, _STANDARD)  # (T, tracks, J, 2)
    score = None
    if "point_scores" in file:
        point_scores = file.array("point_scores")
        order = tuple(a for a in axes if a != "xy")
        if point_scores.ndim == 3 and point_scores.shape == tuple(tracks.shape[axes.index(a)] for a in order):
            score = _moved(point_scores, order, _STANDARD[:3])
    there = np.isfinite(points).all(-1).any(-1)
    frame, track = np.nonzero(there)
    labels = [_text(n) for n in file.array("track_names")] if "track_names" in file else []
    detections = Detections(
        frame=frame.astype(np.int64),
        points=points[frame, track],
        confidence=None if score is None else _certain_where_unscored(score[frame, track]),
        names=names,
        span=(0, len(points) - 1),
        units="pixels",
        format="sleap",
    )
    if len(labels) == points.shape[1] > 0:
        detections.person = np.array(labels)[track]
        detections.ids_certain = points.shape[1] == 1
    return detections


def _certain_where_unscored(score: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Points that a person placed have no score."""
    return None if np.isnan(score).all() else np.where(np.isnan(score), 1.0, score)


@reports_damage
def _recognise_project(source: Source) -> str | None:
    file = source.hdf5
    return "h5 with frames, instances and points" if file and {"frames", "instances"} <= set(file.keys()) else None


def _skeletons(file: Hdf5, name: str) -> list[tuple[str, ...]]:
    """Keypoint names of each skeleton: its nodes are numbers into the list of all nodes, in the points' order."""
    try:
        meta = json.loads(_text(file.attributes("metadata").get("json", "{}")))
        nodes = [str(n["name"]) if isinstance(n, dict) else str(n) for n in meta["nodes"]]
        made = []
        for skeleton in meta["skeletons"]:
            ids = [n["id"] if isinstance(n, dict) else n for n in skeleton["nodes"]]
            made.append(tuple(nodes[i if isinstance(i, int) else nodes.index(str(i))] for i in ids))
        return made
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise KeypointError(
            f"{name}: its skeleton cannot be read ({error!r}).", "Export SLEAP's analysis h5 instead."
        ) from error


@reader("sleap", "SLEAP", _recognise_project, rank=10)
@reports_damage
def _read_project(source: Source) -> Detections:
    file, name = source.hdf5, source.path.name
    if file is None:
        raise KeypointError(f"{name} is no HDF5 file.", "Save it with SLEAP again.")
    instances, frames = file.array("instances"), file.array("frames")
    if not len(instances) or not set(_INSTANCE) <= _fields(instances):
        raise KeypointError(f"{name} holds no instances.", "Run inference in SLEAP, and save the predictions.")
    skeletons = _skeletons(file, name)
    which = instances["skeleton"] if "skeleton" in _fields(instances) else np.zeros(len(instances), np.int64)
    main = int(np.bincount(which.astype(np.int64).clip(0)).argmax())
    names = skeletons[main]
    kept = instances[(which == main) & (instances["point_id_end"] - instances["point_id_start"] == len(names))]
    if not len(kept) or len(kept) * len(names) > MAX_CELLS:
        raise KeypointError(f"{name}: no instance has the {len(names)} points of its skeleton.", "Save it again.")
    points, score = _points(file, kept, len(names))
    numbers = _frame_numbers(frames, name)
    known = np.isin(kept["frame_id"], list(numbers))
    frame = np.array([numbers.get(int(i), 0) for i in kept["frame_id"]], dtype=np.int64)
    user = kept["instance_type"] != _PREDICTED
    replaced = ~user & np.isin(frame, frame[user])  # a frame that a person labelled keeps only those labels
    known &= ~replaced
    labels = _track_names(file)
    track = [labels[t] if 0 <= t < len(labels) else "" for t in kept["track"].tolist()]
    return Detections(
        frame=frame[known],
        points=points[known],
        confidence=score[known],
        names=names,
        person=np.array(track)[known] if any(track) else None,
        span=(min(numbers.values()), max(numbers.values())),
        units="pixels",
    )


def _points(file: Hdf5, instances: NDArray[Any], joints: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, J, 2) and (N, J) scores: predictions have scores, a person's labels are visible or not."""
    points, score = np.full((len(instances), joints, 2), np.nan), np.zeros((len(instances), joints))
    for kind, key in ((True, "pred_points"), (False, "points")):
        rows = np.flatnonzero((instances["instance_type"] == _PREDICTED) == kind)
        if not len(rows) or key not in file:
            continue
        table = file.array(key)
        if not {"x", "y"} <= _fields(table):
            continue
        start = instances["point_id_start"][rows].astype(np.int64)
        inside = (start >= 0) & (start + joints <= len(table))
        rows, index = rows[inside], start[inside][:, None] + np.arange(joints)
        points[rows] = np.stack([table["x"][index], table["y"][index]], -1)
        shown = table["visible"][index] if "visible" in _fields(table) else np.ones(index.shape)
        score[rows] = table["score"][index] if "score" in _fields(table) else shown
    return points, score


def _frame_numbers(frames: NDArray[Any], name: str) -> dict[int, int]:
    """Number in the video of each frame id; of the video with most frames, where there are several."""
    if not {"frame_id", "frame_idx"} <= _fields(frames) or not len(frames):
        raise KeypointError(f"{name} holds no frames.", "Save it with SLEAP again.")
    if "video" in _fields(frames):
        values, counts = np.unique(frames["video"], return_counts=True)
        frames = frames[frames["video"] == values[counts.argmax()]]
    return dict(
        zip(frames["frame_id"].astype(np.int64).tolist(), frames["frame_idx"].astype(np.int64).tolist(), strict=True)
    )


def _track_names(file: Hdf5) -> list[str]:
    """Names of the tracks: each is json of ``[number, name]`` or plain text."""
    names = []
    for entry in file.array("tracks_json") if "tracks_json" in file else []:
        try:
            value = json.loads(_text(entry))
        except ValueError:
            value = _text(entry)
        names.append(str(value[1]) if isinstance(value, list) and len(value) > 1 else str(value))
    return names
