"""How a body gives way for its feet, against the same least squares solved densely."""

from __future__ import annotations

import numpy as np

from mvlift_blender.retargeting.support import body_offset, smooth_maximum

UP = np.array([0.0, 0.0, 1.0])


def _dense(wanted: np.ndarray, down: np.ndarray, flat: bool) -> np.ndarray:
    """The least squares problem written out row by row, as its documentation says it."""
    feet, frames = down.shape
    rows, right = [], []

    def row(entries: dict[int, float], value: float, weight: float) -> None:
        line = np.zeros(frames)
        for column, entry in entries.items():
            line[column] = entry
        rows.append(np.sqrt(weight) * line)
        right.append(np.sqrt(weight) * value)

    for t in range(frames):
        row({t: 1.0}, 0.0, 1e-4)
        if 0 < t < frames - 1:
            row({t - 1: 1.0, t: -2.0, t + 1: 1.0}, 0.0, 81.0)
        if t:
            row({t: 1.0, t - 1: -1.0}, 0.0, 0.3)
        for foot in range(feet):
            if flat and t and down[foot, t] and down[foot, t - 1]:
                row({t: 1.0, t - 1: -1.0}, wanted[foot, t] - wanted[foot, t - 1], 9.0)
            if not flat and down[foot, t]:
                row({t: 1.0}, wanted[foot, t], 1.0)
    return np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]


def test_the_offset_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(3)
    wanted = 0.02 * np.cumsum(rng.normal(size=(2, 40, 3)), axis=1)
    down = rng.random((2, 40)) < 0.6
    offset = body_offset(wanted, down, UP)
    for axis in (0, 1):
        np.testing.assert_allclose(offset[:, axis], _dense(wanted[..., axis], down, True), atol=1e-9)
    np.testing.assert_allclose(offset[:, 2], _dense(wanted[..., 2], down, False), atol=1e-9)


def test_one_foot_at_a_time_is_followed_wholly_and_nothing_without_feet() -> None:
    t = np.arange(60) / 10
    wanted = np.stack([0.03 * np.sin(t), 0.01 * t, 0.02 + 0 * t], -1)[None]
    offset = body_offset(wanted, np.ones((1, 60), bool), UP)
    left = wanted[0] - offset
    assert np.abs(left - left.mean(0))[5:-5].max() < 4e-3
    assert np.abs(left[:, 2]).max() < 1e-5
    assert not body_offset(wanted, np.zeros((1, 60), bool), UP).any()
    assert not body_offset(wanted[:, :1], np.ones((1, 1), bool), UP).any()


def test_a_smooth_maximum_is_above_and_local() -> None:
    values = np.zeros(80)
    values[30:33] = (0.1, 0.3, 0.2)
    offset = smooth_maximum(values)
    assert (offset >= values - 1e-12).all()
    assert offset.max() <= 0.3 + 1e-12
    assert offset[:10].max() == 0
    assert np.abs(np.diff(offset)).max() < 0.05
