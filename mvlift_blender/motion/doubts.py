"""Doubtful parts of a lifted motion: jumps, low confidence, large reprojection error, feet below the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from mvlift.kinematics.quaternions import from_vector
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["KINDS", "Doubt", "DoubtKind", "find_doubts", "frame_confidence", "frame_error", "merged_runs"]

DoubtKind = Literal["JUMP", "CONFIDENCE", "ERROR", "FLOOR"]
Mask = NDArray[np.bool_]

KINDS: Final[dict[DoubtKind, str]] = {
    "JUMP": "Jump",
    "CONFIDENCE": "Low confidence",
    "ERROR": "Far from the keypoints",
    "FLOOR": "Below the floor",
}
_ACCELERATION: Final = 140.0
"""Metres a second squared of a keypoint; hands and feet of sprinters and throwers stay below it."""
_TURN: Final = np.radians(50.0) * 30
"""Radians a second of a joint; a wrist that is flicked turns less."""
_DEPTH: Final = 0.05
"""Metres below the floor; ankles' and toes' keypoints lie inside the foot."""
_BRIDGE: Final = 4
"""Rows between two runs of a kind that are one part to look at."""


@dataclass(frozen=True)
class Doubt:
    """A part of a motion to look at.

    Attributes:
        kind: why.
        first, last: rows of the motion.
        worst: the row in which it is worst.
        value: how bad it is there: m/s^2 or rad/s, confidence, pixels, metres.
        joint: the joint or keypoint concerned, "" for the whole body.
    """

    kind: DoubtKind
    first: int
    last: int
    worst: int
    value: float
    joint: str = ""


def frame_confidence(motion: LiftedMotion) -> F64:
    """(T,) mean confidence of a frame's keypoints, in [0, 1]."""
    if motion.keypoint_confidence.shape[1] == 0:
        return np.ones(len(motion))
    return np.asarray(motion.keypoint_confidence, dtype=np.float64).mean(1)


def frame_error(motion: LiftedMotion) -> F64:
    """(T,) median reprojection error of a frame's keypoints in pixels, 0 where nothing was given."""
    error = np.asarray(motion.reprojection_error, dtype=np.float64)
    measured = np.isfinite(error).any(1) if error.shape[1] else np.zeros(len(motion), bool)
    median = np.zeros(len(motion))
    median[measured] = np.nanmedian(error[measured], axis=1)
    return median


def merged_runs(mask: Mask, bridge: int = _BRIDGE) -> list[tuple[int, int]]:
    """Runs of True as (first, last) rows; runs that less than ``bridge`` rows lie between are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for first, stop in edges.reshape(-1, 2):
        if runs and first - runs[-1][1] <= bridge:
            runs[-1] = (runs[-1][0], int(stop) - 1)
        else:
            runs.append((int(first), int(stop) - 1))
    return runs


def find_doubts(motion: LiftedMotion, least_confidence: float, most_error: float) -> list[Doubt]:
    """The parts of a motion to look at, in order of time.

    Args:
        motion: in metres.
        least_confidence: frames below it are doubtful.
        most_error: pixels; frames with a higher median reprojection error are doubtful.
    """
    doubts = [
        *_measured("CONFIDENCE", -frame_confidence(motion)[:, None], -least_confidence, ("",), -1.0),
        *_measured("ERROR", frame_error(motion)[:, None], most_error, ("",)),
        *_jumps(motion),
    ]
    if motion.keypoints.shape[1]:
        depth = -np.asarray(motion.keypoints[..., 2], np.float64)
        doubts += _measured("FLOOR", depth, _DEPTH, motion.keypoint_names)
    return sorted(doubts, key=lambda doubt: (doubt.first, doubt.kind))


def _measured(kind: DoubtKind, values: F64, limit: float, names: Sequence[str], sign: float = 1.0) -> list[Doubt]:
    """A doubt for each run of rows in which any column (T, N) is above a limit."""
    doubts = []
    for first, last in merged_runs(np.asarray(values.max(1) > limit)):
        part = values[first : last + 1]
        row, column = (int(i) for i in np.unravel_index(part.argmax(), part.shape))
        doubts.append(Doubt(kind, first, last, first + row, sign * float(part[row, column]), names[column]))
    return doubts


def _jumps(motion: LiftedMotion) -> list[Doubt]:
    """Keypoints with implausible acceleration, and joints that flip."""
    fps, doubts = float(motion.fps), []
    if len(motion) > 2 and motion.keypoints.shape[1]:
        places = np.asarray(motion.keypoints, np.float64)
        acceleration = np.zeros(places.shape[:2])
        acceleration[1:-1] = np.linalg.norm(places[2:] - 2 * places[1:-1] + places[:-2], axis=-1) * fps**2
        doubts += _measured("JUMP", acceleration, _ACCELERATION, motion.keypoint_names)
    if len(motion) > 1:
        q = from_vector(np.asarray(motion.rotations, np.float64))
        dots = np.abs((q[1:] * q[:-1]).sum(-1)).clip(0, 1)
        speed = np.zeros(q.shape[:2])
        speed[1:] = 2 * np.arccos(dots) * fps
        flips = _measured("JUMP", speed, _TURN, motion.joint_names)
        doubts += [f for f in flips if not any(g.first <= f.last and f.first <= g.last for g in doubts)]
    return doubts
