"""Forward kinematics of a skeleton with analytic derivatives, vectorised over frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.kinematics.chains import blend_skinning, forward_kinematics
from mvlift.kinematics.rotations import exp_map
from mvlift.typing import F64

__all__ = ["Kinematics", "Posed"]


@dataclass(frozen=True, eq=False)
class Posed:
    """A body in T poses.

    Attributes:
        world: (T, J, 3, 3) world rotations of the joints.
        joints: (T, J, 3) metres.
        points: (T, K, 3) keypoints, metres.
        body_points: (T, K, 3) the same without the offsets of detectors.
        rest_joints, rest_points: (J, 3), (K, 3) at the shape that was posed.
    """

    world: F64
    joints: F64
    points: F64
    body_points: F64
    rest_joints: F64
    rest_points: F64


class Kinematics:
    """Poses a skeleton and differentiates its keypoints.

    Degrees of freedom of a frame, D = 3 + 3 G: root translation, then one rotation vector for each of the rig's groups.
    A group's rotation vector e turns joint j by R_j <- exp(share_j e) R_j, in the axes of j's parent.

    Args:
        skeleton: the body, with the keypoints to pose.
        rig: its groups.
    """

    def __init__(self, skeleton: BodySkeleton, kinematic_model: KinematicModel) -> None:
        self.skeleton = skeleton
        self.parents = skeleton.parents
        names = skeleton.joint_names
        self.groups = [[(names.index(n), share) for n, share in group.items()] for group in kinematic_model.groups]
        self.dof = 3 + 3 * len(self.groups)
        joints = len(names)
        below = np.zeros((joints, joints))  # [a, j] = 1 where j is a or hangs below a
        for j in range(joints):
            at = j
            while at >= 0:
                below[at, j] = 1
                at = self.parents[at]
        self._bone = skeleton.point_weights.argmax(1)
        self._offset_joints = self._bone if skeleton.offset_joints is None else skeleton.offset_joints
        # (K, J): how far a joint moves a point, itself or its offset
        self.moved = skeleton.point_weights @ below.T + below.T[self._offset_joints]
        self._below = below
        self._pairs = [
            (g, j, share, np.flatnonzero(self.moved[:, j] > 0))
            for g, group in enumerate(self.groups)
            for j, share in group
        ]
        self._rigid = bool((skeleton.point_weights.max(1) == 1).all())

    def pose(self, betas: F64, rotations: F64, translation: F64) -> Posed:
        """Forward kinematics.

        Args:
            betas: (B,).
            rotations: (T, J, 3, 3) relative to the parent.
            translation: (T, 3) position of the root joint.
        """
        rest, points = self.skeleton.shaped(betas)
        world, position = forward_kinematics(self.parents, rest, rotations, translation)
        if self._rigid:
            bone = self._bone
            posed = position[:, bone] + (world[:, bone] @ (points - rest[bone])[:, :, None])[..., 0]
        else:
            posed = blend_skinning(self.skeleton.point_weights, points, rest, world, position)
        return Posed(world, position, posed + self.skeleton.offsets(betas, world), posed, rest, points)

    def _arms(self, posed: Posed, j: int, points: NDArray[np.int64]) -> F64:
        """(T, n, 3) of the points about joint j, scaled by the share that the joint moves."""
        turned = (posed.points - posed.body_points)[:, points] * self._below[j][self._offset_joints[points]][:, None]
        if self._rigid:
            arm = posed.body_points[:, points] - posed.joints[:, j, None]
            return np.asarray(arm * self._below[j][self._bone[points]][:, None] + turned)
        weights = self.skeleton.point_weights[points] * self._below[j]  # (n, J)
        offset = posed.joints - np.einsum("tjab,jb->tja", posed.world, posed.rest_joints)
        blended = np.einsum("kj,tjab->tkab", weights, posed.world)
        part = np.einsum("tkab,kb->tka", blended, posed.rest_points[points]) + np.einsum("kj,tja->tka", weights, offset)
        return np.asarray(part - weights.sum(1)[None, :, None] * posed.joints[:, j, None] + turned)

    def jacobian(self, posed: Posed) -> F64:
        """(T, K, 3, D) derivative of the keypoints by the degrees of freedom."""
        frames, keypoints = posed.points.shape[:2]
        out = np.zeros((frames, keypoints, 3, self.dof))
        out[..., [0, 1, 2], [0, 1, 2]] = 1
        for g, j, share, points in self._pairs:
            parent = self.parents[j]
            axes = np.broadcast_to(np.eye(3), (frames, 3, 3)) if parent < 0 else posed.world[:, parent]
            arm = self._arms(posed, j, points)  # (T, n, 3)
            for c in range(3):
                a = share * axes[:, None, :, c]
                column = out[..., 3 + 3 * g + c]
                column[:, points, 0] += a[..., 1] * arm[..., 2] - a[..., 2] * arm[..., 1]
                column[:, points, 1] += a[..., 2] * arm[..., 0] - a[..., 0] * arm[..., 2]
                column[:, points, 2] += a[..., 0] * arm[..., 1] - a[..., 1] * arm[..., 0]
        return out

    def shape_jacobian(self, posed: Posed) -> F64:
        """(T, K, 3, B) derivative of the keypoints by the shape."""
        s = self.skeleton
        moved = np.zeros((*posed.joints.shape, s.shape_joints.shape[2]))
        for j, parent in enumerate(self.parents):
            if parent >= 0:
                moved[:, j] = moved[:, parent] + posed.world[:, parent] @ (s.shape_joints[j] - s.shape_joints[parent])
        offsets = 0.0 if s.shape_offsets is None else posed.world[:, self._offset_joints] @ s.shape_offsets
        if self._rigid:
            bone = self._bone
            return np.asarray(moved[:, bone] + posed.world[:, bone] @ (s.shape_points - s.shape_joints[bone]) + offsets)
        w = s.point_weights
        local = np.einsum("tjac,jcb->tjab", posed.world, s.shape_joints)
        return np.asarray(
            np.einsum("kj,tjab->tkab", w, moved - local)
            + np.einsum("kj,tjac,kcb->tkab", w, posed.world, s.shape_points, optimize=True)
            + offsets
        )

    def moved_by(self, rotations: F64, step: F64) -> F64:
        """Rotations (T, J, 3, 3) after a step of the groups (T, G, 3)."""
        out = rotations.copy()
        for g, group in enumerate(self.groups):
            for j, share in group:
                out[:, j] = exp_map(share * step[:, g]) @ rotations[:, j]
        return out
