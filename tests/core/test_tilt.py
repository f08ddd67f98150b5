"""Elevation and roll of a camera, against rotations that are written down here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mvlift.lifting.sampling.in_loop import camera_tilt
from mvlift.lifting.sampling.lift_points import tilt_of


def matrix(elevation: float, roll: float) -> np.ndarray:
    return np.asarray(camera_tilt(np.array([elevation, roll])), np.float64)


def test_a_camera_that_looks_down_sees_what_is_ahead_and_below_in_the_middle() -> None:
    """Axes: x right, y down, z forward."""
    e = 0.3
    np.testing.assert_allclose(matrix(e, 0.0) @ [0, math.sin(e), math.cos(e)], [0, 0, 1], atol=1e-6)


def test_roll_turns_the_picture_clockwise() -> None:
    r = 0.2
    np.testing.assert_allclose(matrix(0.0, r) @ [1, 0, 0], [math.cos(r), math.sin(r), 0], atol=1e-6)


@pytest.mark.parametrize("tilt", [(0.3, 0.1), (-0.2, 0.25), (0.6, -0.3)])
def test_the_tilt_of_an_up_direction_is_the_one_that_makes_it(tilt: tuple[float, float]) -> None:
    up = matrix(*tilt) @ [0, -1, 0]
    assert tilt_of(up) == pytest.approx(tilt, abs=1e-6)
