"""From a reader's detections to one clip per person: layout, missing keypoints, units, axes, time, people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS, HandKeypoints, hands_of_columns
from mvlift.keypoints.identify import candidates_for, rank_layouts
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.keypoints.mirror import mirrored_detections, seems_mirrored
from mvlift.keypoints.missing import frozen_keypoints, missing_as_zero, normalised_confidence
from mvlift.keypoints.naming import layout_of_names
from mvlift.keypoints.rates import place_by_time, rate_of_times
from mvlift.keypoints.tracking import associate
from mvlift.keypoints.units import ASSUMED_SIZE, check_size, find_units, to_pixels
from mvlift.keypoints.upright import find_axes, with_axes
from mvlift.typing import F64

__all__ = ["Assembled", "VideoFacts", "assemble"]

_SURE: Final = 0.04
"""The layout is reported as a guess where its misfit is lower than the next one's by less than this."""
_MOMENT: Final = 3
_LONG: Final = 30
"""If one person is seen in at least this many frames, people in fewer than ``_MOMENT`` frames are false detections."""
_MAX_FRAMES: Final = 2_000_000


@dataclass(frozen=True)
class VideoFacts:
    """What the user says about the video; None for what is not said.

    Attributes:
        fps: frame rate.
        image_size: (width, height) in stored pixels.
        layout: of the keypoints.
        mirrored: the picture, or the keypoints' x, was turned over from left to right.
        pixel_aspect: width of a pixel by its height.
    """

    fps: Fraction | None = None
    image_size: tuple[int, int] | None = None
    layout: Layout | None = None
    mirrored: bool = False
    pixel_aspect: float = 1.0


@dataclass(frozen=True)
class Assembled:
    """Clips, best first, and what was decided on the way.

    Attributes:
        clips: one for each person.
        layout: of all of them.
        alternatives: other layouts with as many keypoints, with their misfits; empty where the file names them.
        units: as found.
        notes: sentences for the user.
    """

    clips: tuple[KeypointClip, ...]
    layout: Layout
    alternatives: tuple[tuple[str, float], ...]
    units: str
    notes: tuple[str, ...]


def _layout(
    detections: Detections, points: F64, score: F64, wanted: Layout | None, notes: list[str], name: str
) -> tuple[Layout, tuple[tuple[str, float], ...]]:
    joints = points.shape[1]
    if wanted is not None:
        if len(wanted.names) != joints:
            fits = ", ".join(candidates_for(joints)) or "none"
            raise KeypointError(
                f"{name} has {joints} keypoints; layout {wanted.name} has {len(wanted.names)}.",
                f"Layouts with {joints} keypoints: {fits}.",
            )
        return wanted, ()
    if detections.layout is not None:
        return detections.layout, ()
    if detections.names is not None:
        return layout_of_names(detections.names), ()
    choices = detections.layouts or candidates_for(joints)
    if not choices:
        raise KeypointError(
            f"{name} has {joints} unnamed keypoints, which no known layout has.",
            "Export it with keypoint names, or write a layout file.",
        )
    ranked = rank_layouts(points.astype(np.float32), score.astype(np.float32), choices)
    best = get_layout(ranked[0][0])
    if len(ranked) > 1 and ranked[1][1] - ranked[0][1] < _SURE:
        notes.append(f"The layout is a guess: {best.title}; it could be {get_layout(ranked[1][0]).title}.")
    return best, tuple(ranked)


def _frames(
    detections: Detections, fps: Fraction | None, notes: list[str]
) -> tuple[NDArray[np.int64], Fraction | None]:  # fmt: skip
    """(N,) frame numbers, and the frame rate as far as the user or the file tells it.

    Frames that were taken at irregular times are placed by their time stamps. Numbers that cannot be frames (time
    stamps, database ids) are replaced by their order.
    """
    placed = None if detections.time is None else place_by_time(detections.frame, detections.time, fps)
    if placed is not None:
        frame, rate = placed
        count, occupied = int(frame.max()) + 1, len(np.unique(frame))
        notes.append(
            f"The time stamps are irregular: the frames were placed by their time, {float(rate):.5g} a second. "
            f"{occupied} of {count} frames have keypoints."
        )
        return frame, rate
    notes += [detections.counted] if detections.counted else []
    rate_found = detections.fps if detections.time is None or detections.fps else rate_of_times(*_in_order(detections))
    if detections.time is not None and not (fps or rate_found) and not _grow(_in_order(detections)[1]):
        notes.append("The time stamps do not grow from frame to frame: they were not used. Give the frame rate.")
    return _plausible_numbers(detections, notes), fps or rate_found


