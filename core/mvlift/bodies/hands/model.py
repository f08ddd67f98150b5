"""How a hand bends: hinges from the rest pose of any body with SMPL-H's joints, and its forward kinematics.

A finger has five angles, radians from the rest pose: spread and flexion of its first joint, flexion of the second and
of the third, and the spread of the second, which only a thumb has. The first joint turns by exp(spread) exp(flexion).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.tables import FINGERS, HAND_POINTS, Side, finger_tips, hand_tables
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.kinematics.rotations import exp_map, unit
from mvlift.typing import F64

__all__ = [
    "ANGLES",
    "COLUMNS",
    "FLEX1",
    "FLEX2",
    "FLEX3",
    "ORDER",
    "SPREAD",
    "SPREAD2",
    "THUMB",
    "HandModel",
    "hand_model",
    "is_relaxed",
    "rests_relaxed",
]


ANGLES: Final = 5
SPREAD, FLEX1, FLEX2, FLEX3, SPREAD2 = range(ANGLES)
ORDER: Final[tuple[str, ...]] = tuple(hand_tables()["detector_order"])
"""Fingers as detectors list them: from the thumb to the little finger."""
THUMB: Final = ORDER.index("thumb")
COLUMNS: Final = np.array(
    [f * ANGLES + a for f, name in enumerate(ORDER) for a in range(ANGLES) if a != SPREAD2 or name == "thumb"]
)
"""(21,) the angles that a hand has, of (5, 5) raveled."""
_FLAT: Final = np.radians(12.0)
"""Mean flexion of the second joints under which a body is taken to rest with flat hands."""


@dataclass(frozen=True, eq=False)
class HandModel:
    """One hand of a body at its shape, in the body's rest frame; fingers from the thumb to the little finger.

    Attributes:
        side: "left" or "right".
        wrist: column of the wrist in the skeleton.
        joints: (5, 3) columns of the finger joints.
        knuckles: (5, 3) first joints relative to the wrist, metres.
        bones: (5, 3, 3) from joint to joint, and from the last one to the tip, metres.
        hinges: (5, 3) axes of flexion.
        spreads: (5, 2, 3) axes of spread of the first and second joint.
        rest: (5, 5) angles at rest from the flat hand.
        limits: (5, 5, 2) angles that it reaches, from rest.
        axes: (3, 3) rows: distal, dorsal, radial.
    """

    side: Side
    wrist: int
    joints: NDArray[np.int64]
    knuckles: F64
    bones: F64
    hinges: F64
    spreads: F64
    rest: F64
    limits: F64
    axes: F64

    def rotations(self, angles: F64) -> F64:
        """Local rotations (..., 5, 3, 3, 3) of the finger joints at angles (..., 5, 5)."""
        flexions = exp_map(angles[..., FLEX1 : FLEX3 + 1, None] * self.hinges[:, None])
        for joint, column in ((0, SPREAD), (1, SPREAD2)):
            spread = exp_map(angles[..., column, None] * self.spreads[:, joint])
            flexions[..., joint, :, :] = spread @ flexions[..., joint, :, :]
        return flexions

    def points(self, angles: F64) -> F64:
        """Keypoints (..., 21, 3) relative to the wrist, in the wrist's own axes, metres."""
        return self._points(self.rotations(angles))

    def _points(self, local: F64) -> F64:
        lead = local.shape[:-4]
        out = np.zeros((*lead, HAND_POINTS, 3))
        fingers = out[..., 1:, :].reshape(*lead, 5, 4, 3)  # a copy: the slice is not contiguous
        fingers[..., 0, :] = self.knuckles
        turn = np.broadcast_to(np.eye(3), (*lead, 5, 3, 3))
        for i in range(3):
            turn = turn @ local[..., i, :, :]
            fingers[..., i + 1, :] = fingers[..., i, :] + np.einsum("...fab,fb->...fa", turn, self.bones[:, i])
        out[..., 1:, :] = fingers.reshape(*lead, 20, 3)
        return out

    def jacobian(self, angles: F64) -> tuple[F64, F64]:
        """Keypoints (T, 21, 3) and their derivative (T, 21, 3, 21) by the angles of ``COLUMNS``."""
        local = self.rotations(angles)
        points = self._points(local)
        frames = len(angles)
        fingers = points[:, 1:].reshape(frames, 5, 4, 3)
        spread = exp_map(angles[..., SPREAD, None] * self.spreads[:, 0])  # (T, 5, 3, 3)
        hinge = np.broadcast_to(self.hinges, (frames, 5, 3))
        first = local[..., 0, :, :]
        second = first @ local[..., 1, :, :]
        spread2 = first @ exp_map(angles[..., SPREAD2, None] * self.spreads[:, 1])

        def turned(matrix: F64, vector: F64) -> F64:
            return np.asarray((matrix @ vector[..., None])[..., 0])

        axes = {
            SPREAD: (0, np.broadcast_to(self.spreads[:, 0], (frames, 5, 3))),
            FLEX1: (0, turned(spread, hinge)),
            FLEX2: (1, turned(spread2, hinge)),
            FLEX3: (2, turned(second, hinge)),
            SPREAD2: (1, turned(first, np.broadcast_to(self.spreads[:, 1], (frames, 5, 3)))),
        }
        slopes = np.zeros((frames, 5, 4, 3, 5, ANGLES))
        for column, (joint, axis) in axes.items():
            arm = fingers - fingers[:, :, joint, None]
            arm[:, :, : joint + 1] = 0
            moved = np.cross(axis[:, :, None], arm)
            for f in range(5):
                slopes[:, f, :, :, f, column] = moved[:, f]
        derivative = np.zeros((frames, HAND_POINTS, 3, len(COLUMNS)))
        derivative[:, 1:] = slopes.reshape(frames, 20, 3, 5 * ANGLES)[..., COLUMNS]
        return points, derivative

    def absolute(self, angles: F64) -> F64:
        """Angles (..., 5, 5) from the flat hand."""
        return np.asarray(angles + self.rest)

    def scaled(self, factor: float) -> HandModel:
        """The same hand of another size."""
        return replace(self, knuckles=self.knuckles * factor, bones=self.bones * factor)


