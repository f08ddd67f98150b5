"""Measured response of a target rig: each control is rotated once, and the bones that follow it are recorded.

This needs to know nothing of a rig's constraints, of bones between the mapped ones or of what they inherit, and holds
for plain skeletons and control rigs alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from mathutils import Quaternion
from mvlift.kinematics.quaternions import conjugate, multiply, rotate, to_vector
from numpy.typing import NDArray

from .ground import ground_under
from .motion import TargetParts
from .pose_sampler import PoseSampler
from .rig import world_matrix
from .rig_map import IkLimb, RigMap, Setting
from .roles import key, legs, limb_keys, roles, split_key
from .solve import RetargetError

__all__ = [
    "Bend",
    "Control",
    "RigResponse",
    "all_settings",
    "measure_response",
    "on_ik",
]

Array = NDArray[np.float64]
_TURN: Final = Quaternion((0.3, 0.8, -0.5), 0.7)
_SAME: Final = np.radians(0.2)
_STEP: Final = 0.1
_SHORTER: Final = 0.25
"""Share of its length by which a limb is shortened to see how it bends."""


@dataclass(frozen=True, eq=False)
class Control:
    """A bone that is keyed.

    Attributes:
        bone: its name.
        mode: its rotation mode.
        axes: (4,) its orientation in the world when its keyed channels are zero.
        head: (3,) where it begins then.
        moves: (3, 3) columns: how far it moves in the world for each unit of its location; zero when it is fixed.
        parent: number of the part that it follows rigidly, -1 for none.
    """

    bone: str
    mode: str
    axes: Array
    head: Array
    moves: Array
    parent: int


@dataclass(frozen=True, eq=False)
class Bend:
    """How a limb bends under its IK control.

    Attributes:
        turned: from where the pole lies to where the elbow or knee goes, radians about the line from root to end.
        bone: lower bone of the solver's chain that is keyed with the bend, "" for none.
        mode: its rotation mode.
        axis: (3,) that it bends about, in its own axes.
        angle: between the limb's two bones at rest, radians about that axis.
    """

    turned: float = 0.0
    bone: str = ""
    mode: str = "QUATERNION"
    axis: Array = field(default_factory=lambda: np.array([1.0, 0, 0]))
    angle: float = 0.0


@dataclass(frozen=True, eq=False)
class RigResponse:
    """The measured response of a target rig.

    Attributes:
        parts: where its parts are and what they follow.
        controls: (N,) of each part.
        extra: further controls (IK) by bone name.
        soft: bones that follow another one only partly, as (bone, other).
        bends: of each limb whose IK control is keyed.
    """

    parts: TargetParts
    controls: tuple[Control, ...]
    extra: dict[str, Control]
    soft: tuple[tuple[str, str], ...]
    bends: Mapping[tuple[str, str], Bend]


def measure_response(
    context: Any, armature: Any, rig: RigMap, keys: Sequence[str], ik: Sequence[tuple[str, str]]
) -> RigResponse:
    """Measure how a rig moves. Call it inside ``as_it_was``: it leaves the pose changed.

    Args:
        context: its view layer evaluates the rig.
        armature: the target.
        rig: its bone map.
        keys: the parts that will be keyed.
        ik: limbs (limb, side) whose IK controls will be keyed.

    Raises:
        RetargetError: the rig is hidden, so that Blender does not evaluate it, or a bone is missing.
    """
    missing = [b for k in keys for b in (rig.bones[k], rig.geometry_bone(k)) if b not in armature.pose.bones]
    if missing:
        raise RetargetError(f"{armature.name} has no bone {missing[0]!r}.", "Correct the bone map.")
    if not armature.visible_get(view_layer=context.view_layer):
        raise RetargetError(f"{armature.name} is hidden.", "Show it: Blender does not evaluate hidden armatures.")
    _apply(armature, [*rig.settings, *_switches(rig, ())])
    controls, parts, soft = _response_of_parts(context, armature, rig, keys)
    extra: dict[str, Control] = {}
    bends: dict[tuple[str, str], Bend] = {}
    if ik:
        on_ik(armature, rig, ik)
        names = [n for limb in ik for n in rig.ik[limb].controls if n]
        extra = _response_of_extra(context, armature, [n for n in names if n in armature.pose.bones], keys, controls)
        bends = {
            limb: _bend(
                context, armature, [rig.geometry_bone(k) for k in limb_keys(rig.body, limb)], rig.ik[limb], extra
            )
            for limb in ik
        }
    return RigResponse(parts, tuple(controls), extra, soft, bends)


def all_settings(rig: RigMap) -> list[Setting]:
    """Every property of a rig that retargeting may set."""
    return [*rig.settings, *_switches(rig, ()), *(s for ik in rig.ik.values() for s in ik.settings)]


def on_ik(armature: Any, rig: RigMap, limbs: Sequence[tuple[str, str]]) -> None:
    """Set a rig's properties as they are while some limbs' IK controls are keyed."""
    _apply(armature, [*rig.settings, *_switches(rig, limbs), *(s for limb in limbs for s in rig.ik[limb].settings)])


def _switches(rig: RigMap, limbs: Sequence[tuple[str, str]]) -> list[Setting]:
    switches = []
    for limb, ik in rig.ik.items():
        if ik.switch is not None:
            bone, name, for_ik, for_fk = ik.switch
            switches.append(Setting(bone, name, for_ik if limb in limbs else for_fk))
    return switches


def _apply(armature: Any, settings: Iterable[Setting]) -> None:
    for setting in settings:
        bone = armature.pose.bones.get(setting.bone)
        if bone is not None and setting.property in bone:
            bone[setting.property] = type(bone[setting.property])(setting.value)
    armature.update_tag()


def _zero(bone: Any, move: bool) -> None:
    location, _, scale = bone.matrix_basis.decompose()
    bone.rotation_quaternion, bone.rotation_euler = (1, 0, 0, 0), (0, 0, 0)
    bone.rotation_axis_angle = (0, 0, 1, 0)
    bone.location, bone.scale = (0, 0, 0) if move else location, scale


def _turned(bone: Any) -> None:
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = _TURN
    elif bone.rotation_mode == "AXIS_ANGLE":
        axis, angle = _TURN.to_axis_angle()
        bone.rotation_axis_angle = (angle, *axis)
    else:
        bone.rotation_euler = _TURN.to_euler(bone.rotation_mode)


def _followers(after: Array, before: Array, bone: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which bones rotated as ``bone`` did, and which rotated differently."""
    change = multiply(after, conjugate(before))
    moved = np.linalg.norm(to_vector(change), axis=-1) > _SAME
    differs = np.linalg.norm(to_vector(multiply(conjugate(change[bone]), change)), axis=-1) > _SAME
    return moved & ~differs, moved & differs


