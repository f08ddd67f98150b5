"""The mannequins and a user's SMPL-family files as body models: every table is checked, animals are turned."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.model import BodyModel, smpl_tables
from mvlift.bodies.skeleton import mirror_joint
from mvlift.bodies.skeletons import (
    default_human_skeleton,
    default_human_skeleton_with_fingers,
    default_quadruped_skeleton,
)
from mvlift.bodies.smpl_file import read_body_file
from mvlift.errors import BodyFileError
from mvlift.typing import F64

__all__ = ["load_body"]

_DATA: Final = Path(__file__).parent / "data"
_DEFAULTS: Final = {"human": "mannequin.npz", "quadruped": "quadruped.npz"}
_MOST_BETAS: Final = 16


@cache
def load_body(path: str | Path | None = None, default: str = "human") -> BodyModel:
    """A body model.

    Args:
        path: a user's SMPL, SMPL-H, SMPL-X or SMAL file (.npz or .pkl); None for the mannequin.
        default: which mannequin ("human", "quadruped").

    Raises:
        BodyFileError: the file cannot be used; the message says why.
    """
    if path is not None:
        return _checked(read_body_file(Path(path)), Path(path).name)
    body = _checked(read_body_file(_DATA / _DEFAULTS[default]), "mannequin")
    return replace(
        body, built_in_skeleton=default_quadruped_skeleton() if default == "quadruped" else default_human_skeleton()
    )


def _joint_names(kind: str, count: int) -> tuple[str, ...]:
    if kind == "smal":
        return tuple(smpl_tables()["smal_joints"][:count])
    if kind == "smpl":
        return default_human_skeleton().joint_names
    names = default_human_skeleton_with_fingers().joint_names
    return names if kind == "smplh" else (*names[:22], "jaw", "left_eye_smplhf", "right_eye_smplhf", *names[22:])


def _checked(arrays: dict[str, NDArray[Any]], name: str) -> BodyModel:
    template = np.asarray(arrays["v_template"], np.float64)
    regressor, weights = np.asarray(arrays["J_regressor"], np.float64), np.asarray(arrays["weights"], np.float64)
    tree, shapes = arrays["kintree_table"], np.asarray(arrays["shapedirs"], np.float64)
    tables = ("v_template", "J_regressor", "weights", "kintree_table", "shapedirs")
    flat = [k for k in tables if arrays[k].ndim < 2 or not arrays[k].size]
    if flat:
        raise BodyFileError(
            f"{name}: {', '.join(flat)} {'is' if len(flat) == 1 else 'are'} no table of numbers.",
            "Choose an SMPL, SMPL-H, SMPL-X or SMAL model file.",
        )
    count = regressor.shape[0]
    problems = []
    if template.ndim != 2 or template.shape[1] != 3:
        problems.append(f"v_template is {template.shape}, not (vertices, 3)")
    if regressor.shape != (count, len(template)):
        problems.append(f"J_regressor is {regressor.shape} for {len(template)} vertices")
    if weights.shape != (len(template), count):
        problems.append(f"weights are {weights.shape} for {len(template)} vertices and {count} joints")
    if tree.ndim != 2 or tree.shape[1] != count:
        problems.append(f"kintree_table is {tree.shape} for {count} joints")
    if shapes.ndim != 3 or shapes.shape[:2] != template.shape:
        problems.append(f"shapedirs are {shapes.shape}")
    if not all(np.isfinite(a).all() for a in (template, regressor, weights, shapes, tree, arrays["f"])):
        problems.append("it holds NaN")
    faces = np.clip(np.nan_to_num(np.asarray(arrays["f"], np.float64), nan=-1), -1, 1 << 40).astype(np.int64)
    if (
        faces.ndim != 2
        or faces.shape[1] != 3
        or (faces.size and not (0 <= int(faces.min()) <= int(faces.max()) < len(template)))
    ):
        problems.append(f"f is {faces.shape} and names vertices that are not there")
    kind = smpl_tables()["kinds"].get(str(count))
    if kind is None:
        problems.append(f"{count} joints are those of no body that MVLift knows (SMPL has 24)")
    if problems:
        raise BodyFileError(f"{name}: {'; '.join(problems)}.", "Choose an SMPL, SMPL-H, SMPL-X or SMAL model file.")
    parents = np.clip(tree[0].astype(np.float64), -1, 1 << 40).astype(np.int64)
    parents = np.where((parents < 0) | (parents >= count), -1, parents)
    parents[0] = -1
    if (parents[1:] < 0).any() or (parents >= np.arange(count)).any():
        raise BodyFileError(
            f"{name}: kintree_table is not a tree with parents before children.", "Choose another model file."
        )
    poses = arrays.get("posedirs")
    posed = None
    if poses is not None and poses.ndim == 3 and poses.shape[:2] == template.shape and np.any(poses):
        posed = np.asarray(poses, np.float64)
    body = BodyModel(
        name=name,
        kind=str(kind),
        joint_names=_joint_names(str(kind), count),
        parents=tuple(int(p) for p in parents),
        template=template,
        faces=faces.astype(np.int64),
        weights=weights,
        regressor=regressor,
        shape_directions=shapes[..., :_MOST_BETAS],
        pose_directions=posed,
        texture=_texture(arrays, len(faces)),
    )
    return _turned(body) if body.kind == "smal" else body


def _texture(arrays: dict[str, NDArray[Any]], faces: int) -> F64 | None:
    """(F, 3, 2) from SMPL-X's keys vt (N, 2) and ft (F, 3); None where a file has none that fit its faces."""
    places, corners = arrays.get("vt"), arrays.get("ft")
    if places is None or corners is None or places.ndim != 2 or places.shape[1] != 2 or corners.shape != (faces, 3):
        return None
    corners = corners.astype(np.int64)
    if corners.min(initial=0) < 0 or corners.max(initial=0) >= len(places):
        return None
    return np.asarray(places, np.float64)[corners]


