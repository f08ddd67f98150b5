"""Feet on the floor: where the soles are, which of them rest, and how far those slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mvlift.kinematics.quaternions import rotate
from mvlift.typing import F64
from numpy.typing import NDArray

from .rig_data import Leg
from .skeleton import RestSkeleton

__all__ = ["Soles", "resting", "slide", "sole_points", "soles_of"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Soles:
    """Points under the feet; L legs with two points each, heel and ball.

    Attributes:
        ankles: (L,) indices of the ankle bones, which carry the points.
        offsets: (L, 2, 3) from the ankle's head, in the bone's rest axes, metres.
        contacts: (L, 2) names of the contact keypoints near each point.
    """

    ankles: tuple[int, ...]
    offsets: F64
    contacts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def soles_of(skeleton: RestSkeleton, legs: Sequence[Leg], front: F64) -> Soles:
    """The soles of a skeleton that stands on the floor (z = 0) at rest.

    Args:
        skeleton: at rest.
        legs: of the rig.
        front: (3,) unit vector in armature space.

    Raises:
        KeyError: the skeleton lacks a bone of a leg.
    """
    ankles, offsets, contacts = [], [], []
    for leg in legs:
        ankle, toe = skeleton.chain((leg.ankle, leg.toe))
        heel = skeleton.heads[ankle] - leg.heel * front
        points = np.stack([heel, skeleton.heads[toe]])
        points[:, 2] = 0.0
        ankles.append(ankle)
        offsets.append((points - skeleton.heads[ankle]) @ skeleton.axes[ankle])
        contacts.append((leg.heel_contacts, leg.toe_contacts))
    return Soles(tuple(ankles), np.array(offsets).reshape(-1, 2, 3), tuple(contacts))


def sole_points(soles: Soles, places: F64, turns: F64) -> F64:
    """(T, L, 2, 3) sole points in armature space from a skeleton's ``forward``."""
    ankles = list(soles.ankles)
    return places[:, ankles, None] + rotate(turns[:, ankles, None], soles.offsets)


def resting(soles: Soles, contacts: F64, names: Sequence[str], threshold: float) -> Mask:
    """(T, L, 2) where the lift says that a sole point rests.

    Args:
        soles: whose contacts.
        contacts: (T, C) probabilities.
        names: (C,) of the contact keypoints.
        threshold: least probability.
    """
    rests = np.zeros((len(contacts), len(soles.ankles), 2), dtype=bool)
    for leg, pair in enumerate(soles.contacts):
        for point, wanted in enumerate(pair):
            columns = [names.index(name) for name in wanted if name in names]
            if columns:
                rests[:, leg, point] = contacts[:, columns].max(1) >= threshold
    return rests


def slide(points: F64, rests: Mask) -> float:
    """Mean horizontal way in metres that a resting sole point makes from one frame to the next."""
    both = rests[1:] & rests[:-1]
    if not both.any():
        return 0.0
    return float(np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)[both].mean())
