"""Camera tracks in json: our own, NeRF's transforms.json, ARKit recorders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.cameras.array_tracks import own_track
from mvlift.cameras.numbering import frame_numbers, numbers_of_times
from mvlift.cameras.track import CameraTrack, track_from_poses
from mvlift.errors import CameraError
from mvlift.keypoints.rates import exact_rate
from mvlift.kinematics.quaternions import to_matrix
from mvlift.typing import F64

__all__ = ["read_json"]

_FRAMES: Final = ("frames", "camera_frames", "cameraFrames", "poses", "cameras")
_MATRIX: Final = ("transform", "cameraTransform", "camera_transform", "camera_pose", "cameraPose", "matrix",
                  "transform_matrix", "cameraPoseARFrame")  # fmt: skip
_TIME: Final = ("timestamp", "time", "t_sec")
_Y_UP: Final = np.array([0.0, 1.0, 0.0])


def read_json(path: Path, fps: Fraction | None, image_size: tuple[int, int] | None) -> CameraTrack:
    """A camera in json.

    Raises:
        CameraError: it is not json, or holds none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise CameraError(f"{path.name} is not valid json ({error}).", "Export it again.") from error
    if isinstance(document, Mapping) and {"R", "t"} <= set(document):
        return own_track(document, str(path))
    entries = _entries(document)
    if entries and isinstance(document, Mapping) and "transform_matrix" in entries[0]:
        return _transforms(document, entries, path)
    if entries:
        return _arkit(document if isinstance(document, Mapping) else {}, entries, path, fps)
    if isinstance(document, Mapping) and _is_rows(document.get("poses"), 7):
        return _record3d(document, path)
    raise CameraError(f"{path.name} holds no camera that is known.", "Write K, R and t into it, one entry a frame.")


def _is_rows(value: object, columns: int) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(r, list) and len(r) == columns for r in value)


def _entries(document: object) -> list[Mapping[str, Any]]:
    """The frames of a document that have a matrix."""
    entries = document if isinstance(document, list) else None
    if isinstance(document, Mapping):
        entries = next((document[k] for k in _FRAMES if isinstance(document.get(k), list)), None)
    if not entries or not all(isinstance(e, Mapping) and any(k in e for k in _MATRIX) for e in entries):
        return []
    return list(entries)


def _matrix(value: object) -> F64:
    """(4, 4) of 16 numbers, row after row or column after column, or of four rows or columns.

    Raises:
        CameraError: it is none.
    """
    m = np.asarray(value, dtype=np.float64)
    if m.size == 12:
        m = np.concatenate([m.reshape(3, 4), [[0, 0, 0, 1.0]]])
    if m.size != 16:
        raise CameraError(f"A pose has {m.size} numbers.", "Write 4x4 matrices.")
    m = m.reshape(4, 4)
    return m.T if np.allclose(m[:3, 3], 0) and not np.allclose(m[3, :3], 0) else m


def _poses(entries: Sequence[Mapping[str, Any]]) -> F64:
    return np.stack([_matrix(next(e[k] for k in _MATRIX if k in e)) for e in entries])


def _transforms(document: Mapping[str, Any], entries: list[Mapping[str, Any]], path: Path) -> CameraTrack:
    """NeRF's transforms.json: camera to world, y up, z backward."""
    numbers = frame_numbers([str(e.get("file_path", i)) for i, e in enumerate(entries)])
    order = np.argsort(numbers, kind="stable")
    entries = [entries[i] for i in order]
    K, size = _nerf_lens(document, entries)
    return track_from_poses(
        numbers[order], _poses(entries), camera_to_world=True, opengl=True, K=K, image_size=size, source=str(path)
    )


def _nerf_lens(document: Mapping[str, Any], entries: list[Mapping[str, Any]]) -> tuple[F64 | None, Any]:
    rows = []
    for entry in entries:
        facts = {**document, **entry}
        if "w" not in facts or "h" not in facts:
            return None, None
        width, height = float(facts["w"]), float(facts["h"])
        if "fl_x" in facts:
            fx = float(facts["fl_x"])
        elif "camera_angle_x" in facts:
            fx = width / 2 / np.tan(float(facts["camera_angle_x"]) / 2)
        else:
            return None, None
        fy = float(facts.get("fl_y", fx))
        cx, cy = float(facts.get("cx", width / 2)), float(facts.get("cy", height / 2))
        rows.append([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    first = {**document, **entries[0]}
    return np.array(rows), (int(first["w"]), int(first["h"]))


def _numbers(entries: Sequence[Mapping[str, Any]], fps: Fraction | None, path: Path) -> NDArray[np.int64]:
    for key in ("frame", "frame_number", "frameNumber", "index"):
        if all(isinstance(e.get(key), int) for e in entries):
            numbers = np.array([e[key] for e in entries], dtype=np.int64)
            return numbers - 1 if numbers.min() == 1 else numbers
    stamp = next((k for k in _TIME if all(isinstance(e.get(k), int | float) for e in entries)), None)
    if stamp is not None and fps is not None:
        return numbers_of_times(np.array([float(e[stamp]) for e in entries]), fps, path.name)
    return np.arange(len(entries), dtype=np.int64)


def _arkit(
    document: Mapping[str, Any], entries: list[Mapping[str, Any]], path: Path, fps: Fraction | None
) -> CameraTrack:
    """ARKit recorders (CamTrackAR and the like): camera to world, y up, z backward, metres, world y up."""
    written_rate = document.get("fps", document.get("frameRate"))
    rate = exact_rate(float(written_rate)) if isinstance(written_rate, int | float) else None
    rows = [e.get("intrinsics", e.get("cameraIntrinsics")) for e in entries]
    K = None if any(r is None for r in rows) else np.stack([_lens(r) for r in rows])
    size = document.get("resolution", document.get("image_size", document.get("imageResolution")))
    picture = (int(size[0]), int(size[1])) if isinstance(size, list) and len(size) == 2 else None
    return track_from_poses(
        _numbers(entries, rate or fps, path), _poses(entries), camera_to_world=True, opengl=True, K=K,
        image_size=picture, scale="metric", up=_Y_UP, fps=rate, source=str(path),
    )  # fmt: skip


def _lens(value: object) -> F64:
    """(3, 3) K of nine numbers by rows or by columns, or of fx fy cx cy."""
    m = np.asarray(value, dtype=np.float64)
    if m.size == 4:
        fx, fy, cx, cy = m.reshape(-1)
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    m = m.reshape(3, 3)
    return m.T if m[0, 2] == 0 and m[2, 0] != 0 else m


def _record3d(document: Mapping[str, Any], path: Path) -> CameraTrack:
    """Record3D's metadata: rows qx qy qz qw x y z, camera to world, y up, z backward, metres; K by columns."""
    rows = np.asarray(document["poses"], dtype=np.float64)
    R = to_matrix(rows[:, [3, 0, 1, 2]] / np.linalg.norm(rows[:, :4], axis=1, keepdims=True))
    poses = np.concatenate([R, rows[:, 4:, None]], -1)
    K = _lens(document["K"]) if "K" in document else None
    size = (int(document["w"]), int(document["h"])) if {"w", "h"} <= set(document) else None
    rate = exact_rate(float(document["fps"])) if "fps" in document else None
    return track_from_poses(
        np.arange(len(rows), dtype=np.int64), poses, camera_to_world=True, opengl=True, K=K, image_size=size,
        scale="metric", up=_Y_UP, fps=rate, source=str(path),
    )  # fmt: skip
