"""Contacts, floor and gravity from resting points, against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.bodies.contacts import (
    contact_probability,
    floor_height,
    level_up,
    resting,
    turns_about,
)
from mvlift.kinematics.rotations import exp_map
from scipy.spatial.transform import Rotation

UP = np.array([0.0, -1.0, 0.0])


def test_slow_low_points_rest_and_others_do_not() -> None:
    frames = 60
    points = np.zeros((frames, 4, 3))
    points[:, 1, 0] = np.arange(frames) * 1.5 / 30  # 1.5 m a second along the floor
    points[:, 2, 1] = -0.5  # half a metre up
    points[:, 3, 1] = 0.5  # half a metre under the floor
    chance = contact_probability(points, UP, 0.0, 30.0)
    assert chance[10:50, 0].min() > 0.9
    assert chance[10:50, 1:].max() < 0.05


def test_speed_counts_a_second_whatever_the_rate() -> None:
    chances = []
    for fps in (24.0, 120.0):
        points = np.zeros((round(2 * fps), 1, 3))
        points[:, 0, 0] = np.arange(len(points)) * 0.45 / fps
        chances.append(float(contact_probability(points, UP, 0.0, fps)[len(points) // 2, 0]))
    assert chances[0] == pytest.approx(chances[1], abs=0.01)
    assert chances[0] == pytest.approx(0.5, abs=0.08)  # as likely moving as resting, at no height


def test_the_floor_is_under_the_lowest_points() -> None:
    height = np.tile([0.0, 0.3], (100, 1))
    height[:3] = -5.0
    assert floor_height(height) == pytest.approx(0.0, abs=1e-9)


def test_resting_points_make_the_floor_level() -> None:
    """Feet rest at places of a plane that is tilted by 6 degrees against the first guess of up."""
    random = np.random.default_rng(0)
    tilted = exp_map(np.array([0.1, 0, 0.04])) @ UP
    steps = np.zeros((90, 2, 3))
    for i in range(9):
        place = random.uniform(-1.5, 1.5, 3)
        place -= (place @ tilted) * tilted
        steps[10 * i : 10 * i + 10] = place
    levelled = level_up(steps, np.ones((90, 2)), UP, 0.3, 30.0)
    assert np.degrees(np.arccos(levelled @ tilted)) < 0.3 * np.degrees(np.arccos(UP @ tilted))
    assert np.linalg.norm(levelled) == pytest.approx(1)


def test_a_staircase_is_not_taken_for_a_tilted_floor() -> None:
    """Places that rise by 6 degrees turn a guess by most of that, places that rise by 30 degrees by hardly more."""
    turned = {}
    for slope in (6.0, 30.0):
        steps = np.zeros((120, 1, 3))
        along = np.repeat(np.arange(8) * 0.25, 15)
        steps[:, 0, 2], steps[:, 0, 1] = along, -np.tan(np.radians(slope)) * along
        up = level_up(steps, np.ones((120, 1)), UP, 0.1, 30.0)
        turned[slope] = np.degrees(np.arccos(np.clip(up @ UP, -1, 1)))
    assert turned[6.0] > 3.5
    assert turned[30.0] < 8.0
    # by hand: 4 s on places of variance s^2 about their mean, half a turn of the guess's 11 degrees against them
    spread = np.var(np.repeat(np.arange(8) * 0.25, 15))
    footing = 4 / 0.1**2 * spread * (1 + 0.1**2 / 0.1**2)  # each frame's only point is its lowest one, too
    trust = 1 / (1 + np.tan(np.radians(30)) ** 2 / 0.25**2) ** 2
    turn = trust * footing * np.tan(np.radians(30)) / (trust * footing + 1 / 0.2**2)
    assert np.tan(np.radians(turned[30.0])) == pytest.approx(turn, rel=1e-3)


def test_rest_counts_from_the_lowest_point_of_the_seconds_around() -> None:
    """A floor that seems to rise by half a metre in four seconds does not hide that feet rest."""
    points = np.zeros((120, 1, 3))
    points[:, 0, 1] = -np.repeat(np.arange(8) / 16, 15)
    moving = np.zeros(120, bool)
    moving[14::15] = moving[15::15] = True
    assert resting(points, UP, 30.0)[~moving, 0].mean() > 0.6
    assert contact_probability(points, UP, 0.0, 30.0)[90:, 0].max() < 0.05


def test_a_camera_that_turns_tells_where_up_is() -> None:
    """Its x axes over a pan of 60 degrees about the true vertical, which is 9 degrees off the guess."""
    angle = np.radians(np.linspace(-30, 30, 50))
    tilted = Rotation.from_euler("x", 9, degrees=True)
    right = tilted.apply(np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1))
    true = tilted.apply(UP)
    points = np.tile([[[0.0, 1.0, 5.0]]], (50, 1, 1))  # one place to stand says nothing
    up = level_up(points, np.ones((50, 1)), UP, 0.1, 30.0, right=right)
    off = [float(np.degrees(np.arccos(v @ true))) for v in (UP, up)]
    assert off[0] == pytest.approx(9.0, abs=1e-6)
    assert off[1] < 1.5
    axes = np.array([[1.0, 0], [0, 0], [0, 1]])
    turn, precision = turns_about(right[:1].repeat(50, 0), UP, axes)  # a still camera says nothing
    assert np.abs(precision @ turn).max() < 1e-9
    assert np.linalg.eigvalsh(precision).max() < 1e-9
