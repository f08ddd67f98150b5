"""What a moving camera needs: the video to solve it from, or the file with its path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from .video import MOVIES

__all__ = ["video_of", "why_no_movement"]


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
