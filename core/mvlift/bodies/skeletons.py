"""Default skeletons, built from data files: joints, shape directions, keypoints."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from mvlift.bodies.skeleton import BodySkeleton, mirror_joint
from mvlift.typing import F64

__all__ = [
    "default_human_skeleton",
    "default_human_skeleton_with_fingers",
    "default_quadruped_skeleton",
    "shape_names",
]

_DATA: Final = Path(__file__).parent / "data"
_MIRROR: Final = np.array([-1.0, 1.0, 1.0])


def _read(name: str) -> dict[str, Any]:
    return dict(json.loads((_DATA / name).read_text(encoding="utf-8")))


def shape_names(body: str = "human") -> tuple[str, ...]:
    """Names of a default body's shape directions ("human" or "quadruped"), in the order of ``betas``."""
    return tuple(direction["name"] for direction in _read(f"{body}_skeleton.json")["shape"])


def _matches(name: str, patterns: list[str]) -> bool:
    plain_names = {name, name[1:] if name[:1] in ("L", "R") else name}  # SMAL's sides
    return any(p == "*" or p in plain_names or name.endswith("_" + p) for p in patterns)


def _ancestry(parents: tuple[int, ...]) -> F64:
    """(J, J) with 1 where column is the row's joint or one of its ancestors."""
    matrix = np.eye(len(parents))
    for j, parent in enumerate(parents):
        if parent >= 0:
            matrix[j] += matrix[parent]
    return matrix


def joints_of_keypoints(body: str = "human") -> dict[str, tuple[str, ...]]:
    """Keypoints of a default body that are a joint, or the middle of joints."""
    joints_of: dict[str, tuple[str, ...]] = {}
    for name, (joint, offset) in _read(f"{body}_skeleton.json")["keypoints"].items():
        if isinstance(offset[0], str):
            joints_of[name] = tuple(offset)
        elif not any(offset):
            joints_of[name] = (joint,)
            if name.startswith("l_"):
                joints_of["r_" + name[2:]] = (mirror_joint(joint),)
    return joints_of


@cache
def default_human_skeleton() -> BodySkeleton:
    """SMPL's 24 joints at the neutral body's rest positions, with shape directions of our own.

    A unit of a shape coefficient lengthens its bones by 5 % (about one standard deviation over adults).
    """
    return _built("human", "smpl")


@cache
def default_human_skeleton_with_fingers(relaxed: bool = True) -> BodySkeleton:
    """``default_human_skeleton`` with SMPL-H's 52 joints.

    Args:
        relaxed: fingers as in the default rest pose; False: flat, as in SMPL-H's files.
    """
    from mvlift.bodies.hands.tables import with_fingers

    return with_fingers(default_human_skeleton(), float(_read("human_skeleton.json")["shape_step"]), relaxed=relaxed)


@cache
def default_quadruped_skeleton() -> BodySkeleton:
    """SMAL's 35 joints on a dog of our own making, with shape directions that reach cat, horse and cow.

    A unit of a shape coefficient lengthens its bones by 8 %. Axes are those of every body here (x left, y up, z front),
    not SMAL's.
    """
    return _built("quadruped", "smal")


def _built(body: str, kind: str) -> BodySkeleton:
    data = _read(f"{body}_skeleton.json")
    names = tuple(row[0] for row in data["joints"])
    parents = tuple(-1 if row[1] is None else names.index(row[1]) for row in data["joints"])
    offsets = np.zeros((len(names), 3))
    for i, (name, _, offset) in enumerate(data["joints"]):
        offsets[i] = offsets[names.index(mirror_joint(name))] * _MIRROR if offset is None else offset
    ancestry = _ancestry(parents)
    rest = ancestry @ offsets
    step = float(data["shape_step"])
    changes = np.zeros((len(names), 3, len(data["shape"])))
    for b, direction in enumerate(data["shape"]):
        moved = [i for i, n in enumerate(names) if i and _matches(n, direction["joints"])]
        changes[moved, :, b] = offsets[moved] * step * direction.get("axes", [1, 1, 1])
    shape_joints = np.einsum("ij,jab->iab", ancestry, changes)
    return replace(_with_keypoints(data, names, parents, rest, shape_joints), kind=kind)


def _with_keypoints(
    data: dict[str, Any], names: tuple[str, ...], parents: tuple[int, ...], rest: F64, shape_joints: F64
) -> BodySkeleton:
    left = dict(data["keypoints"])
    spec = dict(left)
    for name, (joint, offset) in left.items():
        if name.startswith("l_"):
            spec["r_" + name[2:]] = [mirror_joint(joint), list(np.array(offset) * _MIRROR)]
    points = np.zeros((len(spec), 3))
    shape_points = np.zeros((len(spec), 3, shape_joints.shape[2]))
    weights = np.zeros((len(spec), len(names)))
    step = float(data["shape_step"])
    for k, (name, (joint, offset)) in enumerate(spec.items()):
        j = names.index(joint)
        weights[k, j] = 1
        if isinstance(offset[0], str):
            of = [names.index(n) for n in offset]
            points[k], shape_points[k] = rest[of].mean(0), shape_joints[of].mean(0)
            continue
        points[k] = rest[j] + offset
        shape_points[k] = shape_joints[j]
        for b, direction in enumerate(data["shape"]):
            if _matches(name, direction.get("points", [])):
                shape_points[k, :, b] += np.array(offset) * step
    return BodySkeleton(
        joint_names=names,
        parents=parents,
        rest_joints=rest,
        shape_joints=shape_joints,
        keypoint_names=tuple(spec),
        rest_points=points,
        shape_points=shape_points,
        point_weights=weights,
        shape_sigma=np.ones(len(data["shape"])),
    )
