"""What a body rests on, on paths worked out by hand and on lifts of synthetic people whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from actions import make_action, project
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.anchors import find_anchors
from mvlift.bodies.grounding import Ground, View, find_ground, seen_speed
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.loading import load_body
from mvlift.bodies.palms import lay_palms
from mvlift.bodies.supports import Support, seen_supports, with_supports
from mvlift.kinematics.chains import world_rotations
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.pipeline import lift

FPS = 30.0
UP = np.array([0.0, 0.0, 1.0])
FOOT = Support("l_heel", "left_ankle", (0, 0, 0), seen=("l_heel",), raised="step")
OTHER = Support("r_heel", "right_ankle", (0, 0, 0), seen=("r_heel",), raised="step")
FEET = (FOOT, OTHER)
PLANK = {
    "l_big_toe": (0.1, 0.8, 0.0), "r_big_toe": (-0.1, 0.8, 0.0), "l_wrist": (0.25, -0.55, 0.0),
    "r_wrist": (-0.25, -0.55, 0.0), "pelvis": (0.0, 0.0, 0.25), "chest": (0.0, -0.4, 0.35),
}  # fmt: skip
"""Metres: the lowest points of somebody on hands and toes."""


def stairs() -> np.ndarray:
    """(90, 2, 3): the left foot stays on the floor, the right one goes up to 0.2 m in the middle and stays there."""
    points = np.zeros((90, 2, 3))
    points[:, 1, 0] = 0.3
    rise = np.clip((np.arange(90) - 40) / 8, 0, 1)
    points[:, 1, 2], points[:, 1, 1] = 0.2 * rise, 0.3 * rise
    points[50:, 0, 2] = np.clip((np.arange(40)) / 5, 0, 1) * 0.5  # the left one leaves the floor
    return points


def test_feet_rest_on_the_floor_and_on_a_step_but_not_in_between() -> None:
    ground = find_ground(FEET, stairs(), UP, FPS, np.ones((90, 2)))
    assert ground.floor == pytest.approx(0, abs=0.01)
    assert (ground.contacts[5:35] > 0.5).all()
    assert (ground.contacts[42:46, 1] < 0.5).all()
    assert (ground.contacts[60:, 1] > 0.5).all()
    assert ground.level[70, 1] == pytest.approx(0.2, abs=0.01)
    assert (ground.contacts[60:, 0] < 0.5).all()


def test_guessed_legs_stand_on_the_floor_and_hands_at_a_desk_are_not_the_floor() -> None:
    """Knees and ankles behind a desk: the feet are where the body guesses them, 0.75 m under hands that rest."""
    hand = Support("l_hand", "left_wrist", (0, 0, 0), seen=("l_wrist",))
    points = np.zeros((60, 3, 3))
    points[:, 2] = [0.3, 0.4, 0.75]
    seen = np.tile([0.0, 0.0, 1.0], (60, 1))
    ground = find_ground((*FEET, hand), points, UP, FPS, seen)
    assert ground.floor == pytest.approx(0.0, abs=0.01)
    assert (ground.contacts[:, :2] == 0).all()
    points[:, :2, 2] = 0.4  # kneeling on hands, feet behind: what is seen is lower
    points[:, 2, 2] = 0.0
    assert find_ground((*FEET, hand), points, UP, FPS, seen).floor == pytest.approx(0.0, abs=0.01)


def test_nothing_is_claimed_of_what_was_never_seen() -> None:
    seen = np.ones((90, 2))
    seen[:, 1] = 0
    ground = find_ground(FEET, stairs(), UP, FPS, seen)
    assert ground.contacts[:, 1].max() == 0
    confidence = np.ones((30, 2))
    confidence[:, 1] = 0
    assert seen_supports(FEET, ("l_heel", "r_heel"), confidence, 30, FPS).mean(0) == pytest.approx([1, 0])
    confidence[15, 1] = 0.4  # seen once: a third of a second about then
    assert seen_supports(FEET, ("l_heel", "r_heel"), confidence, 30, FPS)[:, 1].sum() == 19


def test_a_jump_is_flight_and_a_walk_is_not() -> None:
    time = np.arange(60) / FPS
    points = np.zeros((60, 2, 3))
    points[:, 1, 0] = 0.2
    air = np.clip(time - 0.8, 0, 0.5)
    points[..., 2] = (0.5 * 9.81 * air * (0.5 - air))[:, None]
    ground = find_ground(FEET, points, UP, FPS, np.ones((60, 2)))
    flying = (time > 0.86) & (time < 1.24)
    assert ground.flight[flying].all()
    assert not ground.flight[time < 0.75].any()
    assert not ground.flight[time > 1.4].any()


def test_anchors_hold_a_trembling_foot_at_one_place_and_let_a_sliding_one_slide() -> None:
    random = np.random.default_rng(0)
    points = np.zeros((60, 2, 3))
    points[:, 0] += 0.001 * random.normal(size=(60, 3))
    points[:, 1, 0] = 0.3 + 0.15 * np.arange(60) / FPS  # 0.15 m/s: slower than what counts as moving
    ground = find_ground(FEET, points, UP, FPS, np.ones((60, 2)))
    places, weight = find_anchors(points, ground, UP, FPS)
    assert (weight[:, 0] == 1).all()
    assert np.ptp(places[:, 0], axis=0).max() < 1e-9
    assert places[0, 0, 2] == pytest.approx(ground.floor, abs=1e-5)
    assert np.abs(places[:, 1] - points[:, 1]).max() < 0.2  # it is not held where it was two seconds ago


def test_a_part_above_the_floor_is_brought_there_along_the_line_of_sight() -> None:
    """Seen at 45 degrees from above, 5 cm over the floor: the best place by a search over the floor."""
    points = np.tile(np.array([0.0, 0.0, 0.05]), (30, 1, 1))
    ground = Ground(np.ones((30, 1)), np.zeros((30, 1)), 0.0, np.zeros(30, dtype=bool), np.zeros((30, 1), dtype=bool))
    ray = np.array([0.0, 1.0, -1.0]) / 2**0.5
    place = find_anchors(points, ground, UP, FPS, np.tile(ray, (30, 1, 1)))[0][0, 0]
    grid = np.linspace(-0.1, 0.1, 4001)
    offset = np.stack([0 * grid, grid, 0 * grid - 0.05], 1)
    along = offset @ ray
    cost = (along / 0.06) ** 2 + ((offset**2).sum(1) - along**2) / 0.02**2
    assert place == pytest.approx([0, grid[cost.argmin()], 0], abs=1e-4)
    straight = find_anchors(points, ground, UP, FPS)[0][0, 0]
    assert straight == pytest.approx([0, 0, 0], abs=1e-3)


def test_what_is_moved_on_is_let_go_in_between() -> None:
    points = np.zeros((60, 1, 3))
    points[30:, 0, 0] = 0.3
    ground = Ground(np.ones((60, 1)), np.zeros((60, 1)), 0.0, np.zeros(60, dtype=bool), np.zeros((60, 1), dtype=bool))
    weight = find_anchors(points, ground, UP, FPS)[1][:, 0]
    step = 1 / (0.06 * FPS + 1)
    assert weight[26:34] == pytest.approx([1, 1, (2 * step) ** 4, step**4, step**4, (2 * step) ** 4, 1, 1])
    assert weight[0] == weight[-1] == 1  # the clip goes on before and after


def test_the_floor_of_stairs_is_their_lowest_step() -> None:
    points = np.zeros((120, 2, 3))
    points[:, 0, 2] = np.repeat([0.0, 0.34, 0.68, 1.02], 30)
    points[:, 1, 2] = np.concatenate([np.repeat([0.17, 0.51, 0.85], 30), np.full(30, 1.19)])
    ground = find_ground(FEET, points, UP, FPS, np.ones((120, 2)))
    assert ground.floor == pytest.approx(0, abs=0.02)
    flat = points * [1, 1, 0.1]  # an error of 12 cm over the clip is no staircase
    assert find_ground(FEET, flat, UP, FPS, np.ones((120, 2))).floor == pytest.approx(np.median(flat[..., 2]), abs=0.04)


def test_the_picture_tells_the_speed_across_and_the_path_the_speed_along() -> None:
    frames = 40
    points = np.tile(np.array([0.0, 0.0, 4.0]), (frames, 1, 1))
    points[:, 0, 0] += 0.05 * np.random.default_rng(1).normal(size=frames)  # the lift trembles
    still = View(np.full((frames, 1, 2), 500.0), np.ones((frames, 1)), 1000.0)
    assert seen_speed((FOOT,), points, ("l_heel",), still, FPS).max() < 0.2
    moving = View(still.pixels + 10 * np.arange(frames)[:, None, None] * [1.0, 0], np.ones((frames, 1)), 1000.0)
    across = seen_speed((FOOT,), points, ("l_heel",), moving, FPS)[20, 0]
    assert across == pytest.approx(10 * FPS * 4 / 1000 * 0.45 / 0.28, rel=0.1)  # 1.2 m/s, in units of 0.28 m/s
    points[:, 0, 2] += 2.0 * np.arange(frames) / FPS  # away from the camera
    assert seen_speed((FOOT,), points, ("l_heel",), still, FPS)[20, 0] > 1.0


def test_supports_are_points_of_the_skin_that_turn_with_their_bones_and_grow_with_the_body() -> None:
    model, skeleton = get_kinematic_model("human"), default_human_skeleton()
    body = with_supports(skeleton, model.supports)
    kinematics = Kinematics(body, model)
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    rest = kinematics.pose(np.zeros(10), rotations, np.zeros((1, 3))).points[0, -len(model.supports) :]
    names = [s.name for s in model.supports]
    pelvis, ankle = skeleton.rest_joints[0], skeleton.rest_joints[skeleton.joint_names.index("left_ankle")]
    assert rest[names.index("l_heel")] == pytest.approx(ankle - pelvis + [0, -0.094, -0.05])
    taller = kinematics.pose(np.eye(10)[0], rotations, np.zeros((1, 3))).points[0, -len(model.supports) :]
    assert taller[names.index("l_heel")] == pytest.approx(1.05 * rest[names.index("l_heel")])


def test_a_palm_on_the_floor_lies_flat_with_its_fingers_towards_the_head() -> None:
    skeleton = default_human_skeleton()
    rotations = np.tile(np.eye(3), (20, 24, 1, 1))
    rotations[:, 18] = exp_map(np.array([1.2, 0.3, 0.0]))  # the left forearm is twisted
    contacts, heights = np.zeros((20, 2)), np.ones((20, 2))
    contacts[:, 0], heights[:, 0] = 1.0, 0.0
    up = np.array([0.0, 1.0, 0.0])
    bent = lay_palms(skeleton, rotations, up, contacts, heights, ("l_wrist", "r_wrist"), FPS)
    world = world_rotations(skeleton.parents, bent)
    left, right = (skeleton.joint_names.index(n) for n in ("left_wrist", "right_wrist"))
    assert world[10, left, :, 1] @ up == pytest.approx(np.cos(np.radians(21)), abs=1e-6)  # back of the hand upwards
    assert world[10, left, :, 0] @ up == pytest.approx(np.sin(np.radians(21)), abs=1e-6)
    assert bent[:, right] == pytest.approx(rotations[:, right])


@pytest.mark.parametrize(
    ("name", "resting"),
    [
        ("seated", ("l_heel", "r_big_toe", "pelvis")),
        ("push-up", ("l_wrist", "r_wrist", "l_big_toe", "r_big_toe")),
        ("hanging", ("l_wrist", "r_wrist")),
    ],
)
def test_a_lift_knows_what_rests_and_holds_it(name: str, resting: tuple[str, ...]) -> None:
    clip, _, _ = project(make_action(name, 90))
    motion = lift(clip, preset="fast", seed=0)
    for part in resting:
        contact = motion.contacts[:, motion.contact_names.index(part)] > 0.5
        assert contact.mean() > 0.75, part
        if part in motion.keypoint_names:
            path = motion.keypoints[:, motion.keypoint_names.index(part)]
            assert np.linalg.norm(np.diff(path, axis=0), axis=-1).mean() < 0.004, part


def test_heels_of_a_push_up_and_feet_of_somebody_seated_high_are_left_alone() -> None:
    clip, _, _ = project(make_action("push-up", 90))
    motion = lift(clip, preset="fast", seed=0)
    for part in ("l_heel", "r_heel", "l_knee", "chest"):
        assert (motion.contacts[:, motion.contact_names.index(part)] > 0.5).mean() < 0.2, part
    palms = motion.keypoints[:, [motion.keypoint_names.index(n) for n in ("l_wrist", "r_wrist")], 2]
    assert np.abs(palms).max() < 0.08


def test_a_plank_is_no_seat() -> None:
    supports = tuple(s for s in get_kinematic_model("human").supports if s.name in PLANK or s.name.endswith("knee"))
    places = {**PLANK, "l_knee": (0.1, 0.4, 0.15), "r_knee": (-0.1, 0.4, 0.15)}
    points = np.tile(np.array([places[s.name] for s in supports]), (90, 1, 1))
    pelvis, chest = ([s.name for s in supports].index(n) for n in ("pelvis", "chest"))
    assert find_ground(supports, points, UP, FPS, np.ones(points.shape[:2])).contacts[:, pelvis].max() < 0.1
    points[:, chest] = points[:, pelvis] + [0, 0, 0.4]  # upright, the same hips are on something
    assert find_ground(supports, points, UP, FPS, np.ones(points.shape[:2])).contacts[:, pelvis].min() > 0.5


def test_relaxed_fingers_of_a_palm_on_the_floor_do_not_sink_in() -> None:
    body, skeleton = load_body().reduced(), default_human_skeleton()
    wrist = skeleton.joint_names.index("left_wrist")
    rotations = np.tile(np.eye(3), (20, 24, 1, 1))
    heights = np.full((20, 1), 0.0)
    bent = lay_palms(skeleton, rotations, np.array([0.0, 1.0, 0.0]), np.ones((20, 1)), heights, ("l_wrist",), FPS)
    vertices = body.posed(np.zeros(10), bent[10:11], np.zeros((1, 3)))[0]
    joint = skeleton.rest_joints[wrist]
    hand = vertices[np.isin(np.asarray(body.weights).argmax(1), [wrist, skeleton.joint_names.index("left_hand")])]
    lowest = (hand[:, 1] - joint[1]).min() + 0.03  # the wrist rests at the radius of its support
    assert -0.01 < lowest < 0.02


def test_both_hands_hold_up_a_plank_though_one_seems_to_swing() -> None:
    supports = tuple(s for s in get_kinematic_model("human").supports if s.name in PLANK)
    points = np.tile(np.array([PLANK[s.name] for s in supports]), (90, 1, 1))
    names = [s.name for s in supports]
    left, right = names.index("l_wrist"), names.index("r_wrist")
    points[:, right, 2] = 0.15 + 0.1 * np.sin(np.arange(90) / 4)  # 0.75 m/s, up to 25 cm high
    seen = np.ones(points.shape[:2])
    ground = find_ground(supports, points, UP, FPS, seen)
    assert ground.propped[:, [left, right]].all()
    assert not np.delete(ground.propped, [left, right], axis=1).any()
    assert ground.contacts[:, right].min() >= 0.9
    reaching = points.copy()
    reaching[:, right, 2] = 0.8  # above the chest
    assert find_ground(supports, reaching, UP, FPS, seen).contacts[:, right].max() < 0.1
    walking = points + np.arange(90)[:, None, None] / FPS * np.array([0.0, -0.4, 0.0])  # on all fours
    assert not find_ground(supports, walking, UP, FPS, seen).propped.any()
