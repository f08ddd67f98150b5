"""The list of people in the panel: filled from what was imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip

from .rigid_object import why_no_rigid_object
from .sources import UNITS, WHY, parse_fps, read_clips
from .video import MOVIES

__all__ = [
    "add_people",
    "ask_for",
    "describe",
    "import_sources",
    "sources_of",
    "state_facts",
    "why_no_people",
    "why_not",
]

_LEAST_FRAMES = 2


def sources_of(paths: Sequence[Path]) -> list[Path]:
    """What to read when the user chose these files: a picture's file of a numbered series stands for its folder.

    Raises:
        KeypointError: nothing was chosen.
    """
    sources: dict[Path, None] = {}
    several: dict[Path, bool] = {}  # whether a folder holds more than one file like that: its listing takes time
    for path in paths:
        series = _series_of(path)
        if series is not None and series not in several:
            several[series] = any(n >= _LEAST_FRAMES for n, _ in enumerate(series.parent.glob(series.name), 1))
        sources[path.parent if series is not None and several[series] else path] = None
    if not sources:
        raise KeypointError("No file was chosen.", "Choose keypoint files, or a folder of them.")
    return list(sources)


def _series_of(path: Path) -> Path | None:
    """Pattern of the files that differ from ``clip_00000012_keypoints.json`` in that number only; None for others."""
    found = re.fullmatch(r"(.*?)(\d{4,15})(_keypoints|_pose|)", path.stem)
    if found is None or not path.is_file():
        return None
    return path.with_name(f"{glob_safe(found[1])}{'[0-9]' * len(found[2])}{found[3]}{glob_safe(path.suffix)}")


def glob_safe(text: str) -> str:
    """The text with glob's own signs taken literally."""
    return re.sub(r"([*?[])", r"[\1]", text)


def import_sources(settings: Any, sources: Iterable[Path], replace: bool = False) -> list[KeypointClip]:
    """Read keypoint files and folders and list their people; those of a source that was listed before are replaced.

    Args:
        settings: of the scene.
        sources: files, folders, zips.
        replace: empty the list first.

    Returns:
        the clips that were added.

    Raises:
        KeypointError: one cannot be read; then the list is as it was.
    """
    fps, size = _typed_fps(settings), (settings.image_width, settings.image_height)
    read = [(source, read_clips(source, fps, size if min(size) > 0 else None)) for source in sources]
    if replace:
        settings.people.clear()
    added: list[KeypointClip] = []
    for source, clips in read:
        _drop(settings, str(source))
        add_people(settings, str(source), clips)
        added.extend(clips)
    if not settings.video:
        video = _video_beside(read[0][0])
        settings.video = str(video) if video is not None else ""
    return added


def _typed_fps(settings: Any) -> Fraction | None:
    try:
        return parse_fps(settings.fps)
    except ValueError as error:
        raise KeypointError(str(error), "Correct the frame rate in the panel.") from error


def _video_beside(source: Path) -> Path | None:
    """The video next to a keypoint file whose name begins the file's name, when there is just one."""
    stem = source.stem if source.is_file() else source.name
    try:
        beside = [p for p in source.parent.iterdir() if p.suffix.lower() in MOVIES and stem.startswith(p.stem)]
    except OSError:
        return None
    return beside[0] if len(beside) == 1 else None


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
        person.source = source
        state_facts(person, clip)
        person.fps = str(clip.fps) if clip.fps is not None else ""
        if clip.image_size is not None:
            person.width, person.height = clip.image_size
        if number == 0:
            settings.active = len(settings.people) - 1
            settings.range_first, settings.range_last = person.first, person.last


def state_facts(person: Any, clip: KeypointClip) -> None:
    """Keep what the panel says about a person's clip."""
    person.track = clip.track_id
    person.format, person.layout = clip.source_format, clip.layout.title or clip.layout.name
    person.first, person.last = clip.first_frame, clip.first_frame + len(clip) - 1
    person.confidence, person.gaps = clip.mean_confidence, len(clip.gaps())
    person.missing = float(1 - np.mean(clip.seen))
    person.why, person.units = (str(clip.metadata.get(key, "")) for key in (WHY, UNITS))
    person.notes = "\n".join(clip.assumptions)


def describe(settings: Any, person: Any) -> list[str]:
    """Lines that say what was recognised."""
    fps, size = settings.clip_fps(person), settings.clip_size(person)
    seconds = f", {person.frames / float(fps):.1f} s" if fps else ""
    rate = f"{float(fps):.5g} frames a second" if fps else "frame rate unknown"
    extent = f"{size[0]} x {size[1]} pixels" if size else "video size unknown"
    gaps = "no gaps" if not person.gaps else "1 gap" if person.gaps == 1 else f"{person.gaps} gaps"
    return [
        f"{person.format or 'keypoints'}: {person.layout}",
        f"Frames {person.first} to {person.last}{seconds}",
        f"{extent}, {rate}",
        f"{gaps}, {100 * person.missing:.0f} % of the keypoints missing",
        *([f"Told by: {person.why}; coordinates in {person.units}"] if person.why else []),
    ]


def ask_for(settings: Any) -> str:
    """What the panel must still be told about the video, as a sentence; "" for nothing."""
    missing = []
    if any(settings.clip_size(person) is None for person in settings.people):
        missing.append("the video's size")
    if any(settings.clip_fps(person) is None for person in settings.people):
        missing.append("its frame rate" if missing else "the video's frame rate")
    return f"Give {' and '.join(missing)}, or pick the video" if missing else ""


def why_no_people(context: Any) -> str:
    """Why nothing can be done with the list, or ""."""
    return "" if context.scene.mvlift.person() is not None else "The list is empty: import keypoints first"


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
    return why_no_rigid_object(settings)
