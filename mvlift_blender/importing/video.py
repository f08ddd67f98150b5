"""Size, frame rate and length of a video or an image sequence, as Blender itself reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bpy
from mvlift.keypoints.rates import exact_rate

from .checks import VideoFacts
from .mp4 import has_variable_rate, pixel_aspect

__all__ = ["MOVIES", "read_facts"]

MOVIES: Final = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv"})


def read_facts(path: Path) -> VideoFacts | None:
    """The facts of a video file, or None when Blender cannot open it. The temporary data-block is removed."""
    if not path.is_file():
        return None
    known = {clip.as_pointer() for clip in bpy.data.movieclips}
    try:
        clip = bpy.data.movieclips.load(str(path), check_existing=False)
    except RuntimeError:
        return None
    try:
        width, height = clip.size
        if min(width, height) <= 0:
            return None
        movie = path.suffix.lower() in MOVIES
        fps = exact_rate(clip.fps) if movie else None
        variable = movie and has_variable_rate(path)
        size = (int(width), int(height))
        aspect = pixel_aspect(path, size) if movie else 1.0
        return VideoFacts(size, fps, int(clip.frame_duration), variable, aspect)
    finally:
        if clip.as_pointer() not in known:
            bpy.data.movieclips.remove(clip)
