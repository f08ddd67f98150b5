"""Size, frame rate and length of a video or an image sequence, as Blender itself reads them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import bpy

from ..motion.timing import rational_fps

__all__ = ["MOVIES", "VideoFacts", "read_facts"]

MOVIES: Final = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv"})


@dataclass(frozen=True)
class VideoFacts:
    """(width, height) in pixels, exact frames per second (None for pictures), number of frames."""

    size: tuple[int, int]
    fps: Fraction | None
    frames: int


def read_facts(path: Path) -> VideoFacts | None:
    """What Blender finds in a file, or None when it cannot open it. The file's data-block does not stay."""
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
        fps = rational_fps(clip.fps) if movie and clip.fps > 0 else None
        return VideoFacts((int(width), int(height)), fps, int(clip.frame_duration))
    finally:
        if clip.as_pointer() not in known:
            bpy.data.movieclips.remove(clip)
