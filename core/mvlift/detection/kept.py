"""Keypoints of a video that are kept in a file, so that the next time costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mvlift.detection.options import DetectionOptions, DetectionProgress
from mvlift.detection.pipeline import KEY, detect_keypoints, detection_key
from mvlift.errors import DetectionError, KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import load_clips, save_clips

__all__ = ["keypoints_of_video", "resume_file"]


def keypoints_of_video(
    video: Path,
    options: DetectionOptions,
    kept: Path,
    report_progress: Callable[[DetectionProgress], None] | None = None,
) -> list[KeypointClip]:
    """The people of a video; they are kept in a file, from which they come the next time.

    Args:
        video: a video or a folder of pictures.
        options: of the detection.
        kept: npz to read where it holds this video's keypoints, else to write; a run that was stopped goes on.
        report_progress: is told how far the detection is.

    Raises:
        DetectionError: the video cannot be read, or shows nobody.
    """
    if not video.exists():
        raise DetectionError(f"{video} is not there.", "Check the path.")
    if kept.is_file():
        try:
            clips = load_clips(kept)
            if clips and clips[0].metadata.get(KEY) == detection_key(video, options):
                return clips
        except KeypointError:
            pass  # it is written anew
    clips = detect_keypoints(video, options, progress=report_progress, resume_file=resume_file(kept))
    save_clips(clips, kept)
    return clips


def resume_file(output: Path) -> Path:
    """Where a detection that was stopped goes on from, beside its output."""
    return output.with_name(f".{output.stem}.detecting.npz")
