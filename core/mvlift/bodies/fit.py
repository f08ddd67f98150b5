"""Damped Gauss-Newton fit of a body to 2D keypoints and lifted 3D keypoints of a whole clip at once.

The unknowns are the root's path and the joints' rotations in the camera's axes, with one shape for the clip. Contacts,
floor, gravity and the pose prior's targets are estimated again between steps and held constant within one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from mvlift.bodies.anchors import find_anchors
from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.contacts import level_up, resting, standing
from mvlift.bodies.fit_problem import BodyFit, FitOptions, FitTargets, PosePrior
from mvlift.bodies.fit_residuals import FitState
from mvlift.bodies.grounding import CONTACT, Ground, find_ground, seen_speed
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.kinematics import Posed
from mvlift.bodies.palms import lay_palms
from mvlift.bodies.pops import find_pops
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.errors import LiftError
from mvlift.typing import F64

__all__ = ["BodyFit", "FitOptions", "FitTargets", "PosePrior", "fit_body"]

PIN_STEPS: Final = 4
"""Steps in which resting parts keep their places."""
BRIDGED_TRUST: Final = 0.01
"""Weight of targets where they make the body jump."""
DAMPING: Final = 1e-3
"""Share of the diagonal that is added to the normal equations,"""
PATH_DAMPING: Final = 1e-6
"""and while a camera's path is solved: path and person move together along a soft direction, which more would bar."""
PATH_STEP: Final = 4
"""The step from which on the unit of a camera's path is solved: what rests is known by then."""
MAX_GROWTH: Final = 0.3
"""By which the logarithm of that unit changes in one step at most,"""
MAX_PATH_CHANGE: Final = 0.4
"""and from its first guess, beyond which the parts that are said to rest do not."""
MAX_TURN: Final = 0.8
"""Radians that a joint turns in one step at most."""


