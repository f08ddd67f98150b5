"""A fitted motion changed to meet poses and pinned joints: the smallest smooth correction that the video allows.

The unknowns are the root's path and one rotation for each joint. The correction of each is a Gaussian process in time
with a Matérn covariance of smoothness 3/2 about the motion as it was, so that it fades from a posed frame without
overshoot. Poses and pins are residuals with small standard deviations; keypoints stay where they are in the picture,
resting parts stay at rest. A keypoint that contradicts a pose counts less around it, and where the video agrees with
the pose and not with the motion as it was, the video is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.kinematics import Kinematics, Posed
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F64

__all__ = ["BaseMotion", "Evidence", "Held", "correct_motion", "matern"]

LENGTH: Final = 0.2
"""Seconds, length scale of a correction: half of it is left after 1.68 of them."""
ROTATION_SIGMA: Final = 0.3
"""Radians by which a limb's joint, or one that is posed, may have to be corrected,"""
ROOT_SIGMA: Final = 0.04
"""and metres, of the root's path."""
POSE_SIGMA: Final = 0.004
"""Radians from a posed rotation,"""
PLACE_SIGMA: Final = 0.002
"""and metres from a place."""
REPROJECTION_SIGMA: Final = 0.012
"""Metres at the body by which a keypoint may move in the picture,"""
CORRECTED_SIGMA: Final = 0.003
"""and be off where the user says that it is."""
STILL_SIGMA: Final = 0.003
"""Metres a frame at 30 fps that a resting part may move."""
BELOW_SIGMA: Final = 0.01
"""Metres below the floor."""
FADED: Final = 4
"""Length scales from what is held at which a correction has faded, to 9 %: keypoints may not carry it on beyond."""
EDGE_WEIGHT: Final = 1e6
"""On corrections at the ends of the stretch that is solved, where the motion goes on unchanged."""
MAX_STEP: Final = 0.8
"""Radians that a joint turns in one step at most."""
STEPS: Final = 20
DAMPING: Final = 1e-4
"""Of the normal equations."""
CONVERGED: Final = 3e-4
"""Radians and metres."""
UNJUDGED_STEPS: Final = 4
"""Steps until what is held is met, in which keypoints near it do not count yet:"""
POSE_REACH: Final = 0.05
"""not at all where so much of a pose's correction is left, and less and less near a pin."""


def matern(distance: F64, length: float) -> F64:
    """Matérn covariance of smoothness 3/2 and variance 1, (1 + d/l) exp(-d/l), with l its length scale."""
    scaled = np.abs(distance) / length
    return np.asarray((1 + scaled) * np.exp(-scaled))


