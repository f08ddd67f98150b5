"""Keypoints of a listed person corrected by hand: stored as text in the scene, so that undo and saving include them."""

from __future__ import annotations

from typing import Any

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.corrections import Corrections

from .people import state_facts
from .sources import clip_of, detected_clip

__all__ = [
    "copy_keypoints",
    "corrections_of",
    "corrections_text",
    "forget_corrections",
    "place_keypoint",
    "see_keypoint",
    "swap_sides",
    "track_keypoint",
]


def corrections_of(person: Any) -> Corrections:
    """The corrections of a person.

    Raises:
        KeypointError: it cannot be read.
    """
    return Corrections.from_json(person.corrections)


def corrections_text(person: Any) -> str:
    """Summary of a person's corrections, for a panel."""
    try:
        made = corrections_of(person)
    except KeypointError as error:
        return str(error)
    frames = len(made.frames)
    parts = [f"{len(made.points)} keypoints in {frames} {'frame' if frames == 1 else 'frames'}"] if frames else []
    parts += [f"sides swapped in {first}-{last}" for first, last in made.swaps]
    return "; ".join(parts)


def _keep(settings: Any, person: Any, corrections: Corrections) -> None:
    """Keep corrections; on any failure the person is as before."""
    before, person.corrections = person.corrections, corrections.to_json()
    try:
        clip = clip_of(settings, person)
    except KeypointError:
        person.corrections = before
        raise
    state_facts(person, clip)


def _row(clip: KeypointClip, person: Any, frame: int) -> int:
    row = frame - clip.first_frame
    if not 0 <= row < len(clip):
        last = clip.first_frame + len(clip) - 1
        raise KeypointError(
            f"Frame {frame} of the video is outside {person.name}, who has frames {clip.first_frame} to {last}.",
            "Go to one of those.",
        )
    return row


def place_keypoint(settings: Any, person: Any, frame: int, name: str, place: tuple[float, float]) -> None:
    """Say where a keypoint is in a frame of the video, in pixels.

    Raises:
        KeypointError: the person has no such frame or keypoint.
    """
    _row(clip_of(settings, person), person, frame)
    _keep(settings, person, corrections_of(person).with_point(frame, name, place))


def see_keypoint(settings: Any, person: Any, frame: int, name: str, seen: bool) -> None:
    """Mark a keypoint as seen where it is, or as hidden.

    Raises:
        KeypointError: the person has no such frame or keypoint.
    """
    clip = clip_of(settings, person)
    row, column = _row(clip, person, frame), clip.layout.index(name)
    x, y = (float(v) for v in clip.points[row, column])
    if seen and clip.confidence[row, column] <= 0:
        raise KeypointError(f"{name} has no position in frame {frame}.", "Drag it to its position first.")
    _keep(settings, person, corrections_of(person).with_point(frame, name, (x, y) if seen else None))


def copy_keypoints(settings: Any, person: Any, frame: int, step: int, names: tuple[str, ...] = ()) -> int:
    """Take keypoints from a neighbouring frame; how many were taken.

    Args:
        settings: of the scene.
        person: listed.
        frame: of the video, to change.
        step: -1 for the frame before, 1 for the frame after.
        names: of the keypoints; none means all.

    Raises:
        KeypointError: the person has not both frames.
    """
    clip = clip_of(settings, person)
    _row(clip, person, frame)
    row = _row(clip, person, frame + step)
    made, count = corrections_of(person), 0
    for column, name in enumerate(clip.layout.names):
        if (not names or name in names) and clip.confidence[row, column] > 0:
            x, y = (float(v) for v in clip.points[row, column])
            made, count = made.with_point(frame, name, (x, y)), count + 1
    _keep(settings, person, made)
    return count


def swap_sides(settings: Any, person: Any, first: int, last: int) -> None:
    """Exchange left and right in some frames of the video.

    Raises:
        KeypointError: they are not a valid range.
    """
    if last < first:
        raise KeypointError(f"Frames {first} to {last} are not a valid range.", "Give a last frame after the first.")
    _keep(settings, person, corrections_of(person).with_swap(first, last))


def track_keypoint(settings: Any, person: Any, frame: int, name: str) -> tuple[int, int]:
    """Correct a keypoint between the corrected frames before and after a frame; those two frames.

    Raises:
        KeypointError: it is not corrected on both sides.
    """
    made = corrections_of(person)
    frames = sorted(f for (f, n), place in made.points.items() if n == name and place is not None)
    before = [f for f in frames if f <= frame]
    after = [f for f in frames if f > frame] or ([before.pop()] if len(before) > 1 else [])
    if not before or not after:
        raise KeypointError(f"{name} has no correction before and after frame {frame}.", "Correct it in two frames.")
    clip = detected_clip(settings, person)
    _keep(settings, person, made.tracked(clip, name, before[-1], after[0]))
    return before[-1], after[0]


def forget_corrections(settings: Any, person: Any, first: int, last: int) -> None:
    """Remove the corrections in a range of frames; the detector's keypoints are used again."""
    _keep(settings, person, corrections_of(person).without(first, last))
