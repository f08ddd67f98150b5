"""Body models with a skin: our mannequins and a user's SMPL-family files, through one loader and one skinning."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.skeleton import BodySkeleton, mirror_joint
from mvlift.bodies.skeletons import (
    default_human_skeleton,
    default_human_skeleton_with_fingers,
    default_quadruped_skeleton,
    joints_of_keypoints,
)
from mvlift.bodies.smpl_file import read_body_file
from mvlift.errors import BodyFileError
from mvlift.kinematics.chains import forward_kinematics
from mvlift.typing import F64

__all__ = ["BodyModel", "load_body"]

_DATA: Final = Path(__file__).parent / "data"
_DEFAULTS: Final = {"human": "mannequin.npz", "quadruped": "quadruped.npz"}
_MOST_BETAS: Final = 16


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A skinned body in its own rest frame (x left, y up, z front), metres; a SMAL file is turned when it is read.

    Attributes:
        name: file or "mannequin".
        kind: "smpl", "smplh", "smplx" or "smal".
        joint_names: (J,) root first, every parent before its children.
        parents: (J,) -1 for the root.
        template: (V, 3) vertices at zero shape.
        faces: (F, 3).
        weights: (V, J) rows sum to 1.
        regressor: (J, V) joints from vertices.
        shape_directions: (V, 3, B).
        pose_directions: (V, 3, 9 (J - 1)) corrective shapes, or None.
        texture: (F, 3, 2) places in the unit square of the faces' corners, or None.
        own: the keypoints of a default body, which knows them; None for a file.
    """

    name: str
    kind: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    template: F64
    faces: NDArray[np.int64]
    weights: F64
    regressor: F64
    shape_directions: F64
    pose_directions: F64 | None = None
    texture: F64 | None = None
    built_in_skeleton: BodySkeleton | None = None

    def shaped(self, betas: F64) -> tuple[F64, F64]:
        """Vertices (V, 3) and rest joints (J, 3) at a shape (B,), which may be shorter than the model's."""
        used = min(len(betas), self.shape_directions.shape[2])
        vertices = self.template + self.shape_directions[..., :used] @ np.asarray(betas, np.float64)[:used]
        return vertices, self.regressor @ vertices

    def posed(self, betas: F64, rotations: F64, translation: F64, scaling: float = 1.0) -> F64:
        """Linear blend skinning (Loper et al. 2015, eq. 2-10).

        Args:
            betas: (B,) shape.
            rotations: (T, J, 3, 3) of each joint relative to its parent, the root's relative to the world.
            translation: (T, 3) metres, added after scaling.
            scaling: of the posed body.

        Returns:
            (T, V, 3) vertices, metres.
        """
        vertices, joints = self.shaped(betas)
        frames, count = rotations.shape[:2]
        world, place = forward_kinematics(self.parents, joints, rotations, joints[self.parents.index(-1)])
        offset = place - np.einsum("tjab,jb->tja", world, joints)
        out = np.empty((frames, len(vertices), 3))
        for t in range(frames):
            rest = vertices
            if self.pose_directions is not None:
                feature = (rotations[t, 1:] - np.eye(3)).reshape(-1)
                rest = rest + self.pose_directions @ feature[: self.pose_directions.shape[2]]
            blended = (self.weights @ world[t].reshape(count, 9)).reshape(-1, 3, 3)
            out[t] = np.einsum("vab,vb->va", blended, rest) + self.weights @ offset[t]
        return out * scaling + translation[:, None]

    def reduced(self, fingers: bool = False) -> BodyModel:
        """The same body with SMPL's 24 joints, or with SMPL-H's 52: other fingers, jaw and eyes follow their holders.

        Args:
            fingers: keep the fingers, of a body that has them.
        """
        picked = self._picked(fingers)
        if picked is None or len(picked) == len(self.joint_names):
            return self
        folded = np.zeros((len(self.template), len(picked)))
        hands = dict(zip(_tables()["smpl_joints"][self.kind][22:], (20, 21), strict=True))
        wrists = {} if fingers else {wrist: picked.index(hand) for hand, wrist in hands.items()}
        holder: list[int] = []  # of each joint: itself, or its nearest ancestor that stays; a hand holds its fingers
        for j, parent in enumerate(self.parents):
            holder.append(picked.index(j) if j in picked else wrists.get(parent, holder[parent]))
            folded[:, holder[j]] += self.weights[:, j]
        parents = [self.parents[j] for j in picked]
        return replace(
            self,
            kind="smplh" if fingers else "smpl",
            joint_names=_reference(fingers).joint_names,
            parents=tuple(-1 if p < 0 else holder[p] for p in parents),
            weights=folded,
            regressor=self.regressor[picked],
            pose_directions=None if self.pose_directions is None else self._pose_directions_of(picked, fingers),
        )

    def _picked(self, fingers: bool) -> list[int] | None:
        """Joints that stay in ``reduced``; None: all."""
        return _tables()["smplh_joints" if fingers else "smpl_joints"].get(self.kind)

    def _pose_directions_of(self, picked: list[int], fingers: bool) -> F64 | None:
        """Corrective shapes of the joints that stay; SMPL's hands have none of their own."""
        assert self.pose_directions is not None
        if not fingers:
            return self.pose_directions[..., : 9 * 21]
        columns = np.concatenate([np.arange(9 * (j - 1), 9 * j) for j in picked[1:]])
        return self.pose_directions[..., columns]

    @property
    def has_fingers(self) -> bool:
        """Whether it has SMPL-H's finger joints."""
        return self.kind in ("smplh", "smplx")

    def skeleton(self, keypoints: tuple[str, ...] | None = None, fingers: bool = False) -> BodySkeleton:
        """What a fit needs: joints and keypoints, linear in the shape.

        Args:
            keypoints: which, in which order; None for all.
            fingers: with SMPL-H's 52 joints instead of SMPL's 24.

        Raises:
            BodyFileError: the body has no such keypoint, or no fingers.
        """
        if fingers and not self.has_fingers:
            raise BodyFileError(f"{self.name} has no finger joints.", "Choose an SMPL-H or SMPL-X file, or hands off.")
        if self.built_in_skeleton is None:
            skeleton = _skeleton_of_file(self.reduced(fingers), fingers)
        else:
            skeleton = default_human_skeleton_with_fingers() if fingers else self.built_in_skeleton
        return skeleton if keypoints is None else skeleton.with_keypoints(keypoints)


