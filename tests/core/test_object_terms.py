"""Residuals of the fit of a rigid object against their formulas, written here anew: gradients by finite differences.

At 60 frames a second, where a wrong power of the frame rate shows. A step turns an object by R <- exp(e) R.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from mvlift.bodies.banded import MotionSystem
from mvlift.lifting.objects import fit as terms
from mvlift.lifting.objects.fit import ObjectOptions, ObjectTargets, _Fit
from mvlift.lifting.objects.shape import box_shape
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

BOX = get_subject("human+box")
FRAMES, FPS = 6, 60.0
K = np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])
Residual = Callable[[F64, F64, F64], F64]
"""(position, rotation, log_size) -> residuals of any shape."""


def make_fit() -> _Fit:
    """A box whose state is away from the solution."""
    random = np.random.default_rng(3)
    position = np.array([0.1, 0.2, 3.0]) + 0.05 * random.normal(size=(FRAMES, 3))
    rotation = Rotation.from_rotvec(random.normal(0, 0.4, (FRAMES, 3))).as_matrix()
    targets = ObjectTargets(
        pixels=np.array([660.0, 420.0]) + 60 * random.normal(size=(FRAMES, 8, 2)),
        confidence=random.uniform(0.3, 1, (FRAMES, 8)),
        K=K,
        fps=FPS,
        depth=np.full(FRAMES, 3.0),
        points3d=None,
        sigma3d=None,
        hands=position[:, None] + 0.2 * random.normal(size=(FRAMES, 2, 3)),
        up=np.array([0.0, -1.0, 0.0]),
        floor=-1.0,
    )
    fitting = _Fit(
        box_shape(BOX), targets, ObjectOptions(smoothing=0.7), (position, rotation, np.array([0.4, 0.3, 0.2]))
    )
    fitting.grip_probability = random.uniform(0.2, 1, (FRAMES, 2))
    fitting.grips = 0.1 * random.normal(size=(FRAMES, 2, 3))
    return fitting


def gradient(fitting: _Fit, residual: Residual, weight: F64) -> tuple[F64, F64]:
    """Of ½ Σ w r², (T, 6) by the pose and (n,) by the logarithm of the size, by central differences of r."""

    def slope(frame: int | None, column: int) -> float:
        changed = []
        for step in (1e-5, -1e-5):
            position, rotation, size = fitting.position.copy(), fitting.rotation.copy(), fitting.log_size.copy()
            if frame is None:
                size[column] += step
            elif column < 3:
                position[frame, column] += step
            else:
                rotation[frame] = Rotation.from_rotvec(step * np.eye(3)[column - 3]).as_matrix() @ rotation[frame]
            changed.append(residual(position, rotation, size))
        now = residual(fitting.position, fitting.rotation, fitting.log_size)
        return float((weight * now * (changed[0] - changed[1]) / 2e-5).sum())

    pose = np.array([[slope(t, c) for c in range(6)] for t in range(FRAMES)])
    return pose, np.array([slope(None, c) for c in range(3)])


def test_pixels_pull_the_box_its_turn_and_its_size() -> None:
    fitting = make_fit()
    points, t = fitting.shape.points, fitting.targets

    def residual(position: F64, rotation: F64, log_size: F64) -> F64:
        seen = position[:, None] + (points * np.exp(log_size)) @ rotation.transpose(0, 2, 1)
        return 900 * seen[..., :2] / seen[..., 2:] + [640, 360] - t.pixels

    now = residual(fitting.position, fitting.rotation, fitting.log_size)
    depth = np.median(fitting.points()[..., 2], axis=1, keepdims=True)
    sigma = terms.PIXEL_SIGMA * 900 / depth
    weight = t.confidence / sigma**2 / (1 + (now**2).sum(-1) / (4 * sigma) ** 2)
    system = MotionSystem(FRAMES, 6, 3)
    fitting._add_keypoints(system)
    pose, size = gradient(fitting, residual, weight[..., None])
    np.testing.assert_allclose(system.gradient, pose, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(system.corner_gradient, size, rtol=1e-5)


def test_a_hand_holds_the_object_at_one_place_of_it() -> None:
    """r = Rᵀ (w - p) - g, metres in the object's frame."""
    fitting = make_fit()
    hands, grips = fitting.targets.hands, fitting.grips

    def residual(position: F64, rotation: F64, _: F64) -> F64:
        return (hands - position[:, None]) @ rotation - grips

    now = residual(fitting.position, fitting.rotation, fitting.log_size)
    sigma = terms.HOLD_SIGMA
    weight = fitting.grip_probability / sigma**2 / (1 + (now**2).sum(-1) / (3 * sigma) ** 2)
    system = MotionSystem(FRAMES, 6, 3)
    fitting._add_hands(system)
    np.testing.assert_allclose(system.gradient, gradient(fitting, residual, weight[..., None])[0], rtol=1e-5, atol=1e-4)


def test_paths_and_turns_are_smooth_at_any_frame_rate() -> None:
    """w = (fps / 30)⁴ smoothing / σ² on second differences."""
    fitting = make_fit()
    angles = 0.01 * np.arange(FRAMES) ** 2
    fitting.rotation = Rotation.from_rotvec(angles[:, None] * [0, 0, 1.0]).as_matrix()
    system = MotionSystem(FRAMES, 6, 3)
    fitting._add_smoothness(system)
    for column, values, sigma in ((0, fitting.position[:, 0], terms.POSITION_ACCELERATION),
                                  (5, angles, terms.ROTATION_ACCELERATION)):  # fmt: skip
        expected = np.zeros(FRAMES)
        for t, second in enumerate(np.diff(values, 2)):
            expected[t : t + 3] += 16 * 0.7 / sigma**2 * second * np.array([1, -2, 1])
        np.testing.assert_allclose(system.gradient[:, column], expected, rtol=1e-5, atol=1e-6)


def test_an_estimated_size_is_held_where_it_began() -> None:
    fitting = make_fit()
    fitting.log_size += np.array([0.1, -0.2, 0.0])
    system = MotionSystem(FRAMES, 6, 3)
    fitting._add_size(system)
    assert system.corner_gradient == pytest.approx(np.array([0.1, -0.2, 0.0]) / terms.SIZE_SIGMA**2)
    assert system.corner == pytest.approx(np.eye(3) / terms.SIZE_SIGMA**2)
