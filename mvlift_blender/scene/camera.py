"""The camera that reproduces the video, with the video behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix
from mvlift.kinematics.quaternions import continuous, from_matrix
from mvlift.motion import Camera
from mvlift.typing import F32, F64

from ..motion.timing import Timing, resample_rotations, resample_values
from .animation import current_curves, new_curves

__all__ = ["new_camera", "place_camera", "sequence_of", "set_background"]

_SENSOR: Final = 36.0  # mm
_IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".bmp", ".webp"})
# camera axes x right, y down, z forward to Blender's x right, y up, z backward
_FLIP: Final = np.diag([1.0, -1.0, -1.0])


def new_camera(camera: Camera, timing: Timing, name: str, collection: Any, metre: float = 1.0) -> Any:
    """A camera object whose picture of the world is the video's; one that moved is keyed.

    Args:
        camera: in the scene's units.
        timing: where the frames of a camera that moves lie in the scene.
        name: of the object and its data.
        collection: that it is linked to.
        metre: in the scene's units; sets what the camera clips.
    """
    data = bpy.data.cameras.new(name)
    target = bpy.data.objects.new(name, data)
    collection.objects.link(target)
    data.sensor_fit, data.sensor_width = "HORIZONTAL", _SENSOR
    data.clip_start, data.clip_end = 0.05 * metre, 1000.0 * metre
    data.display_size = 0.5 * metre
    place_camera(target, _at(camera, 0))
    if camera.moves:
        _key_camera(target, camera, timing)
    return target


def _at(camera: Camera, row: int) -> Camera:
    """The camera of one frame."""
    K, R = (m[row] if m.ndim == 3 else m for m in (camera.K, camera.R))
    return replace(camera, K=K, R=R, t=camera.t[row] if camera.t.ndim == 2 else camera.t)


def place_camera(target: Any, camera: Camera) -> None:
    """Set lens, shift and pose: K of square pixels becomes a 36 mm wide sensor's focal length and shift."""
    data = target.data
    data.lens, data.shift_x, data.shift_y = (float(v) for v in _lens(camera.K, camera.image_size))
    R, t = np.asarray(camera.R, dtype=np.float64), np.asarray(camera.t, dtype=np.float64)
    matrix: F64 = np.eye(4)
    matrix[:3, :3] = R.T @ _FLIP
    matrix[:3, 3] = -R.T @ t
    target.matrix_world = Matrix(matrix.tolist())


def _lens(K: F32, size: tuple[int, int]) -> F64:
    """(..., 3) focal length in millimetres, shift in x and y, of intrinsics (..., 3, 3)."""
    width, height = size
    K = np.asarray(K, dtype=np.float64)
    shift_x, shift_y = (0.5 * width - K[..., 0, 2]) / width, (K[..., 1, 2] - 0.5 * height) / width
    return np.stack([K[..., 0, 0] * _SENSOR / width, shift_x, shift_y], -1)


def _key_camera(target: Any, camera: Camera, timing: Timing) -> None:
    """Key pose and lens of a camera that moves, one row a frame of the clip."""
    R = np.broadcast_to(np.asarray(camera.R, np.float64), (timing.count, 3, 3))
    t = np.broadcast_to(np.asarray(camera.t, np.float64), (timing.count, 3))
    places = -np.einsum("tba,tb->ta", R, t)
    turns = continuous(from_matrix(np.swapaxes(R, 1, 2) @ _FLIP))
    target.rotation_mode = "QUATERNION"
    curves = new_curves(target, f"{target.name} path")
    curves.write("location", timing.frames, resample_values(places, timing.samples), group="Object Transforms")
    turned = resample_rotations(turns, timing.samples)
    curves.write("rotation_quaternion", timing.frames, turned, group="Object Transforms")
    if camera.K.ndim == 3:
        lens = resample_values(_lens(camera.K, camera.image_size), timing.samples)
        lens_curves = new_curves(target.data, f"{target.name} lens")
        for column, name in enumerate(("lens", "shift_x", "shift_y")):
            lens_curves.write(name, timing.frames, lens[:, column, None])


def set_background(target: Any, video: Path, first_frame: int, timing: Timing) -> None:
    """Show a video file, or the image sequence that a picture belongs to, behind everything in the camera view.

    Args:
        target: the camera object.
        video: the file; of a sequence, any picture.
        first_frame: number in the video (0-based) of the clip's first sample.
        timing: where the clip's samples lie in the scene; where its rate is not the video's, the picture is keyed.

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
    start, frames = int(timing.start), len(timing.frames)
    user.frame_start, user.frame_offset, user.frame_duration = start, offset, frames
    user.use_auto_refresh = True
    target.data.show_background_images = True
    if timing.fps != timing.clip_fps:
        _key_pictures(target, offset, timing)


def _key_pictures(target: Any, offset: int, timing: Timing) -> None:
    """Key which picture is shown: Blender goes on by one with every frame of the scene, whatever the video's rate."""
    index = len(target.data.background_images) - 1
    start = int(timing.start)
    frames = np.arange(start, int(np.ceil(timing.frames[-1])) + 1, dtype=np.float64)
    wanted = np.round(np.clip([timing.sample_at(f) for f in frames], 0, timing.count - 1))
    offsets = offset + wanted - (frames - start)
    changes = np.flatnonzero(np.diff(offsets, prepend=np.nan) != 0)
    path = f"background_images[{index}].image_user.frame_offset"
    curves = current_curves(target.data) or new_curves(target.data, f"{target.name} video")
    curves.write(path, frames[changes], offsets[changes, None], steps=True)


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
