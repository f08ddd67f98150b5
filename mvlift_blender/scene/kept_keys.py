"""Which keys of a lifted Action the user has changed: the Action remembers a checksum of each frame and bone."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from mvlift.typing import F64
from numpy.typing import NDArray

from ..motion.skeleton import RestSkeleton
from .animation import Curves, current_curves
from .keyframes import location_path, rotation_path

__all__ = ["ChangedKeys", "changed_keys", "remember_keys"]

_KEY: Final = "mvlift_keys"
_HEAD: Final = struct.Struct("<III")


@dataclass(frozen=True, eq=False)
class ChangedKeys:
    """Keys that differ from what was written.

    Attributes:
        frames: (N,) scene frames with such a key, ascending.
        bones: (J,) names, in the order of ``rotations``.
        rotations: (N, J) whose rotation was changed.
        place: (N,) whether the root's location was.
    """

    frames: F64
    bones: tuple[str, ...]
    rotations: NDArray[np.bool_]
    place: NDArray[np.bool_]


def _checksums(curves: Curves, path: str, channels: int) -> tuple[NDArray[np.float32], NDArray[np.uint16]] | None:
    """Frames (N,) of a property's keys and a checksum of the values at each; None where its channels differ."""
    total: NDArray[np.uint32] | None = None
    frames = np.zeros(0, np.float32)
    for index in range(channels):
        curve = curves.find(path, index)
        if curve is None or not len(curve.keyframe_points):
            return None
        coordinates = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", coordinates)
        points = coordinates.reshape(-1, 2)
        if total is None:
            frames, total = points[:, 0].copy(), np.zeros(len(points), np.uint32)
        elif not np.array_equal(frames, points[:, 0]):
            return None
        bits = np.ascontiguousarray(points[:, 1]).view(np.uint32)
        total = total * np.uint32(31) + (bits ^ (bits >> np.uint32(15)))
    assert total is not None  # there is at least one channel
    return frames, ((total ^ (total >> np.uint32(16))) & np.uint32(0xFFFF)).astype(np.uint16)


def _paths(skeleton: RestSkeleton) -> list[tuple[str, int]]:
    return [*((rotation_path(n), 4) for n in skeleton.names), (location_path(skeleton.root), 3)]


def remember_keys(armature: Any, skeleton: RestSkeleton) -> None:
    """Keep checksums of the present Action's keys with it; none where bones have keys at different frames."""
    curves = current_curves(armature)
    if curves is None:
        return
    checksums = [_checksums(curves, path, channels) for path, channels in _paths(skeleton)]
    known = [pair for pair in checksums if pair is not None]
    if len(known) < len(checksums) or any(not np.array_equal(frames, known[0][0]) for frames, _ in known):
        if _KEY in curves.action:
            del curves.action[_KEY]
        return
    frames, sums = known[0][0], np.stack([values for _, values in known], 1)
    packed = _HEAD.pack(1, len(frames), sums.shape[1]) + frames.tobytes() + sums.tobytes()
    curves.action[_KEY] = b64encode(packed).decode("ascii")  # Blender cuts bytes off at a zero


def changed_keys(armature: Any, skeleton: RestSkeleton) -> ChangedKeys | None:
    """Where the present Action's keys differ from what was written; None where that is not known."""
    curves = current_curves(armature)
    text = curves.action.get(_KEY) if curves is not None else None
    if curves is None or not isinstance(text, str):
        return None
    stored = b64decode(text)
    if len(stored) < _HEAD.size:
        return None
    version, count, columns = _HEAD.unpack_from(stored)
    paths = _paths(skeleton)
    if version != 1 or columns != len(paths) or len(stored) != _HEAD.size + count * (4 + 2 * columns):
        return None
    frames = np.frombuffer(stored, np.float32, count, _HEAD.size)
    sums = np.frombuffer(stored, np.uint16, count * columns, _HEAD.size + 4 * count).reshape(count, columns)
    changed: dict[float, set[int]] = {}
    for column, (path, channels) in enumerate(paths):
        now = _checksums(curves, path, channels)
        if now is None:
            return None
        before = dict(zip(frames.tolist(), sums[:, column].tolist(), strict=True))
        for frame, value in zip(now[0].tolist(), now[1].tolist(), strict=True):
            if before.get(frame) != value:
                changed.setdefault(frame, set()).add(column)
    at = sorted(changed)
    flags = np.array([[c in changed[f] for c in range(columns)] for f in at], dtype=bool).reshape(len(at), columns)
    return ChangedKeys(np.array(at, dtype=np.float64), skeleton.names, flags[:, :-1], flags[:, -1])
