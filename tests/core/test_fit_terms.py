"""Every residual of the body fit against its formula, written here anew: gradients by finite differences.

A term's gradient is that of ½ Σ w r² with the weights w held (iteratively reweighted least squares). Residuals r and
weights w are computed below from the formulas of docs/method.md, at 60 frames a second, where a wrong power of the
frame rate shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mvlift.bodies import default_human_skeleton
from mvlift.bodies import fit as fit_module
from mvlift.bodies import fit_residuals as terms
from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.fit import FitOptions, FitTargets
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.kinematics.rotations import exp_map
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

SKELETON = default_human_skeleton()
MODEL = get_kinematic_model("human")
FRAMES, FPS = 5, 60.0
K = np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])
Residuals = Callable[[F64, F64, F64], tuple[F64, F64]]
"""(betas, rotations, root) -> residuals and weights, any equal shape."""


@dataclass
class _Plausible:
    """A pose prior that finds one pose plausible."""

    target: F64

    def target_pose(self, rotations: F64) -> tuple[F64, F64]:
        return np.broadcast_to(self.target, rotations.shape).copy(), np.full(len(rotations), 0.7)


def make_fit(**options: Any) -> Any:
    """A fit of a body that bends and walks, its state away from the solution."""
    random = np.random.default_rng(4)
    keypoints = len(SKELETON.keypoint_names)
    points = SKELETON.shaped(np.zeros(len(SKELETON.shape_sigma)))[1] @ np.diag([1.0, -1, -1])
    points3d = points - points.mean(0) + 0.02 * random.normal(size=(FRAMES, keypoints, 3))
    camera = points3d + np.array([0.1, 0, 4.0])
    pixels = 900 * camera[..., :2] / camera[..., 2:] + [640, 360] + 3 * random.normal(size=(FRAMES, keypoints, 2))
    targets = FitTargets(
        points3d=points3d,
        sigma3d=random.uniform(0.05, 0.2, (FRAMES, keypoints)),
        up=np.array([0.05, -1.0, 0.02]),
        fps=FPS,
        pixels=pixels,
        confidence=random.uniform(0.2, 1.0, (FRAMES, keypoints)),
        K=K,
        noise=1.5,
        velocity=0.01 * random.normal(size=(FRAMES, 3)),
    )
    fitting = fit_module._Fit(SKELETON, MODEL, targets, FitOptions(**options), None)
    fitting.rotations = exp_map(0.3 * random.normal(size=(FRAMES, len(SKELETON.joint_names), 3)))
    fitting.rotations[:, 0] = fitting.rotations[:, 0] @ np.diag([1.0, -1, -1])
    fitting.root = np.array([0.1, 0.05, 4.0]) + 0.05 * random.normal(size=(FRAMES, 3))
    fitting.betas = 0.5 * random.normal(size=len(fitting.betas))
    return fitting


def posed_points(fitting: Any, betas: F64, rotations: F64, root: F64) -> F64:
    return np.asarray(fitting.kinematics.pose(betas, rotations, root).points[:, : fitting.keypoints])


def numeric_gradient(fitting: Any, residuals: Residuals, shape: bool) -> tuple[F64, F64]:
    """Of ½ Σ w r² by every degree of freedom of every frame (T, D) and by the shape (B,), weights held."""
    kinematics, step = fitting.kinematics, 1e-6
    weight = residuals(fitting.betas, fitting.rotations, fitting.root)[1]

    def energy(betas: F64, move: F64) -> float:
        turned = kinematics.moved_by(fitting.rotations, move[:, 3:].reshape(FRAMES, -1, 3))
        return 0.5 * float((weight * residuals(betas, turned, fitting.root + move[:, :3])[0] ** 2).sum())

    gradient = np.zeros((FRAMES, kinematics.dof))
    for t in range(FRAMES):
        for d in range(kinematics.dof):
            move = np.zeros((FRAMES, kinematics.dof))
            move[t, d] = step
            gradient[t, d] = (energy(fitting.betas, move) - energy(fitting.betas, -move)) / (2 * step)
    still = np.zeros((FRAMES, kinematics.dof))
    count = len(fitting.betas) if shape else 0
    along = [step * np.eye(len(fitting.betas))[b] for b in range(count)]
    by_shape = [(energy(fitting.betas + a, still) - energy(fitting.betas - a, still)) / (2 * step) for a in along]
    return gradient, np.array(by_shape)


def assert_term(fitting: Any, add: Callable[[MotionSystem], None], residuals: Residuals, shape: bool = False) -> None:
    """The term's gradient is the numeric one."""
    system = MotionSystem(FRAMES, fitting.kinematics.dof, len(fitting.betas) if shape else 0)
    add(system)
    gradient, by_shape = numeric_gradient(fitting, residuals, shape)
    size = np.abs(gradient).max()
    assert size > 0
    np.testing.assert_allclose(system.gradient, gradient, atol=2e-5 * size)
    if shape:
        np.testing.assert_allclose(system.corner_gradient, by_shape, atol=2e-5 * np.abs(by_shape).max())


