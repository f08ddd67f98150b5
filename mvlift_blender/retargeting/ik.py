"""Keys for IK controls: hands and feet where the solve has them, poles in front of elbows and knees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from mvlift.kinematics.quaternions import from_vector, rotate
from numpy.typing import NDArray

from .channels import Channel, constant, location, rotation, rotation_channel
from .motion import Solved, TargetParts
from .response import Bend, Control
from .rig_map import RigMap
from .roles import limb_keys, toe_key

__all__ = ["carried", "ik_channels", "limbs_with_ik", "setting_channels"]

Array = NDArray[np.float64]
Limb = tuple[str, str]
_STRAIGHT: Final = 0.01
"""Below this share of the limb's length a bend gives the pole no sure direction."""


def limbs_with_ik(rig: RigMap) -> tuple[Limb, ...]:
    """Limbs whose IK controls can be keyed."""
    return tuple(limb for limb in rig.ik if {*limb_keys(rig.body, limb), carried(rig, limb)} <= rig.bones.keys())


def carried(rig: RigMap, limb: Limb) -> str:
    """The part that a limb's IK control carries: the hand, the foot, or the toes of a paw."""
    return toe_key(rig.body, limb) if rig.ik[limb].heel else limb_keys(rig.body, limb)[2]


def ik_channels(
    rig: RigMap, limb: Limb, extra: Mapping[str, Control], parts: TargetParts, solved: Solved, bend: Bend
) -> list[Channel]:
    """Channels of one limb's control, pole, toes and bend.

    Args:
        rig: whose map knows the limb's IK controls.
        limb: which.
        extra: the IK controls.
        parts: the target's.
        solved: their motion.
        bend: how it bends.
    """
    ik = rig.ik[limb]
    upper, lower, end = (parts.index[k] for k in limb_keys(rig.body, limb))
    held = parts.index[carried(rig, limb)]
    channels = []
    control = extra.get(ik.control)
    if control is not None:
        turn = solved.turns[:, held]
        place = solved.heads[:, held] + rotate(turn, control.head - parts.heads[held])
        channels += _placed(control, place, parts, solved)
        channels.append(rotation_channel(control.bone, control.mode, rotation(control, turn, _above(control, solved))))
    pole = extra.get(ik.pole)
    if pole is not None:
        channels += _placed(pole, _pole(pole, parts, solved, (upper, lower, end), bend.turned), parts, solved)
    if bend.bone:
        thigh, shin = solved.heads[:, lower] - solved.heads[:, upper], solved.heads[:, end] - solved.heads[:, lower]
        channels.append(rotation_channel(bend.bone, bend.mode, _bent(bend, thigh, shin)))
    toe = extra.get(ik.toe)
    if toe is not None and (name := toe_key(rig.body, limb)) in parts.index:
        # it hangs on the limb's control, which turns as what it carries does
        above = _above(toe, solved) if toe.parent >= 0 and control is None else solved.turns[:, held]
        q = rotation(toe, solved.turns[:, parts.index[name]], above)
        channels.append(rotation_channel(toe.bone, toe.mode, q))
    return channels


def _above(control: Control, solved: Solved) -> Array | None:
    return solved.turns[:, control.parent] if control.parent >= 0 else None


def _placed(control: Control, place: Array, parts: TargetParts, solved: Solved) -> list[Channel]:
    path = f'pose.bones["{control.bone}"].location'
    return [Channel(control.bone, path, location(control, place, parts, solved))]


def _pole(pole: Control, parts: TargetParts, solved: Solved, joints: tuple[int, int, int], turned: float) -> Array:
    """(T, 3) from the knee away from the line between hip and ankle, as far as at rest; turned back about that line."""
    upper, lower, end = joints
    hip, knee, ankle = (solved.heads[:, i] for i in (upper, lower, end))
    line = ankle - hip
    line = line / np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-9)
    bend = (knee - hip) - ((knee - hip) * line).sum(-1, keepdims=True) * line
    size = np.linalg.norm(bend, axis=-1, keepdims=True)
    rest = rotate(solved.turns[:, upper], pole.head - parts.heads[lower])
    rest = rest - (rest * line).sum(-1, keepdims=True) * line
    rest = rest / np.maximum(np.linalg.norm(rest, axis=-1, keepdims=True), 1e-9)
    length = float(np.linalg.norm(parts.heads[end] - parts.heads[upper]))
    share = np.clip(size / (_STRAIGHT * length), 0, 1)
    way = share * bend / np.maximum(size, 1e-9) + (1 - share) * rest
    distance = float(np.linalg.norm(pole.head - parts.heads[lower]))
    back = np.concatenate([np.full((len(line), 1), np.cos(turned / 2)), -np.sin(turned / 2) * line], axis=-1)
    way = rotate(back, way)
    foot = hip + ((knee - hip) * line).sum(-1, keepdims=True) * line
    return foot + distance * way / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-9)


def _bent(bend: Bend, thigh: Array, shin: Array) -> Array:
    """(T, 4) turns of the solver's lower bone about its hinge that give the angle between a limb's bones (T, 3)."""
    across = np.linalg.norm(np.cross(thigh, shin), axis=-1)
    angle = np.arctan2(across, (thigh * shin).sum(-1)) - bend.angle
    return from_vector(angle[:, None] * bend.axis)


def setting_channels(rig: RigMap, on_ik: Sequence[Limb]) -> list[Channel]:
    """The properties that must hold while the motion is keyed: IK or FK, followers, poles."""
    rows = [constant(s.bone, s.property, s.value) for s in rig.settings]
    for limb, ik in rig.ik.items():
        if ik.switch is not None:
            bone, name, for_ik, for_fk = ik.switch
            rows.append(constant(bone, name, for_ik if limb in on_ik else for_fk))
        if limb in on_ik:
            rows += [constant(s.bone, s.property, s.value) for s in ik.settings]
    return rows
