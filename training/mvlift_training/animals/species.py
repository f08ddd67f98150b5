"""Kinds of animals: the ranges of their measures, ours (``species.json``) and those of a user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from mvlift.errors import KeypointError
from mvlift.safe_reading.json_files import decode_json, read_json, read_text
from mvlift.typing import F64

__all__ = ["Kind", "Place", "Range", "Species", "kinds_of", "species_table"]

_FILE: Final = Path(__file__).parent / "species.json"

Range = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """Ranges of body measures, in shoulder heights (the front leg's upper joint above the ground) and degrees.

    Attributes:
        trunk: from between the shoulders to between the hips.
        hip_height: above the ground.
        shoulder_width, hip_width: from left to right.
        front: upper arm, forearm, metacarpus, pastern.
        back: thigh, shank, metatarsus, pastern.
        neck, head: lengths.
        neck_pitch, head_pitch: above the horizontal, as usually carried.
        withers: height of the withers above the shoulder joints.
        shoulder_metres: the shoulder height itself, in metres.
        share: how often it is drawn.
        frequency: factor on how often it steps.

    Raises:
        KeypointError: a range that is upside down, or a measure that no animal has.
    """

    trunk: Range
    hip_height: Range
    shoulder_width: Range
    hip_width: Range
    front: tuple[Range, Range, Range, Range]
    back: tuple[Range, Range, Range, Range]
    neck: Range
    neck_pitch: Range
    head: Range
    head_pitch: Range
    withers: Range
    shoulder_metres: Range
    share: float = 0.2
    frequency: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            ranges = np.atleast_2d(np.asarray(value, dtype=np.float64))
            angles = name.endswith("pitch")
            finite = bool(np.isfinite(ranges).all() and (np.abs(ranges) <= (90 if angles else 20)).all())
            rising = name in ("share", "frequency") or bool((ranges[:, 0] <= ranges[:, 1]).all())
            if not finite or not rising or not (angles or name == "withers" or (ranges > 0).all()):
                what = "[lowest, highest] in degrees" if angles else "[lowest, highest] in shoulder heights, above 0"
                raise KeypointError(f"species: {name} is {value}.", f"Write {what}.")


@dataclass(frozen=True)
class Place:
    """Where a keypoint lies that our animals do not have: between two others, or beyond them.

    Attributes:
        start, end: keypoints that they do have.
        share: of the way from start to end; below 0 and above 1 beyond them.
        up: shoulder heights above that place, at right angles to the line from start to end.
    """

    start: str
    end: str
    share: float = 0.5
    up: float = 0.0

    def of(self, points: Mapping[str, F64]) -> F64:
        """(T, 3) of keypoints (T, 3) by name."""
        along = points[self.end] - points[self.start]
        axis = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
        upward = np.array([0.0, 0.0, 1.0]) - axis * axis[:, 2:]
        upward = upward / np.maximum(np.linalg.norm(upward, axis=-1, keepdims=True), 1e-9)
        return np.asarray(points[self.start] + self.share * along + self.up * upward)


@dataclass(frozen=True)
class Species:
    """A file of kinds, and of keypoints that our animals lack.

    Attributes:
        kinds: measures by name; a name of ours replaces ours.
        keypoints: places by the keypoint's name.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    keypoints: dict[str, Place] = field(default_factory=dict)


@cache
def species_table() -> Mapping[str, Any]:
    """Gaits and activities, and the kinds that come along (``species.json``)."""
    return dict(decode_json(read_text(_FILE), _FILE.name))


@cache
def kinds_of(path: Path | None) -> Species:
    """Our kinds, and those of a user's file.

    Raises:
        KeypointError: a measure is out of range, or a keypoint is nowhere or lies on one that is not there.
        DamagedFileError: the file cannot be read, or a key is missing or of another type.
    """
    ours = read_json(_FILE, Species)
    if path is None:
        return Species(ours.kinds)
    theirs = read_json(path, Species)
    if not theirs.kinds and not theirs.keypoints:
        raise KeypointError(f"{path.name} has neither kinds nor keypoints.", "See docs/new-species.md.")
    return Species({**ours.kinds, **theirs.kinds}, theirs.keypoints)
