"""Camera tracks in our npz, which `read_camera_track` reads again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mvlift.cameras.track import CameraTrack
from mvlift.errors import CameraError
from mvlift.files import whole_file

__all__ = ["save_track"]


def save_track(track: CameraTrack, path: Path) -> Path:
    """Write a track as npz.

    Raises:
        CameraError: the disk is full or may not be written.
    """
    arrays: dict[str, Any] = {"frames": track.frames, "R": track.R, "t": track.t, "scale": np.array(track.scale)}
    for name in ("K", "up", "image_size"):
        value = getattr(track, name)
        if value is not None:
            arrays[name] = np.asarray(value)
    if track.fps is not None:
        arrays["fps"] = np.array(str(track.fps))
    if track.floor_known:
        arrays["floor_known"] = np.array(True)
    if track.distortion is not None:
        arrays["distortion_model"] = np.array(track.distortion.model)
        arrays["distortion"] = np.array(track.distortion.radial)
        arrays["distortion_tangential"] = np.array(track.distortion.tangential)
    try:
        with whole_file(path) as part, part.open("wb") as stream:
            np.savez(stream, **arrays)
    except OSError as error:
        raise CameraError(f"{path} cannot be written ({error.strerror}).", "Choose another folder.") from error
    return path
