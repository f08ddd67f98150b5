"""What the viewport shows of the keypoints: which clip, which of its rows, and the video's picture under it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip

from ..importing.sources import clip_of, person_of
from ..motion.timing import Timing
from ..scene.frame_rate import scene_fps
from ..scene.scene_setup import lets_set_up
from ..scene.selected import lifted_armature, record_of
from .overlay import Overlay, Shown

__all__ = ["add_preview", "remove_preview", "shown_at", "video_frame"]

_overlay: Overlay | None = None


@dataclass
class _Refused:
    """The last source that could not be read, so that a missing file is not looked for at every redraw."""

    key: tuple[str, ...] = ()


_refused = _Refused()


def shown_at(context: Any) -> Shown | None:
    """What to draw in the present frame: the keypoints of the result's person, else of the listed one."""
    settings = context.scene.mvlift
    if not settings.overlay:
        return None
    person, record = settings.person(), record_of(lifted_armature(context))
    frame = context.scene.frame_current_final
    if record is not None and record.source and (person is None or _same(person, record)):
        clip = _read(record.source, record.track, lambda: _of_record(record))
        row = record.timing.sample_at(frame) + record.first_frame
        size, source = record.camera.image_size, record.source
    elif person is not None:
        size, source = settings.clip_size(person), person.source
        clip = _read(person.source, person.track, lambda: clip_of(settings, person))
        row = video_frame(context, settings, person, frame)
    else:
        return None
    if clip is None or size is None:
        return None
    number = round(row)
    return Shown(clip, number - clip.first_frame, size, _video(settings, source), number)


def _same(person: Any, record: Any) -> bool:
    return bool(person.source == record.source and person.track == record.track)


def _of_record(record: Any) -> KeypointClip:
    return person_of(record.source, record.track, record.timing.clip_fps, record.camera.image_size)


def video_frame(context: Any, settings: Any, person: Any, frame: float) -> float:
    """Frame number in the video of a scene frame, before the lift."""
    first = settings.range_first if settings.use_range else person.first
    fps = settings.clip_fps(person)
    scene = context.scene
    keeps = settings.rate == "SCENE" or (settings.rate == "AUTO" and not lets_set_up(scene, settings.scene_setup))
    rate = scene_fps(scene) if keeps else fps
    start = {"SCENE": scene.frame_start, "PLAYHEAD": scene.frame_current, "FRAME": settings.start}[settings.start_at]
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
