"""The residuals of a body fit, each put into the normal equations by one method; standard deviations are named here."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.fit_problem import FitOptions, FitTargets, PosePrior
from mvlift.bodies.fit_start import camera_path, relative_size, starting_rotations
from mvlift.bodies.grounding import Ground, view_of
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.kinematics import Kinematics, Posed
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.supports import seen_supports, supports_on, with_supports
from mvlift.kinematics.rotations import log_map
from mvlift.typing import F64

__all__ = ["FitState"]

REPROJECTION_SIGMA: Final = 0.012
"""Metres at the body: how well a sure 2D keypoint is known at best. Detectors tremble by 4 mm, but err by 15 to 40 mm
for seconds, of which the keypoints' offsets explain only what is constant over a clip."""
TRANSLATION_ACCELERATION: Final = 0.012
"""Metres a frame squared at 30 fps: how much a root's path bends."""
ROTATION_ACCELERATION: Final = 0.12
"""Radians a frame squared at 30 fps."""
CONTACT_SPEED: Final = 0.008
"""Metres a frame that a resting point may seem to move,"""
UNIT_CONTACT_SPEED: Final = 0.003
"""and where nothing but what rests tells the unit of the camera's path."""
SHAPE_WEIGHT: Final = 1.0
VELOCITY_SIGMA: Final = 0.015
"""Metres a frame at 30 fps, of the lifted velocity of the root."""
CONTACT_HEIGHT: Final = 0.04
"""Metres off the ground at which a resting part may seem to be, while the fit is still finding its way."""
ANCHOR_SIGMA: Final = 0.003
"""Metres from the place that a resting part keeps, in the last steps."""
BELOW_SIGMA: Final = 0.01
"""Metres by which a part may be below the floor then."""
GRAVITY: Final = 9.81
FLIGHT_ACCELERATION: Final = 0.003
"""Metres a frame squared at 30 fps by which the root in flight may differ from free fall,"""
FLIGHT_OUTLIER: Final = 0.01
"""and the scale of the Cauchy weight on it, for frames wrongly detected as flight."""
PRIOR_SIGMA: Final = 0.15
"""Radians from the nearest plausible pose, for a pose that the prior finds ordinary."""
LIMIT_SIGMA: Final = 0.1
MIN_LATERAL_GAP: Final = 0.02
"""Metres by which the left of two limbs that do not cross is left of the right one,"""
LATERAL_GAP_SIGMA: Final = 0.02
"""and the standard deviation of that constraint, metres."""
STATURE_SIGMA: Final = 0.002
PATH_SIGMA: Final = 0.7
"""Of the logarithm of the unit of a camera's path, about its first guess: hardly anything, but never nothing."""


