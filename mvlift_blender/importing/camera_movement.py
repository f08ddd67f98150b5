"""What a moving camera needs: the video to solve it from, or the file with its path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip

from .scene_camera import clip_track, scene_camera_track, track_file, video_frames_in_scene
from .video import MOVIES

__all__ = ["camera_option", "told_gravity", "video_of", "why_no_movement"]


def video_of(source: Any | None) -> Path | None:
    """A keypoint file's movie, or the folder of its pictures; None where there is none."""
    path = Path(bpy.path.abspath(source.video)) if source is not None and source.video else None
    if path is None or not path.is_file():
        return None
    return path if path.suffix.lower() in MOVIES else path.parent


def why_no_movement(settings: Any, people: Sequence[Any]) -> str:
    """Why the camera's movement cannot be read from the panel's source, or ""."""
    if settings.movement != "STILL" and len({person.source for person in people}) > 1:
        return "Moving cameras: select people of one file only, because each video has its own camera"
    if settings.movement == "FILE":
        if not settings.track_file:
            return "Pick the camera path file, or set the camera to Still"
        path = Path(bpy.path.abspath(settings.track_file))
        return "" if path.exists() else f"{path} does not exist: pick the camera's path again"
    if settings.movement == "SCENE" and settings.track_camera is None:
        return "Pick the camera of the scene that follows the video, or set the camera to Still"
    if settings.movement == "CLIP" and settings.track_clip is None:
        return "Pick the Movie Clip whose camera was solved, or set the camera to Still"
    if settings.movement == "VIDEO":
        for person in people:
            source = settings.source_of(person)
            if video_of(source) is None:
                return (
                    f"The camera is solved from the video: pick the video of {person.name}, or set the camera to Still"
                )
            if source.mirrored:
                return f"The video of {person.name} is mirrored: use a camera path file"
    return ""


def told_gravity(settings: Any) -> dict[str, Any]:
    """Options of a lift that state gravity, as the panel tells it.

    Raises:
        LiftError: the lines are not drawn yet.
    """
    if settings.gravity == "TILT":
        return {"tilt": float(np.degrees(settings.tilt))}
    if settings.gravity in {"HORIZON", "VERTICALS"}:
        name = settings.gravity.lower()
        points = tuple(float(v) for v in getattr(settings, name))
        if not any(points):
            text = "The horizon is not drawn yet." if name == "horizon" else "The two verticals are not drawn yet."
            raise LiftError(text, "Draw over the video, or let gravity be estimated.")
        return {name: points}
    return {}


def camera_option(context: Any, clip: KeypointClip) -> str | None:
    """The camera of a clip for the engine: None of a still one, a file, or that the video tells.

    Args:
        context: whose scene holds the settings, and perhaps the camera.
        clip: with picture size and frame rate.

    Raises:
        CameraError: a camera of Blender's cannot be used.
    """
    settings = context.scene.mvlift
    if settings.movement in {"STILL", "VIDEO", "FILE"}:
        return {"STILL": None, "VIDEO": "estimate", "FILE": bpy.path.abspath(settings.track_file)}[settings.movement]
    assert clip.fps is not None
    assert clip.image_size is not None
    if settings.movement == "CLIP":
        return str(track_file(clip_track(settings.track_clip, clip.image_size, clip.fps, settings.track_world)))
    frames = video_frames_in_scene(context.scene, clip.first_frame, len(clip), clip.fps, settings.track_begins)
    track = scene_camera_track(
        context, settings.track_camera, clip.first_frame, frames, clip.image_size, clip.fps, settings.track_world
    )
    return str(track_file(track))
