"""Damped Gauss-Newton fit of a rigid object to its 2D keypoints, its lifted keypoints and the hands that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.banded import MotionSystem
from mvlift.filters import binary_closing, binary_opening, gaussian_filter1d
from mvlift.kinematics.rotations import exp_map, log_map, skew
from mvlift.lifting.objects.grips import find_grips
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.lifting.objects.start import Pose, procrustes_start, projected_start
from mvlift.typing import F64

__all__ = ["ObjectFit", "ObjectOptions", "ObjectTargets", "fit_object"]

BoolArray = NDArray[np.bool_]

PIXEL_SIGMA: Final = 0.01
"""Metres at the object: how well a sure 2D keypoint is known."""
POSITION_ACCELERATION: Final = 0.012
"""Metres a frame squared at 30 fps."""
ROTATION_ACCELERATION: Final = 0.03
"""Radians a frame squared at 30 fps."""
SIZE_SIGMA: Final = 0.12
"""Of the logarithm of a size that was estimated."""
HOLD_SIGMA: Final = 0.02
"""Metres by which a hand may seem to slide on what it holds."""
STILL_SIGMA: Final = 0.002
"""Metres a frame, and tenths of radians, by which an object at rest may seem to move."""
STILL_TRAVEL: Final = 0.035
"""Metres that an object at rest may seem to travel in half a second."""
FLOOR_SIGMA: Final = 0.04
FLOOR_NEAR: Final = 0.25
"""Metres above the floor at which an object at rest is taken to stand on it."""


@dataclass(frozen=True, eq=False)
class ObjectTargets:
    """What an object shall agree with, in the camera's axes (x right, y down, z forward).

    Attributes:
        pixels: (T, P, 2) of its keypoints.
        confidence: (T, P), 0 = missing.
        K: (3, 3) intrinsics.
        fps: frames a second.
        depth: (T,) metres, of the person.
        points3d: (T, P, 3) lifted keypoints, metres, or None.
        sigma3d: (T, P) metres.
        hands: (T, H, 3) wrists, H may be 0.
        up: (3,) against gravity.
        floor: height along ``up``.
    """

    pixels: F64
    confidence: F64
    K: F64
    fps: float
    depth: F64
    points3d: F64 | None
    sigma3d: F64 | None
    hands: F64
    up: F64
    floor: float


@dataclass(frozen=True)
class ObjectOptions:
    """How the fit goes.

    Attributes:
        iterations: damped Gauss-Newton steps.
        smoothing: factor on the smoothness.
        contacts: use the hands, the floor and that an object at rest does not move.
    """

    iterations: int = 12
    smoothing: float = 1.0
    contacts: bool = True


@dataclass(frozen=True, eq=False)
class ObjectFit:
    """An object's path in the camera's axes.

    Attributes:
        position: (T, 3) of its origin, metres.
        rotation: (T, 3, 3) its axes to the camera's.
        size: (3,) metres in a unit of each of its axes.
        points: (T, P, 3) keypoints.
        grip_probability: (T, H) in [0, 1], how sure a hand holds it.
        grips: (T, H, 3) where, in its own frame and metres; constant while a hold lasts.
    """

    position: F64
    rotation: F64
    size: F64
    points: F64
    grip_probability: F64
    grips: F64


def at_rest(targets: ObjectTargets) -> BoolArray:
    """(T,) True where the keypoints stand still in the picture for a while."""
    seen = targets.confidence > 0
    frames = np.arange(len(seen))
    filled = np.zeros_like(targets.pixels)
    for p in range(seen.shape[1]):
        known = np.flatnonzero(seen[:, p])
        for axis in range(2 * bool(len(known))):
            filled[:, p, axis] = np.interp(frames, known, targets.pixels[known, p, axis])
    smooth = gaussian_filter1d(filled, 0.08 * targets.fps)
    half = max(1, round(0.25 * targets.fps))
    before, after = np.clip(frames - half, 0, None), np.clip(frames + half, None, len(frames) - 1)
    travel = np.linalg.norm(smooth[after] - smooth[before], axis=-1)
    travel = np.ma.median(np.ma.array(travel, mask=~seen), axis=1).filled(np.inf)
    metres = travel * targets.depth / targets.K[0, 0] * (2 * half) / np.maximum(after - before, 1)
    still = metres < STILL_TRAVEL
    wide = max(3, round(0.3 * targets.fps))
    return binary_opening(binary_closing(np.pad(still, wide, mode="edge"), wide), wide)[wide:-wide]


class _Fit:
    """State of one fit; each ``_add_*`` puts one residual into the normal equations."""

    def __init__(self, shape: ObjectShape, targets: ObjectTargets, options: ObjectOptions, start: Pose) -> None:
        self.shape, self.targets, self.options = shape, targets, options
        self.position, self.rotation, size = start
        self.start_size = np.log(size)
        self.log_size = np.log(size)
        self.free = 0 if shape.size is not None else 3 if shape.kind == "box" else 1
        frames, hands = targets.hands.shape[:2]
        self.still = np.zeros(frames, dtype=bool)
        self.grip_probability, self.grips = np.zeros((frames, hands)), np.zeros((frames, hands, 3))

    @property
    def local_points(self) -> F64:
        """(P, 3) keypoints in the object's frame, metres."""
        return np.asarray(self.shape.points * np.exp(self.log_size))

    def points(self) -> F64:
        """(T, P, 3) keypoints in the camera's axes."""
        return np.asarray(self.position[:, None] + np.einsum("tab,pb->tpa", self.rotation, self.local_points))

    def _jacobians(self) -> tuple[F64, F64, F64 | None]:
        """Points (T, P, 3), their derivative (T, P, 3, 6) by the pose and (T, P, 3, n) by the logarithm of the size."""
        turned = np.einsum("tab,pb->tpa", self.rotation, self.local_points)
        eye = np.broadcast_to(np.eye(3), (*turned.shape, 3))
        jacobian = np.concatenate([eye, -skew(turned)], -1)
        size = None
        if self.free:
            size = np.einsum("tab,pb->tpab", self.rotation, self.local_points)
            size = size if self.free == 3 else size.sum(-1, keepdims=True)
        return self.position[:, None] + turned, jacobian, size

    def _add(
        self, system: MotionSystem, residual: F64, weight: F64, jacobian: F64,
        size: F64 | None,
    ) -> None:  # fmt: skip
        """Residual (T, P, n), weight (T, P), jacobians (T, P, n, ...)."""
        frames, _, n = residual.shape
        flat = None if size is None else size.reshape(frames, -1, size.shape[-1])
        system.add(residual.reshape(frames, -1), np.repeat(weight, n, 1), jacobian.reshape(frames, -1, 6), flat)

    def _add_keypoints(self, system: MotionSystem) -> None:
        t = self.targets
        points, jacobian, size = self._jacobians()
        depth = np.maximum(points[..., 2:], 0.2)
        focal = t.K[0, 0]
        residual = focal * points[..., :2] / depth + t.K[:2, 2] - t.pixels
        sigma = PIXEL_SIGMA * focal / np.median(depth[..., 0], axis=1, keepdims=True)
        scaled = np.linalg.norm(residual, axis=-1) / (4 * sigma)
        slope = -(points[..., :2] / depth)[..., None]

        def seen(j: F64) -> F64:
            return np.asarray((focal / depth)[..., None] * (j[..., :2, :] + slope * j[..., 2:, :]))

        weight = t.confidence / sigma**2 / (1 + scaled**2)
        self._add(system, residual, weight, seen(jacobian), None if size is None else seen(size))
        if t.points3d is not None and t.sigma3d is not None:
            residual = points - t.points3d
            scaled = np.linalg.norm(residual, axis=-1) / (2 * t.sigma3d)
            self._add(system, residual, 1 / t.sigma3d**2 / (1 + scaled**2), jacobian, size)

    def _add_hands(self, system: MotionSystem) -> None:
        """The wrist in the object's frame, q = Rᵀ (w - p), stays at its grip as long as the hand holds the object."""
        offset = self.targets.hands - self.position[:, None]
        local = np.einsum("tba,thb->tha", self.rotation, offset)
        residual = local - self.grips
        back = np.broadcast_to(self.rotation.transpose(0, 2, 1)[:, None], (*offset.shape, 3))
        jacobian = np.concatenate([-back, back @ skew(offset)], -1)
        scaled = np.linalg.norm(residual, axis=-1) / (3 * HOLD_SIGMA)
        self._add(system, residual, self.grip_probability / HOLD_SIGMA**2 / (1 + scaled**2), jacobian, None)

    def _add_rest(self, system: MotionSystem) -> None:
        both = (self.still[1:] & self.still[:-1]).astype(np.float64)[:, None] * (30 / self.targets.fps) ** -2
        weight = np.repeat(both / STILL_SIGMA**2, 6, 1)
        weight[:, 3:] /= 25
        turned = log_map(self.rotation[1:] @ self.rotation[:-1].transpose(0, 2, 1))
        moved = np.concatenate([np.diff(self.position, axis=0), turned], 1)
        system.add_difference(moved, weight, np.broadcast_to(np.eye(6), (len(self.still), 6, 6)))
        points, jacobian, size = self._jacobians()
        height = points @ self.targets.up - self.targets.floor
        lowest = height.min(1, keepdims=True)
        stands = self.still[:, None] & (lowest < FLOOR_NEAR) & (height < lowest + 0.03)
        weight = (stands | (height < 0)) / FLOOR_SIGMA**2 / (1 + (height / (3 * FLOOR_SIGMA)) ** 2)
        up = self.targets.up
        slope = None if size is None else np.einsum("a,tpab->tpb", up, size)
        system.add(height, weight, np.einsum("a,tpad->tpd", up, jacobian), slope)

    def _add_smoothness(self, system: MotionSystem) -> None:
        rate = (self.targets.fps / 30) ** 4 * self.options.smoothing
        weight = rate / np.repeat([POSITION_ACCELERATION, ROTATION_ACCELERATION], 3) ** 2
        turned = log_map(self.rotation[1:] @ self.rotation[:-1].transpose(0, 2, 1))
        steps = np.concatenate([np.diff(self.position, axis=0), turned], 1)
        system.add_acceleration(np.diff(steps, axis=0), weight)

    def _add_size(self, system: MotionSystem) -> None:
        deviation = self.log_size - self.start_size
        if self.free == 1:
            deviation = deviation[:1]
        system.corner += np.eye(self.free) / SIZE_SIGMA**2
        system.corner_gradient += deviation / SIZE_SIGMA**2

    def observe(self) -> None:
        """Estimate rests, grip probabilities and grips again from the current pose."""
        self.still = at_rest(self.targets)
        hands = self.targets.hands
        self.grip_probability, self.grips = find_grips(
            self.position, self.rotation, self.local_points, hands, ~self.still
        )

    def step(self) -> None:
        """One damped Gauss-Newton step."""
        frames = len(self.position)
        system = MotionSystem(frames, 6, self.free)
        self._add_keypoints(system)
        if self.options.contacts:
            self._add_hands(system)
            self._add_rest(system)
        self._add_smoothness(system)
        if self.free:
            self._add_size(system)
        move, size = system.solve(1e-3)
        self.position = self.position + move[:, :3]
        self.position[:, 2] = np.maximum(self.position[:, 2], 0.3)
        self.rotation = exp_map(np.clip(move[:, 3:], -0.8, 0.8)) @ self.rotation
        if self.free:
            self.log_size = self.log_size + np.clip(size, -0.3, 0.3)


