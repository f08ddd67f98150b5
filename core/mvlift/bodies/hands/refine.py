"""Wrist and fingers of one hand over a clip: damped Gauss-Newton, one banded system, linear in frames.

The unknowns of a frame are the wrist's turn relative to the forearm and the 21 angles of the fingers; the proportions
of the person's hand are shared by the clip. Pixels count relative to the hand's mean position in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.hands.model import ANGLES, COLUMNS, FLEX2, FLEX3, THUMB, HandModel
from mvlift.bodies.hands.search import COUPLING
from mvlift.bodies.hands.view import HandView
from mvlift.bodies.hands.wrist import WRIST_LIMITS, WRIST_SPREAD, wrist_angles
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F64

__all__ = ["HandPose", "refine_hand"]


DOF: Final = 3 + len(COLUMNS)
SHAPES: Final = 6
"""Shared unknowns: logarithms of the five fingers' lengths and of the palm's length."""
SHAPE_SIGMA: Final = 0.06
ITERATIONS: Final = 6
OUTLIER: Final = 5.0
"""Standard deviations from which on a keypoint counts less and less."""
WRIST_ACCELERATION: Final = 0.2
FINGER_ACCELERATION: Final = 0.3
"""Radians a frame squared at 30 fps."""
LIMIT_SIGMA: Final = np.radians(4.0)
COUPLING_SIGMA: Final = np.radians(11.0)
REST_SIGMA: Final = np.radians([14.0, 55.0, 55.0, 40.0, 8.0])
"""About the relaxed hand where the keypoints are believed: spread, three flexions, second spread."""
THUMB_SIGMA: Final = np.radians([22.0, 25.0, 25.0, 35.0, 8.0])
RELAXED_SIGMA: Final = np.radians(5.0)
"""The same where they are not."""
MAX_STEP: Final = 0.5


@dataclass(frozen=True, eq=False)
class HandPose:
    """A hand over a clip.

    Attributes:
        wrist: (T, 3, 3) turn of the wrist relative to the forearm without twist.
        angles: (T, 5, 5) of the fingers, from rest.
        shape: (6,) logarithms of the fingers' lengths and of the palm's length over the body's.
    """

    wrist: F64
    angles: F64
    shape: F64


def _shaped(hand: HandModel, shape: F64) -> HandModel:
    growth = np.exp(shape)
    distal = hand.axes[0]
    longer = (growth[5] - 1) * (hand.knuckles @ distal)[:, None] * distal
    return replace(hand, knuckles=hand.knuckles + longer, bones=hand.bones * growth[:5, None, None])


class _Refinement:
    def __init__(self, view: HandView, hand: HandModel, forearm: F64, bent: F64, rate: tuple[float, float]) -> None:
        self.view, self.hand, self.forearm, self.bent = view, hand, forearm, bent
        self.fps, self.smoothing = rate
        self.believed = view.weight * np.where(np.arange(21)[None] == 0, 1.0, np.maximum(view.quality, 0.0)[:, None])
        palm = np.isin(np.arange(21), [0, 1, 5, 9, 13, 17])
        self.believed = np.where(palm & view.seen[:, None], view.weight, self.believed)
        sigma = np.tile(REST_SIGMA, (5, 1))
        sigma[THUMB] = THUMB_SIGMA
        doubt = (1 - view.quality)[:, None] ** 2
        self.rest_weight = (1 / sigma**2).reshape(-1)[COLUMNS] + doubt / RELAXED_SIGMA**2  # (T, 21)

    def _points(self, pose: HandPose) -> tuple[F64, F64, F64, F64]:
        """Points (T, 21, 3) in the view's axes and their derivatives by angles, wrist and shape."""
        hand = _shaped(self.hand, pose.shape)
        local, by_angles = hand.jacobian(pose.angles)
        turn = self.forearm @ pose.wrist
        points = local @ turn.transpose(0, 2, 1)
        moved = turn[:, None] @ by_angles
        frames = len(points)
        by_wrist = np.cross(self.forearm.transpose(0, 2, 1)[:, None], points[:, :, None]).transpose(0, 1, 3, 2)
        by_shape = np.zeros((frames, 21, 3, SHAPES))
        for f in range(5):
            rows = slice(1 + 4 * f, 5 + 4 * f)
            by_shape[:, rows, :, f] = local[:, rows] - hand.knuckles[f]
            along = hand.knuckles[f] @ hand.axes[0] * hand.axes[0]
            by_shape[:, rows, :, 5] = along
        return points, moved, by_wrist, turn[:, None] @ by_shape

    def _add_picture(self, system: MotionSystem, pose: HandPose) -> None:
        points, by_angles, by_wrist, by_shape = self._points(pose)
        distance = self.view.distance[:, None]
        scale = np.maximum(1 + points[..., 2] / distance, 0.2)[..., None]
        shown = points[..., :2] / scale

        def seen(slope: F64) -> F64:
            depth = slope[..., 2:, :] / distance[..., None, None]
            return np.asarray((slope[..., :2, :] - shown[..., None] * depth) / scale[..., None])

        residual = shown - self.view.points
        residual = residual - self._mean(residual)
        weight = self.believed / (1 + self.believed * (residual**2).sum(-1) / OUTLIER**2)
        slopes = seen(np.concatenate([by_wrist, by_angles, by_shape], -1))
        slopes = slopes - self._mean(slopes)
        frames = len(points)
        system.add(
            residual.reshape(frames, -1),
            np.repeat(weight, 2, axis=1),
            slopes[..., :DOF].reshape(frames, -1, DOF),
            slopes[..., DOF:].reshape(frames, -1, SHAPES) if system.shared else None,
        )

    def _mean(self, values: F64) -> F64:
        """Weighted mean over the keypoints, kept as an axis: the hand's place in the picture is not fitted."""
        share = self.believed / np.maximum(self.believed.sum(1, keepdims=True), 1e-12)
        flat = values.reshape(*share.shape, -1)
        return np.asarray(np.einsum("tk,tkn->tn", share, flat).reshape(len(values), 1, *values.shape[2:]))

    def _add_priors(self, system: MotionSystem, pose: HandPose) -> None:
        frames = len(pose.angles)
        weight, force = np.zeros((frames, DOF)), np.zeros((frames, DOF))
        angles = pose.angles.reshape(frames, -1)[:, COLUMNS]
        bounds = self.hand.limits.reshape(-1, 2)[COLUMNS]
        beyond = angles - np.clip(angles, bounds[:, 0], bounds[:, 1])
        weight[:, 3:] = self.rest_weight + (beyond != 0) / LIMIT_SIGMA**2
        force[:, 3:] = self.rest_weight * angles + beyond / LIMIT_SIGMA**2
        system.add_diagonal(force / np.maximum(weight, 1e-12), weight)
        self._add_coupling(system, pose)
        self._add_wrist(system, pose)

    def _add_coupling(self, system: MotionSystem, pose: HandPose) -> None:
        """End joints bend by about two thirds of the middle ones."""
        absolute = self.hand.absolute(pose.angles)
        fingers = [f for f in range(5) if f != THUMB]
        residual = absolute[:, fingers, FLEX3] - COUPLING * absolute[:, fingers, FLEX2]
        slope = np.zeros((len(fingers), DOF))
        for row, f in enumerate(fingers):
            slope[row, 3 + int(np.flatnonzero(f * ANGLES + FLEX3 == COLUMNS)[0])] = 1
            slope[row, 3 + int(np.flatnonzero(f * ANGLES + FLEX2 == COLUMNS)[0])] = -COUPLING
        weight = np.full(residual.shape, 1 / COUPLING_SIGMA**2)
        system.add(residual, weight, np.broadcast_to(slope, (len(residual), *slope.shape)))

    def _add_wrist(self, system: MotionSystem, pose: HandPose) -> None:
        """Prior: in line with the forearm, with standard
        deviations; twist, flexion and spread are linearised about their axes."""
        angles = wrist_angles(pose.wrist, self.hand)
        beyond = angles - np.clip(angles, WRIST_LIMITS[:, 0], WRIST_LIMITS[:, 1])
        doubt = np.where(self.view.seen, 0.0, 1.0)[:, None] / np.radians(6.0) ** 2
        share = np.ones_like(angles)
        share[:, 0] = np.maximum(self.bent, 0.15)
        weight = share / WRIST_SPREAD**2 + share * (beyond != 0) / np.radians(6.0) ** 2 + doubt
        force = share * angles / WRIST_SPREAD**2 + share * beyond / np.radians(6.0) ** 2 + doubt * angles
        sign = 1.0 if self.hand.side == "left" else -1.0
        distal, dorsal, radial = self.hand.axes
        twist = exp_map(sign * angles[:, :1] * distal)
        axes = np.stack(
            [np.broadcast_to(sign * distal, (len(angles), 3)), twist @ (-sign * radial), twist @ (-sign * dorsal)], 1
        )
        slope = np.concatenate([axes, np.zeros((len(angles), 3, DOF - 3))], 2)
        system.add(force / weight, weight, slope)

    def _add_smoothness(self, system: MotionSystem, pose: HandPose) -> None:
        if len(pose.angles) < 3:
            return
        rate = (self.fps / 30) ** 4 * self.smoothing
        weight = np.full(DOF, rate / FINGER_ACCELERATION**2)
        weight[:3] = rate / WRIST_ACCELERATION**2
        steps = np.empty((len(pose.angles) - 1, DOF))
        steps[:, :3] = log_map(pose.wrist[1:] @ pose.wrist[:-1].transpose(0, 2, 1))
        steps[:, 3:] = np.diff(pose.angles.reshape(len(pose.angles), -1)[:, COLUMNS], axis=0)
        system.add_acceleration(np.diff(steps, axis=0), weight)

    def _add_shape(self, system: MotionSystem, pose: HandPose) -> None:
        weight = max(len(pose.angles) / self.fps, 1.0) / SHAPE_SIGMA**2 * np.ones(SHAPES)
        system.corner += np.diag(weight)
        system.corner_gradient += weight * pose.shape

    def run(self, pose: HandPose) -> HandPose:
        """All steps."""
        for step in range(ITERATIONS):
            shared = SHAPES if step % 2 == 1 else 0
            system = MotionSystem(len(pose.angles), DOF, shared)
            self._add_picture(system, pose)
            self._add_priors(system, pose)
            self._add_smoothness(system, pose)
            if shared:
                self._add_shape(system, pose)
            per_frame, shape = system.solve(1e-3)
            per_frame = np.clip(per_frame, -MAX_STEP, MAX_STEP)
            angles = pose.angles.reshape(len(per_frame), -1).copy()
            angles[:, COLUMNS] += per_frame[:, 3:]
            pose = HandPose(
                exp_map(per_frame[:, :3]) @ pose.wrist,
                angles.reshape(pose.angles.shape),
                pose.shape + np.clip(shape, -0.1, 0.1) if shared else pose.shape,
            )
        return pose


def refine_hand(
    view: HandView, hand: HandModel, forearm: F64, bent: F64, start: HandPose, fps: float, smoothing: float = 1.0
) -> HandPose:
    """Fit wrist and fingers from a rough start.

    Args:
        view: the detections.
        hand: the body's hand.
        forearm: (T, 3, 3) in the view's axes, without twist.
        bent: (T,) in [0, 1], how far the elbow tells the forearm's own turn.
        start: of the fit.
        fps: frames a second.
        smoothing: factor on the smoothness over time.
    """
    return _Refinement(view, hand, forearm, bent, (fps, smoothing)).run(start)
