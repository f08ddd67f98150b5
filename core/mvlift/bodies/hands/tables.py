"""SMPL-H's finger joints on the default human: names, rest positions, and the flat hand that SMPL-H's files start from.

The default body rests with relaxed fingers; SMPL-H and SMPL-X rest with flat ones. With A_j the rotation that takes
joint j's bone from the flat to the relaxed hand, a local rotation R_j of the default body is A_p^T R_j A_j on a flat
one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.kinematics.rotations import exp_map, log_map, unit
from mvlift.typing import F32, F64

__all__ = [
    "BODY_JOINTS",
    "FINGERS",
    "HAND_POINTS",
    "SIDES",
    "Finger",
    "Side",
    "finger_joints",
    "fingers",
    "flat_hand_vectors",
    "flat_to_rest",
    "from_flat",
    "hand_tables",
    "to_flat",
    "with_fingers",
]


Side = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")
BODY_JOINTS: Final = 22
"""Pelvis to wrists: what SMPL, SMPL-H and SMPL-X share."""
FINGERS: Final = ("index", "middle", "pinky", "ring", "thumb")
"""In the order of SMPL-H's joints."""
HAND_POINTS: Final = 21
"""Keypoints of a hand detector: the wrist, then four of each finger from the thumb to the little finger."""
_DATA: Final = Path(__file__).parent.parent / "data" / "human_hands.json"
_MIRROR: Final = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Finger:
    """A finger of the default body's left hand, flat, in its rest frame (x left, y up, z front).

    Attributes:
        name: "index" ... "thumb".
        base: (3,) first joint relative to the wrist, metres.
        direction: (3,) along the flat finger.
        dorsal: (3,) towards its back, at right angles to ``direction``.
        lengths: (3,) metres; the last reaches the tip of the skin.
        rest: (4,) radians: flexion of the three joints and change of spread from the flat to the relaxed hand.
        limits: (4, 2) radians: flexion of the three joints, and spread towards the thumb.
    """

    name: str
    base: F64
    direction: F64
    dorsal: F64
    lengths: F64
    rest: F64
    limits: F64

    @property
    def hinge(self) -> F64:
        """(3,) axis of flexion of the left finger."""
        return np.cross(self.dorsal, self.direction)


@cache
def hand_tables() -> dict[str, Any]:
    """What ``human_hands.json`` holds."""
    return dict(json.loads(_DATA.read_text(encoding="utf-8")))


@cache
def hand_axes() -> F64:
    """(3, 3) rows: distal, dorsal and radial axis of the default left hand in the body's rest frame."""
    distal, dorsal = (np.array(axis, np.float64) for axis in hand_tables()["axes"])
    x = unit(distal)
    y = unit(dorsal - (dorsal @ x) * x)
    return np.stack([x, y, np.cross(x, y)])


@cache
def fingers() -> tuple[Finger, ...]:
    """The fingers of the default body's left hand, in SMPL-H's order."""
    axes, made = hand_axes(), []
    for name in FINGERS:
        row = hand_tables()["fingers"][name]
        if "direction" in row:
            direction = unit(np.array(row["direction"], np.float64))
            dorsal = np.array(row["dorsal"], np.float64)
        else:
            spread, roll = np.radians([row["spread"], row["roll"]])
            direction = np.array([np.cos(spread), 0.0, np.sin(spread)])
            dorsal = exp_map(-roll * direction) @ np.array([0.0, 1.0, 0.0])
        dorsal = unit(dorsal - (dorsal @ direction) * direction)
        made.append(
            Finger(
                name=name,
                base=np.array(row["base"], np.float64) @ axes,
                direction=direction @ axes,
                dorsal=dorsal @ axes,
                lengths=np.array(row["lengths"], np.float64),
                rest=np.radians(np.array(row["rest"], np.float64)),
                limits=np.radians(np.array(row["limits"], np.float64)),
            )
        )
    return tuple(made)


def finger_joints(side: Side) -> tuple[str, ...]:
    """The 15 joints of a hand in SMPL-H's order: "left_index1" ... "left_thumb3"."""
    return tuple(f"{side}_{finger}{i}" for finger in FINGERS for i in (1, 2, 3))


def _left_turns() -> F64:
    """(15, 3, 3) A_j of the left hand."""
    turns = []
    for finger in fingers():
        at = exp_map(-finger.rest[3] * finger.dorsal)
        for flexion in finger.rest[:3]:
            at = at @ exp_map(flexion * finger.hinge)
            turns.append(at)
    return np.stack(turns)