def _axes(knuckles: F64, sign: float) -> F64:
    """(3, 3) rows: distal, dorsal, radial, from where index, middle and little finger begin."""
    index, middle, pinky = (knuckles[ORDER.index(n)] for n in ("index", "middle", "pinky"))
    distal = unit(middle)
    radial = index - pinky
    radial = unit(radial - (radial @ distal) * distal)
    return np.stack([distal, sign * np.cross(radial, distal), radial])


def _dorsal(name: str, axes: F64, bone: F64) -> F64:
    """(3,) towards the back of a finger, before its roll about itself."""
    row = hand_tables()["fingers"][name]
    back = np.array(row["dorsal"], np.float64) @ axes if "dorsal" in row else axes[1]
    return unit(back - (back @ bone) * bone)


def _bends(bones: F64, hinge: F64, axes: F64) -> F64:
    """(5,) angles of a finger from the flat hand: spread, three flexions, and 0."""
    flat = [v - (v @ hinge) * hinge for v in (axes[0], *bones)]
    turns = [np.arctan2(np.cross(a, b) @ hinge, a @ b) for a, b in pairwise(flat)]
    return np.array([0.0, *turns, 0.0])


def hand_model(skeleton: BodySkeleton, side: Side, betas: F64 | None = None) -> HandModel:
    """The hand of a body with SMPL-H's joints.

    Args:
        skeleton: with fingers.
        side: "left" or "right".
        betas: (B,) its shape.
    """
    names, sign = skeleton.joint_names, 1.0 if side == "left" else -1.0
    joints = skeleton.rest_joints if betas is None else skeleton.shaped(betas)[0]
    wrist = names.index(f"{side}_wrist")
    columns = np.array([[names.index(f"{side}_{f}{i}") for i in (1, 2, 3)] for f in ORDER])
    knuckles = joints[columns[:, 0]] - joints[wrist]
    axes = _axes(knuckles, sign)
    between = np.diff(joints[columns], axis=1)
    bones = np.concatenate([between, _last_bones(skeleton, side, between)[:, None]], 1)
    hinges, rest, limits = np.zeros((5, 3)), np.zeros((5, ANGLES)), np.zeros((5, ANGLES, 2))
    for f, name in enumerate(ORDER):
        row, along = hand_tables()["fingers"][name], unit(bones[f, 0])
        dorsal = _dorsal(name, axes, along)
        roll = exp_map(-sign * np.radians(float(row.get("roll", 0.0))) * along)
        hinges[f] = np.cross(roll @ dorsal, along)
        bounds = np.radians(np.array(row["limits"], np.float64))
        if name == "thumb":
            limits[f, SPREAD2] = np.radians([-12.0, 12.0])
        else:
            rest[f] = _bends(bones[f], hinges[f], axes)
        limits[f, [FLEX1, FLEX2, FLEX3]] = bounds[:3] - rest[f, FLEX1 : FLEX3 + 1, None]
        limits[f, SPREAD] = bounds[3]
    spreads = sign * np.cross(hinges[:, None], unit(bones[:, :2]))
    return HandModel(side, wrist, columns, knuckles, bones, hinges, spreads, rest, limits, axes)


def _last_bones(skeleton: BodySkeleton, side: Side, bones: F64) -> F64:
    """(5, 3) from the last joint of each finger to the tip: as long, and bent as far, as on the default body."""
    order = [FINGERS.index(n) for n in ORDER]
    usual = finger_tips(relaxed=bool(is_relaxed(skeleton)))[:5][order]
    lengths = np.array([hand_tables()["fingers"][n]["lengths"] for n in ORDER])
    ratio = np.linalg.norm(bones[:, 1], axis=-1) / lengths[:, 1]
    bend = np.linalg.norm(usual, axis=-1) * ratio
    straight = unit(bones[:, 1])
    if not is_relaxed(skeleton):
        return np.asarray(straight * bend[:, None])
    mirror = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
    return np.asarray(unit(usual * mirror) * bend[:, None])


def is_relaxed(skeleton: BodySkeleton) -> bool:
    """Whether a body rests with bent fingers, as the default one does; SMPL-H's own rest with flat ones."""
    return rests_relaxed(skeleton.joint_names, skeleton.rest_joints)


def rests_relaxed(names: tuple[str, ...], rest: NDArray[np.floating]) -> bool:
    """Whether joints (J, 3) of a body at rest, by their names, have bent fingers; False for one without fingers."""
    if "left_index3" not in names:
        return False
    rows = np.array([[names.index(f"left_{f}{i}") for i in (1, 2, 3)] for f in FINGERS if f != "thumb"])
    first, second = unit(np.diff(rest[rows], axis=1)).transpose(1, 0, 2)
    return bool(np.arccos(np.clip((first * second).sum(-1), -1, 1)).mean() > _FLAT)
