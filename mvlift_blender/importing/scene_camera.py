"""Tracks of Blender's own cameras: of an object of the scene, animated in whatever way, and of a Movie Clip's solve."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import bpy
import numpy as np
from mvlift.cameras.distortion import Distortion
from mvlift.cameras.track import CameraTrack, Scale, track_from_poses
from mvlift.cameras.writing import save_track
from mvlift.errors import CameraError
from mvlift.typing import F64

from ..scene.frame_rate import scene_fps
from ..scene.units import metres_per_unit

__all__ = ["World", "clip_track", "scene_camera_track", "track_file", "video_frames_in_scene"]

World = Literal["SCENE", "SIZE", "FREE"]
"""What holds of the camera's world: the scene's units and floor, its vertical alone, or neither."""
_UP: Final = np.array([0.0, 0.0, 1.0])


def video_frames_in_scene(scene: Any, first: int, count: int, fps: Fraction, begins: float) -> F64:
    """(count,) scene frames at which frames of a video are shown.

    Args:
        scene: whose rate counts.
        first: number of the first of them in the video, 0-based.
        count: how many.
        fps: of the video.
        begins: scene frame at which the video's frame 0 is shown.
    """
    step = float(scene_fps(scene) / fps)
    return np.asarray(begins + step * (first + np.arange(count)), dtype=np.float64)


def scene_camera_track(
    context: Any, camera: Any, first: int, frames: F64, size: tuple[int, int], fps: Fraction, world: World = "SCENE"
) -> CameraTrack:
    """A camera object, evaluated frame by frame: keys, constraints, drivers, imported animation. Nothing is changed.

    Args:
        context: of the scene.
        camera: the object.
        first: number in the video of the first frame.
        frames: (T,) scene frames.
        size: (width, height) of the video in square pixels.
        fps: of the video.
        world: see ``World``.

    Raises:
        CameraError: it is no perspective camera, or scaled to nothing or mirrored.
    """
    if camera is None or camera.type != "CAMERA":
        raise CameraError("There is no camera to take the movement from.", "Pick a camera object.")
    scene = context.scene
    shown, poses, lenses = scene.frame_current_final, [], []
    try:
        for frame in frames:
            whole_frame = int(np.floor(frame))
            scene.frame_set(whole_frame, subframe=float(frame) - whole_frame)
            seen = camera.evaluated_get(context.evaluated_depsgraph_get())
            if seen.data.type != "PERSP":
                raise CameraError(f"{camera.name} is no perspective camera.", "Set its lens type to Perspective.")
            poses.append(np.array(seen.matrix_world, dtype=np.float64))
            lenses.append(_lens(seen.data, size))
    finally:
        whole_frame = int(np.floor(shown))
        scene.frame_set(whole_frame, subframe=shown - whole_frame)
    return _in_metres(
        first, np.stack(poses), np.stack(lenses), size, fps, world, metres_per_unit(scene), f"camera {camera.name}"
    )


def clip_track(clip: Any, size: tuple[int, int], fps: Fraction, world: World = "FREE") -> CameraTrack:
    """The solved camera of a Movie Clip, with its lens and distortion; the clip's first frame is frame 0.

    Args:
        clip: with a reconstruction.
        size: (width, height) of the video in square pixels.
        fps: of the video.
        world: see ``World``.

    Raises:
        CameraError: it was not solved.
    """
    reconstruction = clip.tracking.reconstruction if clip is not None else None
    if reconstruction is None or not reconstruction.is_valid or not len(reconstruction.cameras):
        name = clip.name if clip is not None else "No Movie Clip"
        raise CameraError(f"{name} has no solved camera.", "Solve its camera motion in the Movie Clip Editor.")
    cameras = sorted(reconstruction.cameras, key=lambda c: c.frame)
    numbers = np.array([c.frame - 1 for c in cameras], dtype=np.int64)
    poses = np.stack([np.array(c.matrix, dtype=np.float64) for c in cameras])
    return _track(numbers, poses, _clip_lens(clip, size), size, fps, world, 1.0, f"Movie Clip {clip.name}",
                  _clip_distortion(clip.tracking.camera))  # fmt: skip


def _in_metres(
    first: int, poses: F64, K: F64, size: tuple[int, int], fps: Fraction, world: World, metres: float, name: str
) -> CameraTrack:
    return _track(first + np.arange(len(poses)), poses, K, size, fps, world, metres, name, None)


def _track(
    numbers: Any,
    poses: F64,
    K: F64,
    size: tuple[int, int],
    fps: Fraction,
    world: World,
    metres: float,
    name: str,
    distortion: Distortion | None,
) -> CameraTrack:
    """A track from matrices to the world, whose scale (of a camera's parents) is taken off."""
    length = np.linalg.norm(poses[:, :3, :3], axis=1, keepdims=True)
    if (length < 1e-6).any():
        raise CameraError(f"{name} is scaled to nothing.", "Apply the scale of the camera and its parents.")
    rigid = poses.copy()
    rigid[:, :3, :3] /= length
    rigid[:, :3, 3] *= metres
    scale: Scale = "metric" if world == "SCENE" else "unknown"
    up = None if world == "FREE" else _UP
    track = track_from_poses(numbers, rigid, camera_to_world=True, opengl=True, K=K, image_size=size, scale=scale,
                             up=up, fps=fps, source=name)  # fmt: skip
    return CameraTrack(
        track.frames, track.R, track.t, track.K, size, scale, up, fps, name, world == "SCENE", distortion
    )


def _lens(data: Any, size: tuple[int, int]) -> F64:
    """(3, 3) K of a camera's data for a video of a size: sensor fit, lens and shift."""
    width, height = size
    wide = data.sensor_fit == "HORIZONTAL" or (data.sensor_fit == "AUTO" and width >= height)
    side = width if wide else height
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    focal = data.lens / sensor * side
    return np.array(
        [[focal, 0, 0.5 * width - data.shift_x * side], [0, focal, 0.5 * height + data.shift_y * side], [0, 0, 1.0]]
    )


def _clip_lens(clip: Any, size: tuple[int, int]) -> F64:
    """(3, 3) K in square pixels, y down; the clip counts from the lower left."""
    lens, (wide, high) = clip.tracking.camera, clip.size
    stretch, scale = float(lens.pixel_aspect), size[1] / high
    x, y = lens.principal_point_pixels if hasattr(lens, "principal_point_pixels") else (wide / 2, high / 2)
    focal = lens.focal_length / lens.sensor_width * wide * stretch
    return np.array([[focal * scale, 0, x * stretch * scale], [0, focal * scale, (high - y) * scale], [0, 0, 1.0]])


def _clip_distortion(lens: Any) -> Distortion | None:
    """Of a Movie Clip's lens.

    Raises:
        CameraError: the model is another program's.
    """
    model = lens.distortion_model
    if model == "POLYNOMIAL":
        radial: Sequence[float] = (lens.k1, lens.k2, lens.k3)
    elif model == "BROWN":
        # its second axis points up
        radial, tangential = (
            (lens.brown_k1, lens.brown_k2, lens.brown_k3, lens.brown_k4),
            (-lens.brown_p1, lens.brown_p2),
        )
        return Distortion("polynomial", tuple(radial), tangential) if any((*radial, *tangential)) else None
    elif model == "DIVISION":
        radial = (lens.division_k1, lens.division_k2)
        return Distortion("division", tuple(radial)) if any(radial) else None
    else:
        raise CameraError(f"The lens distortion is of the model {model}.", "Choose Polynomial, Brown or Division.")
    return Distortion("polynomial", tuple(radial)) if any(radial) else None


def track_file(track: CameraTrack) -> Path:
    """The track in a file of Blender's temporary folder, for the engine."""
    return save_track(track, Path(bpy.app.tempdir) / "mvlift-camera.npz")
