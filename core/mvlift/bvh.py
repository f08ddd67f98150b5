"""BVH text of a motion: y up, centimetres, rotations in the order Z X Y."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.kinematics.rotations import euler_zxy, exp_map
from mvlift.motion import LiftedMotion

__all__ = ["bvh_text"]

_UNITS: Final = 100.0
# BVH is y up: world (x, y, z) -> (x, z, -y)
_Y_UP: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
_END: Final = 0.05
"""Metres of a bone that has no child."""


def _children(parents: tuple[int, ...]) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for j, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(j)
    return children


def _hierarchy(motion: LiftedMotion, children: list[list[int]], order: list[int]) -> list[str]:
    rest = np.asarray(motion.rest_joints, np.float64) * _UNITS
    lines = ["HIERARCHY"]

    def write(j: int, depth: int) -> None:
        order.append(j)
        pad = "  " * depth
        parent = motion.parents[j]
        offset = np.zeros(3) if parent < 0 else rest[j] - rest[parent]
        lines.append(f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {motion.joint_names[j]}")
        lines.append(pad + "{")
        lines.append(f"{pad}  OFFSET {offset[0]:.4f} {offset[1]:.4f} {offset[2]:.4f}")
        position = "Xposition Yposition Zposition " if parent < 0 else ""
        lines.append(f"{pad}  CHANNELS {6 if parent < 0 else 3} {position}Zrotation Xrotation Yrotation")
        for child in children[j]:
            write(child, depth + 1)
        if not children[j]:
            along = offset / max(float(np.linalg.norm(offset)), 1e-6) * _END * _UNITS
            lines.extend(
                [f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {along[0]:.4f} {along[1]:.4f} {along[2]:.4f}"]
            )
            lines.append(f"{pad}  }}")
        lines.append(pad + "}")

    write(motion.parents.index(-1), 0)
    return lines


def bvh_text(motion: LiftedMotion) -> str:
    """The motion as BVH.

    The hierarchy is the body's rest pose (arms out), joints in depth-first order, one frame per frame of the motion.
    """
    order: list[int] = []
    lines = _hierarchy(motion, _children(motion.parents), order)
    R = exp_map(np.asarray(motion.rotations, np.float64))
    root = motion.parents.index(-1)
    R[:, root] = _Y_UP @ R[:, root]
    place = (np.asarray(motion.translation, np.float64) + motion.rest_joints[root]) @ _Y_UP.T * _UNITS
    angles = np.degrees(euler_zxy(R))[:, order].reshape(len(motion), -1)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {float(1 / motion.fps):.8f}"]
    rows = np.concatenate([place, angles], axis=1)
    lines += [" ".join(f"{v:.4f}" for v in row) for row in rows.tolist()]
    return "\n".join(lines) + "\n"
