"""A four-legged body as joints: its measures, and the legs that reach from hip and shoulder to where the paws are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from mvlift.kinematics.chains import two_bone_positions
from mvlift.typing import F64

from mvlift_training.animals.species import Kind, Range, kinds_of

__all__ = ["F64", "Measures", "draw_measures", "front_leg", "hind_leg"]

_SLACK: Final = 0.02
"""Share of a leg's length that it never stretches out: joints keep their side."""


@dataclass(frozen=True)
class Measures:
    """One animal: a value of each range of ``Kind``, in shoulder heights and radians; ``kind`` is its name."""

    kind: str
    trunk: float
    hip_height: float
    shoulder_width: float
    hip_width: float
    front: tuple[float, float, float, float]
    back: tuple[float, float, float, float]
    neck: float
    head: float
    neck_pitch: float
    head_pitch: float
    withers: float
    frequency: float


def _leg(ranges: tuple[Range, ...], height: float, spare: float, random: np.random.Generator) -> F64:
    """Four lengths whose zigzag reaches the ground: their sum is the height and a little more."""
    proportions = np.array([random.uniform(a, b) for a, b in ranges])
    return np.asarray(proportions * (height * spare / proportions.sum()))


def draw_measures(
    random: np.random.Generator, kinds: tuple[str, ...] = (), table: Mapping[str, Kind] | None = None
) -> Measures:
    """An animal at random.

    Args:
        random: randomness.
        kinds: of these kinds only; all when empty.
        table: measures by kind; None: those that come along.
    """
    table = kinds_of(None).kinds if table is None else table
    names = [n for n in table if not kinds or n in kinds]
    share = np.array([table[n].share for n in names])
    kind = str(random.choice(names, p=share / share.sum()))
    row = table[kind]

    def pick(key: str) -> float:
        return float(random.uniform(*getattr(row, key)))

    hip = pick("hip_height")
    front = _leg(row.front, 1.0, random.uniform(1.04, 1.14), random)
    back = _leg(row.back, hip, random.uniform(1.08, 1.24), random)
    return Measures(
        kind=kind,
        trunk=pick("trunk"),
        hip_height=hip,
        shoulder_width=pick("shoulder_width"),
        hip_width=pick("hip_width"),
        front=(float(front[0]), float(front[1]), float(front[2]), float(front[3])),
        back=(float(back[0]), float(back[1]), float(back[2]), float(back[3])),
        neck=pick("neck"),
        head=pick("head"),
        neck_pitch=float(np.radians(pick("neck_pitch"))),
        head_pitch=float(np.radians(pick("head_pitch"))),
        withers=pick("withers"),
        frequency=row.frequency,
    )


def _two_links(top: F64, end: F64, first: F64 | float, second: F64 | float, towards: F64) -> tuple[F64, F64]:
    """``two_bone_positions`` with lengths that may be (T,), for legs that are never quite straight."""
    upper, lower = np.reshape(first, (-1, 1)), np.reshape(second, (-1, 1))
    return two_bone_positions(top, end, upper, lower, towards, max_reach=1 - _SLACK)


def front_leg(shoulder: F64, fetlock: F64, ahead: F64, lengths: tuple[float, ...], folded: F64) -> tuple[F64, F64, F64]:
    """Elbow, carpus and fetlock, each (T, 3): the elbow bends back, the carpus forward.

    Args:
        shoulder: (T, 3).
        fetlock: (T, 3) where it should be.
        ahead: (T, 3) the body's forward direction.
        lengths: upper arm, forearm, metacarpus.
        folded: (T,) radians by which the carpus is bent.
    """
    upper, fore, meta = lengths
    below = np.sqrt(fore**2 + meta**2 + 2 * fore * meta * np.cos(folded))
    elbow, reached = _two_links(shoulder, fetlock, upper, below, -ahead)
    carpus, reached = _two_links(elbow, reached, fore, meta, ahead)
    return elbow, carpus, reached


def hind_leg(hip: F64, fetlock: F64, ahead: F64, lengths: tuple[float, ...]) -> tuple[F64, F64, F64]:
    """Knee, hock and fetlock, each (T, 3): a pantograph, whose metatarsus keeps parallel to the thigh.

    Arguments as ``front_leg``; lengths are thigh, shank, metatarsus.
    """
    thigh, shank, meta = lengths
    bend, reached = _two_links(hip, fetlock, thigh + meta, shank, ahead)
    along = (bend - hip) / (thigh + meta)
    knee = hip + thigh * along
    return knee, reached - meta * along, reached
