"""The head turns on its own, with a share for the neck; toes bend at push-off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mvlift.bodies.fit import FitOptions, FitTargets, fit_body
from mvlift.bodies.fit_problem import BodyFit
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.kinematics.chains import world_rotations
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.feet import MAX_BEND, bend_toes
from mvlift.typing import F64

SKELETON = default_human_skeleton()
JOINTS, KEYPOINTS = SKELETON.joint_names, SKELETON.keypoint_names
CONTACTS = ("l_heel", "l_big_toe", "r_heel", "r_big_toe")


def posed(rotations: F64) -> tuple[F64, F64]:
    return SKELETON.posed(np.zeros(10), rotations, np.zeros((len(rotations), 3)))


def at_rest(frames: int) -> F64:
    return np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))


@pytest.mark.parametrize("turn", [(0.0, 0.9, 0.0), (0.5, 0.0, 0.0), (0.0, 0.0, 0.4)])
def test_a_head_that_turns_is_not_copied_to_the_neck(turn: tuple[float, float, float]) -> None:
    """Nose, eyes and ears turn about the head's joint: the head takes most of it, and both together all of it."""
    truth = at_rest(12)
    truth[:, JOINTS.index("head")] = exp_map(np.array(turn))
    points = posed(truth)[1]
    targets = FitTargets(points, np.full(points.shape[:2], 0.01), np.array([0.0, 1.0, 0.0]), 30.0)
    fitted = fit_body(SKELETON, get_kinematic_model("human"), targets, FitOptions(contacts=False, shape=False))
    neck, head = (log_map(fitted.rotations[6, JOINTS.index(n)]) for n in ("neck", "head"))
    assert np.linalg.norm(head) > 2 * np.linalg.norm(neck)
    together = world_rotations(SKELETON.parents, fitted.rotations)[6, JOINTS.index("head")]
    assert np.degrees(np.linalg.norm(log_map(together.T @ exp_map(np.array(turn))))) < 5


def standing_on_toes(pitch: float, contacts: tuple[float, ...], frames: int = 20) -> tuple[BodyFit, F64]:
    """A body at rest whose left foot is pitched by so many degrees, heel up; and its keypoints."""
    rotations = at_rest(frames)
    rotations[:, JOINTS.index("left_ankle")] = exp_map(np.radians([pitch, 0.0, 0.0]))
    points = posed(rotations)[1]
    root = np.tile(SKELETON.rest_joints[0], (frames, 1))
    fitted = BodyFit(
        np.zeros(10), rotations, root, points, np.array([0.0, 1.0, 0.0]), 0.0, np.tile(contacts, (frames, 1)), 1.0
    )
    return fitted, points


@pytest.mark.parametrize("pitch", [12.0, 25.0])
def test_toes_lie_flat_when_the_heel_rises(pitch: float) -> None:
    fitted, before = standing_on_toes(pitch, (0.0, 1.0, 1.0, 1.0))
    bent = bend_toes(fitted, SKELETON, CONTACTS, 30.0)
    world = world_rotations(SKELETON.parents, bent.rotations)
    toes = world[10, JOINTS.index("left_foot")]
    assert toes[:, 1] @ [0, 1, 0] > np.cos(np.radians(2))  # their sole is level
    bend = log_map(bent.rotations[10, JOINTS.index("left_foot")])
    assert -MAX_BEND - 1e-9 <= bend[0] < np.radians(-pitch) + 1e-6  # extended: the tip is raised against the foot
    ankle = posed(bent.rotations)[0][10, JOINTS.index("left_ankle")]
    tip = KEYPOINTS.index("l_big_toe")
    old, new = before[10, tip] - ankle, bent.points[10, tip] - ankle
    assert old @ new / np.linalg.norm(old) / np.linalg.norm(new) > np.cos(np.radians(2))
    assert bent.points[10, KEYPOINTS.index("l_heel"), 1] > bent.points[10, tip, 1]
    right = JOINTS.index("right_foot")
    assert np.array_equal(bent.rotations[:, right], fitted.rotations[:, right])


@pytest.mark.parametrize(
    ("pitch", "contacts"),
    [
        (25.0, (0.0, 0.0, 1.0, 1.0)),
        (25.0, (1.0, 1.0, 1.0, 1.0)),
        (-20.0, (0.0, 1.0, 1.0, 1.0)),
        (0.0, (0.0, 1.0, 1.0, 1.0)),
    ],
)
def test_toes_stay_straight_in_the_air_on_flat_feet_and_on_heels(pitch: float, contacts: tuple[float, ...]) -> None:
    fitted, _ = standing_on_toes(pitch, contacts)
    bent = bend_toes(fitted, SKELETON, CONTACTS, 30.0)
    assert np.abs(log_map(bent.rotations[:, JOINTS.index("left_foot")])).max() < 1e-6


def test_toes_bend_and_straighten_without_a_jump() -> None:
    fitted, _ = standing_on_toes(30.0, (0.0, 1.0, 1.0, 1.0), frames=40)
    contacts = fitted.contacts.copy()
    contacts[:15, 1] = contacts[25:, 1] = 0
    bent = bend_toes(replace(fitted, contacts=contacts), SKELETON, CONTACTS, 30.0)
    angle = np.degrees(np.linalg.norm(log_map(bent.rotations[:, JOINTS.index("left_foot")]), axis=-1))
    assert angle[20] > 25
    assert angle[:8].max() < 1
    assert np.abs(np.diff(angle)).max() < 15


def test_another_body_keeps_its_feet() -> None:
    fitted, _ = standing_on_toes(25.0, (0.0, 1.0, 1.0, 1.0))
    assert bend_toes(fitted, SKELETON, ("l_front_paw",), 30.0) is fitted
