"""Confidence of lifted keypoints: it falls with reach, speed and disagreement, and nothing unseen has any."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.lifting.keypoint_confidence import expected_error, keypoint_confidence


def test_the_expected_error_of_points_at_rest_follows_the_formula() -> None:
    points = np.zeros((30, 3, 3))
    points[:, 1, 0], points[:, 2, 2] = 0.4, -0.9
    computed = expected_error(points, np.zeros((30, 3)), 30)
    for k, reach in enumerate((0.0, 0.4, 0.9)):
        np.testing.assert_allclose(computed[:, k], 0.122 * np.sqrt(reach + 0.05) * 0.2**0.22, rtol=1e-9)


def test_speed_is_metres_a_second_about_the_root() -> None:
    """A point that circles at 2 m/s and 0.5 m, at any frame rate; a root that moves along changes nothing."""
    for fps in (30, 60):
        t = np.arange(2 * fps) / fps
        point = 0.5 * np.stack([np.cos(4 * t), np.sin(4 * t), 0 * t], 1)
        path = np.stack([3 * t, 0 * t, 0 * t], 1)
        computed = expected_error((point + path)[:, None], path, fps)[fps // 2 : -fps // 2]
        assert computed.mean() == pytest.approx(0.122 * np.sqrt(0.55) * 2.2**0.22, rel=0.01)


def test_confidence_falls_with_what_is_uncertain() -> None:
    one = np.ones((1, 1))
    half = keypoint_confidence(one, 0 * one, 0.1 * one)
    assert half[0, 0] == pytest.approx(0.5)
    assert keypoint_confidence(one, 0.25 * one, 0.1 * one)[0, 0] == pytest.approx(0.25)
    assert keypoint_confidence(0.3 * one, 0 * one, 0.1 * one)[0, 0] == pytest.approx(0.5 * 0.3**0.15)
    assert keypoint_confidence(0 * one, 0 * one, 0 * one)[0, 0] == 0


def test_a_single_frame_has_a_confidence() -> None:
    assert np.isfinite(expected_error(np.ones((1, 2, 3)), np.zeros((1, 3)), 30)).all()