def _turned(body: BodyModel) -> BodyModel:
    """An animal's body in the axes of every body here (x left, y up, z front), whatever the file's are.

    The directions come from the joints: tail to head is forward, feet to shoulders and hips is up. Where what a file
    calls left lies on the right of these, its names are exchanged.

    Raises:
        BodyFileError: the joints lie so that there is no telling.
    """
    at = dict(zip(body.joint_names, body.regressor @ body.template, strict=True))
    tops, feet = ("LLeg1", "RLeg1", "LLegBack1", "RLegBack1"), ("LFoot", "RFoot", "LFootBack", "RFootBack")
    front = _axis(at["Head"] - at["Tail1"])
    up = _axis(np.mean([at[n] for n in tops], 0) - np.mean([at[n] for n in feet], 0))
    left = np.cross(up, front)
    if not left.any():
        raise BodyFileError(f"{body.name}: its head does not lie in front of its tail.", "Choose another model file.")
    turn = np.stack([left, up, front])  # rows: the new axes in the file's
    swapped = (at["LLeg1"] - at["RLeg1"]) @ left < 0
    order = [body.joint_names.index(mirror_joint(n) if swapped else n) for n in body.joint_names]
    poses = body.pose_directions
    if poses is not None:  # they multiply the elements of R - I, which turn too
        split = poses.reshape(len(poses), 3, -1, 3, 3)[:, :, [j - 1 for j in order[1:]]]
        poses = np.einsum("xa,vajbc,yb,zc->vxjyz", turn, split, turn, turn, optimize=True).reshape(poses.shape)
    return replace(
        body,
        parents=tuple(-1 if p < 0 else order.index(p) for p in (body.parents[j] for j in order)),
        weights=body.weights[:, order],
        regressor=body.regressor[order],
        template=body.template @ turn.T,
        shape_directions=np.einsum("xa,vab->vxb", turn, body.shape_directions),
        pose_directions=poses,
    )


def _axis(direction: F64) -> F64:
    """The nearest of the six directions along the axes."""
    along = int(np.abs(direction).argmax())
    return np.asarray(np.sign(direction[along]) * np.eye(3)[along])
