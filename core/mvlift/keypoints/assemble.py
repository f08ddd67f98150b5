"""From a reader's detections to one clip per person: layout, missing keypoints, units, people."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.identify import candidates_for, rank_layouts
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.keypoints.naming import layout_of_names
from mvlift.keypoints.tracks import associate
from mvlift.keypoints.upright import upright
from mvlift.typing import F64

__all__ = ["Assembled", "assemble", "missing_as_zero"]

_GUESSED_SIZE: Final = (1280, 720)
_SURE: Final = 0.04
"""A layout that fits better than the next by less than this misfit is a guess."""
_MOMENT: Final = 3
_LONG: Final = 30
"""Where somebody is seen in so many frames, who is seen in fewer than ``_MOMENT`` is nobody."""
_MAX_FRAMES: Final = 2_000_000


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


def missing_as_zero(found: Detections) -> tuple[F64, F64]:
    """Points with 0 where missing, and confidence in [0, 1] with 0 there."""
    points = np.asarray(found.points, dtype=np.float64)
    known = np.isfinite(points).all(-1) & (points != 0).any(-1) & (np.abs(points) < 1e7).all(-1)
    if found.confidence is None:
        score = np.ones(points.shape[:2])
    else:
        score = np.nan_to_num(np.asarray(found.confidence, dtype=np.float64), nan=0.0, posinf=1.0)
    # clips hold 32 bits, in which the smallest numbers are 0
    score = np.where(known, np.clip(score, 0, 1).astype(np.float32), 0).astype(np.float64)
    return np.where((score > 0)[..., None], points, 0.0), score


def _is_percent(values: F64, size: tuple[int, int] | None) -> bool:
    """Whether coordinates of a script's file fill no more than 0 to 100 of a picture that must be larger."""
    inside = bool(((values >= -5) & (values <= 105)).mean() > 0.99 and values.max() < 150)
    return inside and bool(np.ptp(values) > 15) and (size is None or min(size) > 150)


def _units(found: Detections, points: F64, score: F64, size: tuple[int, int] | None, notes: list[str]) -> str:
    if found.units != "unknown":
        return found.units
    values = points[score > 0]
    if not len(values):
        return "pixels"
    if np.mean((values >= -0.5) & (values <= 1.5)) > 0.95 and np.ptp(values) < 8:
        low = np.quantile(values, 0.02, axis=0)
        return "centred" if (low < -0.12).all() and np.abs(values).max() <= 1.001 else "fraction"
    if np.mean((values >= -1.001) & (values <= 1.001)) > 0.99:
        return "centred"
    if found.loose and _is_percent(values, size):
        notes.append("No coordinate is far above 100: they were taken for percent of the picture.")
        return "percent"
    return "pixels"


def _layout(
    found: Detections, points: F64, score: F64, wanted: Layout | None, notes: list[str], name: str
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
    if found.layout is not None:
        return found.layout, ()
    if found.names is not None:
        return layout_of_names(found.names), ()
    choices = found.layouts or candidates_for(joints)
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


def _to_pixels(points: F64, units: str, size: tuple[int, int] | None, notes: list[str]) -> F64:
    if units == "pixels":
        return points
    if size is None:
        notes.append(
            f"The coordinates are {'percent' if units == 'percent' else 'fractions'} of a picture of unknown size: "
            f"{_GUESSED_SIZE[0]}x{_GUESSED_SIZE[1]} was assumed. Give the video's size."
        )
    extent = np.array(size or _GUESSED_SIZE, dtype=np.float64)
    share = {"fraction": points, "percent": points / 100, "centred": (points + 1) / 2}[units]
    return share * extent


def _frames(found: Detections, notes: list[str], name: str) -> NDArray[np.int64]:
    """Frame numbers; numbers that cannot be frames (time stamps, database ids) are replaced by their order."""
    frame = np.asarray(found.frame, dtype=np.int64)
    span = int(frame.max() - frame.min()) + 1
    distinct = len(np.unique(frame))
    if span > 1000 and (span > 200 * distinct or span > _MAX_FRAMES or np.abs(frame).max() > 1 << 40):
        notes.append("The frame numbers have huge gaps; frames are counted in their order.")
        return np.asarray(np.unique(frame, return_inverse=True)[1].reshape(-1), dtype=np.int64)
    return frame


def _without_glimpses(people: list[tuple[str, list[int]]], notes: list[str]) -> list[tuple[str, list[int]]]:
    """People without those who are seen for a moment beside others who are seen for long: a detector's inventions."""
    if max(len(rows) for _, rows in people) < _LONG:
        return people
    kept = [(who, rows) for who, rows in people if len(rows) >= _MOMENT]
    if len(kept) < len(people):
        gone = len(people) - len(kept)
        who = "1 person in fewer than" if gone == 1 else f"{gone} people in fewer than"
        notes.append(f"Left out: {who} {_MOMENT} frames{'' if gone == 1 else ' each'}.")
    return kept


def assemble(
    found: Detections,
    name: str,
    source_format: str,
    fps: Fraction | None = None,
    image_size: tuple[int, int] | None = None,
    layout: Layout | None = None,
) -> Assembled:
    """One clip per person.

    Args:
        found: what a reader found.
        name: of the file, for messages.
        source_format: of the clips.
        fps: of the video, where the user says it.
        image_size: of the video, where the user says it.
        layout: where the user says it.

    Raises:
        KeypointError: nobody is in it, or the layout does not fit.
    """
    notes = list(found.notes)
    points, score = missing_as_zero(found)
    if not (score > 0).any():
        raise KeypointError(
            f"{name}: every keypoint is missing (0, NaN or confidence 0).", "Run the detector again and export it."
        )
    size = image_size or found.image_size
    units = _units(found, points, score, size, notes)
    chosen, ranked = _layout(found, _to_pixels(points, units, size, []), score, layout, notes, name)
    points = upright(points, score, chosen, units, size, found.loose, notes)
    picture = _to_pixels(points, units, size, notes)
    if found.confidence is None:
        notes.append("The file has no confidence: every keypoint counts as sure.")
    if units != "pixels" and size is None:
        size = _GUESSED_SIZE
    people = associate(_frames(found, notes, name), picture, score, found.person, found.ids_certain)
    if not people:
        raise KeypointError(f"{name}: nobody has two keypoints at once.", "Check the file with another program.")
    people = people if found.ids_certain else _without_glimpses(people, notes)
    frame = _frames(found, [], name)
    clips = []
    for who, rows in people:
        at = frame[rows]
        first = int(at.min())
        joints = points.shape[1]
        where = np.zeros((int(at.max()) - first + 1, joints, 2), dtype=np.float32)
        sure = np.zeros(where.shape[:2], dtype=np.float32)
        where[at - first], sure[at - first] = picture[rows], score[rows]
        clips.append(
            KeypointClip(
                points=where,
                confidence=sure,
                layout=chosen,
                fps=fps or found.fps,
                image_size=size,
                first_frame=first,
                track_id=who,
                source_format=source_format,
                assumptions=tuple(notes),
                metadata={**found.metadata, "image_size_assumed": size == _GUESSED_SIZE and size != found.image_size}
                if units != "pixels" and image_size is None and found.image_size is None
                else dict(found.metadata),
            )
        )
    return Assembled(tuple(clips), chosen, ranked, units, tuple(notes))
