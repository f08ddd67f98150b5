"""The part of a body model that a fit needs: joints and keypoints, linear in the shape coefficients.

A fit evaluates a few dozen points, not the mesh: a keypoint is a point of the skin (or a joint) whose rest position is
linear in the shape, moved by linear blend skinning without pose blend shapes. The mesh is posed once at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import BodyFileError

__all__ = ["BodySkeleton"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BodySkeleton:
    """Joints and keypoints of a body as functions of shape, in the body's own rest frame (SMPL: x left, y up, z front).

    Attributes:
        joint_names: (J,) root first, every parent before its children.
        parents: (J,) -1 for the root.
        rest_joints: (J, 3) metres, at zero shape.
        shape_joints: (J, 3, B) change of the rest joints per unit of each shape coefficient.
        keypoint_names: (K,).
        rest_points: (K, 3) metres, at zero shape.
        shape_points: (K, 3, B).
        point_weights: (K, J) skinning weights, rows sum to 1.
        shape_sigma: (B,) standard deviation of each coefficient over people (SMPL: 1).
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    rest_joints: FloatArray
    shape_joints: FloatArray
    keypoint_names: tuple[str, ...]
    rest_points: FloatArray
    shape_points: FloatArray
    point_weights: FloatArray
    shape_sigma: FloatArray

    def with_keypoints(self, names: tuple[str, ...]) -> BodySkeleton:
        """The same body with these of its keypoints, in this order.

        Raises:
            BodyFileError: it lacks one of them.
        """
        missing = [n for n in names if n not in self.keypoint_names]
        if missing:
            raise BodyFileError(f"The body has no keypoints {missing}.", f"It has {', '.join(self.keypoint_names)}.")
        rows = [self.keypoint_names.index(n) for n in names]
        return replace(
            self,
            keypoint_names=tuple(names),
            rest_points=self.rest_points[rows],
            shape_points=self.shape_points[rows],
            point_weights=self.point_weights[rows],
        )

    def shaped(self, betas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rest joints (J, 3) and keypoints (K, 3) at a shape (B,)."""
        return self.rest_joints + self.shape_joints @ betas, self.rest_points + self.shape_points @ betas

    def posed(self, betas: FloatArray, rotations: FloatArray, translation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Forward kinematics.

        Args:
            betas: (B,) shape.
            rotations: (T, J, 3, 3) of each joint relative to its parent, the root's relative to the world.
            translation: (T, 3) metres, SMPL ``trans``: the root joint ends at rest position + translation.

        Returns:
            World joints (T, J, 3) and keypoints (T, K, 3), metres.
        """
        joints, points = self.shaped(betas)
        frames = rotations.shape[0]
        world = np.empty((frames, len(joints), 3, 3))
        position = np.empty((frames, len(joints), 3))
        for j, parent in enumerate(self.parents):
            if parent < 0:
                world[:, j], position[:, j] = rotations[:, j], joints[j] + translation
            else:
                world[:, j] = world[:, parent] @ rotations[:, j]
                position[:, j] = position[:, parent] + world[:, parent] @ (joints[j] - joints[parent])
        # LBS: sum_j w_kj (R_j (p_k - rest_j) + position_j)
        offset = position - np.einsum("tjab,jb->tja", world, joints)
        blended = np.einsum("kj,tjab->tkab", self.point_weights, world)
        return position, np.einsum("tkab,kb->tka", blended, points) + np.einsum(
            "kj,tja->tka", self.point_weights, offset
        )
