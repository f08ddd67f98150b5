"""The alignment of people in one world: its weights, against small cases."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting import multi_person
from mvlift.lifting.multi_person import Footholds, robust_gauss_newton
from mvlift.typing import F64


def test_an_outlier_hardly_moves_the_solution() -> None:
    values = np.array([0.0, 0.1, -0.1, 0.0, 100.0])
    solution = robust_gauss_newton(lambda x: x[0] - values, np.zeros(1))
    assert abs(solution[0]) < 3  # the mean is 20


def test_without_outliers_it_is_least_squares() -> None:
    values = np.array([1.0, 1.2, 0.9, 1.1])
    solution = robust_gauss_newton(lambda x: x[0] - values, np.zeros(1))
    assert solution[0] == pytest.approx(values.mean(), abs=1e-3)


def footholds(tilt: float) -> Footholds:
    """Somebody whose feet rest on a level floor, 1.5 m under the camera, and whose lift thinks that up is tilted."""
    random = np.random.default_rng(3)
    places = np.stack([random.uniform(-1, 1, 12), np.full(12, 1.5), random.uniform(3, 6, 12)], 1)
    up: F64 = exp_map(np.array([tilt, 0.0, 0.0])) @ np.array([0.0, -1.0, 0.0])
    return Footholds(places, np.zeros(12), up, np.zeros((0, 3)))


def test_tilts_that_are_wrong_together_count_as_two() -> None:
    """Eight people who err alike say no more of gravity than two, while all their feet speak for the floor."""

    def moved(people: int) -> float:
        person_footholds = footholds(0.12)
        up, _, _ = multi_person._solve([person_footholds] * people, [True] * people)
        return float(np.arccos(np.clip(up @ person_footholds.up, -1, 1)))

    two, eight = moved(2), moved(8)
    assert eight > 1.02 * two
    assert two > 0.01
