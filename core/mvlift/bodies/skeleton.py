"""The part of a body model that a fit needs: joints and keypoints, linear in the shape coefficients.

A fit evaluates a few dozen points, not the mesh: a keypoint is a point of the skin (or a joint) whose rest position is
linear in the shape, moved by linear blend skinning without pose blend shapes. The mesh is posed once at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import BodyFileError
from mvlift.kinematics.chains import blend_skinning, forward_kinematics
from mvlift.typing import F64

__all__ = ["BodySkeleton", "KeypointOffset", "mirror_joint"]


def mirror_joint(name: str) -> str:
    """The same joint on the other side, in SMPL's ("left_hip") or SMAL's ("LLeg1") names; a middle one is its own."""
    for a, b in (("left", "right"), ("right", "left")):
        if a in name:
            return name.replace(a, b)
    if len(name) > 1 and name[0] in "LR" and name[1].isupper():
        return ("R" if name[0] == "L" else "L") + name[1:]
    return name


def _widened(directions: F64, count: int) -> F64:
    """(N, 3, B + count) shape directions with so many more coefficients that move nothing."""
    return np.concatenate([directions, np.zeros((*directions.shape[:2], count))], 2)


@dataclass(frozen=True)
class KeypointOffset:
    """Where a detector's, or a motion-capture skeleton's, keypoints may lie beside the body's own.

    The offset is constant over a clip in the axes of one joint, whatever bone the keypoint itself is on: errors of
    detectors follow the trunk's appearance more than a limb's.

    Attributes:
        keypoints: left or middle ones, which move together; right ones mirror them.
        joint: in whose axes the offset is constant (the left one's; mirrored for the right side).
        sigma: standard deviations in metres along x (left), y (up) and z (front) of the rest pose; 0 = never.
        asymmetry: standard deviation of what each side moves for itself, as a share of ``sigma``.
    """

    keypoints: tuple[str, ...]
    joint: str
    sigma: tuple[float, float, float]
    asymmetry: float = 0.0


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
        keypoint_offsets: how many of the last coefficients move keypoints alone (``with_keypoint_offsets``).
        offset_joints: (K,) joint in whose axes each keypoint's offset is constant.
        shape_offsets: (K, 3, B) change of each keypoint's offset per unit of each shape coefficient; None: no offsets.
        kind: "smpl" or "smal".
        fit_scale: factor by which it is larger than the body it stands for (``scaled_for_fit``).
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    rest_joints: F64
    shape_joints: F64
    keypoint_names: tuple[str, ...]
    rest_points: F64
    shape_points: F64
    point_weights: F64
    shape_sigma: F64
    keypoint_offsets: int = 0
    offset_joints: NDArray[np.int64] | None = None
    shape_offsets: F64 | None = None
    kind: str = "smpl"
    fit_scale: float = 1.0

    def scaled_for_fit(self, factor: float) -> BodySkeleton:
        """The same body with the same shape coefficients, larger.

        A fit's tolerances are metres of a grown person; a small animal is fitted at such a size and made small again.
        """
        return replace(
            self,
            rest_joints=self.rest_joints * factor,
            shape_joints=self.shape_joints * factor,
            rest_points=self.rest_points * factor,
            shape_points=self.shape_points * factor,
            shape_offsets=None if self.shape_offsets is None else self.shape_offsets * factor,
            fit_scale=self.fit_scale * factor,
        )

    def stature_direction(self) -> tuple[int, float] | None:
        """The shape coefficient that lets the body grow evenly about its root, and its growth per unit; or None."""
        arms = self.rest_joints - self.rest_joints[0]
        for b in range(self.shape_joints.shape[2] - self.keypoint_offsets):
            moves = self.shape_joints[..., b]
            step = float((moves * arms).sum() / max(float((arms**2).sum()), 1e-12))
            if step > 0 and np.abs(moves - step * arms).max() < 1e-6 * self.fit_scale:
                return b, step
        return None

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
            offset_joints=None if self.offset_joints is None else self.offset_joints[rows],
            shape_offsets=None if self.shape_offsets is None else self.shape_offsets[rows],
        )

    def with_keypoint_offsets(self, keypoint_offsets: tuple[KeypointOffset, ...]) -> BodySkeleton:
        """The same body with keypoints beside its joints: one more shape coefficient for each axis of an offset.

        Detectors and motion-capture skeletons define joints such as the hip differently. Without these coefficients the
        fit would widen the pelvis by a third.

        Raises:
            BodyFileError: an offset names a joint that the body lacks.
        """
        columns: list[F64] = []
        frames = self.point_weights.argmax(1)
        for offset in keypoint_offsets:
            if offset.joint not in self.joint_names:
                raise BodyFileError(f"The body has no joint {offset.joint}.", f"It has {', '.join(self.joint_names)}.")
            left = [self.keypoint_names.index(k) for k in offset.keypoints if k in self.keypoint_names]
            mirrored = ["r_" + k[2:] for k in offset.keypoints if k.startswith("l_")]
            right = [self.keypoint_names.index(k) for k in mirrored if k in self.keypoint_names]
            frames[left] = self.joint_names.index(offset.joint)
            frames[right] = self.joint_names.index(mirror_joint(offset.joint))
            for axis, spread in enumerate(offset.sigma):
                columns += [self._offset_column(axis, spread, left, right)] if spread > 0 else []
                if right and spread * offset.asymmetry > 0:
                    columns.append(self._offset_column(axis, spread * offset.asymmetry, left, right, opposed=True))
        known = np.zeros((len(self.keypoint_names), 3, len(self.shape_sigma)))
        before = known if self.shape_offsets is None else self.shape_offsets
        return replace(
            self,
            shape_points=_widened(self.shape_points, len(columns)),
            shape_joints=_widened(self.shape_joints, len(columns)),
            shape_sigma=np.append(self.shape_sigma, np.ones(len(columns))),
            keypoint_offsets=self.keypoint_offsets + len(columns),
            offset_joints=frames,
            shape_offsets=np.concatenate([before, *(column[..., None] for column in columns)], 2),
        )

    def _offset_column(self, axis: int, spread: float, left: list[int], right: list[int], opposed: bool = False) -> F64:
        """(K, 3) change of the offsets that moves both sides by ``spread`` metres, mirrored or opposed."""
        column = np.zeros((len(self.keypoint_names), 3))
        mirror = -1.0 if (axis == 0) != opposed else 1.0
        column[left, axis], column[right, axis] = spread, mirror * spread
        return column

    def shaped(self, betas: F64) -> tuple[F64, F64]:
        """Rest joints (J, 3) and keypoints (K, 3) at a shape (B,)."""
        return self.rest_joints + self.shape_joints @ betas, self.rest_points + self.shape_points @ betas

    def posed(self, betas: F64, rotations: F64, translation: F64) -> tuple[F64, F64]:
        """Forward kinematics.

        Args:
            betas: (B,) shape.
            rotations: (T, J, 3, 3) of each joint relative to its parent, the root's relative to the world.
            translation: (T, 3) metres, SMPL ``trans``: the root joint ends at rest position + translation.

        Returns:
            World joints (T, J, 3) and keypoints (T, K, 3), metres.
        """
        joints, points = self.shaped(betas)
        world, position = forward_kinematics(self.parents, joints, rotations, joints[0] + translation)
        placed = blend_skinning(self.point_weights, points, joints, world, position)
        return position, placed + self.offsets(betas, world)

    def offsets(self, betas: F64, world: F64) -> F64:
        """(T, K, 3) metres from the body's own points to the keypoints, for world rotations (T, J, 3, 3)."""
        if self.shape_offsets is None or self.offset_joints is None:
            return np.zeros((len(world), len(self.keypoint_names), 3))
        return np.asarray((world[:, self.offset_joints] @ (self.shape_offsets @ betas)[:, :, None])[..., 0])