def _reference(fingers: bool) -> BodySkeleton:
    return default_human_skeleton_with_fingers() if fingers else default_human_skeleton()


def _tables() -> dict[str, Any]:
    return dict(json.loads((_DATA / "smpl_keypoints.json").read_text(encoding="utf-8")))


def _skeleton_of_file(body: BodyModel, fingers: bool) -> BodySkeleton:
    """Keypoints of a user's file: known vertices for the public topologies, else where the default body has them."""
    animal = body.kind == "smal"
    reference = default_quadruped_skeleton() if animal else _reference(fingers)
    if len(body.joint_names) < len(reference.joint_names):
        raise BodyFileError(
            f"{body.name} has {len(body.joint_names)} joints, not {len(reference.joint_names)}.",
            "Choose a file of the usual form (SMPL: 24 joints, SMAL: 35 joints with the ears).",
        )
    count = len(reference.joint_names)
    regressor = body.regressor
    rest = regressor @ body.template
    larger = _extent(rest) / _extent(reference.rest_joints) if animal else 1.0
    shapes = np.einsum("jv,vab->jab", regressor, body.shape_directions)
    vertices = _tables()["vertices"].get(str(len(body.template)), {})
    names = reference.keypoint_names
    points, weights = np.zeros((len(names), 3)), np.zeros((len(names), count))
    shape_points = np.zeros((len(names), 3, shapes.shape[2]))
    folded, of_joints = body.weights, joints_of_keypoints("quadruped" if animal else "human")
    for k, name in enumerate(names):
        if name in vertices:
            v = vertices[name]
            points[k], shape_points[k], weights[k] = body.template[v], body.shape_directions[v], folded[v]
            continue
        if name in of_joints:
            rows = [reference.joint_names.index(n) for n in of_joints[name]]
            points[k], shape_points[k] = rest[rows].mean(0), shapes[rows].mean(0)
            weights[k] = reference.point_weights[k]
            continue
        j = int(reference.point_weights[k].argmax())
        wanted = rest[j] + larger * (reference.rest_points[k] - reference.rest_joints[j])
        v = int(np.linalg.norm(body.template - wanted, axis=1).argmin())
        points[k], shape_points[k], weights[k] = body.template[v], body.shape_directions[v], folded[v]
    return BodySkeleton(
        joint_names=reference.joint_names,
        parents=reference.parents,
        rest_joints=rest,
        shape_joints=shapes,
        keypoint_names=names,
        rest_points=points,
        shape_points=shape_points,
        point_weights=weights,
        shape_sigma=np.ones(shapes.shape[2]),
        kind=reference.kind,
    )


def _extent(joints: F64) -> float:
    """Metres: root mean square distance of joints from their middle, the size of an animal."""
    return float(np.sqrt(((joints - joints.mean(0)) ** 2).sum(1).mean()))


def _joint_names(kind: str, count: int) -> tuple[str, ...]:
    if kind == "smal":
        return tuple(_tables()["smal_joints"][:count])
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
    kind = _tables()["kinds"].get(str(count))
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
