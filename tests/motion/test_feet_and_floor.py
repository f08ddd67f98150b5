"""Feet, floor and limbs of a skeleton with one leg, against positions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mvlift_blender.motion.feet import FootOptions, eased, planted, supports
from mvlift_blender.motion.floor import floor_offsets
from mvlift_blender.motion.limbs import reached
from mvlift_blender.motion.skeleton import RestSkeleton
from mvlift_blender.motion.soles import Soles, slide, sole_points

COUNT = 12
NAMES = ("hips", "thigh", "shin", "foot")
# bones along -z whose X axis is the world's, so that a positive turn about X bends the knee
AXES = np.tile(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), (4, 1, 1))
HEADS = np.array([[0.0, 0, 0.9], [0, 0, 0.9], [0, -0.02, 0.5], [0, 0, 0.1]])
LEG = RestSkeleton(NAMES, (-1, 0, 1, 2), AXES, HEADS)
SOLES = Soles((3,), np.array([[[0.0, 0, -0.1], [0.0, -0.15, -0.1]]]) @ AXES[3], ((("heel",), ("toe",)),))
STILL = np.tile([1.0, 0, 0, 0], (COUNT, 4, 1))


def locations(world: np.ndarray) -> np.ndarray:
    """Values of the root's location channel that move it in the world."""
    return world @ AXES[0]


def points(rotations: np.ndarray, places: np.ndarray) -> np.ndarray:
    return sole_points(SOLES, *LEG.forward(rotations, places))


def test_the_soles_are_on_the_floor_at_rest():
    at_rest = points(STILL, np.zeros((COUNT, 3)))
    np.testing.assert_allclose(at_rest[0, 0], [[0, 0, 0], [0, -0.15, 0]], atol=1e-12)


@pytest.mark.parametrize("target", [[0.0, 0.1, 0.25], [0.2, -0.1, 0.3], [0.0, 0.0, 0.15]])
def test_a_leg_reaches_its_target_and_keeps_its_lengths(target):
    targets = np.tile(np.array(target), (COUNT, 1))
    turned = reached(LEG, STILL, np.zeros((COUNT, 3)), 3, targets)
    places, turns = LEG.forward(turned, np.zeros((COUNT, 3)))
    np.testing.assert_allclose(places[:, 3], targets, atol=1e-9)
    for a, b in ((1, 2), (2, 3)):
        length = np.linalg.norm(HEADS[b] - HEADS[a])
        np.testing.assert_allclose(np.linalg.norm(places[:, b] - places[:, a], axis=-1), length, atol=1e-9)
    assert (places[:, 2, 1] < places[:, [1, 3], 1].mean(1)).all()  # the knee stays in front (-y)
    np.testing.assert_allclose(np.abs(turns[:, 3] @ LEG.forward(STILL, np.zeros((COUNT, 3)))[1][0, 3]), 1, atol=1e-9)


def test_a_straight_leg_bends_about_its_x_axis():
    heads = HEADS.copy()
    heads[2, 1] = 0.0
    straight = RestSkeleton(NAMES, LEG.parents, AXES, heads)
    turned = reached(straight, STILL, np.zeros((COUNT, 3)), 3, np.tile([0.0, 0, 0.3], (COUNT, 1)))
    knee = straight.forward(turned, np.zeros((COUNT, 3)))[0][0, 2]
    assert abs(knee[0]) < 1e-9
    assert knee[1] == pytest.approx(-np.sqrt(0.4**2 - 0.3**2), abs=1e-6)  # an isosceles triangle over 0.6 m


def test_a_limb_needs_two_bones():
    with pytest.raises(ValueError, match="thigh has no two bones above it"):
        reached(LEG, STILL, np.zeros((COUNT, 3)), 1, np.zeros((COUNT, 3)))


def test_a_planted_foot_does_not_slip():
    """The body glides by 5 mm a frame with its foot down: afterwards the foot stands in the middle of its way."""
    glide = np.arange(COUNT)[:, None] * [0.0, 0.005, 0.0]
    moved, rests = locations(glide), np.ones((COUNT, 1, 2), bool)
    before = points(STILL, moved)
    assert slide(before, rests) == pytest.approx(0.005)
    support = supports(before, rests, 30, FootOptions())
    assert support.all()
    rotations, places = planted(LEG, STILL, moved, SOLES, support, FootOptions(on_floor=False))
    after = points(rotations, places)
    assert slide(after, rests) < 1e-4
    np.testing.assert_allclose(after[:, 0, 0, 1], 0.005 * (COUNT - 1) / 2, atol=1e-3)


def test_a_long_slide_is_meant():
    glide = np.arange(COUNT)[:, None] * [0.0, 0.05, 0.0]
    support = supports(points(STILL, locations(glide)), np.ones((COUNT, 1, 2), bool), 30, FootOptions())
    assert not support.any()


def test_moves_fade_within_the_blend():
    rows = np.array([False] * 5 + [True, True] + [False] * 5)
    move = np.where(rows[:, None], [[0.0, 0, 0.2]], 0.0)
    got = eased(move, rows, 3)[:, 2] / 0.2
    steps = np.array([0.25, 0.5, 0.75])  # x² (3 - 2 x)
    np.testing.assert_allclose(got[2:5], steps**2 * (3 - 2 * steps), atol=1e-12)
    np.testing.assert_allclose(got[7:10], got[4:1:-1], atol=1e-12)
    assert got[1] == got[10] == 0


def test_the_floor_is_brought_to_the_feet_that_rest():
    heights = np.full((COUNT, 1, 2, 3), 0.3)
    heights[:, 0, 0, 2] = 0.04  # the resting point floats
    rests = np.zeros((COUNT, 1, 2), bool)
    rests[3:9, 0, 0] = True
    np.testing.assert_allclose(floor_offsets(heights, rests, 30, drift=False, period=1), -0.04)
    heights[:, 0, 0, 2] = 0.01 * np.arange(COUNT)
    rests[:] = [[True, False]]
    drifting = floor_offsets(heights, rests, 30, drift=True, period=0.01)
    np.testing.assert_allclose(drifting[2:-2], -0.01 * np.arange(COUNT)[2:-2], atol=2e-4)
