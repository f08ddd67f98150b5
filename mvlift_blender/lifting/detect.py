"""Videos whose people the engine detects: where their keypoints are kept, and how they come into the list."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from mvlift.errors import DetectionError

from ..engine.queue import VideoRequest
from ..importing.people import import_sources
from ..importing.video import MOVIES
from ..settings.preferences import cache_folder

__all__ = ["detection_requests", "list_detected", "videos_of"]


def videos_of(paths: Sequence[Path]) -> list[Path]:
    """The videos among files that were chosen.

    Raises:
        DetectionError: nothing was chosen, one is not there, or one is no video.
    """
    if not paths:
        raise DetectionError("No video was chosen.", "Choose one or more video files.")
    for path in paths:
        if not path.exists():
            raise DetectionError(f"{path} does not exist.", "Choose the video again.")
        if path.is_file() and path.suffix.lower() not in MOVIES:
            raise DetectionError(
                f"{path.name} is not a video file that MVLift knows.",
                f"Videos end in {', '.join(sorted(MOVIES))}. Use Import Keypoints for keypoint files.",
            )
    return list(paths)


def kept_keypoints(context: Any, video: Path) -> Path:
    """Where a video's keypoints are kept: beside the .blend, or in MVLift's own folder while there is none."""
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / f"{video.stem}_keypoints.npz"
    name = hashlib.sha256(str(video.resolve()).encode()).hexdigest()[:12]
    folder = cache_folder(context) / "keypoints"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{video.stem}-{name}.npz"


def detection_requests(context: Any, videos: Sequence[Path], hands: bool) -> list[VideoRequest]:
    """Detection requests for the engine.

    Raises:
        DetectionError: two videos would be kept in one file.
    """
    requests = [VideoRequest(v.name, v.resolve(), kept_keypoints(context, v), hands) for v in videos]
    if len({r.keypoints for r in requests}) < len(requests):
        raise DetectionError("Two of the videos have the same name.", "Import them one by one, or rename one.")
    return requests


def list_detected(settings: Any, detected: Sequence[tuple[VideoRequest, Path]]) -> str:
    """List the people of videos, each with its video; returns a report."""
    people = 0
    for request, file in detected:
        people += len(import_sources(settings, [file]))
        source = settings.source_at(str(file))
        source.video = str(request.video)
    count = f"{people} {'person' if people == 1 else 'people'}"
    return f"{count} in {', '.join(request.name for request, _ in detected)}"
