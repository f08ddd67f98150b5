"""Camera tracks of plain text: TUM and KITTI trajectories, Nuke's .chan."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from mvlift.cameras.numbering import numbers_of_times
from mvlift.cameras.track import CameraTrack, track_from_poses
from mvlift.errors import CameraError
from mvlift.kinematics.quaternions import to_matrix
from mvlift.typing import F64

__all__ = ["read_text"]


def _table(path: Path) -> F64:
    """Rows of numbers, comments and a header left out.

    Raises:
        CameraError: the rows are not numbers, or have different lengths.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines()):
        parts = line.replace(",", " ").split()
        if not parts or parts[0].startswith(("#", "//")):
            continue
        try:
            rows.append([float(v) for v in parts])
        except ValueError:
            if rows:
                raise CameraError(
                    f"{path.name}, line {number + 1}: {line[:60]!r} is not numbers.", "Export one pose a line."
                ) from None
    if not rows or len({len(r) for r in rows}) > 1:
        raise CameraError(f"{path.name} is not a table of numbers.", "Export one pose a line.")
    return np.array(rows)


def read_text(path: Path, fps: Fraction | None, image_size: tuple[int, int] | None) -> CameraTrack:
    """A trajectory: 8 columns are TUM, 12 are KITTI, 7 or 8 in a .chan are Nuke's.

    Raises:
        CameraError: the table is none of these.
    """
    table = _table(path)
    columns = table.shape[1]
    if path.suffix.lower() == ".chan" and columns in (7, 8):
        return _chan(table, path, image_size)
    if columns == 8:
        frames = numbers_of_times(table[:, 0], fps, path.name)
        return track_from_poses(
            frames, _poses(table[:, 1:4], table[:, 4:]), camera_to_world=True, opengl=False, source=str(path)
        )
    if columns == 12:
        frames = np.arange(len(table), dtype=np.int64)
        return track_from_poses(
            frames, table.reshape(-1, 3, 4), camera_to_world=True, opengl=False, source=str(path)
        )  # fmt: skip
    raise CameraError(
        f"{path.name} has {columns} columns.",
        "Known are TUM (time tx ty tz qx qy qz qw), KITTI (12 numbers) and Nuke's .chan.",
    )


def _poses(place: F64, xyzw: F64) -> F64:
    """(T, 3, 4) of places (T, 3) and quaternions (T, 4), scalar last."""
    length = np.linalg.norm(xyzw, axis=1)
    if (length < 1e-6).any():
        raise CameraError("A quaternion is 0.", "Export the trajectory again.")
    R = to_matrix((xyzw / length[:, None])[:, [3, 0, 1, 2]])
    return np.concatenate([R, place[..., None]], -1)


def _chan(table: F64, path: Path, image_size: tuple[int, int] | None) -> CameraTrack:
    """Nuke: frame, place, rotation in degrees (order ZXY), vertical angle of view in degrees."""
    rx, ry, rz = np.radians(table[:, 4:7]).T
    R = _about(1, ry) @ _about(0, rx) @ _about(2, rz)
    poses = np.concatenate([R, table[:, 1:4, None]], -1)
    K = None
    if table.shape[1] == 8:
        if image_size is None:
            raise CameraError(f"{path.name} has an angle of view, and the video's size is not known.", "Give it.")
        width, height = image_size
        focal = height / 2 / np.tan(np.radians(table[:, 7]) / 2)
        K = np.zeros((len(table), 3, 3))
        K[:, 0, 0] = K[:, 1, 1] = focal
        K[:, :, 2] = [width / 2, height / 2, 1.0]
    frames = np.round(table[:, 0]).astype(np.int64)
    return track_from_poses(
        frames - frames[0], poses, camera_to_world=True, opengl=True, K=K, image_size=image_size,
        up=np.array([0.0, 1.0, 0.0]), source=str(path),
    )  # fmt: skip


def _about(axis: int, angle: F64) -> F64:
    """(T, 3, 3) rotations about a coordinate axis."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    R = np.zeros((len(angle), 3, 3))
    R[:, axis, axis] = 1
    R[:, i, i], R[:, j, j], R[:, i, j], R[:, j, i] = c, c, -s, s
    return R