def _response_of_parts(
    context: Any, armature: Any, rig: RigMap, keys: Sequence[str]
) -> tuple[list[Control], TargetParts, tuple[tuple[str, str], ...]]:
    count = len(keys)
    bones = [armature.pose.bones[rig.bones[k]] for k in keys]
    moving = [k in ("hips", "root") for k in keys]
    detached = _detached(rig, keys, armature)
    moving = [move or free for move, free in zip(moving, detached, strict=True)]
    for bone, move in zip(bones, moving, strict=True):
        _zero(bone, move)
    sampler = PoseSampler(context, armature, [b.name for b in bones] + [rig.geometry_bone(k) for k in keys])
    axes, heads = sampler.sample()
    above = np.zeros((count, count), bool)  # [i, j]: part i follows part j
    soft = []
    for j, bone in enumerate(bones):
        _turned(bone)
        follow, partly = _followers(sampler.sample()[0], axes, j)
        _zero(bone, moving[j])
        above[:, j] = follow[:count]
        above[j, j] = False
        soft += [(bones[i].name, bone.name) for i in np.flatnonzero(partly[:count]) if i != j]
    depth = above.sum(1)
    parents = [max(np.flatnonzero(row), key=lambda j: depth[j], default=-1) for row in above]
    controls = []
    for i, bone in enumerate(bones):
        moves = _moves(sampler, bone, i, heads) if moving[i] else np.zeros((3, 3))
        controls.append(Control(bone.name, bone.rotation_mode, axes[i], heads[i], moves, int(parents[i])))
    origin = world_matrix(armature)[:3, 3]
    # a part that hangs beside the body is moved to where the body's would be
    above_it = [_body_parent(rig, keys, i) if detached[i] else int(p) for i, p in enumerate(parents)]
    at = keys.index("hips") if "hips" in keys else -1
    fixed = at >= 0 and np.linalg.matrix_rank(controls[at].moves, tol=1e-4) < 3
    ground = ground_under(armature, [rig.geometry_bone(k) for k in keys if split_key(k)[0] in _ends(rig.body)])
    parts = TargetParts(rig.body, tuple(keys), heads[count:], origin, ground, tuple(above_it), bool(fixed))
    return controls, parts, tuple(soft)