def with_jacobian(fitting: Any, add: Callable[..., None], shape: bool) -> Callable[[MotionSystem], None]:
    posed, jacobian, shape_jacobian = keypoints_of(fitting)
    return lambda system: add(system, posed, jacobian, shape_jacobian if shape else None)


def keypoints_of(fitting: Any) -> tuple[Any, F64, F64]:
    """The pose and its derivatives, without the points of the skin that follow the keypoints."""
    posed = fitting.kinematics.pose(fitting.betas, fitting.rotations, fitting.root)
    count = fitting.keypoints
    jacobian, shape = fitting.kinematics.jacobian(posed)[:, :count], fitting.kinematics.shape_jacobian(posed)[:, :count]
    return replace(posed, points=posed.points[:, :count]), jacobian, shape


def test_sampled_points_pull_by_cauchy_weights() -> None:
    """r: distance to the sampled point, both about the root; w = 1 / (σ² (1 + (|r| / 2σ)²))."""
    fitting = make_fit(points_weight=0.5)
    t = fitting.targets

    def residuals(betas: F64, rotations: F64, root: F64) -> tuple[F64, F64]:
        points = posed_points(fitting, betas, rotations, root)
        about = points - points[:, [SKELETON.keypoint_names.index(n) for n in MODEL.root]].mean(1, keepdims=True)
        r = about - fitting.size * t.points3d
        w = 0.5 / t.sigma3d**2 / (1 + (np.linalg.norm(r, axis=-1) / (2 * t.sigma3d)) ** 2)
        return r, w[..., None]

    assert_term(fitting, with_jacobian(fitting, fitting._add_points3d, True), residuals, shape=True)


def test_pixels_pull_through_a_pinhole_by_confidence() -> None:
    """r = f (x, y) / z + c - u; σ grows with the focal length over depth, and with the tremble of the detector."""
    fitting = make_fit()
    t = fitting.targets

    def residuals(betas: F64, rotations: F64, root: F64) -> tuple[F64, F64]:
        points = posed_points(fitting, betas, rotations, root)
        r = 900 * points[..., :2] / points[..., 2:] + [640, 360] - t.pixels
        sigma = np.sqrt((terms.REPROJECTION_SIGMA * 900 / np.median(points[..., 2], 1)) ** 2 + 1.5**2)[:, None]
        w = t.confidence / sigma**2 / (1 + (np.linalg.norm(r, axis=-1) / (4 * sigma)) ** 2)
        return r, w[..., None]

    assert_term(fitting, with_jacobian(fitting, fitting._add_pixels, True), residuals, shape=True)


def test_the_sampled_velocity_of_the_root_counts_a_frame() -> None:
    """r = x_{t+1} - x_t - size v_t; σ is metres a frame at 30 frames a second, half of it at 60."""
    fitting = make_fit()

    def residuals(betas: F64, rotations: F64, root: F64) -> tuple[F64, F64]:
        points = posed_points(fitting, betas, rotations, root)
        hips = points[:, [SKELETON.keypoint_names.index(n) for n in MODEL.root]].mean(1)
        r = hips[1:] - hips[:-1] - fitting.size * fitting.targets.velocity[:-1]
        sigma = terms.VELOCITY_SIGMA / 2
        w = 1 / sigma**2 / (1 + ((r**2).sum(-1, keepdims=True) ** 0.5 / (3 * sigma)) ** 2)
        return r, np.broadcast_to(w, r.shape)

    posed, jacobian, _ = keypoints_of(fitting)
    assert_term(fitting, lambda system: fitting._add_velocity(system, posed, jacobian), residuals)


