"""From the detections of a video to one clip per person and shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.detections_store import DetectionStore
from mvlift.detection.even_rate import at_constant_rate, frame_rate, is_variable, usable_times
from mvlift.detection.options import DetectionOptions
from mvlift.detection.video import VideoInfo
from mvlift.errors import DetectionError
from mvlift.keypoints.assemble import assemble
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.layouts import Layout

__all__ = ["clips_of_video"]

_MOMENT: Final = 0.3
"""Seconds."""
_SMALL: Final = 40
"""Pixels; people who are smaller are detected badly."""


def clips_of_video(
    store: DetectionStore, info: VideoInfo, layout: Layout, options: DetectionOptions
) -> list[KeypointClip]:
    """One clip for each person of each shot, best first.

    Args:
        store: every frame's detections.
        info: of the video.
        layout: of the keypoints.
        options: as asked.

    Raises:
        DetectionError: nobody was found.
    """
    rows, points, confidence = store.arrays()
    if not len(rows):
        raise DetectionError(_nobody(info, len(store.numbers)), "Film closer, or detect with another program.")
    numbers, times = np.array(store.numbers, dtype=np.int64), np.array(store.times)
    shots = np.array(store.shots, dtype=np.int64)
    stamps = usable_times(times)
    fps = frame_rate(stamps, info, options.fps)
    variable = options.fps is None and is_variable(stamps, fps)
    notes = _notes(info, shots, numbers, variable, fps)
    clips: list[KeypointClip] = []
    for shot in np.unique(shots[rows]):
        here = np.flatnonzero(shots[rows] == shot)
        detections = Detections(
            frame=numbers[rows[here]],
            points=points[here],
            confidence=confidence[here],
            layout=layout,
            units="pixels",
            image_size=info.image_size,
            fps=fps,
            notes=list(notes),
            metadata=_facts(info, options, int(shot), int(shots.max())),
        )
        clips += assemble(detections, info.path.name, f"video ({options.detector})").clips
    if variable and fps is not None and stamps is not None:
        clips = [at_constant_rate(clip, numbers, stamps, fps) for clip in clips]
    ranked, passing = _without_fragments(sorted(clips, key=_rank, reverse=True))
    if passing:
        people_left_out = "1 person was" if passing == 1 else f"{passing} people were"
        ranked = [
            replace(c, assumptions=(*c.assumptions, f"{people_left_out} seen for a moment only: left out."))
            for c in ranked
        ]
    ranked = [replace(c, track_id=str(i), source=info.path) for i, c in enumerate(ranked)]
    return [replace(c, assumptions=(*c.assumptions, *_about(c))) for c in ranked]


def _without_fragments(clips: list[KeypointClip]) -> tuple[list[KeypointClip], int]:
    """Drop people seen for less than ``_MOMENT`` beside others; also returns their number."""
    frames = [int(c.seen.any(1).sum()) for c in clips]
    fps = float(clips[0].fps or 30)
    if max(frames) < 5 * _MOMENT * fps:
        return clips, 0
    kept = [c for c, seen in zip(clips, frames, strict=True) if seen >= _MOMENT * fps]
    return kept, len(clips) - len(kept)


def _nobody(info: VideoInfo, frames: int) -> str:
    return f"{info.path.name}: nobody was found in {frames} frames ({info.image_size[0]}x{info.image_size[1]})."


def _notes(
    info: VideoInfo, shots: NDArray[np.int64], numbers: NDArray[np.int64], variable: bool, fps: Fraction | None
) -> list[str]:
    notes = []
    cuts = numbers[1:][np.diff(shots) > 0].tolist()
    if cuts:
        cut_frames = ", ".join(map(str, cuts[:8])) + (", ..." if len(cuts) > 8 else "")
        notes.append(f"The video has {len(cuts)} cut{'s' if len(cuts) > 1 else ''} (frame {cut_frames}): "
                     "people before and after a cut are different people.")  # fmt: skip
    if variable and fps is not None:
        notes.append(f"The frame rate varies: the keypoints were brought to {float(fps):.5g} frames per second.")
    if info.sample_aspect != 1:
        notes.append(f"The video's pixels are not square: coordinates are those of {info.image_size[0]}x"
                     f"{info.image_size[1]} square pixels.")  # fmt: skip
    return notes


def _facts(info: VideoInfo, options: DetectionOptions, shot: int, last_shot: int) -> dict[str, object]:
    facts: dict[str, object] = {"video": str(info.path.resolve()), "detector": options.detector}
    if info.rotation:
        facts["rotation"] = info.rotation
    if info.sample_aspect != 1:
        facts["sample_aspect"] = str(info.sample_aspect)
    if info.focal is not None:
        facts["focal"] = info.focal
    if last_shot:
        facts["shot"] = shot
    return facts


def _size(clip: KeypointClip) -> float:
    """Median height of the person, pixels."""
    seen = clip.seen[..., None]
    extent = np.where(seen, clip.points, -np.inf).max(1) - np.where(seen, clip.points, np.inf).min(1)
    extent = extent[clip.seen.any(1)]
    return float(np.median(extent.max(1))) if len(extent) else 0.0


def _rank(clip: KeypointClip) -> float:
    """Frames x confidence x size, as keypoint files are ranked."""
    return float(clip.seen.any(1).sum()) * clip.mean_confidence * _size(clip)


def _about(clip: KeypointClip) -> Sequence[str]:
    size = _size(clip)
    return [f"Person {clip.track_id} is only {size:.0f} pixels tall: expect trembling."] if size < _SMALL else []
