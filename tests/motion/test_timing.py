"""Motion at other frame rates, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mvlift_blender.motion.timing import resample_rotations, resample_values


def about_z(degrees):
    half = np.radians(np.asarray(degrees, float)) / 2
    return np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], -1)


def test_values_between_samples_lie_on_the_line():
    got = resample_values(np.array([[0.0, 10], [4, 30]]), np.array([0, 0.25, 1]))
    np.testing.assert_allclose(got, [[0, 10], [1, 15], [4, 30]])


@pytest.mark.parametrize("joints", [None, 3])
def test_rotations_between_samples_turn_at_an_even_pace(joints):
    q = about_z([0, 90, 80])
    q = q if joints is None else np.repeat(q[:, None], joints, axis=1)
    got = resample_rotations(q, np.array([0, 1 / 3, 0.5, 1.5]))
    wanted = about_z([0, 30, 45, 85])
    expected = wanted if joints is None else np.repeat(wanted[:, None], joints, axis=1)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_the_short_way_round_is_taken_whatever_the_signs():
    q = about_z([0, 60])
    q[1] *= -1
    np.testing.assert_allclose(resample_rotations(q, np.array([0.0, 0.5])), about_z([0, 30]), atol=1e-12)
