"""How a body's joints become bones: axes, tails and rolls, read from ``rigs/*.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.kinematics.quaternions import conjugate, continuous, from_matrix, from_vector, multiply
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["BoneGeometry", "Leg", "RigData", "bone_geometry", "bone_rotations", "rig_data"]

_FOLDER = Path(__file__).parent / "rigs"
_SHORTEST = 0.004  # metres; Blender removes bones without length


@dataclass(frozen=True)
class Leg:
    """A leg.

    Attributes:
        hip, knee, ankle, toe: joint names; the ankle turns the foot.
        heel: metres from the ankle back to the heel.
        heel_contacts: contact keypoints near the heel.
        toe_contacts: contact keypoints near the ball of the foot.
    """

    hip: str
    knee: str
    ankle: str
    toe: str
    heel: float
    heel_contacts: tuple[str, ...]
    toe_contacts: tuple[str, ...]


@dataclass(frozen=True)
class RigData:
    """A rig description.

    Attributes:
        to_armature: (3, 3) body axes to Blender's: left to +X, up to +Z, front to -Y.
        directions: unit vectors in armature axes by name (left right up down front back).
        bones: for each joint: ``tail`` (a joint or a direction), ``length`` in metres with a direction, ``z`` (the
            direction that the bone's Z axis is rolled towards, so that hinges bend about X). A tail may be a list of
            joints, of which the first that the body has counts. Joints that are not named follow their child; those
            without one reach on by ``extend`` times the bone before them.
        legs: for foot contacts.
    """

    to_armature: F64
    directions: Mapping[str, F64]
    bones: Mapping[str, Mapping[str, Any]]
    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class BoneGeometry:
    """Rest bones in armature space, metres: heads (J, 3), tails (J, 3) and directions (J, 3) for their Z axes."""

    heads: F64
    tails: F64
    rolls: F64


@cache
def rig_data(body: str) -> RigData:
    """The description for a kind of body; a body without a file of its own takes SMPL's axes and no bone hints."""
    path = _FOLDER / f"{body}.json"
    data = json.loads((path if path.is_file() else _FOLDER / "smpl.json").read_text(encoding="utf-8"))
    left, up, front = (np.array(data["axes"][k], dtype=np.float64) for k in ("left", "up", "front"))
    x, y, z = np.eye(3)
    return RigData(
        to_armature=np.stack([left, -front, up]),
        directions={"left": x, "right": -x, "up": z, "down": -z, "front": -y, "back": y},
        bones=data["bones"] if path.is_file() else {},
        legs=tuple(_leg(leg) for leg in data["legs"]),
    )


def _leg(data: Mapping[str, Any]) -> Leg:
    lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Leg(**lists)


def bone_geometry(motion: LiftedMotion, lift: float, metre: float = 1.0) -> BoneGeometry:
    """Rest bones of a motion's body.

    Args:
        motion: joint names, parents and rest joints are used.
        lift: added upwards, so that the rest body stands on the floor, in the motion's units.
        metre: in the motion's units.
    """
    rig = rig_data(motion.body)
    heads = np.asarray(motion.rest_joints, np.float64) @ rig.to_armature.T + np.array([0.0, 0.0, lift])
    names, parents = list(motion.joint_names), np.asarray(motion.parents)
    tails, rolls = np.empty_like(heads), np.empty_like(heads)
    for j, name in enumerate(names):
        hint = rig.bones.get(name, {})
        tails[j] = _tail(j, hint, heads, names, parents, rig, metre)
        along = tails[j] - heads[j]
        upright = abs(along[2]) > 0.7 * np.linalg.norm(along)
        rolls[j] = rig.directions[hint.get("z", "front" if upright else "up")]
    return BoneGeometry(heads, tails, rolls)


def _tail(
    j: int, hint: Mapping[str, Any], heads: F64, names: list[str], parents: NDArray[Any], rig: RigData, metre: float
) -> F64:
    target = hint.get("tail")
    if isinstance(target, list):  # the first that the body has
        target = next((name for name in target if name in names), target[-1])
    children = np.flatnonzero(parents == j)
    if target in names:
        tail = heads[names.index(target)]
    elif target is not None:
        tail = heads[j] + metre * hint["length"] * rig.directions[target]
    elif len(children):
        tail = heads[children].mean(0)
    else:
        along = heads[j] - heads[parents[j]]
        tail = heads[j] + hint.get("extend", 0.5) * along
    if np.linalg.norm(tail - heads[j]) < metre * _SHORTEST:
        tail = heads[j] + 5 * metre * _SHORTEST * rig.directions["up"]
    return tail


def bone_rotations(motion: LiftedMotion, axes: F64) -> F64:
    """Pose-bone quaternions (T, J, 4), w x y z, signs continuous.

    With C the body's axes to the armature's, B_j a bone's rest axes and R_j the joint's rotation, a pose bone holds
    B_j^T C R_j C^T B_j; the root, whose R is relative to the world, holds B_0^T R_0 C^T B_0.

    Args:
        axes: (J, 3, 3) B_j, columns are the bone's X, Y and Z in armature space.
    """
    C = rig_data(motion.body).to_armature
    turn = np.swapaxes(axes, -1, -2) @ C
    rotations = np.asarray(motion.rotations, dtype=np.float64)
    q = from_vector(np.einsum("jab,tjb->tja", turn, rotations))
    root = motion.parents.index(-1)
    left, right = from_matrix(axes[root].T), conjugate(from_matrix(turn[root]))
    q[:, root] = multiply(multiply(left, from_vector(rotations[:, root])), right)
    q[0] = np.where(q[0, :, :1] < 0, -q[0], q[0])
    return continuous(q)