def test_smoothness_is_the_second_difference_over_time_squared() -> None:
    """w = (fps / 30)⁴ smoothing / σ²: the same acceleration in metres a second squared costs the same at any rate."""
    fitting = make_fit(smoothing=0.4)

    def residuals(betas: F64, rotations: F64, root: F64) -> tuple[F64, F64]:
        return np.diff(root, 2, axis=0), np.full((FRAMES - 2, 3), 16 * 0.4 / terms.TRANSLATION_ACCELERATION**2)

    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    fitting._add_smoothness(system)
    expected, _ = numeric_gradient(fitting, residuals, False)
    np.testing.assert_allclose(system.gradient[:, :3], expected[:, :3], rtol=1e-5, atol=1e-4)
    # one group's rotation about one axis: angles that accelerate by a known amount; the spine's first joint has a share
    g, accelerated = 7, 0.01
    (joint, share), *_ = fitting.kinematics.groups[g]
    assert share == pytest.approx(0.34)
    angles = np.array([0, 0, 0, accelerated, 3 * accelerated])
    fitting.rotations[:, joint] = Rotation.from_rotvec(angles[:, None] * [0, 0, 1.0]).as_matrix()
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    fitting._add_smoothness(system)
    weight = 16 * 0.4 / terms.ROTATION_ACCELERATION**2
    second = np.diff(angles, 2) / share
    by_frame = np.zeros(FRAMES)
    for t, value in enumerate(second):
        by_frame[t : t + 3] += weight * value * np.array([1, -2, 1])
    np.testing.assert_allclose(system.gradient[:, 3 + 3 * g + 2], by_frame, rtol=1e-5)


def test_a_support_touches_the_ground_with_its_lowest_point() -> None:
    fitting = make_fit()
    posed = fitting.kinematics.pose(fitting.betas, fitting.rotations, fitting.root)
    down = fitting._lowest(posed) - posed.points[:, len(SKELETON.keypoint_names) :]
    assert fitting.radius.max() > 0.02
    np.testing.assert_allclose(down @ fitting.up, np.broadcast_to(-fitting.radius, down.shape[:2]), atol=1e-12)
    np.testing.assert_allclose(np.cross(down, fitting.up), 0, atol=1e-12)


