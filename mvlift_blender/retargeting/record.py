"""What a retargeted Action remembers: which bones are which parts, and the facts of the lift that it came from."""

from __future__ import annotations

import json
from typing import Any, Final

from ..scene.animation import current_curves
from .bone_map import RigMap

__all__ = ["read_rig_record", "write_rig_record"]

_KEY: Final = "mvlift_rig"
_LIFT: Final = "mvlift"


def write_rig_record(action: Any, rig: RigMap, source: Any) -> None:
    """Keep a rig's map with an Action, and what the source's Action remembers of its lift."""
    action[_KEY] = json.dumps({"body": rig.body, "bones": dict(rig.bones), "geometry": dict(rig.geometry)})
    curves = current_curves(source)
    lift = curves.action.get(_LIFT) if curves is not None else None
    if lift is not None:
        action[_LIFT] = lift.to_dict() if hasattr(lift, "to_dict") else lift


def read_rig_record(action: Any) -> RigMap | None:
    """The map that an Action was retargeted with, or None."""
    text = action.get(_KEY) if action is not None else None
    if not isinstance(text, str):
        return None
    data = json.loads(text)
    return RigMap(data["body"], data["bones"], data["geometry"])