def _ends(body: str) -> set[str]:
    return {role for leg in legs(body) for role in leg[2:]}


def _detached(rig: RigMap, keys: Sequence[str], armature: Any) -> list[bool]:
    """Toes that do not hang on the hips: paws on IK controls of their own."""
    if rig.geometry or "hips" not in keys:
        return [False] * len(keys)
    bones = armature.data.bones
    hips = rig.bones["hips"]
    toes = {leg[3] for leg in legs(rig.body)}
    return [split_key(k)[0] in toes and all(b.name != hips for b in bones[rig.bones[k]].parent_recursive) for k in keys]


def _body_parent(rig: RigMap, keys: Sequence[str], i: int) -> int:
    role, side, _ = split_key(keys[i])
    name = key(roles(rig.body)[role].parent, side)
    return list(keys).index(name) if name in keys else -1


def _moves(sampler: PoseSampler, bone: Any, row: int, heads: Array) -> Array:
    columns = []
    for axis in range(3):
        place = [0.0, 0.0, 0.0]
        place[axis] = _STEP
        bone.location = place
        columns.append((sampler.sample()[1][row] - heads[row]) / _STEP)
    bone.location = (0, 0, 0)
    return np.stack(columns, -1)


def _response_of_extra(
    context: Any, armature: Any, names: Sequence[str], keys: Sequence[str], controls: Sequence[Control]
) -> dict[str, Control]:
    """IK controls: what they follow of the parts, and how they move."""
    bones = [armature.pose.bones[n] for n in names]
    for bone in bones:
        _zero(bone, True)
    sampler = PoseSampler(context, armature, [*names, *(c.bone for c in controls)])
    axes, heads = sampler.sample()
    count = len(names)
    above = np.zeros((count, len(keys)), bool)
    for j, control in enumerate(controls):
        bone = armature.pose.bones[control.bone]
        _turned(bone)
        above[:, j] = _followers(sampler.sample()[0], axes, count + j)[0][:count]
        _zero(bone, keys[j] in ("hips", "root"))
    depth = [_depth(controls, j) for j in range(len(keys))]
    controls_by_bone = {}
    for i, bone in enumerate(bones):
        parent = max(np.flatnonzero(above[i]), key=lambda j: depth[j], default=-1)
        controls_by_bone[bone.name] = Control(
            bone.name, bone.rotation_mode, axes[i], heads[i], _moves(sampler, bone, i, heads), int(parent)
        )
    return controls_by_bone


def _bend(context: Any, armature: Any, joints: Sequence[str], ik: IkLimb, extra: Mapping[str, Control]) -> Bend:
    """Bend a limb by its IK control and look where the joint goes, response from the pole, and about which axis."""
    control = extra.get(ik.control)
    if control is None:
        return Bend()
    lower = armature.pose.bones.get(ik.bend) if ik.bend else None
    if lower is not None:
        _zero(lower, False)
    pole_bone = ik.pole if ik.pole in extra else ik.control
    sampler = PoseSampler(context, armature, [*joints, pole_bone, lower.name if lower is not None else joints[1]])
    axes, (root, joint, end, *_) = sampler.sample()
    rest_axes, rest_bones = axes[-1], (joint - root, end - joint)
    bone = armature.pose.bones[control.bone]
    bone.location = np.linalg.pinv(control.moves) @ (_SHORTER * (root - end))
    axes, (root, joint, end, pole, _) = sampler.sample()
    bone.location = (0, 0, 0)
    line = (end - root) / max(float(np.linalg.norm(end - root)), 1e-9)
    to_pole, to_joint = (v - (v @ line) * line for v in (pole - root, joint - root))
    turned = float(np.arctan2(np.cross(to_pole, to_joint) @ line, to_pole @ to_joint)) if ik.pole in extra else 0.0
    hinge = np.cross(joint - root, end - joint)
    if lower is None or np.linalg.norm(hinge) < 1e-9:
        return Bend(turned)
    axis = rotate(conjugate(axes[-1]), hinge / np.linalg.norm(hinge))
    across = np.cross(*rest_bones) @ rotate(rest_axes, axis)
    angle = float(np.arctan2(across, rest_bones[0] @ rest_bones[1]))
    return Bend(turned, lower.name, lower.rotation_mode, axis, angle)


def _depth(controls: Sequence[Control], j: int) -> int:
    return 0 if j < 0 else 1 + _depth(controls, controls[j].parent)
