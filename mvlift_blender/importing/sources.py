"""Cache of keypoint clips by source; the scene itself stores only names and choices."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import bpy
from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.corrections import Corrections, corrected
from mvlift.keypoints.people import find_person
from mvlift.keypoints.rates import checked_rate

__all__ = [
    "UNITS",
    "WHY",
    "clip_of",
    "clip_of_record",
    "detected_clip",
    "forget",
    "listed_person",
    "parse_fps",
    "person_of",
    "read_clips",
]

WHY: Final = "told_by"
"""Of a clip's metadata: what gave the file's format away."""
UNITS: Final = "units"
"""Of a clip's metadata: what the file's coordinates are."""
_KEPT: Final = 16
_PIXELS: Final = "in_pixels"  # of a clip's metadata: the file has pixels, whatever the video's size
_Key = tuple[str, float, Fraction | None, tuple[int, int] | None, bool, float]
_latest: dict[str, Any] = {}
_clips: OrderedDict[_Key, tuple[KeypointClip, ...]] = OrderedDict()


def parse_fps(text: str) -> Fraction | None:
    """A frame rate from what was typed: "25", "29.97", "30000/1001"; None for nothing.

    Raises:
        ValueError: the text is no frame rate; the message says so to the user.
    """
    try:
        return checked_rate(text.strip())
    except KeypointError as error:
        raise ValueError(f"{error.message} Type 25, 29.97 or 30000/1001") from None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def read_clips(
    source: str | Path,
    fps: Fraction | None = None,
    size: tuple[int, int] | None = None,
    mirrored: bool = False,
    pixel_aspect: float = 1.0,
) -> tuple[KeypointClip, ...]:
    """The people of a keypoint file or folder, best first.

    Args:
        source: file or folder; Blender's ``//`` is the .blend's folder.
        fps: the video's rate, when the file does not say it.
        size: the video's (width, height) in its own pixels, when the file does not say it.
        mirrored: the video, or the keypoints' x, was mirrored; the clips are turned back.
        pixel_aspect: width of the video's pixels by their height; the clips have square pixels.

    Raises:
        KeypointError: the file is missing or is none that MVLift reads.
    """
    path = Path(bpy.path.abspath(str(source)))
    if not path.exists():
        raise KeypointError(f"{path} does not exist.", "Import the keypoints again from their new location.")
    key: _Key = (str(path), _modified(path), fps, size, mirrored, round(pixel_aspect, 6))
    if key not in _clips:
        _clips[key] = _read_with_facts(path, key)
        while len(_clips) > _KEPT:
            _clips.popitem(last=False)
    _clips.move_to_end(key)
    return _clips[key]


def _read_with_facts(path: Path, key: _Key) -> tuple[KeypointClip, ...]:
    """The people of a source, with what the user says about the video; a file in pixels is read only once."""
    name, modified, fps, size, mirrored, aspect = key
    changed = mirrored or aspect != 1.0  # then the keypoints themselves depend on the picture's size
    plain: _Key = (name, modified, None, size if changed else None, mirrored, aspect)
    if key != plain:
        if plain not in _clips:
            _clips[plain] = _read_with_facts(path, plain)
        known = _clips[plain]
        if all(clip.metadata.get(_PIXELS) for clip in known):
            stated = None if changed else size
            return tuple(replace(c, fps=fps or c.fps, image_size=stated or c.image_size) for c in known)
    from mvlift.keypoints.reading import inspect_keypoints

    inspection = inspect_keypoints(path, fps=fps, image_size=size, mirrored=mirrored, pixel_aspect=aspect)
    facts = {_PIXELS: inspection.units == "pixels", WHY: inspection.why, UNITS: inspection.units}
    return tuple(replace(clip, metadata={**clip.metadata, **facts}) for clip in inspection.clips)


def clip_of(settings: Any, person: Any) -> KeypointClip:
    """A listed person's clip, with the panel's frame rate and image size, and the corrections made by hand.

    Raises:
        KeypointError: the source is gone or holds that track no more.
    """
    return _with_corrections(detected_clip(settings, person), person.corrections)


def detected_clip(settings: Any, person: Any) -> KeypointClip:
    """As ``clip_of``, without the corrections.

    Raises:
        KeypointError: the source is gone or holds that track no more.
    """
    return person_of(person.source, person.track, *settings.video_facts(person))


def listed_person(settings: Any, source: str, track: str) -> Any | None:
    """The listed person of that file and track, or None."""
    return next((p for p in settings.people if (p.source, p.track) == (source, track)), None)


def clip_of_record(settings: Any, record: Any) -> KeypointClip:
    """The clip that a lift was made from, with the corrections of the listed person that it is of.

    Raises:
        KeypointError: the source is gone or holds that person no more.
    """
    source, (width, height) = settings.source_at(record.source), record.camera.image_size
    mirrored, aspect = (source.mirrored, source.pixel_aspect) if source is not None else (False, 1.0)
    size = (max(round(width / aspect), 1), height)  # a lift's picture has square pixels
    clip = person_of(record.source, record.track, record.timing.clip_fps, size, mirrored, aspect)
    person = listed_person(settings, record.source, record.track)
    return _with_corrections(clip, person.corrections if person is not None else "")


def _with_corrections(clip: KeypointClip, text: str) -> KeypointClip:
    """The clip with corrections in; the latest are kept, because the viewport asks with every redraw."""
    if not text:
        return clip
    if _latest.get("key") != (id(clip.points), text):
        _latest.update(key=(id(clip.points), text), clip=corrected(clip, Corrections.from_json(text)), of=clip)
    latest: KeypointClip = _latest["clip"]
    return replace(latest, fps=clip.fps, image_size=clip.image_size)


def person_of(
    source: str,
    track: str,
    fps: Fraction | None = None,
    size: tuple[int, int] | None = None,
    mirrored: bool = False,
    pixel_aspect: float = 1.0,
) -> KeypointClip:
    """One person of a keypoint file or folder; arguments as ``read_clips``, and the person's track or pieces.

    Raises:
        KeypointError: the source is gone or holds that person no more.
    """
    clips = read_clips(source, fps, size, mirrored, pixel_aspect)
    person = find_person(clips, track)
    if person is None:
        known = ", ".join(clip.track_id for clip in clips)
        raise KeypointError(f"{source} no longer contains person {track!r}; it contains {known}.", "Import it again.")
    return person


def forget() -> None:
    """Clear the cache."""
    _clips.clear()
    _latest.clear()
