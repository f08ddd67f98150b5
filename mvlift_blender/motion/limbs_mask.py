"""Parts of a body by name: which bones a clean-up or a new lift may change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
from mvlift.errors import LiftError
from numpy.typing import NDArray

from .skeleton import RestSkeleton

__all__ = ["LIMBS", "LIMB_ITEMS", "limb_bones", "limb_mask"]

LIMBS: Final = {
    "UPPER": (("spine1",), ()),
    "LOWER": (("left_hip", "right_hip"), ("pelvis",)),
    "HEAD": (("neck",), ()),
    "LEFT_ARM": (("left_collar",), ()),
    "RIGHT_ARM": (("right_collar",), ()),
    "LEFT_LEG": (("left_hip",), ()),
    "RIGHT_LEG": (("right_hip",), ()),
}
"""Part -> bones that it begins with, with all that hangs on them, and single bones."""
LIMB_ITEMS: Final = (
    ("UPPER", "Upper Body", "Spine, arms and head", 1),
    ("LOWER", "Lower Body", "Hips, legs and the path through the world", 2),
    ("HEAD", "Head", "Neck and head", 4),
    ("LEFT_ARM", "Left Arm", "The left arm with its hand", 8),
    ("RIGHT_ARM", "Right Arm", "The right arm with its hand", 16),
    ("LEFT_LEG", "Left Leg", "The left leg with its foot", 32),
    ("RIGHT_LEG", "Right Leg", "The right leg with its foot", 64),
)
"""For Blender's properties: identifier, label, description, number."""


def limb_mask(skeleton: RestSkeleton, limbs: Collection[str]) -> NDArray[np.bool_]:
    """(J,) which bones are of these parts; no parts mean all bones.

    Raises:
        LiftError: the skeleton has no such part.
    """
    if not limbs:
        return np.ones(len(skeleton.names), dtype=bool)
    mask = np.zeros(len(skeleton.names), dtype=bool)
    for limb in limbs:
        starts, single = LIMBS[limb]
        missing = [name for name in (*starts, *single) if name not in skeleton.names]
        if missing:
            raise LiftError(
                f"The armature has no bone {missing[0]!r}.", "Parts can be chosen of people that MVLift has lifted."
            )
        inside = np.isin(skeleton.names, starts)
        for j, parent in enumerate(skeleton.parents):  # parents come before children
            inside[j] |= parent >= 0 and inside[parent]
        mask |= inside | np.isin(skeleton.names, single)
    return mask


def limb_bones(skeleton: RestSkeleton, limbs: Collection[str]) -> tuple[str, ...]:
    """Names of the bones of these parts, for arguments as ``limb_mask``."""
    return tuple(np.array(skeleton.names)[limb_mask(skeleton, limbs)].tolist())
