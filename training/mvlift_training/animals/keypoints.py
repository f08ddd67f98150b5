"""Keypoints of every name that the animal layouts use, from a body's measures and its motion."""

from __future__ import annotations

import numpy as np
from mvlift.typing import F64

from mvlift_training.animals.body import Measures, front_leg, hind_leg
from mvlift_training.animals.gaits import Motion

__all__ = ["Looks", "draw_looks", "keypoints_of"]

Looks = dict[str, float]
"""Places at which an annotator puts the keypoints of an animal, in shoulder heights; annotators differ."""


def draw_looks(random: np.random.Generator) -> Looks:
    """An annotator at random."""
    ranges = {
        "neck_ahead": (-0.02, 0.16), "neck_up": (-0.02, 0.16), "neck_base": (0.05, 0.2), "tail_back": (0.05, 0.16),
        "tail_up": (-0.05, 0.12), "withers_back": (-0.05, 0.12), "croup_up": (0.06, 0.24), "croup_ahead": (-0.02, 0.22),
        "eye_along": (0.3, 0.6), "eye_up": (0.02, 0.09), "eye_side": (0.03, 0.1), "upright": (0.0, 0.35),
    }  # fmt: skip
    return {name: float(random.uniform(a, b)) for name, (a, b) in ranges.items()}


def _frame(heading: F64, pitch: F64, roll: F64) -> F64:
    """(T, 3, 3) rows: ahead, left, up."""
    c, s, cp, sp = np.cos(heading), np.sin(heading), np.cos(pitch), np.sin(pitch)
    zero = np.zeros_like(c)
    ahead = np.stack([c * cp, s * cp, sp], -1)
    level = np.stack([-s, c, zero], -1)
    above = np.cross(ahead, level)
    left = np.cos(roll)[:, None] * level + np.sin(roll)[:, None] * above
    return np.stack([ahead, left, np.cross(ahead, left)], 1)


def _direction(frame: F64, pitch: F64, yaw: F64) -> F64:
    """(T, 3) at a pitch above the horizontal and a yaw from the frame's heading."""
    heading = np.arctan2(frame[:, 0, 1], frame[:, 0, 0]) + yaw
    return np.stack([np.cos(heading) * np.cos(pitch), np.sin(heading) * np.cos(pitch), np.sin(pitch)], -1)


def _legs(points: dict[str, F64], animal: Measures, motion: Motion, fore: F64, hind: F64, looks: Looks) -> None:
    for side, sign, first in (("l_", 1.0, 0), ("r_", -1.0, 1)):
        for leg, frame, lengths in ((first, fore, animal.front), (first + 2, hind, animal.back)):
            paw, lifted = motion.paws[:, leg], motion.lifted[:, leg]
            level = frame[:, 0] * [1, 1, 0]
            level = level / np.maximum(np.linalg.norm(level, axis=-1, keepdims=True), 1e-6)
            slope = looks["upright"] + 0.5 - 1.9 * lifted  # of the pastern: forward on the ground, back when it swings
            reach = lengths[3] * (np.sin(slope)[:, None] * level - np.cos(slope)[:, None] * [0, 0, 1])
            fetlock = paw - reach
            if leg == first:
                top = points["chest"] + sign * animal.shoulder_width / 2 * frame[:, 1]
                folded = 0.12 + 1.1 * lifted
                elbow, carpus, fetlock = front_leg(top, fetlock, frame[:, 0], lengths[:3], folded)
                places = {"shoulder": top, "elbow": elbow, "front_knee": carpus, "front_fetlock": fetlock,
                         "front_paw": fetlock + reach}  # fmt: skip
            else:
                top = points["rump"] + sign * animal.hip_width / 2 * frame[:, 1]
                knee, hock, fetlock = hind_leg(top, fetlock, frame[:, 0], lengths[:3])
                places = {"hip": top, "knee": knee, "hock": hock, "back_fetlock": fetlock, "back_paw": fetlock + reach}
            points.update({side + name: value for name, value in places.items()})


def keypoints_of(animal: Measures, motion: Motion, looks: Looks) -> dict[str, F64]:
    """All keypoints (T, 3) by name: the vocabulary of the layouts ``ap10k17`` and ``ungulate16``.

    Args:
        animal: its measures.
        motion: its motion.
        looks: where the keypoints lie.
    """
    half = 0.5 * animal.trunk
    fore = _frame(motion.heading + 0.5 * motion.bend, motion.pitch + 0.5 * motion.flex, motion.roll)
    hind = _frame(motion.heading - 0.5 * motion.bend, motion.pitch - 0.5 * motion.flex, motion.roll)
    points = {"chest": motion.centre + half * fore[:, 0], "rump": motion.centre - half * hind[:, 0]}
    _legs(points, animal, motion, fore, hind, looks)

    def off(base: F64, frame: F64, ahead: float, up: float, left: float = 0.0) -> F64:
        return np.asarray(base + ahead * frame[:, 0] + left * frame[:, 1] + up * frame[:, 2])

    points["withers"] = off(points["chest"], fore, -looks["withers_back"], animal.withers)
    points["croup"] = off(points["rump"], hind, looks["croup_ahead"], looks["croup_up"])
    points["tail_root"] = off(points["rump"], hind, -looks["tail_back"], looks["tail_up"])
    points["neck"] = off(points["chest"], fore, looks["neck_ahead"], looks["neck_up"])
    base = off(points["chest"], fore, looks["neck_base"], 0.6 * animal.withers)
    neck = _direction(fore, animal.neck_pitch + motion.neck[:, 0] + 0.5 * motion.pitch, motion.neck[:, 1])
    points["poll"] = base + animal.neck * neck
    yaw = motion.neck[:, 1] + motion.head[:, 1]
    along = _direction(fore, animal.head_pitch + motion.head[:, 0] + 0.6 * motion.neck[:, 0], yaw)
    points["nose"] = points["poll"] + animal.head * along
    side = np.cross([0.0, 0.0, 1.0], along)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-6)
    above = np.cross(along, side)
    for name, sign in (("l_eye", 1.0), ("r_eye", -1.0)):
        points[name] = (
            points["poll"]
            + looks["eye_along"] * animal.head * along
            + looks["eye_up"] * above
            + sign * looks["eye_side"] * side
        )
    return points
