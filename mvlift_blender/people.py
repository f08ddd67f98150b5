"""The list of people in the panel: filled from what was imported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.keypoints import KeypointClip

from .library import read_clips

__all__ = ["add_people", "describe", "import_sources", "why_not"]


def import_sources(settings: Any, sources: Iterable[Path]) -> list[KeypointClip]:
    """Read keypoint files and folders and list their people; those of a source that was listed before are replaced.

    Returns:
        the clips that were added.

    Raises:
        KeypointError: one cannot be read; then the list is as it was.
    """
    from .library import parse_fps

    fps, size = parse_fps(settings.fps), (settings.image_width, settings.image_height)
    read = [(source, read_clips(source, fps, size if min(size) > 0 else None)) for source in sources]
    added: list[KeypointClip] = []
    for source, clips in read:
        _drop(settings, str(source))
        add_people(settings, str(source), clips)
        added.extend(clips)
    return added


def _drop(settings: Any, source: str) -> None:
    for index in reversed([i for i, person in enumerate(settings.people) if person.source == source]):
        settings.people.remove(index)


def add_people(settings: Any, source: str, clips: Iterable[KeypointClip]) -> None:
    """List clips of one source; the first, which the reader ranks best, is chosen."""
    stem = Path(source).stem or "Person"
    for number, clip in enumerate(clips):
        person = settings.people.add()
        person.name = f"{stem} {clip.track_id}" if number or clip.track_id not in ("", "0") else stem
        person.chosen = number == 0
        person.source, person.track = source, clip.track_id
        person.format, person.layout = clip.source_format, clip.layout.title or clip.layout.name
        person.first, person.last = clip.first_frame, clip.first_frame + len(clip) - 1
        person.fps = str(clip.fps) if clip.fps is not None else ""
        if clip.image_size is not None:
            person.width, person.height = clip.image_size
        person.confidence, person.gaps = clip.mean_confidence, len(clip.gaps())
        person.missing = float(1 - np.mean(clip.seen))
        person.notes = " ".join(clip.assumptions)
        if number == 0:
            settings.active = len(settings.people) - 1
            settings.range_first, settings.range_last = person.first, person.last


def describe(settings: Any, person: Any) -> list[str]:
    """Lines that say what was recognised."""
    fps, size = settings.clip_fps(person), settings.clip_size(person)
    seconds = f", {person.frames / float(fps):.1f} s" if fps else ""
    rate = f"{float(fps):.5g} frames a second" if fps else "frame rate unknown"
    extent = f"{size[0]} x {size[1]} pixels" if size else "video size unknown"
    gaps = f"{person.gaps} gaps, " if person.gaps else ""
    return [
        f"{person.format or 'keypoints'}, {person.layout}",
        f"Frames {person.first} to {person.last}{seconds}",
        f"{rate}, {extent}",
        f"{gaps}{100 * person.missing:.0f} % of the keypoints missing",
    ]


def why_not(settings: Any) -> str:
    """Why the chosen people cannot be lifted yet, or ""."""
    chosen = settings.chosen()
    if not settings.people:
        return "Import keypoints first"
    if not chosen:
        return "Tick at least one person in the list"
    if settings.fps_problem:
        return settings.fps_problem
    if any(settings.clip_size(person) is None for person in chosen):
        return "The video's size is unknown: pick the video, or type width and height"
    if any(settings.clip_fps(person) is None for person in chosen):
        return "The frame rate is unknown: pick the video, or type the frame rate"
    if settings.use_range and settings.range_last <= settings.range_first:
        return "The frame range ends before it begins"
    return ""