def _filled(pose: Pose, sure: BoolArray) -> Pose:
    """Poses of frames in which enough was seen, carried over to the others."""
    known = np.flatnonzero(sure)
    if not len(known):
        return pose
    nearest = known[np.abs(np.arange(len(sure))[:, None] - known[None]).argmin(1)]
    frames = np.arange(len(sure))
    position = np.stack([np.interp(frames, known, column[known]) for column in pose[0].T], 1)
    return position, pose[1][nearest], pose[2]


def fit_object(shape: ObjectShape, targets: ObjectTargets, options: ObjectOptions) -> ObjectFit:
    """Pose of a rigid object in every frame, and its size where that is not known.

    Args:
        shape: its points; P keypoints in the order of the targets.
        targets: what it shall agree with.
        options: iterations, smoothness, contacts.
    """
    if targets.points3d is not None and targets.sigma3d is not None:
        weight = (0.05 + targets.confidence) / targets.sigma3d**2
        start = procrustes_start(shape, targets.points3d, weight)
    else:
        start = projected_start(shape, targets.pixels, targets.confidence, targets.K, targets.depth)
        start = _filled(start, (targets.confidence > 0).sum(1) >= 4)
    fit = _Fit(shape, targets, options, start)
    for i in range(options.iterations):
        if options.contacts and i in (3, 6, 9):
            fit.observe()
        fit.step()
    return ObjectFit(fit.position, fit.rotation, np.exp(fit.log_size), fit.points(), fit.grip_probability, fit.grips)
