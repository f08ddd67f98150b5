"""From the detections of a video to one clip per person and shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.detections_store import DetectionStore
from mvlift.detection.options import DetectionOptions
from mvlift.detection.video import VideoInfo
from mvlift.errors import DetectionError
from mvlift.keypoints.assemble import assemble
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.layouts import Layout
from mvlift.keypoints.rates import exact_rate
from mvlift.typing import F64

__all__ = ["clips_of_video", "frame_rate"]

_JITTER: Final = 0.6
"""Time stamps may be off by so many frames before the rate counts as variable."""
_LONGEST_STEP: Final = 0.25
"""Seconds between two frames over which keypoints are interpolated."""
_MOMENT: Final = 0.3
"""Seconds."""
_SMALL: Final = 40
"""Pixels; people who are smaller are detected badly."""


def frame_rate(times: F64, info: VideoInfo, wanted: Fraction | None) -> Fraction | None:
    """The rate of the clips: as asked, or nominal, or from the time stamps (N,)."""
    if wanted is not None:
        return wanted
    if info.fps is not None:
        return info.fps
    step = np.diff(times[np.isfinite(times)])
    return exact_rate(1 / float(np.median(step))) if len(step) and np.median(step) > 0 else None


def _is_variable(times: F64, fps: Fraction | None) -> bool:
    """True where frames (N,) are not where a constant rate would have them."""
    if fps is None or not np.isfinite(times).all() or len(times) < 2:
        return False
    steps = np.diff(times) * float(fps)
    drift = (times - times[0]) * float(fps) - np.arange(len(times))
    return bool(np.abs(drift).max() > _JITTER or (steps > 1 + _JITTER).any())


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
    fps = frame_rate(times, info, options.fps)
    variable = options.fps is None and _is_variable(times, fps)
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
    if variable and fps is not None:
        clips = [_at_constant_rate(clip, numbers, times, fps) for clip in clips]
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


def _at_constant_rate(clip: KeypointClip, numbers: NDArray[np.int64], times: F64, fps: Fraction) -> KeypointClip:
    """The clip on a grid of equal steps from the video's first frame, interpolated in time.

    Args:
        clip: a row for each frame number of the video.
        numbers, times: (N,) of the video's frames; seconds.
        fps: of the result.
    """
    time = times[np.searchsorted(numbers, clip.frames)]
    first, last = int(np.ceil(time[0] * fps - 0.5)), int(np.floor(time[-1] * fps + 0.5))
    grid = np.clip(np.arange(first, last + 1) / float(fps), time[0], time[-1])
    after = np.clip(np.searchsorted(time, grid, side="left"), 1, len(time) - 1) if len(time) > 1 else np.zeros(
        len(grid), dtype=np.int64)  # fmt: skip
    before = np.maximum(after - 1, 0)
    step = np.maximum(time[after] - time[before], 1e-9)
    share = np.clip((grid - time[before]) / step, 0, 1)[:, None, None]
    both = (clip.seen[before] & clip.seen[after])[..., None] & (step < _LONGEST_STEP)[:, None, None]
    nearest = np.where(share[:, 0, 0] < 0.5, before, after)
    points = np.where(both, (1 - share) * clip.points[before] + share * clip.points[after], clip.points[nearest])
    least = np.minimum(clip.confidence[before], clip.confidence[after])
    close = np.abs(time[nearest] - grid) < 0.5 * _LONGEST_STEP
    alone = np.where(close[:, None], clip.confidence[nearest], 0)
    confidence = np.where(both[..., 0], least, alone)
    return replace(
        clip,
        points=points.astype(np.float32),
        confidence=confidence.astype(np.float32),
        first_frame=first,
        fps=fps,
    )
