"""The alignment of people in one world: its weights, against small cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting import multi_person
from mvlift.lifting.multi_person import Footholds, robust_gauss_newton
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from scenes import small_motion
from scipy.optimize import least_squares


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


def leaning(aside: float, forward: float) -> LiftedMotion:
    """Somebody who looks along x and leans by small angles in radians, before a camera that looks along y."""
    corners = ("l_shoulder", "r_shoulder", "l_hip", "r_hip")
    points = np.array([[0, 0.2, 0.5], [0, -0.2, 0.5], [0, 0.15, 0.0], [0, -0.15, 0.0]])
    turn = exp_map(np.array([aside, forward, 0.0]))  # about the line of sight, and about the left
    moved = points @ turn.T + np.array([0, 4, 1])
    axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    body = small_motion(6)
    return replace(
        body,
        keypoints=np.tile(moved, (6, 1, 1)).astype(np.float32),
        keypoint_names=corners,
        camera=replace(body.camera, R=axes.astype(np.float32), t=np.zeros(3, np.float32)),
    )


@pytest.mark.parametrize(("aside", "forward", "sigmas"), [
    (0.0, 0.0, 0.0), (0.1, 0.0, np.sin(0.1) / 0.02), (0.0, 0.1, np.sin(0.1) / 0.08), (0.0, -0.1, np.sin(0.1) / 0.08),
])  # fmt: skip
def test_a_trunk_leans_forwards_more_easily_than_aside(aside: float, forward: float, sigmas: float) -> None:
    motion = leaning(aside, forward)
    up = np.asarray(motion.camera.R, np.float64)[:, 2]
    assert np.linalg.norm(multi_person._lean(motion) @ up) == pytest.approx(sigmas, abs=1e-4)


def test_whoever_lies_or_has_no_trunk_says_nothing_of_gravity() -> None:
    assert multi_person._lean(leaning(0.0, 1.2)).shape == (0, 3)
    motion = leaning(0.0, 0.0)
    bare = replace(motion, keypoints=motion.keypoints[:, :3], keypoint_names=motion.keypoint_names[:3])
    assert multi_person._lean(bare).shape == (0, 3)


def test_the_solution_is_that_of_scipy_for_the_same_residuals() -> None:
    """n . (s c) = -h at the places where feet rest, with priors on the tilt, the leans and the logarithms of sizes."""
    random = np.random.default_rng(4)
    people = []
    for tilt, scale in (((0.06, 0.0, 0.02), 1.05), ((-0.02, 0.0, 0.05), 0.93), ((0.03, 0.0, -0.06), 1.0)):
        person = footholds(0.0)
        places = scale * (person.places + 0.02 * random.normal(size=person.places.shape))
        lean = np.array([[20.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
        people.append(Footholds(places, 0.03 * random.normal(size=12), exp_map(np.array(tilt)) @ person.up, lean))
    known = [False, True, False]
    mean = sum(p.up for p in people) / np.linalg.norm(sum(p.up for p in people))
    first = np.cross(mean, [0.0, 0.0, 1.0])
    basis = np.stack([first / np.linalg.norm(first), np.cross(mean, first / np.linalg.norm(first))])
    many = np.sqrt(3 / 2)

    def residuals(x: F64) -> F64:
        up = (mean + x[:2] @ basis) / np.linalg.norm(mean + x[:2] @ basis)
        rows = []
        for i, person in enumerate(people):
            rows += list((np.exp(x[3 + i]) * (person.places @ up - person.height) + x[2]) / (0.04 * np.sqrt(12)))
            rows += list((x[:2] - basis @ person.up) / (0.055 * many))
            rows += list(person.lean @ up / many)
            rows.append(x[3 + i] / (0.004 if known[i] else 0.06))
        return np.array(rows)

    start = np.array([0, 0, 1.5, 0, 0, 0])
    best = least_squares(residuals, start, loss="soft_l1", f_scale=3.0, xtol=1e-12, ftol=1e-12, gtol=1e-12).x
    up, height, scales = multi_person._solve(people, known)
    best_up = (mean + best[:2] @ basis) / np.linalg.norm(mean + best[:2] @ basis)
    assert up == pytest.approx(best_up, abs=1e-4)
    assert height == pytest.approx(best[2], abs=1e-3)
    assert scales == pytest.approx(np.exp(best[3:]), abs=1e-3)
    assert abs(scales[1] - 1) < 0.01 < abs(scales[0] - 1)  # a known height is kept
