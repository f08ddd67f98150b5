"""What the viewport shows of the keypoints: which clip, which of its rows, and the video's picture under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip

from ..importing.corrections import corrections_of
from ..importing.sources import clip_of, clip_of_record
from ..motion.timing import Timing
from ..scene.frame_rate import scene_fps
from ..scene.scene_setup import lets_set_up
from ..scene.selected import lifted_armature, record_of
from .overlay import Other, Overlay, Shown

__all__ = ["add_preview", "current_video_frame", "remove_preview", "shown_at", "video_frame"]

_overlay: Overlay | None = None


@dataclass
class _Refused:
    """The last source that could not be read, so that a missing file is not looked for at every redraw."""

    key: tuple[str, ...] = ()


_refused = _Refused()


@dataclass(frozen=True)
class _Subject:
    """Who is shown: the listed person, if any, the clip, the video's frame, the picture's size, and whether lifted."""

    person: Any | None
    clip: KeypointClip
    number: float
    size: tuple[int, int]
    source: str
    lifted: bool


def _subject(context: Any) -> _Subject | None:
    """The result's person, else the listed one, in the present frame."""
    settings = context.scene.mvlift
    person, record = settings.person(), record_of(lifted_armature(context))
    frame = context.scene.frame_current_final
    size: tuple[int, int] | None
    if record is not None and record.source and (person is None or _same(person, record)):
        clip = _read(record.source, record.track, lambda: clip_of_record(settings, record))
        number = record.timing.sample_at(frame) + record.first_frame
        size, source, lifted = record.camera.image_size, record.source, True
    elif person is not None:
        size, source, lifted = settings.clip_size(person), person.source, False
        clip = _read(person.source, person.track, lambda: clip_of(settings, person))
        number = video_frame(context, settings, person, frame)
    else:
        return None
    return _Subject(person, clip, number, size, source, lifted) if clip is not None and size is not None else None


def current_video_frame(context: Any) -> int | None:
    """The frame of the video that is shown under the playhead for the active person, None without one."""
    subject = _subject(context)
    return round(subject.number) if subject is not None else None


def shown_at(context: Any) -> Shown | None:
    """What to draw in the present frame: keypoints of the result's person, else of the listed one, and of others."""
    settings = context.scene.mvlift
    subject = _subject(context) if settings.overlay else None
    if subject is None:
        return None
    number = round(subject.number)
    others = tuple(_others(settings, subject, number))
    active = next((i for i, p in enumerate(settings.people) if p == subject.person), 0)
    name = subject.person.name if subject.person is not None else ""
    video = _video(settings, subject.source)
    fixed = _corrected_in(subject.person, number)
    row = number - subject.clip.first_frame
    return Shown(subject.clip, row, subject.size, video, number, (active, name), others, fixed, subject.lifted)


def _corrected_in(person: Any, number: int) -> tuple[str, ...]:
    if person is None or not person.corrections:
        return ()
    try:
        points = corrections_of(person).points
    except MvliftError:
        return ()
    return tuple(name for frame, name in points if frame == number)


def _others(settings: Any, subject: _Subject, number: int) -> Iterator[Other]:
    """The other people of the same file who have the frame."""
    for index, person in enumerate(settings.people):
        if person == subject.person or person.source != subject.source or not person.first <= number <= person.last:
            continue
        clip = _read(person.source, person.track, partial(clip_of, settings, person))
        if clip is not None and 0 <= number - clip.first_frame < len(clip):
            yield Other(clip, number - clip.first_frame, index, person.name)


def _same(person: Any, record: Any) -> bool:
    return bool(person.source == record.source and person.track == record.track)


def video_frame(context: Any, settings: Any, person: Any, frame: float) -> float:
    """Frame number in the video of a scene frame, before the lift."""
    first = settings.range_first if settings.use_range else person.first
    fps = settings.clip_fps(person)
    scene = context.scene
    keeps = settings.rate == "SCENE" or (settings.rate == "AUTO" and not lets_set_up(scene, settings.scene_setup))
    rate = scene_fps(scene) if keeps else fps
    start = {"SCENE": scene.frame_start, "PLAYHEAD": scene.frame_start, "FRAME": settings.start}[settings.start_at]
    return Timing(1, fps, rate, start).sample_at(frame) + first


def _read(source: str, track: str, read: Any) -> KeypointClip | None:
    key = (source, track)
    if _refused.key == key:
        return None
    try:
        return read()
    except MvliftError:
        _refused.key = key
        return None


def _video(settings: Any, path_of_keypoints: str) -> Path | None:
    source = settings.source_at(path_of_keypoints)
    path = Path(bpy.path.abspath(source.video)) if source is not None and source.video else None
    return path if path is not None and path.is_file() else None


def forget_refusals() -> None:
    """Look for a missing source again: the list has changed."""
    _refused.key = ()


def add_preview() -> None:
    """Start to draw."""
    global _overlay
    _overlay = Overlay(shown_at)
    _overlay.add()


def remove_preview() -> None:
    """Stop to draw."""
    global _overlay
    overlay, _overlay = _overlay, None
    if overlay is not None:
        overlay.remove()
