"""COLMAP's sparse models, as text or binary: images with poses (world to camera, y down, z forward) and cameras."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from mvlift.cameras.distortion import Distortion
from mvlift.cameras.numbering import frame_numbers
from mvlift.cameras.track import CameraTrack
from mvlift.errors import CameraError
from mvlift.kinematics.quaternions import to_matrix
from mvlift.typing import F64

__all__ = ["is_colmap", "read_colmap"]

_MODELS: Final = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8), 6: ("FULL_OPENCV", 12), 7: ("FOV", 5), 8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5), 10: ("THIN_PRISM_FISHEYE", 12),
}  # fmt: skip
"""Name and number of parameters of COLMAP's camera models."""
_ONE_FOCAL: Final = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_MOST: Final = 1_000_000


@dataclass(frozen=True)
class _Image:
    name: str
    camera: int
    quaternion: tuple[float, ...]
    place: tuple[float, ...]


@dataclass(frozen=True)
class _Lens:
    model: str
    size: tuple[int, int]
    parameters: tuple[float, ...]

    def matrix(self) -> F64:
        """(3, 3) K."""
        p = self.parameters
        fx, fy, cx, cy = (p[0], p[0], p[1], p[2]) if self.model in _ONE_FOCAL else p[:4]
        # COLMAP's pixel centres are at 0.5, as ours
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def _distortion(lens: _Lens, name: str) -> Distortion | None:
    """Of the models that bend as a polynomial of the radius.

    Raises:
        CameraError: a fisheye lens.
    """
    p = lens.parameters
    if lens.model in ("SIMPLE_PINHOLE", "PINHOLE"):
        return None
    if lens.model in ("SIMPLE_RADIAL", "RADIAL"):
        return Distortion("polynomial", tuple(p[3:]))
    if lens.model == "OPENCV":
        return Distortion("polynomial", tuple(p[4:6]), (p[6], p[7]))
    raise CameraError(f"{name}: the lens model {lens.model} is not known.", "Undistort the pictures in COLMAP first.")


def is_colmap(path: Path) -> bool:
    """Whether a folder (or its sparse/0, or one of its files) is a COLMAP model."""
    return _folder(path) is not None


def _folder(path: Path) -> Path | None:
    if path.is_file():
        return path.parent if path.name in ("images.txt", "images.bin", "cameras.txt", "cameras.bin") else None
    for folder in (path, path / "sparse" / "0", path / "sparse", path / "0"):
        if (folder / "images.txt").is_file() or (folder / "images.bin").is_file():
            return folder
    return None


def read_colmap(path: Path, fps: Fraction | None, image_size: tuple[int, int] | None) -> CameraTrack:
    """A COLMAP model whose pictures are the frames of a video.

    Raises:
        CameraError: it has no pictures, or its files are damaged.
    """
    folder = _folder(path)
    if folder is None:
        raise CameraError(f"{path} is no COLMAP model.", "Name the folder that holds images.txt or images.bin.")
    binary = (folder / "images.bin").is_file()
    try:
        images = _images_bin(folder / "images.bin") if binary else _images_txt(folder / "images.txt")
        lenses = _cameras_bin(folder / "cameras.bin") if binary else _cameras_txt(folder / "cameras.txt")
    except struct.error as error:
        raise CameraError(f"{folder}: a file of the model ends too early ({error}).", "Export it again.") from error
    if not images:
        raise CameraError(f"{folder}: no picture was registered.", "Solve the camera with more features.")
    numbers = frame_numbers([i.name for i in images])
    order = np.argsort(numbers, kind="stable")
    images = [images[i] for i in order]
    R = to_matrix(np.array([i.quaternion for i in images]))
    K = np.stack([lenses[i.camera].matrix() for i in images])
    size = lenses[images[0].camera].size
    t = np.array([i.place for i in images])
    distortion = _distortion(lenses[images[0].camera], str(path))
    return CameraTrack(numbers[order], R, t, K, size, "unknown", None, None, str(path), distortion=distortion)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _images_txt(path: Path) -> list[_Image]:
    """Every second line is a picture's pose: id, qw qx qy qz, tx ty tz, camera, name."""
    lines = _lines(path)
    while lines and not lines[-1]:
        lines.pop()
    images = []
    for line in lines[::2]:
        parts = line.split(maxsplit=9)
        numbers = tuple(float(v) for v in parts[1:8])
        images.append(_Image(parts[9], int(parts[8]), numbers[:4], numbers[4:7]))
    return images


def _cameras_txt(path: Path) -> dict[int, _Lens]:
    lenses = {}
    for line in filter(None, _lines(path)):
        number, model, width, height, *parameters = line.split()
        lenses[int(number)] = _Lens(model, (int(width), int(height)), tuple(float(p) for p in parameters))
    return lenses


def _images_bin(path: Path) -> list[_Image]:
    data, at = path.read_bytes(), 8
    (count,) = struct.unpack_from("<Q", data, 0)
    if count > _MOST:
        raise CameraError(f"{path} claims {count} pictures.", "Export it again.")
    images = []
    for _ in range(count):
        _, *numbers, camera = struct.unpack_from("<I7dI", data, at)
        at += 64
        end = data.index(b"\0", at)
        name = data[at:end].decode("utf-8")
        (points,) = struct.unpack_from("<Q", data, end + 1)
        at = end + 9 + 24 * points
        images.append(_Image(name, camera, tuple(numbers[:4]), tuple(numbers[4:])))
    return images


def _cameras_bin(path: Path) -> dict[int, _Lens]:
    data, at = path.read_bytes(), 8
    (count,) = struct.unpack_from("<Q", data, 0)
    if count > _MOST:
        raise CameraError(f"{path} claims {count} cameras.", "Export it again.")
    lenses = {}
    for _ in range(count):
        number, model, width, height = struct.unpack_from("<IiQQ", data, at)
        name, parameters = _MODELS[model]
        lenses[number] = _Lens(name, (width, height), struct.unpack_from(f"<{parameters}d", data, at + 24))
        at += 24 + 8 * parameters
    return lenses
