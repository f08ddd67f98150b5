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

from .camera_movement import why_no_movement
from .checks import compare, holds, suggested_size
from .rigid_object import why_no_rigid_object
from .sources import UNITS, WHY, parse_fps, read_clips
from .subjects import likely_subject
from .video import MOVIES

__all__ = [
    "add_people",
    "assumed",
    "compare_source",
    "describe",
    "forget_person",
    "import_sources",
    "mend",
    "short_name",
    "sources_of",
    "state_facts",
    "why_no_people",
    "why_not",
]

_LEAST_FRAMES = 2
_LONGEST_NAME = 18
_LONGEST_TRACK = 8


def sources_of(paths: Sequence[Path]) -> list[Path]:
    """The sources to read for chosen files: a file of a numbered series stands for its folder.

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
    match = re.fullmatch(r"(.*?)(\d{4,15})(_keypoints|_pose|)", path.stem)
    if match is None or not path.is_file():
        return None
    return path.with_name(f"{glob_safe(match[1])}{'[0-9]' * len(match[2])}{match[3]}{glob_safe(path.suffix)}")


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
    read = [(str(path), read_clips(path, *_typed(settings.source_at(str(path))))) for path in sources]
    if replace:
        settings.people.clear()
        settings.sources.clear()
    added: list[KeypointClip] = []
    for path, clips in read:
        _drop(settings, path)
        source = _listed(settings, path)
        source.suggested_width, source.suggested_height = suggested_size(clips, _in_pixels(clips))
        add_people(settings, path, clips)
        if not source.video:
            _guess_video(source, clips)
        if source.mirrored or source.pixel_aspect != 1:
            source.read_picture()
        compare_source(settings, source)
        added.extend(clips)
    return added


def _typed(source: Any | None) -> tuple[Fraction | None, tuple[int, int] | None]:
    """The user's values of a file that is imported again."""
    if source is None:
        return None, None
    size = (source.image_width, source.image_height)
    return None if source.fps_problem else parse_fps(source.fps), size if min(size) > 0 else None


def _listed(settings: Any, path: str) -> Any:
    source = settings.source_at(path)
    if source is None:
        source = settings.sources.add()
        source.path = path
    return source


def _in_pixels(clips: Sequence[KeypointClip]) -> bool:
    return all(clip.metadata.get(UNITS, "pixels") == "pixels" for clip in clips)


def compare_source(settings: Any, source: Any) -> None:
    """Compare a keypoint file with the facts of its video again, and store the findings."""
    source.findings.clear()
    person = next((p for p in settings.people if p.source == source.path), None)
    if person is None:
        return
    fps, size = settings.clip_fps(person), settings.size_facts(person)[0]
    try:
        clips = read_clips(source.path, fps, size)
    except KeypointError:  # the file is gone: lifting says so
        return
    for finding in compare(clips, size, fps, source.facts()):
        row = source.findings.add()
        row.text, row.fix = finding.text, finding.fix
        row.width, row.height = finding.size or (0, 0)
        row.fps = str(finding.fps) if finding.fps is not None else ""


def mend(settings: Any, source: Any, index: int) -> str:
    """Apply the correction of a finding; returns a report."""
    finding = source.findings[index]
    done, width, height, fps = finding.fix, finding.width, finding.height, finding.fps
    if width:
        source.image_width, source.image_height = width, height
    if fps:
        source.fps = fps
    return f"{Path(source.path).name}: {done}"


def _guess_video(source: Any, clips: Sequence[KeypointClip]) -> None:
    """Take the video beside a keypoint file, unless its picture cannot hold the keypoints: then it is another one."""
    video = _video_beside(Path(source.path))
    source.video = str(video) if video is not None else ""
    facts = source.facts()
    unsaid = all(clip.image_size is None for clip in clips)
    if facts is not None and unsaid and _in_pixels(clips) and not holds(clips, facts.size):
        source.video = ""
        source.pixel_aspect = 1.0


def _video_beside(source: Path) -> Path | None:
    """The video next to a keypoint file whose name begins the file's name, when there is just one."""
    stem = source.stem if source.is_file() else source.name
    try:
        beside = [p for p in source.parent.iterdir() if p.suffix.lower() in MOVIES and stem.startswith(p.stem)]
    except OSError:
        return None
    return beside[0] if len(beside) == 1 else None


def _drop(settings: Any, path: str) -> None:
    for index in reversed([i for i, person in enumerate(settings.people) if person.source == path]):
        settings.people.remove(index)


def forget_person(settings: Any, index: int) -> None:
    """Take a person off the list, and their file's entry with the last of its people."""
    path = settings.people[index].source
    settings.people.remove(index)
    if all(person.source != path for person in settings.people):
        kept = [i for i, source in enumerate(settings.sources) if source.path == path]
        for number in reversed(kept):
            settings.sources.remove(number)


