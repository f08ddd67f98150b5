"""The camera that reproduces the video, with the video behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix
from mvlift.motion import Camera
from numpy.typing import NDArray

__all__ = ["new_camera", "place_camera", "sequence_of", "set_background", "set_render_size"]

_SENSOR: Final = 36.0  # mm
_IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".bmp", ".webp"})
# camera axes x right, y down, z forward to Blender's x right, y up, z backward
_FLIP: Final = np.diag([1.0, -1.0, -1.0])


def new_camera(camera: Camera, name: str, collection: Any) -> Any:
    """A camera object whose picture of the world is the video's."""
    data = bpy.data.cameras.new(name)
    target = bpy.data.objects.new(name, data)
    collection.objects.link(target)
    place_camera(target, camera)
    return target


def place_camera(target: Any, camera: Camera) -> None:
    """Set lens, shift and pose: K of square pixels becomes a 36 mm wide sensor's focal length and shift."""
    width, height = camera.image_size
    data, K = target.data, np.asarray(camera.K, dtype=np.float64)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = _SENSOR
    data.lens = float(K[0, 0] * _SENSOR / width)
    data.shift_x = float((0.5 * width - K[0, 2]) / width)
    data.shift_y = float((K[1, 2] - 0.5 * height) / width)
    data.clip_start, data.clip_end = 0.05, 1000.0
    R, t = np.asarray(camera.R, dtype=np.float64), np.asarray(camera.t, dtype=np.float64)
    matrix: NDArray[np.float64] = np.eye(4)
    matrix[:3, :3] = R.T @ _FLIP
    matrix[:3, 3] = -R.T @ t
    target.matrix_world = Matrix(matrix.tolist())


def set_render_size(scene: Any, size: tuple[int, int]) -> None:
    """Render what the camera saw: the video's size in square pixels."""
    render = scene.render
    render.resolution_x, render.resolution_y = size
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0


def set_background(target: Any, video: Path, first_frame: int, start: int, frames: int) -> None:
    """Show a video file, or the image sequence that a picture belongs to, behind everything in the camera view.

    Args:
        target: the camera object.
        video: the file; of a sequence, any picture.
        first_frame: number in the video (0-based) of the picture at ``start``.
        start: scene frame.
        frames: how many scene frames the clip has.

    Raises:
        RuntimeError: Blender cannot open the file.
    """
    image = bpy.data.images.load(str(video), check_existing=True)
    offset = first_frame
    if video.suffix.lower() in _IMAGES:
        first, count, _ = sequence_of(video)
        image.source = "SEQUENCE" if count > 1 else "FILE"
        offset += first - 1
    background = target.data.background_images.new()
    background.image = image
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "STRETCH"
    user = background.image_user
    user.frame_start, user.frame_offset, user.frame_duration = start, offset, frames
    user.use_auto_refresh = True
    target.data.show_background_images = True


def sequence_of(picture: Path) -> tuple[int, int, Callable[[int], Path]]:
    """The pictures whose names differ from this one's only in their last number.

    Returns:
        lowest number, count, and a function from a number to that picture's path.
    """
    match = re.fullmatch(r"(.*?)(\d+)", picture.stem)
    if match is None:
        return 1, 1, lambda _number: picture
    pattern = re.compile(rf"{re.escape(match[1])}(\d+){re.escape(picture.suffix)}", re.IGNORECASE)
    numbers = [int(m[1]) for p in picture.parent.iterdir() if (m := pattern.fullmatch(p.name))]
    stem, digits = match[1], len(match[2])
    return min(numbers), len(numbers), lambda number: picture.with_name(f"{stem}{number:0{digits}d}{picture.suffix}")
