"""BVH of any armature: Y up, centimetres, channels in the order that readers know, from what Blender shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np
from mvlift.kinematics.rotations import euler_zxy
from mvlift.typing import F64

from .pose_samples import PoseSamples

__all__ = ["BVH_AXES", "BvhUp", "armature_bvh"]

BvhUp = Literal["Y", "Z"]
BVH_AXES: Final[dict[str, F64]] = {
    # world (x, y, z) -> (x, z, -y): facing -y becomes facing z
    "Y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "Z": np.eye(3),
}
_MOVES: Final = 1e-3
"""Share of the rig's size by which a bone may move on its parent and still be taken as fixed to it."""
_END: Final = 5.0


@dataclass(frozen=True)
class _Joint:
    name: str
    parent: int
    rest: F64
    tail: F64
    children: tuple[int, ...]


def armature_bvh(armature: Any, samples: PoseSamples, fps: Fraction, up: BvhUp = "Y", units: float = 100.0) -> str:
    """An armature's motion as BVH text; the object's transform is included in the values.

    Args:
        armature: whose bones at rest give the hierarchy.
        samples: its motion.
        fps: frames per second.
        up: axis of the file that points up.
        units: of the file in a metre.
    """
    turn = BVH_AXES[up]
    joints = _joints(armature, turn, units)
    number = {name: i for i, name in enumerate(samples.names)}
    columns = [number[j.name] for j in joints]
    world = np.array(armature.matrix_world, dtype=np.float64)[:3, :3]
    world = world / np.linalg.norm(world, axis=0)
    rest = np.array([world @ np.array(armature.data.bones[j.name].matrix_local)[:3, :3] for j in joints])
    axes = samples.matrices[:, columns, :3, :3]
    axes = axes / np.linalg.norm(axes, axis=-2, keepdims=True)
    delta = turn @ (axes @ np.swapaxes(rest, -1, -2)) @ turn.T
    places = samples.matrices[:, columns][..., :3, 3] @ turn.T * units
    tops = [i for i, j in enumerate(joints) if j.parent < 0]
    local, offsets = _local(joints, delta, places)
    span = float(np.ptp(np.array([j.rest for j in joints]), axis=0).max())
    moving = [
        j.parent < 0 or np.abs(offsets[:, i] - offsets[:1, i]).max() > _MOVES * span for i, j in enumerate(joints)
    ]
    lines = ["HIERARCHY"]
    order: list[Any] = []
    single = len(tops) == 1
    if not single:
        lines += [f"ROOT {_word(armature.name)}", "{", "  OFFSET 0 0 0", f"  CHANNELS 6 {_POSITION} {_ROTATION}"]
    for top in tops:
        _write(joints, top, 0 if single else 1, moving, offsets, lines, order)
    lines += [] if single else ["}"]
    values = [np.zeros((len(samples.frames), 6))] if not single else []
    angles = np.degrees(euler_zxy(local))
    for i in order:
        values += [offsets[:, i], angles[:, i]] if moving[i] else [angles[:, i]]
    rows = np.concatenate(values, axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {float(1 / fps):.10f}"]
    lines += [" ".join(f"{v:.6f}" for v in row) for row in rows.tolist()]
    return "\n".join(lines) + "\n"


_POSITION: Final = "Xposition Yposition Zposition"
_ROTATION: Final = "Zrotation Xrotation Yrotation"


def _word(name: str) -> str:
    return "_".join(name.split()) or "bone"


def _joints(armature: Any, turn: F64, units: float) -> list[_Joint]:
    matrix = np.array(armature.matrix_world, dtype=np.float64)
    joints: list[Any] = []
    todo = [bone for bone in armature.data.bones if bone.parent is None]
    while todo:
        bone = todo.pop(0)
        joints.append(bone)
        todo.extend(bone.children)
    number = {bone.name: i for i, bone in enumerate(joints)}

    def place(point: Any) -> F64:
        return np.asarray(turn @ (matrix[:3, :3] @ np.array(point) + matrix[:3, 3]) * units)

    return [
        _Joint(
            bone.name,
            number[bone.parent.name] if bone.parent else -1,
            place(bone.head_local),
            place(bone.tail_local),
            tuple(number[c.name] for c in bone.children),
        )
        for bone in joints
    ]


def _local(joints: Sequence[_Joint], delta: F64, places: F64) -> tuple[F64, F64]:
    """(T, J, 3, 3) turns on the parent, and (T, J, 3) places in the parent's axes."""
    local, offsets = delta.copy(), places.copy()
    for i, joint in enumerate(joints):
        if joint.parent >= 0:
            above = np.swapaxes(delta[:, joint.parent], -1, -2)
            local[:, i] = above @ delta[:, i]
            offsets[:, i] = (above @ (places[:, i] - places[:, joint.parent])[..., None])[..., 0]
    return local, offsets


def _write(
    joints: Sequence[_Joint],
    i: int,
    depth: int,
    moving: Sequence[bool],
    offsets: F64,
    lines: list[str],
    order: list[int],
) -> None:
    order.append(i)
    joint, pad = joints[i], "  " * depth
    rest = joint.rest - joints[joint.parent].rest if joint.parent >= 0 else joint.rest * 0
    # a bone that is always elsewhere than at rest, without moving there, is drawn where it is
    rest = rest if moving[i] else offsets[0, i]
    lines.append(f"{pad}{'ROOT' if depth == 0 else 'JOINT'} {_word(joint.name)}")
    lines.append(pad + "{")
    lines.append(f"{pad}  OFFSET " + " ".join(f"{v:.6f}" for v in rest))
    channels = f"6 {_POSITION} {_ROTATION}" if moving[i] else f"3 {_ROTATION}"
    lines.append(f"{pad}  CHANNELS {channels}")
    for child in joint.children:
        _write(joints, child, depth + 1, moving, offsets, lines, order)
    if not joint.children:
        along = joint.tail - joint.rest
        length = float(np.linalg.norm(along))
        along = along if length > 1e-6 else np.array([0.0, _END, 0.0])
        lines += [f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET " + " ".join(f"{v:.6f}" for v in along)]
        lines.append(f"{pad}  }}")
    lines.append(pad + "}")
