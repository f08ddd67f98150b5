"""Contacts, gravity, grounding, jumps and the camera's unit: formulas against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mvlift.bodies.anchors import find_anchors
from mvlift.bodies.contacts import contact_probability, floor_height, level_up, point_speed
from mvlift.bodies.grounding import Ground, View, find_ground, seen_speed
from mvlift.bodies.pops import find_pops
from mvlift.bodies.supports import Support
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting import camera_scale, feet
from mvlift.typing import F64

FPS = 30.0
UP = np.array([0.0, 0.0, 1.0])
FOOT = Support("l_heel", "left_ankle", (0, 0, 0), seen=("l_heel",), raised="step")


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_a_contact_is_the_product_of_two_logistic_functions() -> None:
    points = np.array([[[0, 0, 0.15], [0, 0, 0.15], [0, 0, 0.25], [0, 0, -0.25]]])
    chance = contact_probability(points, UP, 0.0, FPS, speed=np.array([[0.45, 0.57, 0.45, 0.33]]))
    assert chance[0, 0] == pytest.approx(0.25)  # 0.45 m/s and 0.15 m: a half each
    assert chance[0, 1] == pytest.approx(0.5 * logistic(-1))  # 0.12 m/s faster
    assert chance[0, 2] == pytest.approx(0.5 * logistic(-2))  # 0.1 m higher, in units of 0.05 m
    assert chance[0, 3] == pytest.approx(logistic(1) * logistic(-2))  # below the floor counts as above it
    raised = contact_probability(points, UP, 0.0, FPS, height_limit=0.25, speed=np.full((1, 4), 0.45))
    assert raised[0, 2] == pytest.approx(0.25)


def test_a_points_speed_is_the_faster_of_its_two_steps() -> None:
    points = np.zeros((40, 1, 3))
    points[20:, 0, 0] = 0.1  # a step of 0.1 m, then one of 0.2 m
    points[21:, 0, 0] = 0.3
    speed = point_speed(points, FPS)[:, 0]
    assert speed.sum() == pytest.approx(3 + 6 + 6)  # frames 19, 20, 21; smoothing keeps the sum
    assert int(speed.argmax()) in (20, 21)
    alone = np.zeros((41, 1, 3))
    alone[21:, 0, 2] = 1.0
    kernel = np.exp(-0.5 * np.arange(-8, 9) ** 2)  # standard deviation: a frame at 30 a second
    kernel /= kernel.sum()
    expected = 30 * (kernel[8] + kernel[9])  # both frames beside the step
    assert point_speed(alone, FPS)[20, 0] == pytest.approx(expected, rel=1e-3)


def test_the_floor_is_the_tenth_percentile_of_the_lowest_points() -> None:
    height = np.stack([np.arange(101.0), np.arange(101.0) + 3], 1)
    assert floor_height(height) == pytest.approx(10)


def turn_of(up: F64) -> tuple[float, float]:
    """Sideways and forward turn of an up direction from -y, small angles in radians."""
    return float(up[0] / -up[1]), float(up[2] / -up[1])


@pytest.mark.parametrize(("lean", "share"), [((0.1, 0.0), 0.4), ((0.0, 0.1), 2.0)])
def test_balance_turns_gravity_by_its_weight_against_the_first_guess(lean: tuple[float, float], share: float) -> None:
    """Feet at one place say nothing of the floor's tilt, so balance and prior alone decide."""
    up = np.array([0.0, -1.0, 0.0])
    standing = np.array([lean[0], -1.0, lean[1]])
    levelled = level_up(np.zeros((90, 2, 3)), np.ones((90, 2)), up, 0.1, FPS, standing)
    sine = 0.1 / math.hypot(1, 0.1)
    balance = 1 / 0.09**2 / (1 + (sine / 0.25) ** 2) ** 2  # three seconds: more than the two that count in full
    prior = 1 / (share * 0.1) ** 2
    expected = balance / (balance + prior) * sine
    assert max(turn_of(levelled)) == pytest.approx(expected, rel=1e-6)
    second = level_up(np.zeros((30, 2, 3)), np.ones((30, 2)), up, 0.1, FPS, standing)
    half = 0.5 * balance  # one second of two
    assert max(turn_of(second)) == pytest.approx(half / (half + prior) * sine, rel=1e-6)
    lying = level_up(np.zeros((90, 2, 3)), np.ones((90, 2)), up, 0.1, FPS, np.array([1.0, -0.1, 0.0]))
    assert turn_of(lying) == pytest.approx((0, 0))