class _Fit(FitState):
    """The steps of one fit."""

    def _observe(self, posed: Posed, step: int) -> None:
        """Estimate anew what a step holds constant."""
        if self.options.contacts and step >= 3 and step % 2 == 1 and self.supports:
            self._find_ground(posed, level=self.options.up_sigma > 0 and step >= 5)
        if self.prior is not None and step % 2 == 1:
            self.plausible = self.prior.target_pose(self.rotations[:, 1 : 1 + self.kinematic_model.prior_joints])

    def _find_ground(self, posed: Posed, *, level: bool) -> Ground:
        points = self._lowest(posed)
        t, sigma = self.targets, self.options.up_sigma
        speed = seen_speed(self.supports, points, self.skeleton.keypoint_names, self.view, t.fps)
        if level:
            rest = resting(points, self.up, t.fps, speed) * self.seen
            if self.ground is not None:
                rest = np.where(self.ground.propped, self.ground.contacts, rest)
            balance = standing(posed.joints, self.skeleton, self.kinematic_model)
            guess = t.up if t.up_guess is None else t.up_guess
            right = None if t.camera is None else t.camera.R[:, 0]
            self.up = level_up(points, rest, guess, sigma, t.fps, balance, right)
            points = self._lowest(posed)
        self.ground = find_ground(self.supports, points, self.up, t.fps, self.seen, speed)
        return self.ground

    def _distrust(self, posed: Posed) -> None:
        """Reduce the weight of targets that make the body jump, so that the motion is interpolated across them."""
        pops = find_pops(posed.points[:, : self.keypoints], self.targets.fps)
        self.bridged |= pops
        self.trust = np.where(self.bridged, BRIDGED_TRUST, 1.0)

    def _pin(self, posed: Posed) -> None:
        """Fix the contacts and the places of resting parts; contacts too short to be held are removed."""
        self._distrust(posed)
        ground = self._find_ground(posed, level=False)
        lowest = self._lowest(posed)
        sight = None if self.view is None else self.view.sight(lowest)
        places, weight = find_anchors(lowest, ground, self.up, self.targets.fps, sight)
        self.anchors = places, weight
        contacts = np.where(weight > 0, ground.contacts, np.minimum(ground.contacts, CONTACT))
        self.ground = replace(ground, contacts=contacts)

    def _shared_jacobian(self, posed: Posed, *, with_shape: bool, with_path: bool) -> F64 | None:
        """(T, K, 3, B) of keypoints by what the clip shares: its shape, and last the unit of the camera's path."""
        if not (with_shape or with_path):
            return None
        shape = self.kinematics.shape_jacobian(posed)[:, : self.keypoints] if with_shape else None
        if not with_path:
            return shape
        by_path = np.zeros((len(self.root), self.keypoints, 3, 1))  # which moves the camera, not the body
        return by_path if shape is None else np.concatenate([shape, by_path], -1)

    def _system(self, posed: Posed, *, with_shape: bool, with_path: bool = False) -> MotionSystem:
        """The normal equations at a pose."""
        frames = len(self.root)
        shared_count = (len(self.betas) if with_shape else 0) + with_path
        system = MotionSystem(frames, self.kinematics.dof, shared_count)
        all_jacobians = self.kinematics.jacobian(posed)
        jacobian = all_jacobians[:, : self.keypoints]
        shape = self._shared_jacobian(posed, with_shape=with_shape, with_path=with_path)
        keypoints_posed = replace(posed, points=posed.points[:, : self.keypoints])
        self.cost = 0.0
        self._add_points3d(system, keypoints_posed, jacobian, shape)
        self._add_pixels(system, keypoints_posed, jacobian, shape)
        if self.ground is not None:
            self._add_contacts(system, self._lowest(posed), all_jacobians[:, self.keypoints :], self.ground)
        if self.apart:
            self._add_sides(system, keypoints_posed, jacobian)
        if frames > 1:
            self._add_velocity(system, keypoints_posed, jacobian)
        self._add_poses(system)
        self._add_smoothness(system)
        if with_shape:
            self._add_shape(system)
        if with_path:
            self._add_path(system)
        return system

    def _pose(self) -> Posed:
        return self.kinematics.pose(self.betas, self.rotations, self.root)

    def run(self, progress: Callable[[float], None]) -> BodyFit:
        """All steps, then those in which resting parts keep their places."""
        costs = []
        pins = PIN_STEPS if self.options.pin and self.options.contacts and self.supports else 0
        total = self.options.iterations + pins
        for step in range(total):
            posed = self._pose()
            if step < self.options.iterations:
                self._observe(posed, step)
            elif step == self.options.iterations:
                self._pin(posed)
            elif step == total - 2:
                self._distrust(posed)
            path_now = self.path_solved and PATH_STEP <= step < self.options.iterations
            odd = step % 2 == 1 or path_now  # the path's unit and the body's size answer for each other
            shape_now = self.options.shape and 1 <= step < self.options.iterations - 1 and odd
            system = self._system(posed, with_shape=shape_now, with_path=path_now)
            costs.append(self.cost)
            frame_steps, shared_step = system.solve(PATH_DAMPING if path_now else DAMPING)
            if path_now:
                shared_step = self._move_path(shared_step)
            self._move(frame_steps, shared_step)
            progress((step + 1) / total)
        return self._result(costs)

    def _move_path(self, shared_step: F64) -> F64:
        """Take the last of the shared steps, that of the path's unit, and return the others."""
        assert self.camera is not None
        assert self.view is not None
        assert self.targets.camera is not None
        first, moved = self.targets.camera.size, float(np.clip(shared_step[-1], -MAX_GROWTH, MAX_GROWTH))
        change = np.log(self.camera.size / first) + moved
        self.camera = self.camera.rescaled(first * float(np.exp(np.clip(change, -MAX_PATH_CHANGE, MAX_PATH_CHANGE))))
        self.view = replace(self.view, path=self.camera.path)
        return shared_step[:-1]

    def _move(self, per_frame: F64, shared_step: F64) -> None:
        self.root = self.root + np.clip(per_frame[:, :3], -1, 1)
        turn = per_frame[:, 3:].reshape(len(per_frame), -1, 3)
        angle = np.linalg.norm(turn, axis=-1, keepdims=True)
        self.rotations = self.kinematics.moved_by(
            self.rotations, turn * np.minimum(1, MAX_TURN / np.maximum(angle, 1e-9))
        )
        if len(shared_step):
            self.betas = self.betas + shared_step

    def _result(self, costs: list[float]) -> BodyFit:
        posed = self._pose()
        rotations, names = self.rotations, tuple(s.name for s in self.supports)
        if self.supports and self.anchors is None:
            self._find_ground(posed, level=False)
        if self.ground is not None:
            contacts, heights = self.ground.contacts, self._lowest(posed) @ self.up - self.ground.floor
            rotations = lay_palms(self.skeleton, rotations, self.up, contacts, heights, names, self.targets.fps)
        return BodyFit(
            betas=self.betas,
            rotations=rotations,
            root=self.root,
            points=posed.points[:, : self.keypoints],
            up=self.up,
            floor=self.ground.floor if self.ground is not None else 0.0,
            contacts=self.ground.contacts if self.ground is not None else np.zeros((len(self.root), 0)),
            contact_names=names,
            bridged=self.bridged,
            size=self.size,
            cost=costs,
            path_size=None if self.camera is None else self.camera.size,
        )


def fit_body(
    skeleton: BodySkeleton,
    kinematic_model: KinematicModel,
    targets: FitTargets,
    options: FitOptions | None = None,
    prior: PosePrior | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> BodyFit:
    """Fit a body to a clip.

    Args:
        skeleton: the body; its keypoints are the targets' columns.
        kinematic_model: how it may move.
        targets: what it shall agree with.
        options: see ``FitOptions``.
        prior: pose prior, or None.
        progress: called with the share that is done.

    Raises:
        LiftError: shapes disagree, or the solution is not finite.
    """
    if targets.points3d.shape[1] != len(skeleton.keypoint_names):
        raise LiftError(
            f"{targets.points3d.shape[1]} keypoints for a body with {len(skeleton.keypoint_names)}.",
            "Use skeleton.with_keypoints(layout.names).",
        )
    options = options or FitOptions()
    sigma = np.where(np.isfinite(targets.sigma3d), targets.sigma3d, 1e6)
    try:
        fitted = _Fit(skeleton, kinematic_model, replace(targets, sigma3d=sigma), options, prior).run(progress)
    except np.linalg.LinAlgError as error:
        raise LiftError(f"The body fit has no solution ({error}).", "Check the keypoints of this clip.") from error
    if not (np.isfinite(fitted.rotations).all() and np.isfinite(fitted.root).all()):
        raise LiftError("The body fit diverged.", "Check the keypoints of this clip and the focal length.")
    return fitted
