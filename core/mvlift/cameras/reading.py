"""`read_camera_track`: the camera of any file of the common solvers and recorders, recognised by content.

======================= ================== ================== ===========================
file                    matrices           camera axes        world
======================= ================== ================== ===========================
our npz or json         world to camera    y down, z forward  as ``scale`` and ``up`` say
COLMAP (txt, bin)       world to camera    y down, z forward  any unit
TUM, DPVO               camera to world    y down, z forward  any unit
KITTI                   camera to world    y down, z forward  any unit
transforms.json         camera to world    y up, z backward   any unit
MegaSaM npz (cam_c2w)   camera to world    y down, z forward  any unit
VGGT npz (extrinsic)    world to camera    y down, z forward  any unit
DROID-SLAM (T, 7)       world to camera    y down, z forward  any unit
ARKit json              camera to world    y up, z backward   metres, y up
Nuke .chan              camera to world    y up, z backward   y up, any unit
TRAM (camera.npy)       camera to world    y down, z forward  metres
GVHMR, WHAM             from both bodies   y down, z forward  metres, y up
======================= ================== ================== ===========================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from mvlift.cameras.array_tracks import read_arrays
from mvlift.cameras.colmap_models import is_colmap, read_colmap
from mvlift.cameras.json_tracks import read_json
from mvlift.cameras.text_tracks import read_text
from mvlift.cameras.track import CameraTrack
from mvlift.errors import CameraError, DamagedFileError
from mvlift.typing import F64

__all__ = ["TrackFacts", "read_camera_track", "track_formats"]


@dataclass(frozen=True)
class TrackFacts:
    """What a file may not say.

    Attributes:
        fps: of the video: time stamps become frame numbers by it.
        image_size: (width, height) of the video.
    """

    fps: Fraction | None = None
    image_size: tuple[int, int] | None = None


Read = Callable[[Path, Fraction | None, tuple[int, int] | None], CameraTrack]
_BY_SUFFIX: Final[dict[str, Read]] = {
    ".npz": read_arrays,
    ".npy": read_arrays,
    ".pkl": read_arrays,
    ".pt": read_arrays,
    ".pth": read_arrays,
    ".json": read_json,
    ".txt": read_text,
    ".tum": read_text,
    ".csv": read_text,
    ".chan": read_text,
}


def track_formats() -> tuple[str, ...]:
    """Extensions of the files that are read, beside COLMAP's folders."""
    return tuple(_BY_SUFFIX)


def read_camera_track(
    path: str | Path,
    *,
    fps: Fraction | None = None,
    image_size: tuple[int, int] | None = None,
    focal: float | None = None,
    first_frame: int | None = None,
) -> CameraTrack:
    """The camera of a file or folder.

    Args:
        path: see the table above.
        fps: of the video, for files with time stamps.
        image_size: (width, height) of the video.
        focal: focal length in pixels, for files that do not say it.
        first_frame: number in the video of the first pose, where the file's own numbers are others.

    Raises:
        CameraError: it is no camera, or cannot be one.
    """
    source = Path(path)
    if not source.exists():
        raise CameraError(f"{source} is not there.", "Check the path of the camera track.")
    facts = TrackFacts(fps, image_size)
    try:
        track = _read(source, facts)
    except (DamagedFileError, OSError) as error:
        raise CameraError(f"{source.name} cannot be read ({error}).", "Export the camera again.") from error
    except (KeyError, ValueError, IndexError, TypeError, OverflowError, ArithmeticError, UnicodeDecodeError) as error:
        raise CameraError(
            f"{source.name} looks like a camera track, but is not written as one ({type(error).__name__}: {error}).",
            "Export it again, or write K, R and t into an npz.",
        ) from error
    if first_frame is not None:
        track = replace(track, frames=track.frames - track.frames[0] + first_frame)
    if focal is not None and track.K is None:
        track = replace(track, K=_lens(focal, image_size, source.name), image_size=image_size)
    return track


def _lens(focal: float, image_size: tuple[int, int] | None, name: str) -> F64:
    if image_size is None:
        raise CameraError(f"{name}: the size of the video is not known.", "Give its width and height.")
    return np.array([[focal, 0, image_size[0] / 2], [0, focal, image_size[1] / 2], [0, 0, 1.0]])


def _read(source: Path, facts: TrackFacts) -> CameraTrack:
    if is_colmap(source):
        return read_colmap(source, facts.fps, facts.image_size)
    if source.is_dir():
        inside = [p for p in sorted(source.iterdir()) if p.name in ("transforms.json", "camera.npy", "metadata.json")]
        if inside:
            return _read(inside[0], facts)
        raise CameraError(
            f"{source} holds no camera that is known.", "Name the file, or a COLMAP folder with images and cameras."
        )
    read = _BY_SUFFIX.get(source.suffix.lower())
    if read is None:
        raise CameraError(
            f"{source.name}: {source.suffix or 'no extension'} is not a known camera track format.",
            f"Known: {', '.join(_BY_SUFFIX)}.",
        )
    return read(source, facts.fps, facts.image_size)