def test_a_sloping_floor_turns_gravity_as_weighted_least_squares_says() -> None:
    """Points on a line across the picture: the regression of height on place, with the prior as one more row."""
    up = np.array([0.0, -1.0, 0.0])
    frames = 60
    points = np.zeros((frames, 1, 3))
    points[:, 0, 0] = np.linspace(-1, 1, frames)
    points[:, 0, 1] = -0.05 * points[:, 0, 0]  # higher on the right
    levelled = level_up(points, np.ones((frames, 1)), up, 0.2, FPS)
    weight = 1 + 1  # contact, and the lowest point of its frame
    scale = 2.0 / frames / 0.1**2  # two seconds count as two observations of 0.1 m
    data = scale * weight * float((points[:, 0, 0] ** 2).sum())
    prior = 1 / (0.4 * 0.2) ** 2
    data /= (1 + (0.05 / 0.25) ** 2) ** 2  # a slope counts less, the more it differs from what else is known
    assert turn_of(levelled)[0] == pytest.approx(-0.05 * data / (data + prior), rel=1e-6)


def test_speed_across_the_sight_of_a_camera_that_moves() -> None:
    frames = 40
    time = np.arange(frames) / FPS
    points = np.tile(np.array([0.0, 0.0, 4.0]), (frames, 1))
    path = np.stack([0.5 * time, 0 * time, 0 * time], 1)
    sight = (points - path) / np.linalg.norm(points - path, axis=1, keepdims=True)
    confidence = np.ones((frames, 1))
    still = View(np.zeros((frames, 1, 2)), confidence, 1000.0, sight[:, None], path)
    assert still.across(points, 0, np.ones(frames, bool), FPS)[20] == pytest.approx(0, abs=0.02)
    carried = View(still.pixels, confidence, 1000.0, np.tile(UP, (frames, 1, 1)), path)
    assert carried.across(points + path, 0, np.ones(frames, bool), FPS)[20] == pytest.approx(0.5, rel=0.02)
    turning = exp_map(np.outer(0.1 * time, [0.0, 1.0, 0.0])) @ UP
    swept = View(still.pixels, confidence, 1000.0, turning[:, None], np.zeros((frames, 3)))
    assert swept.across(4 * turning, 0, np.ones(frames, bool), FPS)[20] == pytest.approx(0.4, rel=0.02)


def test_speed_along_the_sight_counts_above_what_a_lift_trembles() -> None:
    frames = 60
    points = np.tile(np.array([0.0, 0.0, 4.0]), (frames, 1, 1))
    points[:, 0, 2] += 0.85 * np.arange(frames) / FPS
    view = View(np.full((frames, 1, 2), 500.0), np.ones((frames, 1)), 1000.0)
    speed = seen_speed((FOOT,), points, ("l_heel",), view, FPS)[30, 0]
    assert speed == pytest.approx((0.85 - 0.35) * 0.45 / 0.28, rel=1e-3)


def test_a_flight_lasts_between_an_eighth_and_one_second() -> None:
    def flight(frames_in_the_air: int, height: float) -> int:
        points = np.zeros((120, 1, 3))
        points[40 : 40 + frames_in_the_air, 0, 2] = height
        speed = np.zeros((120, 1))
        return int(find_ground((FOOT,), points, UP, FPS, np.ones((120, 1)), speed).flight.sum())

    # high enough and no step at 1 m, because the foot moves
    moving = np.full((120, 1), 2.0)
    points = np.zeros((120, 1, 3))
    moving[:40] = moving[60:] = 0
    points[40:60, 0, 2] = 1.0
    assert find_ground((FOOT,), points, UP, FPS, np.ones((120, 1)), moving).flight.sum() == 20
    moving[43:60] = 0
    points[43:60, 0, 2] = 0.0
    assert find_ground((FOOT,), points, UP, FPS, np.ones((120, 1)), moving).flight.sum() == 0  # three frames
    moving[40:80], points[40:80, 0, 2] = 2.0, 1.0
    assert find_ground((FOOT,), points, UP, FPS, np.ones((120, 1)), moving).flight.sum() == 0  # 1.3 seconds
    assert flight(20, 1.0) == 0  # a foot that keeps still is on a step