@dataclass(frozen=True, eq=False)
class BaseMotion:
    """The motion as it was, z up: root joint (T, 3) in metres, rotations (T, J, 3, 3) relative to the parents."""

    root: F64
    rotations: F64


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the video says.

    Attributes:
        pixels: (T, K, 2) of the keypoints.
        confidence: (T, K), 0 = missing.
        K, R, t: (T, 3, 3), (T, 3, 3) and (T, 3) of the camera; z of the world is up.
        contacts: (T, C) probabilities that the supports rest.
        radius: (C,) metres of the supports.
        fps: frames a second.
    """

    pixels: F64
    confidence: F64
    K: F64
    R: F64
    t: F64
    contacts: F64
    radius: F64
    fps: float


@dataclass(frozen=True, eq=False)
class Held:
    """What is to be met; weights of 0 leave a value free.

    Attributes:
        rotations: (T, J, 3, 3) of joints relative to their parents.
        rotation_weight: (T, J).
        root: (T, 3) metres.
        root_weight: (T,).
        places: (T, P, 3) metres, of the points after keypoints and supports.
        place_weight: (T, P).
        pixels: (T, K, 2) of keypoints.
        pixel_weight: (T, K).
        open_start, open_end: whether the clip begins and ends here; elsewhere the correction is zero there.
    """

    rotations: F64
    rotation_weight: F64
    root: F64
    root_weight: F64
    places: F64
    place_weight: F64
    pixels: F64
    pixel_weight: F64
    open_start: bool = True
    open_end: bool = True

    @property
    def frames(self) -> F64:
        """Rows in which something is to be met."""
        asked = (self.rotation_weight > 0).any(1) | (self.root_weight > 0) | (self.place_weight > 0).any(1)
        return np.flatnonzero(asked | (self.pixel_weight > 0).any(1)).astype(np.float64)


class ConstrainedFit:
    """The correction of one stretch of frames, and its residuals where it is now.

    Args:
        kinematics: points are keypoints, then supports, then pinned joints; each group turns one joint.
        base: the motion as it was.
        evidence: what the video says.
        held: what is to be met.
        spread: (J,) radians by which each joint may have to be corrected; None: ``ROTATION_SIGMA``.
    """

    def __init__(
        self, kinematics: Kinematics, base: BaseMotion, evidence: Evidence, held: Held, spread: F64 | None = None
    ) -> None:
        self.kinematics, self.base, self.evidence, self.held = kinematics, base, evidence, held
        self.root, self.rotations = base.root.copy(), base.rotations.copy()
        self.joints = [group[0][0] for group in kinematics.groups]
        joints = base.rotations.shape[1]
        sigma = np.full(joints, ROTATION_SIGMA) if spread is None else spread
        posed = (held.rotation_weight > 0).any(0)
        sigma = np.where(posed, np.maximum(sigma, ROTATION_SIGMA), sigma)[self.joints]
        self.sigma = np.concatenate([np.full(3, ROOT_SIGMA), np.repeat(sigma, 3)])
        """(D,) of the correction of each unknown."""
        self.keypoints, self.supports = evidence.pixels.shape[1], evidence.contacts.shape[1]
        self.length = LENGTH * evidence.fps
        self.betas = np.zeros(0)
        self.before = self.pose()
        self.seen_before = self._project(self.before)
        self.confinement = self._confinement()
        self.target, self.trust = self.seen_before, np.ones_like(evidence.confidence)

    def _confinement(self) -> F64:
        """(T,) factor on the weight of a correction: one near what is held, growing where it should have faded."""
        frames = self.held.frames
        if not len(frames):
            return np.ones(len(self.root))
        distance = np.abs(np.arange(len(self.root))[:, None] - frames).min(1)
        return np.asarray(np.exp(2 * np.clip(distance / self.length - FADED, 0, 6)))

    def pose(self) -> Posed:
        """The body as it is corrected now."""
        return self.kinematics.pose(self.betas, self.rotations, self.root)

    def _camera_points(self, posed: Posed) -> F64:
        e = self.evidence
        return np.asarray(posed.points[:, : self.keypoints] @ e.R.transpose(0, 2, 1) + e.t[:, None])

    def _project(self, posed: Posed) -> F64:
        points = self._camera_points(posed)
        K, depth = self.evidence.K[:, None], np.maximum(points[..., 2:], 0.05)
        focal, centre = np.stack([K[..., 0, 0], K[..., 1, 1]], -1), K[..., :2, 2]
        return np.asarray(focal * points[..., :2] / depth + centre)

    def _pixel_sigma(self) -> F64:
        """(T, 1) pixels."""
        depth = np.maximum(np.median(self._camera_points(self.before)[..., 2], axis=1), 0.2)
        return np.asarray(REPROJECTION_SIGMA * self.evidence.K[:, 0, 0] / depth)[:, None]

    def judge(self, posed: Posed, step: int) -> None:
        """Which keypoints agree with what is to be met, and where the video is followed instead of the old motion.

        Settled once: judged again in each step, a small disagreement would feed itself.
        """
        if step > UNJUDGED_STEPS:
            return
        frames, e = self.held.frames, self.evidence
        rows = frames.astype(int)
        influence = matern(np.arange(len(self.root))[:, None] - frames, self.length)  # (T, N)
        if step < UNJUDGED_STEPS:
            posed_rows = (self.held.rotation_weight[rows] > 0).any(1)
            free = np.where(posed_rows & (influence > POSE_REACH), 1.0, influence)  # (T, N)
            self.trust = np.repeat(1 - free.max(1, keepdims=True), self.keypoints, 1)
            return
        limit, now = 4 * self._pixel_sigma()[rows], self._project(posed)[rows]
        kept = 1 / (1 + (np.linalg.norm(now - self.seen_before[rows], axis=-1) / limit) ** 2)  # (N, K)
        seen = 1 / (1 + (np.linalg.norm(now - e.pixels[rows], axis=-1) / limit) ** 2) * (e.confidence[rows] > 0)
        self.trust = 1 - (influence[..., None] * (1 - np.maximum(kept, seen))).max(1)
        follow = (influence[..., None] * np.maximum(seen - kept, 0)).max(1) * (e.confidence > 0)
        self.target = self.seen_before + follow[..., None] * (e.pixels - self.seen_before)

    def system(self, posed: Posed) -> MotionSystem:
        """The normal equations at a pose."""
        system = MotionSystem(len(self.root), self.kinematics.dof, 0)
        jacobian = self.kinematics.jacobian(posed)
        self.add_prior(system)
        self.add_poses(system)
        self.add_pins(system, posed, jacobian)
        self.add_pixels(system, posed, jacobian)
        self.add_contacts(system, posed, jacobian)
        return system

    def correction(self) -> F64:
        """(T, D) what was added to the motion: metres of the root, rotation vectors of the joints."""
        turned = self.rotations[:, self.joints] @ self.base.rotations[:, self.joints].transpose(0, 1, 3, 2)
        return np.concatenate([self.root - self.base.root, log_map(turned).reshape(len(self.root), -1)], 1)

    def add_prior(self, system: MotionSystem) -> None:
        """The Matérn process: 1/(4 l s²) Σ (d² + 2 l² d'² + l⁴ d''²), its precision with a length of l frames."""
        now, length = self.correction(), self.length
        weight = 1 / (4 * length * self.sigma**2)
        each = np.broadcast_to(weight, now.shape).copy()
        each *= self.confinement[:, None]
        each[:2] += 0.0 if self.held.open_start else EDGE_WEIGHT
        each[-2:] += 0.0 if self.held.open_end else EDGE_WEIGHT
        system.add_diagonal(now, each)
        if len(now) > 1:
            system.add_velocity(np.diff(now, axis=0), 2 * length**2 * weight)
        system.add_acceleration(np.diff(now, n=2, axis=0), length**4 * weight)

    def add_poses(self, system: MotionSystem) -> None:
        """Posed rotations and the root's places, whose residuals are the unknowns themselves."""
        h = self.held
        frames = len(self.root)
        residual = log_map(self.rotations[:, self.joints] @ h.rotations[:, self.joints].transpose(0, 1, 3, 2))
        weight = np.repeat(h.rotation_weight[:, self.joints, None] / POSE_SIGMA**2, 3, 2)
        place = np.repeat(h.root_weight[:, None] / PLACE_SIGMA**2, 3, 1)
        system.add_diagonal(
            np.concatenate([self.root - h.root, residual.reshape(frames, -1)], 1),
            np.concatenate([place, weight.reshape(frames, -1)], 1),
        )

    def add_pins(self, system: MotionSystem, posed: Posed, jacobian: F64) -> None:
        """Pinned joints, at their places."""
        rows = slice(self.keypoints + self.supports, None)
        residual = (posed.points[:, rows] - self.held.places).reshape(len(self.root), -1)
        weight = np.repeat(self.held.place_weight / PLACE_SIGMA**2, 3, axis=1)
        system.add(residual, weight, jacobian[:, rows].reshape(len(self.root), -1, system.dof))

    def add_pixels(self, system: MotionSystem, posed: Posed, jacobian: F64) -> None:
        """Keypoints in the picture, robustly (Cauchy); those that the user has placed, firmly."""
        e, h, points = self.evidence, self.held, self._camera_points(posed)
        frames, depth = len(points), np.maximum(points[..., 2:], 0.2)
        turned = e.R[:, None] @ jacobian[:, : self.keypoints]
        focal = np.stack([e.K[:, 0, 0], e.K[:, 1, 1]], -1)[:, None, :, None]
        slope = (points[..., :2] / depth)[..., None]
        seen = (focal / depth[..., None] * (turned[..., :2, :] - slope * turned[..., 2:, :])).reshape(
            frames, -1, system.dof
        )
        now, sigma = self._project(posed), self._pixel_sigma()
        residual = now - self.target
        distance = np.linalg.norm(residual, axis=-1) / (4 * sigma)
        free = e.confidence * (h.pixel_weight == 0)
        weight = self.trust * free / sigma**2 / (1 + distance**2)
        system.add(residual.reshape(frames, -1), np.repeat(weight, 2, 1), seen)
        if h.pixel_weight.any():
            firm = h.pixel_weight * (REPROJECTION_SIGMA / CORRECTED_SIGMA / sigma) ** 2
            system.add((now - h.pixels).reshape(frames, -1), np.repeat(firm, 2, 1), seen)

    def add_contacts(self, system: MotionSystem, posed: Posed, jacobian: F64) -> None:
        """What rested moves no more than it did, and nothing sinks deeper into the floor than it did."""
        rows = slice(self.keypoints, self.keypoints + self.supports)
        frames, e = len(self.root), self.evidence
        points, before, slope = posed.points[:, rows], self.before.points[:, rows], jacobian[:, rows]
        if frames > 1 and self.supports:
            moved = np.diff(points - before, axis=0).reshape(frames - 1, -1)
            resting = np.minimum(e.contacts[1:], e.contacts[:-1]) / (STILL_SIGMA * 30 / e.fps) ** 2
            system.add_difference(moved, np.repeat(resting, 3, 1), slope.reshape(frames, -1, system.dof))
        allowed = np.minimum(before[..., 2] - e.radius, 0)
        below = np.minimum(points[..., 2] - e.radius - allowed, 0)
        system.add(below, (below < 0) / BELOW_SIGMA**2, slope[:, :, 2])

    def move(self, step: F64) -> float:
        """Take a step (T, D); the largest change that it made, in metres or radians."""
        self.root = self.root + np.clip(step[:, :3], -1, 1)
        turn = step[:, 3:].reshape(len(step), -1, 3)
        angle = np.linalg.norm(turn, axis=-1, keepdims=True)
        self.rotations = self.kinematics.moved_by(self.rotations, turn * np.minimum(1, MAX_STEP / (angle + 1e-12)))
        return float(np.abs(step).max(initial=0.0))

    def run(self, progress: Callable[[float], None]) -> None:
        """All steps."""
        for step in range(STEPS):
            posed = self.pose()
            self.judge(posed, step)
            largest = self.move(self.system(posed).solve(DAMPING)[0])
            progress((step + 1) / STEPS)
            if step > UNJUDGED_STEPS and largest < CONVERGED:
                return


def _interpolated(rotations: F64, held: Held, joint: int, length: float) -> F64:
    """(T, 3, 3) of a joint that no point hangs on: the mean of the same process, given its posed rows."""
    rows = np.flatnonzero(held.rotation_weight[:, joint] > 0)
    times = np.arange(len(rotations), dtype=np.float64)
    wanted = log_map(held.rotations[rows, joint] @ rotations[rows, joint].transpose(0, 2, 1))
    inner = matern(times[rows, None] - times[rows], length) + 1e-6 * np.eye(len(rows))
    turn = matern(times[:, None] - times[rows], length) @ np.linalg.solve(inner, wanted)
    return np.asarray(exp_map(turn) @ rotations[:, joint])


def correct_motion(
    kinematics: Kinematics,
    base: BaseMotion,
    evidence: Evidence,
    held: Held,
    progress: Callable[[float], None] = lambda _: None,
    spread: F64 | None = None,
) -> BaseMotion:
    """The motion changed to meet what is held.

    Args:
        kinematics: points are keypoints, supports and pinned joints; each group turns one joint, all joints that move
            one of the points. Joints without a group are interpolated from pose to pose.
        base, evidence, held: see their classes.
        progress: called with the share that is done.
        spread: (J,) radians by which each joint may have to be corrected; None: ``ROTATION_SIGMA``.

    Raises:
        numpy.linalg.LinAlgError: there is no solution.
    """
    fit = ConstrainedFit(kinematics, base, evidence, held, spread)
    fit.run(progress)
    rotations = fit.rotations
    for joint in np.flatnonzero((held.rotation_weight > 0).any(0)):
        if joint not in fit.joints:
            rotations[:, joint] = _interpolated(base.rotations, held, int(joint), fit.length)
    return BaseMotion(fit.root, rotations)