class FitState:
    """Current state of a fit, and its residuals there."""

    def __init__(
        self,
        skeleton: BodySkeleton,
        kinematic_model: KinematicModel,
        targets: FitTargets,
        options: FitOptions,
        prior: PosePrior | None,
    ) -> None:
        self.supports = kinematic_model.supports or supports_on(skeleton, kinematic_model.contacts)
        self.kinematics = Kinematics(with_supports(skeleton, self.supports), kinematic_model)
        self.radius, self.keypoints = np.array([s.radius for s in self.supports]), len(skeleton.keypoint_names)
        self.skeleton, self.kinematic_model, self.targets, self.options, self.prior = (
            skeleton,
            kinematic_model,
            targets,
            options,
            prior,
        )
        index = {n: i for i, n in enumerate(skeleton.keypoint_names)}
        self.root_points = [index[n] for n in kinematic_model.root]
        self.apart = [(index[a], index[b]) for a, b in kinematic_model.apart if a in index and b in index]
        joints = skeleton.joint_names
        spread = np.array([kinematic_model.spread(n) for n in joints])
        self.rest_weight = 1 / spread**2
        self.limits = [(joints.index(n), bounds) for n, bounds in kinematic_model.limits.items()]
        self.betas = np.zeros(len(skeleton.shape_sigma)) if options.betas is None else np.array(options.betas)
        self.up = targets.up / np.linalg.norm(targets.up)
        frames = len(targets.points3d)
        self.seen = seen_supports(self.supports, skeleton.keypoint_names, targets.confidence, frames, targets.fps)
        self.view = view_of(targets)
        self.camera = targets.camera
        self.path_solved = self.camera is not None and options.path_unit and self.camera.path_size_unknown
        self.ground: Ground | None = None
        self.anchors: tuple[F64, F64] | None = None
        self.plausible: tuple[F64, F64] | None = None
        self.bridged = np.zeros(targets.points3d.shape[:2], dtype=bool)
        self.trust = np.ones(targets.points3d.shape[:2])
        """(T, K) factor on the targets: less where they made the body jump."""
        self.cost = 0.0
        if options.stature is not None and options.betas is None:
            self._scale_to(options.stature)
        self.size = (
            relative_size(targets.points3d, skeleton, kinematic_model, self.betas)
            if targets.pixels is not None
            else 1.0
        )
        self.points3d = targets.points3d * self.size
        self.rotations = starting_rotations(self.points3d, skeleton, kinematic_model, self.betas)
        self.root = self._starting_root()

    def _stature(self) -> tuple[float, F64]:
        """Standing height in metres and its derivative by the shape, from the rest pose's extent."""
        joints, points = self.skeleton.shaped(self.betas)
        both = np.concatenate([joints[:, 1], points[:, 1]])
        change = np.concatenate([self.skeleton.shape_joints[:, 1], self.skeleton.shape_points[:, 1]])
        top, low = int(both.argmax()), int(both.argmin())
        skull = 1.09  # the eyes are at about 0.93 of the height, the ankle's heel keypoint at 0.01
        return skull * float(both[top] - both[low]), skull * (change[top] - change[low])

    def _scale_to(self, stature: float) -> None:
        for _ in range(3):
            height, slope = self._stature()
            weight = slope * self.skeleton.shape_sigma**2
            self.betas = self.betas + weight * (stature - height) / max(float(slope @ weight), 1e-9)

    def _starting_root(self) -> F64:
        t = self.targets
        frames = len(self.points3d)
        posed = self.kinematics.pose(self.betas, self.rotations, np.zeros((frames, 3)))
        if t.pixels is None or t.confidence is None or t.K is None:
            return np.asarray(self.points3d[:, self.root_points].mean(1) - posed.points[:, self.root_points].mean(1))
        origin_offset = -posed.points[:, self.root_points].mean(1)
        if t.camera is None:
            return origin_offset + camera_path(self.points3d, t.pixels, t.confidence, t.K, t.fps)
        turned = np.einsum("tab,tkb->tka", t.camera.R, self.points3d)
        return origin_offset + t.camera.from_camera(camera_path(turned, t.pixels, t.confidence, t.K, t.fps))

    def _add_points3d(self, system: MotionSystem, posed: Posed, jacobian: F64, shape: F64 | None) -> None:
        points, sigma = posed.points, self.targets.sigma3d
        if self.targets.pixels is not None:  # relative to the root
            points = points - points[:, self.root_points].mean(1, keepdims=True)
            jacobian = jacobian - jacobian[:, self.root_points].mean(1, keepdims=True)
            if shape is not None:
                shape = shape - shape[:, self.root_points].mean(1, keepdims=True)
        residual = points - self.points3d
        scaled = np.linalg.norm(residual, axis=-1) / (2 * sigma)
        weight = self.trust * self.options.points_weight / sigma**2 / (1 + scaled**2)  # Cauchy
        self._add(system, residual, weight, jacobian, shape)

    def _add_pixels(self, system: MotionSystem, posed: Posed, jacobian: F64, shape: F64 | None) -> None:
        t = self.targets
        if t.pixels is None or t.confidence is None or t.K is None:
            return
        focal, points = t.K[0, 0], posed.points
        if self.camera is not None:
            points = self.camera.to_camera(points)
            jacobian = self.camera.R[:, None] @ jacobian
            shape = None if shape is None else self.camera.R[:, None] @ shape
            if shape is not None and self.path_solved:  # by the logarithm of the path's unit
                shape[..., -1] -= np.einsum("tab,tb->ta", self.camera.R, self.camera.path)[:, None]
        depth = np.maximum(points[..., 2:], 0.2)
        residual = focal * points[..., :2] / depth + t.K[:2, 2] - t.pixels
        sigma = np.hypot(REPROJECTION_SIGMA * focal / np.median(depth[..., 0], axis=1, keepdims=True), t.noise)
        scaled = np.linalg.norm(residual, axis=-1) / (4 * sigma)
        weight = self.trust * t.confidence / sigma**2 / (1 + scaled**2)
        scale = (focal / depth)[..., None]
        slope = -(points[..., :2] / depth)[..., None]

        def seen(j: F64) -> F64:
            return np.asarray(scale * (j[..., :2, :] + slope * j[..., 2:, :]))

        self._add(system, residual, weight, seen(jacobian), None if shape is None else seen(shape))

    def _add(
        self,
        system: MotionSystem,
        residual: F64,
        weight: F64,
        jacobian: F64,
        shape: F64 | None,
    ) -> None:
        """Residual (T, K, n), weight (T, K), jacobian (T, K, n, D)."""
        frames, _, n = residual.shape
        self.cost += float((weight[..., None] * residual**2).sum())
        system.add(
            residual.reshape(frames, -1),
            np.repeat(weight, n, axis=1),
            jacobian.reshape(frames, -1, system.dof),
            None if shape is None else shape.reshape(frames, -1, system.shared),
        )

    def _lowest(self, posed: Posed) -> F64:
        """(T, C, 3) the lowest point of each support."""
        return np.asarray(posed.points[:, self.keypoints :] - self.radius[:, None] * self.up)

    def _add_contacts(self, system: MotionSystem, points: F64, jacobian: F64, ground: Ground) -> None:
        """Resting parts do not move and are at the height of the ground under them; no part is below the floor."""
        frames = len(points)
        along = np.einsum("a,tkad->tkd", self.up, jacobian)
        height = points @ self.up
        if self.anchors is not None:
            places, weight = self.anchors
            residual = (points - places).reshape(frames, -1)
            weights = np.repeat(weight / ANCHOR_SIGMA**2, 3, axis=1)
            system.add(residual, weights, jacobian.reshape(frames, -1, system.dof))
        elif frames > 1:
            still = 30 / self.targets.fps
            speed = CONTACT_SPEED if not self.path_solved else UNIT_CONTACT_SPEED
            both = np.minimum(ground.contacts[1:], ground.contacts[:-1]) / (speed * still) ** 2
            moved = np.diff(points, axis=0).reshape(frames - 1, -1)
            system.add_difference(moved, np.repeat(both, 3, axis=1), jacobian.reshape(frames, -1, system.dof))
        system.add(height - ground.level, ground.contacts / CONTACT_HEIGHT**2, along)
        below = np.minimum(height - ground.floor, 0) * self.seen
        sigma = CONTACT_HEIGHT if self.anchors is None else BELOW_SIGMA
        system.add(below, (below < 0) / sigma**2, along)

    def _add_sides(self, system: MotionSystem, posed: Posed, jacobian: F64) -> None:
        """Limbs that do not cross, across the root joint's left (its x axis at rest), which one step holds."""
        left, right = (list(columns) for columns in zip(*self.apart, strict=True))
        axis = self.rotations[:, 0, :, 0]
        beyond = np.einsum("tna,ta->tn", posed.points[:, left] - posed.points[:, right], axis) - MIN_LATERAL_GAP
        slope = np.einsum("tnad,ta->tnd", jacobian[:, left] - jacobian[:, right], axis)
        system.add(beyond, (beyond < 0) / LATERAL_GAP_SIGMA**2, slope)

    def _add_velocity(self, system: MotionSystem, posed: Posed, jacobian: F64) -> None:
        """The lifted path of the root: it constrains depth, which apparent size determines poorly."""
        if self.targets.velocity is None:
            return
        wanted = self.targets.velocity[:-1] * self.size
        residual = np.diff(posed.points[:, self.root_points].mean(1), axis=0) - wanted
        sigma = VELOCITY_SIGMA * 30 / self.targets.fps
        scaled = np.linalg.norm(residual, axis=-1, keepdims=True) / (3 * sigma)
        weight = np.broadcast_to(1 / sigma**2 / (1 + scaled**2), residual.shape)
        system.add_difference(residual, weight, jacobian[:, self.root_points].mean(1))

    def _add_poses(self, system: MotionSystem) -> None:
        """Rest, joint limits and the pose prior, whose residuals are the rotations themselves."""
        frames = len(self.rotations)
        vector = log_map(self.rotations)
        force = self.rest_weight[:, None] * vector  # weight times residual
        weight = np.broadcast_to(self.rest_weight[:, None], vector.shape).copy()
        for j, bounds in self.limits:
            beyond = vector[:, j] - np.clip(vector[:, j], bounds[:, 0], bounds[:, 1])
            stiff = (beyond != 0) / LIMIT_SIGMA**2
            weight[:, j] += stiff
            force[:, j] += stiff * beyond
        if self.plausible is not None:
            target, sure = self.plausible
            rows = slice(1, 1 + target.shape[1])
            deviation = log_map(self.rotations[:, rows] @ target.transpose(0, 1, 3, 2))
            prior_weight = (sure / PRIOR_SIGMA**2)[:, None, None]
            weight[:, rows] += prior_weight
            force[:, rows] += prior_weight * deviation
        residual, total = np.zeros((frames, system.dof)), np.zeros((frames, system.dof))
        for g, group in enumerate(self.kinematics.groups):
            columns = slice(3 + 3 * g, 6 + 3 * g)
            for j, share in group:
                total[:, columns] += share**2 * weight[:, j]
                residual[:, columns] += share * force[:, j]
        system.add_diagonal(residual / np.maximum(total, 1e-12), total)

    def _add_smoothness(self, system: MotionSystem) -> None:
        if len(self.root) < 3:
            return
        rate = (self.targets.fps / 30) ** 4 * self.options.smoothing
        weight = np.full(system.dof, rate / ROTATION_ACCELERATION**2)
        weight[:3] = rate / TRANSLATION_ACCELERATION**2
        steps = np.zeros((len(self.root) - 1, system.dof))
        steps[:, :3] = np.diff(self.root, axis=0)
        lead = [group[0][0] for group in self.kinematics.groups]
        turned = log_map(self.rotations[1:, lead] @ self.rotations[:-1, lead].transpose(0, 1, 3, 2))
        shares = np.array([group[0][1] for group in self.kinematics.groups])
        steps[:, 3:] = (turned / shares[:, None]).reshape(len(steps), -1)
        bend = np.diff(steps, axis=0)
        weight = np.broadcast_to(weight, bend.shape).copy()
        if self.ground is not None and self.ground.flight.any():
            self._fall(bend, weight, self.ground.flight)
        system.add_acceleration(bend, weight)

    def _fall(self, bend: F64, weight: F64, flight: NDArray[np.bool_]) -> None:
        """Put free fall in place of smoothness, in place, where the body is in flight: (T - 2, D) each."""
        inside = flight[:-2] & flight[1:-1] & flight[2:]
        per_frame = (30 / self.targets.fps) ** 2
        fall = bend[inside, :3] + GRAVITY / self.targets.fps**2 * self.up
        scaled = np.linalg.norm(fall, axis=-1, keepdims=True) / (FLIGHT_OUTLIER * per_frame)
        bend[inside, :3] = fall
        weight[inside, :3] = np.maximum(
            1 / (FLIGHT_ACCELERATION * per_frame) ** 2 / (1 + scaled**2), weight[inside, :3]
        )

    def _add_path(self, system: MotionSystem) -> None:
        assert self.camera is not None
        assert self.targets.camera is not None
        moved = float(np.log(self.camera.size / self.targets.camera.size))
        system.corner[-1, -1] += 1 / PATH_SIGMA**2
        system.corner_gradient[-1] += moved / PATH_SIGMA**2

    def _add_shape(self, system: MotionSystem) -> None:
        # errors of lifted bone lengths are correlated over frames: a second counts as one observation
        weight = SHAPE_WEIGHT * max(len(self.root) / self.targets.fps, 1.0) / self.skeleton.shape_sigma**2
        betas = slice(len(self.betas))
        system.corner[betas, betas] += np.diag(weight)
        system.corner_gradient[betas] += weight * self.betas
        if self.options.stature is not None:
            height, slope = self._stature()
            system.corner[betas, betas] += np.outer(slope, slope) / STATURE_SIGMA**2
            system.corner_gradient[betas] += slope * (height - self.options.stature) / STATURE_SIGMA**2
