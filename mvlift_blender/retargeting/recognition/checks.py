"""Whether a bone map can work on a rig at all."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Final

import numpy as np

from ..rig_map import RigMap
from ..roles import SIDES, key, limbs, roles, split_key
from ..shape import RigShape

__all__ = ["problem_of"]

_LENGTH: Final = 1e-4
"""Share of the rig's size below which a bone has no length."""


def problem_of(shape: RigShape, rig: RigMap, require_all: bool = True) -> str:
    """Why a map cannot work, "" when it can.

    It needs hips; each part must hang on the one before it, and the joints of a limb must lie apart.

    Args:
        shape: the rig.
        rig: its map.
        require_all: it needs spine, head and both bones of four limbs too.
    """
    lacking = [k for k in _needed(rig.body) if k not in rig.bones and (require_all or k == "hips")]
    if rig.geometry:  # a control may carry the whole trunk
        lacking = [k for k in lacking if split_key(k)[0] != "spine"]
    if lacking:
        return f"no bone was found for {_labels(rig.body, lacking)}"
    twice = [bone for bone, count in Counter(rig.bones.values()).items() if count > 1]
    if twice:
        return f"{twice[0]} is used for two parts"
    if rig.geometry:  # controls hang on helpers of the rig's own
        return ""
    at = {k: shape.index[b] for k, b in rig.bones.items()}
    for name, limb in limbs(rig.body).items():
        for side in SIDES:
            chain = [at[k] for role in limb[:3] if (k := key(role, side)) in at]
            for a, b in itertools.pairwise(chain):
                if a not in shape.ancestors[b]:
                    return f"{shape.names[b]} is not a descendant of {shape.names[a]}"
                if np.linalg.norm(shape.heads[a] - shape.heads[b]) < _LENGTH * shape.size:
                    return f"the {name} has no length between {shape.names[a]} and {shape.names[b]}"
            if chain and at["hips"] not in shape.ancestors[chain[0]]:
                return f"{shape.names[chain[0]]} is not a descendant of {shape.names[at['hips']]}"
    if "head" in at and at["hips"] not in shape.ancestors[at["head"]]:
        return f"{shape.names[at['head']]} is not a descendant of {shape.names[at['hips']]}"
    return ""


def _needed(body: str) -> tuple[str, ...]:
    pairs = tuple(key(role, side) for limb in limbs(body).values() for role in limb[:2] for side in SIDES)
    return ("hips", key("spine", index=0), "head", *pairs)


def _labels(body: str, keys: list[str]) -> str:
    names = dict.fromkeys(roles(body)[split_key(k)[0]].label.lower() for k in keys)
    return ", ".join(names)
