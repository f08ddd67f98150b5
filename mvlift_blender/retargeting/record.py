"""Metadata of a retargeted Action: its bone map, and the facts of the lift that it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from ..motion.timing import Timing
from ..scene.animation import current_curves
from ..scene.record import write_plain_record
from .bone_map import BoneMapError, map_data, rig_of_data
from .rig_map import RigMap

__all__ = ["RigRecord", "read_rig_record", "write_rig_record"]

_KEY: Final = "mvlift_rig"
_LIFT: Final = "mvlift"
_BODIES: Final = {"human": "smpl", "quadruped": "smal"}


@dataclass(frozen=True)
class RigRecord:
    """How an Action was retargeted: the rig's map, which bone carries the path, FK or IK."""

    rig: RigMap
    root: str
    bake: str


def write_rig_record(action: Any, record: RigRecord, source: Any, timing: Timing) -> None:
    """Keep a rig's map with an Action, and what the source's Action remembers of its lift.

    Args:
        action: of the rig.
        record: what to keep.
        source: the armature whose motion it is.
        timing: of the motion, for a source that no lift made.
    """
    rig = record.rig
    data = map_data(rig, rig.name or "own", rig.title)
    action[_KEY] = json.dumps({"map": data, "root": record.root, "bake": record.bake})
    curves = current_curves(source)
    lift = curves.action.get(_LIFT) if curves is not None else None
    if lift is not None:
        action[_LIFT] = lift.to_dict()
    else:
        write_plain_record(action, _BODIES[rig.body], timing, f"Retargeted from {source.name}")


def read_rig_record(action: Any) -> RigRecord | None:
    """How an Action was retargeted, or None when it was not."""
    text = action.get(_KEY) if action is not None else None
    if not isinstance(text, str):
        return None
    try:
        data = json.loads(text)
        return RigRecord(rig_of_data(data["map"], action.name), data["root"], data["bake"])
    except (BoneMapError, KeyError, json.JSONDecodeError):
        return None