def _grow(times: F64) -> bool:
    """Whether time stamps grow; what has hardly any stamps is not complained of."""
    stamps = times[np.isfinite(times)]
    return len(stamps) < 3 or bool((np.diff(stamps) > 0).all())


def _in_order(detections: Detections) -> tuple[NDArray[np.int64], F64]:
    """Frame numbers and times of the frames, once each, in order."""
    number, first = np.unique(detections.frame, return_index=True)
    return number, np.asarray(detections.time, dtype=np.float64)[first]


def _plausible_numbers(detections: Detections, notes: list[str]) -> NDArray[np.int64]:
    frame = np.asarray(detections.frame, dtype=np.int64)
    span = int(frame.max() - frame.min()) + 1
    distinct = len(np.unique(frame))
    if span > 1000 and (span > 200 * distinct or span > _MAX_FRAMES or np.abs(frame).max() > 1 << 40):
        notes.append("The frame numbers have huge gaps; frames are counted in their order.")
        return np.asarray(np.unique(frame, return_inverse=True)[1].reshape(-1), dtype=np.int64)
    return frame


def _ids(detections: Detections, notes: list[str]) -> NDArray[Any] | None:
    """(N,) ids of people; None where every detection has an id of its own, which is the number of a row."""
    ids = detections.person
    if ids is None or detections.ids_certain or len(ids) < _MOMENT or len(np.unique(detections.frame)) < _MOMENT:
        return ids
    if len(np.unique(ids)) < len(ids):
        return ids
    notes.append("Every detection has an id of its own: who is who was found by place.")
    return None


def _without_glimpses(people: list[tuple[str, list[int]]], notes: list[str]) -> list[tuple[str, list[int]]]:
    """Drop people that are seen for a moment beside others that are seen for long: false detections."""
    if max(len(rows) for _, rows in people) < _LONG:
        return people
    kept = [(track_id, rows) for track_id, rows in people if len(rows) >= _MOMENT]
    if len(kept) < len(people):
        gone = len(people) - len(kept)
        people_left_out = "1 person in fewer than" if gone == 1 else f"{gone} people in fewer than"
        notes.append(f"Left out: {people_left_out} {_MOMENT} frames{'' if gone == 1 else ' each'}.")
    return kept


def assemble(detections: Detections, name: str, source_format: str, video: VideoFacts | None = None) -> Assembled:
    """One clip per person.

    Args:
        detections: what a reader returned.
        name: of the file, for messages.
        source_format: of the clips.
        video: what the user says about it.

    Raises:
        KeypointError: nobody is in it, or the layout does not fit.
    """
    video, notes = video or VideoFacts(), list(detections.notes)
    if detections.confidence is not None:
        detections.confidence = normalised_confidence(np.asarray(detections.confidence, dtype=np.float64), notes)
    points, score = missing_as_zero(detections.points, detections.confidence)
    if not (score > 0).any():
        raise KeypointError(
            f"{name}: every keypoint is missing (0, NaN or confidence 0).", "Run the detector again and export it."
        )
    size = video.image_size or detections.image_size
    units = find_units(detections, points, score, size, notes)
    layout, ranked = _layout(detections, to_pixels(points, units, size), score, video.layout, notes, name)
    picture, hands, size = _in_the_picture(detections, points, score, layout, units, size, video, notes)
    frame, fps = _frames(detections, video.fps, notes)
    if video.mirrored:
        picture, score, hands = mirrored_detections(picture, score, hands, layout, size, frame, notes)
    people = associate(frame, picture, score, _ids(detections, notes), detections.ids_certain)
    if not people:
        raise KeypointError(f"{name}: no detection has two keypoints at once.", "Check the file with another program.")
    people = people if detections.ids_certain else _without_glimpses(people, notes)
    metadata = dict(detections.metadata)
    if units != "pixels" and video.image_size is None and detections.image_size is None:
        metadata["image_size_assumed"] = True
    base = KeypointClip(
        points=np.zeros((1, len(layout.names), 2), dtype=np.float32),
        confidence=np.zeros((1, len(layout.names)), dtype=np.float32),
        layout=layout,
        fps=fps,
        image_size=size,
        source_format=source_format,
        metadata=metadata,
    )
    clips = [
        _clip(base, track_id, frame[rows], picture[rows], score[rows], _rows_of(hands, rows))
        for track_id, rows in people
    ]
    clips = [_without_frozen(clip, notes) for clip in clips]
    if seems_mirrored(clips) and not video.mirrored:
        notes.append(
            "Left and right seem to have changed places: was the picture mirrored, or x turned over? If so, say that "
            "it is mirrored."
        )
    clips = [replace(clip, assumptions=tuple(notes)) for clip in clips]
    return Assembled(tuple(clips), layout, ranked, units, tuple(notes))


