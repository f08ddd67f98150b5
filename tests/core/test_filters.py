"""Filters along the time axis against SciPy's, and small solvers against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift import filters
from mvlift.kinematics.rotations import mean_rotation
from mvlift.lifting.objects.start import _nonnegative_least_squares
from scipy import ndimage, optimize, signal, special
from scipy.spatial.transform import Rotation

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("frames", [1, 2, 7, 60])
@pytest.mark.parametrize("sigma", [0.2, 1.0, 6.5])
@pytest.mark.parametrize(("reflect", "mode"), [(False, "nearest"), (True, "reflect")])
def test_gaussian(frames: int, sigma: float, reflect: bool, mode: str) -> None:
    values = RANDOM.normal(size=(frames, 3, 2))
    expected = ndimage.gaussian_filter1d(values, sigma, axis=0, mode=mode)
    assert filters.gaussian_filter1d(values, sigma, reflect) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("frames", [1, 4, 50])
@pytest.mark.parametrize("size", [1, 2, 5, 8, 31])
def test_windows(frames: int, size: int) -> None:
    values = RANDOM.normal(size=(frames, 4))
    for name in ("uniform_filter1d", "minimum_filter1d", "maximum_filter1d"):
        expected = getattr(ndimage, name)(values, size, axis=0, mode="nearest")
        assert getattr(filters, name)(values, size) == pytest.approx(expected, abs=1e-14), name
    if size % 2:
        expected = ndimage.median_filter(values, (size, 1), mode="nearest")
        assert filters.median_filter(values, size) == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 6, 11])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_masks(size: int, share: float) -> None:
    mask = RANDOM.random(80) < share
    wide = np.ones(size, bool)
    assert (filters.binary_closing(mask, size) == ndimage.binary_closing(mask, wide)).all()
    assert (filters.binary_opening(mask, size) == ndimage.binary_opening(mask, wide)).all()
    if size % 2:
        two = np.stack([mask, ~mask], 1)
        assert (filters.binary_dilation(two, size) == ndimage.binary_dilation(two, wide[:, None])).all()


def test_logistic_function() -> None:
    x = np.array([-800.0, -30.0, -1.0, 0.0, 0.3, 30.0, 800.0])
    assert filters.expit(x) == pytest.approx(special.expit(x), abs=1e-15)


@pytest.mark.parametrize(("frames", "window"), [(5, 5), (9, 7), (40, 9)])
def test_savitzky_golay(frames: int, window: int) -> None:
    values = RANDOM.normal(size=frames)
    assert filters.savgol_filter(values, window) == pytest.approx(signal.savgol_filter(values, window, 2), abs=1e-12)


@pytest.mark.parametrize("frames", [2, 3, 4, 30])
def test_whittaker_solves_the_dense_normal_equations(frames: int) -> None:
    values, weight = RANDOM.normal(size=(frames, 3, 2)), RANDOM.random((frames, 3)) * (RANDOM.random((frames, 3)) < 0.8)
    weight[[0, -1]] = 0.7
    smoothed = filters.whittaker_smoother(values, weight, 2.5)
    bends = np.diff(np.eye(frames), n=2, axis=0)
    for k in range(3):
        dense = np.diag(weight[:, k]) + 2.5 * bends.T @ bends + 1e-9 * np.eye(frames)
        assert smoothed[:, k] == pytest.approx(np.linalg.solve(dense, weight[:, k, None] * values[:, k]), abs=1e-9)


def test_mean_rotation_agrees_with_scipy() -> None:
    R = Rotation.from_rotvec(np.array([0.4, 2.0, -1.0]) + 0.5 * RANDOM.normal(size=(20, 3)))
    assert mean_rotation(R.as_matrix()) == pytest.approx(R.mean().as_matrix(), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_nonnegative_least_squares_agree_with_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, wanted = random.normal(size=(9, 3)), random.normal(size=9)
    assert _nonnegative_least_squares(rows, wanted) == pytest.approx(optimize.nnls(rows, wanted)[0], abs=1e-10)
