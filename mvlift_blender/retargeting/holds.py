"""Constraints and drivers that would override keyed bones: they are disabled in the new Action.

Control rigs whose own bones are known (Rigify, Auto-Rig Pro) are left alone: their constraints make them work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..scene.animation import current_curves
from .channels import Channel
from .rig_map import RigMap

__all__ = ["Hold", "hold_channels", "hold_notes", "holds_of", "release", "silence_drivers"]

_IK: Final = ("IK", "SPLINE_IK")
_TRANSFORM: Final = re.compile(r'pose\.bones\["(.+?)"\]\.(location|rotation_\w+|scale)$')
_SHOWN: Final = 4


@dataclass(frozen=True)
class Hold:
    """A constraint that moves a keyed bone.

    Attributes:
        owner: bone that it stands on.
        constraint: its name.
        kind: its type, as Blender calls it.
        bone: the keyed bone that it moves.
        target: what it moves it to, "" for nothing.
    """

    owner: str
    constraint: str
    kind: str
    bone: str
    target: str

    @property
    def path(self) -> str:
        """Data path of its influence."""
        return f'pose.bones["{_quoted(self.owner)}"].constraints["{_quoted(self.constraint)}"].influence'


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def holds_of(armature: Any, rig: RigMap) -> tuple[Hold, ...]:
    """The constraints that would overwrite the keys of a rig's mapped bones."""
    if rig.geometry or rig.ik:
        return ()
    keyed = set(rig.bones.values())
    curves = current_curves(armature)
    animated = {curve.data_path for curve in curves} if curves is not None else set()
    holds = []
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            held = _held(bone, constraint, keyed)
            hold = Hold(bone.name, constraint.name, constraint.type, held, _target(constraint))
            # one that an earlier Action switched off would come back with the new one
            if held and not constraint.mute and (constraint.influence > 0 or hold.path in animated):
                holds.append(hold)
    return tuple(holds)


def _held(bone: Any, constraint: Any, keyed: set[str]) -> str:
    """The keyed bone that a constraint moves, "" for none."""
    if bone.name in keyed:
        return str(bone.name)
    if constraint.type not in _IK:
        return ""
    at, left = bone, constraint.chain_count or -1
    while at is not None and left != 0:
        if at.name in keyed:
            return str(at.name)
        at, left = at.parent, left - 1
    return ""


def _target(constraint: Any) -> str:
    target = getattr(constraint, "target", None)
    return str(getattr(constraint, "subtarget", "") or (target.name if target is not None else ""))


def hold_channels(holds: Sequence[Hold]) -> list[Channel]:
    """Keys that disable the constraints in the new Action."""
    return [Channel(h.owner, h.path, np.array([[0.0]])) for h in holds]


def hold_notes(holds: Sequence[Hold]) -> list[str]:
    """What was switched off, for the user."""
    notes = []
    for h in holds[:_SHOWN]:
        to = f" to {h.target}" if h.target else ""
        notes.append(
            f"{h.bone} was controlled by the constraint '{h.constraint}' of {h.owner}{to}: disabled in the new Action"
        )
    if len(holds) > _SHOWN:
        notes.append(f"{len(holds) - _SHOWN} more constraints are disabled in the new Action")
    return notes


def release(armature: Any, holds: Sequence[Hold]) -> None:
    """Set the constraints' influence to 0; ``as_it_was`` restores it."""
    for h in holds:
        armature.pose.bones[h.owner].constraints[h.constraint].influence = 0.0


def silence_drivers(armature: Any, rig: RigMap, holds: Iterable[Hold]) -> tuple[list[str], list[Any]]:
    """Mute the drivers that would overwrite the new keys; notes that name them, and the drivers."""
    animation = armature.animation_data
    if animation is None or rig.geometry or rig.ik:
        return [], []
    keyed, paths = set(rig.bones.values()), {h.path for h in holds}
    muted = []
    for driver in animation.drivers:
        match = _TRANSFORM.match(driver.data_path)
        drives_keyed_bone = match is not None and match[1] in keyed and match[2] != "scale"
        if (drives_keyed_bone or driver.data_path in paths) and not driver.mute:
            driver.mute = True
            muted.append(driver)
    named = dict.fromkeys(d.data_path for d in muted)
    return [f"The driver of {path} was muted: it would overwrite the motion's keys" for path in named], muted