def _in_the_picture(
    detections: Detections,
    points: F64,
    score: F64,
    layout: Layout,
    units: str,
    size: tuple[int, int] | None,
    video: VideoFacts,
    notes: list[str],
) -> tuple[F64, F64 | None, tuple[int, int] | None]:
    """(N, J, 2) points and (N, 2, 21, 4) hands in square pixels with y down, and the size of the picture."""
    axes = find_axes(points, score, layout, units, detections.axes_uncertain, notes)
    picture = to_pixels(with_axes(points, axes, units, size, notes), units, size)
    hands = detections.hands
    if hands is not None:
        known, sure = missing_as_zero(hands[..., :2].reshape(len(hands), -1, 2), hands[..., 2].reshape(len(hands), -1))
        # some programs write the body in fractions and the hands in pixels
        hand_units = "pixels" if units == "fraction" and (known > 5).mean() > 0.5 else units
        known = to_pixels(with_axes(known, axes, hand_units, size, []), hand_units, size)
        scale = 1.0 if hand_units == "pixels" else float((size or ASSUMED_SIZE)[0])
        parts = [known, sure[..., None], scale * hands[..., 3].reshape(len(hands), -1, 1)]
        hands = np.concatenate(parts, -1).reshape(len(hands), 2, HAND_KEYPOINTS, 4)
    if detections.confidence is None:
        notes.append("The file has no confidence: every keypoint counts as sure.")
    if units != "pixels" and size is None:
        size = ASSUMED_SIZE
        notes.append(
            f"The coordinates are {'percent' if units == 'percent' else 'fractions'} of a picture of unknown size: "
            f"{size[0]}x{size[1]} was assumed. Give the video's size."
        )
    if (doubt := check_size(picture, score, units, size)) is not None:
        notes.append(doubt)
    if video.pixel_aspect != 1.0:
        picture = picture * [video.pixel_aspect, 1.0]
        hands = None if hands is None else hands * [video.pixel_aspect, 1.0, 1.0, video.pixel_aspect]
        size = None if size is None else (max(round(size[0] * video.pixel_aspect), 1), size[1])
        notes.append(f"Pixels are {video.pixel_aspect:.4g} times as wide as high: x was stretched.")
    if hands is None:
        hands = hands_of_columns(picture, score, layout.names)
    return picture, hands, size


def _rows_of(hands: F64 | None, rows: list[int]) -> F64 | None:
    return None if hands is None or not (hands[rows, :, 1:, 2] > 0).any() else hands[rows]


def _clip(
    base: KeypointClip, track_id: str, at: NDArray[np.int64], points: F64, score: F64, hands: F64 | None
) -> KeypointClip:  # fmt: skip
    """A person's clip: rows are frames, those without a detection have no keypoints."""
    first = int(at.min())
    shape = int(at.max()) - first + 1, points.shape[1]
    placed, sure = np.zeros((*shape, 2), dtype=np.float32), np.zeros(shape, dtype=np.float32)
    placed[at - first], sure[at - first] = points, score
    both = None
    if hands is not None:
        rows = np.full((shape[0], 2, HAND_KEYPOINTS, 4), np.nan, dtype=np.float32)
        rows[..., 2] = 0
        rows[at - first] = hands
        depth = rows[..., 3] if np.isfinite(rows[..., 3]).any() else None
        both = HandKeypoints(rows[..., :2], rows[..., 2], depth)
    return replace(base, points=placed, confidence=sure, first_frame=first, track_id=track_id, hands=both)


def _without_frozen(clip: KeypointClip, notes: list[str]) -> KeypointClip:
    """The clip without keypoints that stand still for all of it while the others move."""
    frozen = frozen_keypoints(clip.points, clip.confidence, clip.layout.names)
    if not frozen.any():
        return clip
    names = ", ".join(n for n, still in zip(clip.layout.names, frozen.tolist(), strict=True) if still)
    note = f"Standing at exactly one place for the whole clip, hence taken as missing: {names}."
    if note not in notes:
        notes.append(note)
    return replace(clip, confidence=np.where(frozen, np.float32(0), clip.confidence))