def test_in_flight_the_root_falls_freely() -> None:
    """A parabola of 9.81 m/s² downwards has no residual; what is off it counts as a robust second difference."""
    fitting = make_fit(smoothing=0.4)
    fitting.ground = SimpleNamespace(flight=np.ones(FRAMES, bool))
    time = np.arange(FRAMES)[:, None] / FPS
    fitting.root = np.array([0.1, 0.2, 4.0]) + time * [0.3, 0, 0.1] - 0.5 * 9.81 * time**2 * fitting.up
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    fitting._add_smoothness(system)
    assert np.abs(system.gradient[:, :3]).max() < 1e-6
    off = 0.004
    fitting.root[2, 0] += off
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    fitting._add_smoothness(system)
    expected = np.zeros(FRAMES)
    for t, second in enumerate((off, -2 * off, off)):  # a frame lasts half as long as at 30 fps: a quarter of the way
        w = 1 / (terms.FLIGHT_ACCELERATION / 4) ** 2 / (1 + (second / (terms.FLIGHT_OUTLIER / 4)) ** 2)
        expected[t : t + 3] += w * second * np.array([1, -2, 1])
    np.testing.assert_allclose(system.gradient[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(system.gradient[:, 1:3], 0, atol=1e-6)


def test_poses_are_pulled_towards_rest_limits_and_the_plausible_pose() -> None:
    """Residuals are rotation vectors: from rest, beyond a limit, and from the prior's target."""
    fitting = make_fit()
    rows = slice(1, 1 + MODEL.prior_joints)
    target = exp_map(np.tile([0.2, -0.1, 0.15], (MODEL.prior_joints, 1)))
    fitting.prior = _Plausible(target)
    fitting.plausible = fitting.prior.target_pose(fitting.rotations[:, rows])
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    fitting._add_poses(system)
    vector = Rotation.from_matrix(fitting.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(FRAMES, -1, 3)
    force = vector * (1 / np.array([MODEL.spread(n) for n in SKELETON.joint_names]) ** 2)[:, None]
    for name, bounds in MODEL.limits.items():
        j = SKELETON.joint_names.index(name)
        low, high = bounds[:, 0], bounds[:, 1]
        over = np.where(vector[:, j] > high, vector[:, j] - high, np.where(vector[:, j] < low, vector[:, j] - low, 0))
        force[:, j] += over / terms.LIMIT_SIGMA**2
    deviation = Rotation.from_matrix((fitting.rotations[:, rows] @ np.swapaxes(target, -1, -2)).reshape(-1, 3, 3))
    force[:, rows] += 0.7 / terms.PRIOR_SIGMA**2 * deviation.as_rotvec().reshape(FRAMES, -1, 3)
    expected = np.zeros((FRAMES, fitting.kinematics.dof))
    for g, group in enumerate(fitting.kinematics.groups):
        for j, share in group:
            expected[:, 3 + 3 * g : 6 + 3 * g] += share * force[:, j]
    np.testing.assert_allclose(system.gradient, expected, atol=1e-6 * np.abs(expected).max())


def test_the_prior_moves_a_pose_towards_its_target() -> None:
    """A sign error here pushes bodies away from plausible poses."""
    fitting = make_fit()
    rows = slice(1, 1 + MODEL.prior_joints)
    target = exp_map(np.tile([0.2, -0.1, 0.15], (MODEL.prior_joints, 1)))
    fitting.plausible = _Plausible(target).target_pose(fitting.rotations[:, rows])
    fitting.rest_weight[:] = 0

    def distance() -> float:
        turned = Rotation.from_matrix((fitting.rotations[:, rows] @ np.swapaxes(target, -1, -2)).reshape(-1, 3, 3))
        return float(turned.magnitude().mean())

    before = distance()
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    fitting._add_poses(system)
    fitting._move(*system.solve(1e-3))
    assert distance() < 0.5 * before


def test_shape_and_stature_are_held_by_their_priors() -> None:
    """½ n |β / σ|² for n seconds (at least one), and ½ ((height - stature) / σ)² where the height is known."""
    fitting = make_fit(stature=1.8, betas=np.zeros(len(SKELETON.shape_sigma)))
    fitting.betas = 0.3 * np.random.default_rng(1).normal(size=len(SKELETON.shape_sigma))
    system = MotionSystem(FRAMES, fitting.kinematics.dof, len(fitting.betas))
    fitting._add_shape(system)

    def energy(betas: F64) -> float:
        joints, points = SKELETON.shaped(betas)
        height = 1.09 * np.ptp(np.concatenate([joints[:, 1], points[:, 1]]))
        prior = terms.SHAPE_WEIGHT * ((betas / SKELETON.shape_sigma) ** 2).sum()
        return 0.5 * float(prior + ((height - 1.8) / terms.STATURE_SIGMA) ** 2)

    step = 1e-6 * np.eye(len(fitting.betas))
    expected = [(energy(fitting.betas + s) - energy(fitting.betas - s)) / 2e-6 for s in step]
    np.testing.assert_allclose(system.corner_gradient, expected, rtol=1e-5, atol=1e-3)


def test_the_unit_of_the_cameras_path_is_held_at_its_first_guess() -> None:
    """½ (log(size / guess) / σ)²: a path that has become longer is pulled back."""
    fitting = make_fit()
    fitting.camera, fitting.targets = SimpleNamespace(size=2.0), SimpleNamespace(camera=SimpleNamespace(size=1.5))
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 1)
    fitting._add_path(system)
    assert system.corner_gradient[-1] == pytest.approx(np.log(2.0 / 1.5) / 0.7**2)
    assert system.corner[-1, -1] == pytest.approx(1 / 0.7**2)


def test_limbs_that_do_not_cross_are_pushed_apart() -> None:
    """r = (left - right) · pelvis' x axis - gap where it is negative; nothing where the limbs are apart."""
    fitting = make_fit()
    index = SKELETON.keypoint_names.index
    fitting.apart = [(index("l_ankle"), index("r_ankle")), (index("r_knee"), index("l_knee"))]  # the second is crossed
    axis = fitting.rotations[:, 0, :, 0].copy()

    def residuals(betas: F64, rotations: F64, root: F64) -> tuple[F64, F64]:
        points = posed_points(fitting, betas, rotations, root)
        r = np.stack(
            [((points[:, a] - points[:, b]) * axis).sum(-1) - terms.MIN_LATERAL_GAP for a, b in fitting.apart], 1
        )
        return r, (r < 0) / terms.LATERAL_GAP_SIGMA**2

    posed, jacobian, _ = keypoints_of(fitting)
    assert_term(fitting, lambda system: fitting._add_sides(system, posed, jacobian), residuals)


def test_a_missing_camera_leaves_the_pixels_out() -> None:
    fitting = make_fit()
    fitting.targets = replace(fitting.targets, K=None)
    system = MotionSystem(FRAMES, fitting.kinematics.dof, 0)
    with_jacobian(fitting, fitting._add_pixels, False)(system)
    assert not system.gradient.any()


@pytest.mark.parametrize("step", [0.1, -0.1])
def test_a_step_turns_and_moves_by_what_was_solved(step: float) -> None:
    fitting = make_fit()
    before, root = fitting.rotations.copy(), fitting.root.copy()
    solved_step = np.zeros((FRAMES, fitting.kinematics.dof))
    solved_step[2, 0], solved_step[2, 3 + 2] = step, step
    fitting._move(solved_step, np.zeros(0))
    np.testing.assert_allclose(fitting.root[2] - root[2], [step, 0, 0], atol=1e-12)
    for joint, share in fitting.kinematics.groups[0]:
        turned = Rotation.from_matrix(fitting.rotations[2, joint] @ before[2, joint].T).as_rotvec()
        np.testing.assert_allclose(turned, [0, 0, share * step], atol=1e-9)