def _mirrored(turns: F64) -> F64:
    """Rotations (..., 3, 3) of the other side."""
    return _MIRROR[:, None] * turns * _MIRROR


@cache
def flat_to_rest() -> F64:
    """(52, 3, 3) A_j: from the flat to the relaxed hand, the identity for the body's joints; treat as constant."""
    left = _left_turns()
    return np.concatenate([np.tile(np.eye(3), (BODY_JOINTS, 1, 1)), left, _mirrored(left)])


def _parents_of(parents: tuple[int, ...], turns: F64) -> F64:
    return np.stack([np.eye(3) if p < 0 else turns[p] for p in parents])


def to_flat(rotations: F64, parents: tuple[int, ...]) -> F64:
    """Local rotations (T, 52, 3, 3) of the default body as those of a body that rests with flat hands."""
    turns = flat_to_rest()
    return np.asarray(_parents_of(parents, turns).transpose(0, 2, 1) @ rotations @ turns)


def from_flat(rotations: F64, parents: tuple[int, ...]) -> F64:
    """The reverse of ``to_flat``."""
    turns = flat_to_rest()
    return np.asarray(_parents_of(parents, turns) @ rotations @ turns.transpose(0, 2, 1))


def flat_hand_vectors(rotations: F32, parents: tuple[int, ...], back: bool = False) -> F32:
    """Rotation vectors (T, 52, 3) of the default body as those of a body that rests with flat hands, as SMPL-H does.

    Args:
        rotations: of the joints, relative to their parents.
        parents: (52,) of the skeleton.
        back: the other way, from flat to relaxed hands.
    """
    turn = from_flat if back else to_flat
    vectors = np.array(rotations, np.float32)
    fingers = slice(BODY_JOINTS, None)
    vectors[:, fingers] = log_map(turn(exp_map(np.asarray(rotations, np.float64)), parents)[:, fingers])
    return vectors


def _left_offsets(relaxed: bool) -> F64:
    """(15, 3) of each joint of the left hand from its parent, metres."""
    turns, rows = _left_turns(), []
    for f, finger in enumerate(fingers()):
        along = [turns[3 * f + i] @ finger.direction if relaxed else finger.direction for i in (0, 1)]
        rows += [finger.base, finger.lengths[0] * along[0], finger.lengths[1] * along[1]]
    return np.array(rows)


@cache
def finger_tips(relaxed: bool = True) -> F64:
    """(10, 3) of each tip from the last joint of its finger, metres: five of the left hand, five of the right."""
    turns = _left_turns()
    left = np.stack(
        [f.lengths[2] * (turns[3 * i + 2] @ f.direction if relaxed else f.direction) for i, f in enumerate(fingers())]
    )
    return np.concatenate([left, left * _MIRROR])


def with_fingers(skeleton: BodySkeleton, step: float, stature: int = 0, relaxed: bool = True) -> BodySkeleton:
    """The default human with SMPL-H's 52 joints instead of SMPL's 24.

    Args:
        skeleton: SMPL's 24 joints; the last two, the hands, go.
        step: growth of every bone per unit of the stature coefficient.
        stature: number of that coefficient.
        relaxed: fingers as in the default rest pose; False: flat, as SMPL-H's files have them.
    """
    keep = BODY_JOINTS
    left = _left_offsets(relaxed)
    offsets = np.concatenate([left, left * _MIRROR])
    parents = list(skeleton.parents[:keep])
    for side in SIDES:
        wrist = skeleton.joint_names.index(f"{side}_wrist")
        for j in range(15):
            parents.append(wrist if j % 3 == 0 else len(parents) - 1)
    rest, shapes = list(skeleton.rest_joints[:keep]), list(skeleton.shape_joints[:keep])
    for offset, parent in zip(offsets, parents[keep:], strict=True):
        change = np.zeros(skeleton.shape_joints.shape[1:])
        change[:, stature] = step * offset
        rest.append(rest[parent] + offset)
        shapes.append(shapes[parent] + change)
    weights = np.zeros((len(skeleton.point_weights), len(parents)))
    weights[:, :keep] = skeleton.point_weights[:, :keep]
    return replace(
        skeleton,
        joint_names=skeleton.joint_names[:keep] + finger_joints("left") + finger_joints("right"),
        parents=tuple(parents),
        rest_joints=np.array(rest),
        shape_joints=np.array(shapes),
        point_weights=weights,
    )