def test_a_seat_and_a_bar_are_rests_above_the_floor() -> None:
    parts = (
        FOOT,
        Support("hips", "pelvis", (0, 0, 0), raised="seat"),
        Support("l_knee", "left_knee", (0, 0, 0)),
        Support("r_knee", "right_knee", (0, 0, 0)),
        Support("l_wrist", "left_wrist", (0, 0, 0), raised="bar"),
        Support("chest", "spine3", (0, 0, 0)),
    )
    heights = np.array([0.0, 0.45, 0.5, 0.5, 1.7, 1.2])

    def levels(height: F64, foot_speed: float = 0.0) -> F64:
        points = np.zeros((60, 6, 3))
        points[..., 2] = height
        speed = np.zeros((60, 6))
        speed[:, 0] = foot_speed
        return find_ground(parts, points, UP, FPS, np.ones((60, 6)), speed).level[30]

    assert levels(heights)[1] == pytest.approx(0.45)  # thighs level: seated
    assert levels(heights)[4] == pytest.approx(0.0)  # feet at rest: not hanging
    assert levels(heights, 0.4)[4] == pytest.approx(1.7)  # hanging from a bar while the feet move
    standing = heights + np.array([0, 0.45, 0, 0, 0, 0])
    assert levels(standing)[1] == pytest.approx(0.0)  # hips 0.4 m above the knees


def test_rests_of_nearly_one_height_share_a_level() -> None:
    feet_of_two = (FOOT, Support("r_heel", "right_ankle", (0, 0, 0), seen=("r_heel",), raised="step"))
    points = np.zeros((120, 2, 3))
    points[80:, 0, 2], points[80:, 1, 2] = 0.30, 0.34
    level = find_ground(feet_of_two, points, UP, FPS, np.ones((120, 2)), np.zeros((120, 2))).level
    assert level[60] == pytest.approx([0, 0])
    assert level[100] == pytest.approx([0.32, 0.32])


def resting_on(contacts: F64, level: float) -> Ground:
    return Ground(contacts, np.full(contacts.shape, level), 0.0, np.zeros(len(contacts), bool), contacts > 2)


def test_an_anchor_is_the_mean_weighted_by_squared_contact() -> None:
    points = np.zeros((20, 1, 3))
    points[10:, 0, 0] = 0.05
    contacts = np.full((20, 1), 0.6)
    contacts[10:] = 0.9
    places, weight = find_anchors(points, resting_on(contacts, 0.02), UP, FPS)
    share = 0.9**2 / (0.6**2 + 0.9**2)
    height = 0.02 / (1 + (0.001 / 0.02) ** 2)  # a millimetre from the level against 20 from the points
    assert places[0, 0] == pytest.approx([0.05 * share, 0, height])
    assert (weight == 1).all()
    points[10:, 0, 0] = 0.11  # more than a decimetre from its place: another rest begins
    places, weight = find_anchors(points, resting_on(contacts, 0.02), UP, FPS)
    assert places[9, 0, 0] == pytest.approx(0)
    assert places[10, 0, 0] == pytest.approx(0.11)
    fade = [(frames / (0.06 * 30 + 1)) ** 4 for frames in (2, 1)]  # towards the cut, not at the clip's ends
    assert weight[:, 0] == pytest.approx([*[1] * 8, *fade, *reversed(fade), *[1] * 8])


def test_an_anchor_moves_along_the_line_of_sight_rather_than_across() -> None:
    """Seen along the diagonal of x and z: 60 mm along it count as 20 mm across it."""
    points, contacts = np.zeros((20, 1, 3)), np.ones((20, 1))
    sight = np.tile(np.array([1.0, 0.0, 1.0]) / np.sqrt(2), (20, 1, 1))
    places, _ = find_anchors(points, resting_on(contacts, 0.02), UP, FPS, sight)
    along, across = 1 / 0.06**2, 1 / 0.02**2
    cross, square = (along - across) / 2, (along + across) / 2  # of the inverse covariance in x and z
    assert places[0, 0, 2] == pytest.approx(0.02, rel=0.01)
    assert places[0, 0, 0] == pytest.approx(-cross / square * places[0, 0, 2])