def add_people(settings: Any, path: str, clips: Iterable[KeypointClip]) -> None:
    """List clips of one source; the first, which the reader ranks best, is selected."""
    stem = short_name(Path(path).stem)
    for number, clip in enumerate(clips):
        person = settings.people.add()
        track = clip.track_id if len(clip.track_id) <= _LONGEST_TRACK else str(number + 1)
        person.name = f"{stem} {track}" if number or clip.track_id not in ("", "0") else stem
        person.chosen = number == 0
        person.source = path
        state_facts(person, clip)
        person.subject = likely_subject(clip)
        person.fps = str(clip.fps) if clip.fps is not None else ""
        if clip.image_size is not None:
            person.width, person.height = clip.image_size
        if number == 0:
            settings.active = len(settings.people) - 1
            settings.range_first, settings.range_last = person.first, person.last


def short_name(stem: str) -> str:
    """A name for a list's row and an armature from a file's: without what detectors append, and not too long."""
    name = re.sub(
        r"(?i)([_\-. ]+(keypoints?|poses?|2d|openpose|alphapose|mmpose|coco|results?|predictions?))+$", "", stem
    )
    name = name.strip("_-. ") or stem or "Person"
    if len(name) <= _LONGEST_NAME:
        return name
    parts = re.split(r"[_\-. ]+", name)
    short = parts[0][:_LONGEST_NAME]
    for part in parts[1:]:
        if len(short) + 1 + len(part) > _LONGEST_NAME:
            break
        short = f"{short} {part}"
    return short


def state_facts(person: Any, clip: KeypointClip) -> None:
    """Store the facts of a person's clip for the panel."""
    person.track = clip.track_id
    person.family, person.keypoint_names = clip.layout.family, "\n".join(clip.layout.names)
    person.format, person.layout = clip.source_format, clip.layout.title or clip.layout.name
    person.first, person.last = clip.first_frame, clip.first_frame + len(clip) - 1
    person.confidence, person.gaps = clip.mean_confidence, len(clip.gaps())
    person.missing = float(1 - np.mean(clip.seen))
    person.why, person.units = (str(clip.metadata.get(key, "")) for key in (WHY, UNITS))
    person.notes = "\n".join(clip.assumptions)


def describe(settings: Any, person: Any) -> list[str]:
    """Lines that say what was recognised."""
    (fps, guessed_fps), (size, guessed_size) = settings.rate_facts(person), settings.size_facts(person)
    rate = f"{float(fps):.5g} frames a second" + (" (assumed)" if guessed_fps else "")
    extent = f"{size[0]} x {size[1]} pixels" + (" (assumed)" if guessed_size else "") if size else "nothing detected"
    gaps = "no gaps" if not person.gaps else "1 gap" if person.gaps == 1 else f"{person.gaps} gaps"
    return [
        f"{person.format or 'keypoints'}: {person.layout}",
        f"Frames {person.first} to {person.last}, {person.frames / float(fps):.1f} s",
        f"{extent}, {rate}",
        f"{gaps}, {100 * person.missing:.0f} % of the keypoints missing",
        *([f"Detected as: {person.why}; coordinates in {person.units}"] if person.why else []),
    ]


def assumed(settings: Any, person: Any) -> str:
    """The assumptions about a person's video as a sentence, "" for none."""
    (fps, guessed_fps), (size, guessed_size) = settings.rate_facts(person), settings.size_facts(person)
    parts = []
    if guessed_size and size is not None:
        parts.append(f"a picture of {size[0]} x {size[1]}")
    if guessed_fps:
        parts.append(f"{float(fps):.5g} frames a second")
    return f"Assumed {' and '.join(parts)}: pick the video, or type the right values" if parts else ""


def why_no_people(context: Any) -> str:
    """Why the list cannot be used, or ""."""
    return "" if context.scene.mvlift.person() is not None else "The list is empty: import keypoints first"


def why_not(settings: Any) -> str:
    """Why the selected people cannot be lifted yet, or ""."""
    chosen = settings.chosen()
    if not settings.people:
        return "Import keypoints first"
    if not chosen:
        return "Select at least one person in the list"
    for person in chosen:
        source = settings.source_of(person)
        if source is not None and source.fps_problem:
            return str(source.fps_problem)
        if settings.clip_size(person) is None:
            return f"{person.name} has no keypoints"
    if settings.use_range and settings.range_last <= settings.range_first:
        return "The last frame of the range is before the first"
    objects = (reason for person in chosen if (reason := why_no_rigid_object(settings, person)))
    return why_no_movement(settings, chosen) or next(objects, "")
