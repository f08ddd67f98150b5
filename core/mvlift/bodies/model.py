"""Body models with a skin: shape, skinning and skeleton of the mannequins and of SMPL-family files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.skeletons import (
    default_human_skeleton,
    default_human_skeleton_with_fingers,
    default_quadruped_skeleton,
    joints_of_keypoints,
)
from mvlift.errors import BodyFileError
from mvlift.kinematics.chains import blend_skinning, forward_kinematics
from mvlift.typing import F64

__all__ = ["BodyModel", "smpl_tables"]

_TABLES: Final = Path(__file__).parent / "data" / "smpl_keypoints.json"


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
        built_in_skeleton: of a mannequin, which comes with its keypoints; None for a file.
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
        world, place = forward_kinematics(self.parents, joints, rotations, joints[self.parents.index(-1)])
        out = np.empty((len(rotations), len(vertices), 3))
        for t in range(len(rotations)):
            rest = vertices
            if self.pose_directions is not None:
                feature = (rotations[t, 1:] - np.eye(3)).reshape(-1)
                rest = rest + self.pose_directions @ feature[: self.pose_directions.shape[2]]
            out[t] = blend_skinning(self.weights, rest, joints, world[t : t + 1], place[t : t + 1])[0]
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
        hands = dict(zip(smpl_tables()["smpl_joints"][self.kind][22:], (20, 21), strict=True))
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
        return smpl_tables()["smplh_joints" if fingers else "smpl_joints"].get(self.kind)

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


@cache
def smpl_tables() -> dict[str, Any]:
    """Joints and known vertices of the public topologies, by kind and by count."""
    return dict(json.loads(_TABLES.read_text(encoding="utf-8")))


def _reference(fingers: bool) -> BodySkeleton:
    return default_human_skeleton_with_fingers() if fingers else default_human_skeleton()


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
    vertices = smpl_tables()["vertices"].get(str(len(body.template)), {})
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