def test_feet_lie_higher_while_hands_or_knees_rest() -> None:
    parts = (FOOT, Support("l_knee", "left_knee", (0, 0, 0), height=0.15))
    points = np.zeros((60, 2, 3))
    points[:, 0, 2] = 0.3  # a foot in the air behind a knee on the floor
    ground = find_ground(parts, points, UP, FPS, np.ones((60, 2)), np.zeros((60, 2)))
    assert ground.contacts[30, 0] > 0.5
    parts = (FOOT, Support("l_knee", "left_knee", (0, 0, 0), height=0.15, raised=""))
    points[:, 1, 2] = 0.6
    points[:30, 0, 2] = 0.0
    ground = find_ground(parts, points, UP, FPS, np.ones((60, 2)), np.zeros((60, 2)))
    assert ground.contacts[10, 0] > 0.9


@pytest.mark.parametrize(("height", "jumps"), [(0.0605, 0), (0.0617, 5)])
def test_a_jump_is_110_metres_a_second_squared(height: float, jumps: int) -> None:
    """A single frame out of line by d bends by 2 d in a thirtieth of a second: 2 d * 900."""
    points = np.zeros((60, 1, 3))
    points[30, 0, 1] = height
    flags = find_pops(points, FPS)[:, 0]
    assert flags.sum() == jumps  # with two frames to each side: 0.07 s
    assert not jumps or np.flatnonzero(flags).tolist() == [28, 29, 30, 31, 32]


def test_a_keypoint_that_jumps_in_a_quarter_of_the_frames_is_left_alone() -> None:
    points = np.zeros((60, 2, 3))
    points[30, 0, 1] = 1.0
    points[::10, 1, 1] = 1.0
    flags = find_pops(points, FPS)
    assert flags[:, 0].any()
    assert not flags[:, 1].any()


def test_slip_is_robust_and_counts_less_along_the_sight() -> None:
    e, seen, sight = np.array([[1.0, 0.0, 0.0]]), np.ones((1, 1), bool), np.array([[0.0, 0.0, 1.0]])
    foot = np.array([[[-2.0, 0.0, 0.0]]])
    assert camera_scale._cost(2.0, e, foot, seen, 1.0, sight) == pytest.approx(0)  # 2 * 1 - 2: at rest
    assert camera_scale._cost(3.0, e, foot, seen, 1.0, sight) == pytest.approx(0.5)  # one slip: 1 / (1 + 1)
    assert camera_scale._cost(0.0, e, foot, seen, 1.0, sight) == pytest.approx(0.8)  # two: 4 / (1 + 4)
    along = np.array([[[0.0, 0.0, 15.0]]])
    assert camera_scale._cost(0.0, e, along, seen, 1.0, sight) == pytest.approx(0.5)  # fifteen times as far
    assert camera_scale._cost(0.0, e, foot, ~seen, 1.0, sight) == pytest.approx(1)
    assert camera_scale._bend(1.0, e, np.array([[1.0, 0.0, 0.0]]), 2.0) == pytest.approx(0.5)


@pytest.mark.parametrize(("pitch", "bend"), [(30.0, 30.0), (70.0, 55.0), (-20.0, 0.0)])
def test_toes_bend_by_the_heels_pitch_up_to_their_limit(pitch: float, bend: float) -> None:
    """The foot turns about its left (x): a positive pitch lifts the heel."""
    foot = exp_map(np.radians(pitch) * np.array([[1.0, 0.0, 0.0]]))
    up, instep, toes = np.array([0.0, 1.0, 0.0]), np.array([0.0, -0.05, 0.12]), np.array([0.0, 0.0, 1e-6])
    _, bends = feet._bent(foot, instep, toes, up, np.ones(1))
    assert np.degrees(bends[0]) == pytest.approx(bend, abs=0.01)
    _, halves = feet._bent(foot, instep, toes, up, np.full(1, 0.5))
    assert np.degrees(halves[0]) == pytest.approx(bend / 2, abs=0.01)
