"""The view of a hand and the wrist's cost: formulas against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.hands import view
from mvlift.bodies.hands.fit import FittedHand
from mvlift.bodies.hands.model import hand_model
from mvlift.bodies.hands.view import HandView, depth_cost, view_hand
from mvlift.bodies.hands.wrist import best_path, twist_about, wrist_cost
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.kinematics.rotations import exp_map, unit
from mvlift.lifting import hands
from mvlift.typing import F64

HAND = hand_model(default_human_skeleton_with_fingers(), "left")
K = np.array([[1000.0, 0, 500], [0, 1000, 400], [0, 0, 1]])


def seen(rotation: F64, distance: float) -> F64:
    """(1, 21, 2) pixels of the hand at rest, turned, straight before the camera."""
    points = HAND.points(np.zeros((5, 5))) @ rotation.T + [0, 0, distance]
    return np.asarray(points[None, :, :2] / points[None, :, 2:] * 1000 + [500, 400])


def facing() -> F64:
    """(3, 3) that turns the palm towards the camera: distal up in the picture, dorsal away from the viewer."""
    return np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]) @ np.stack([HAND.axes[2], HAND.axes[0], -HAND.axes[1]])


def test_a_detectors_depth_is_a_hint_of_35_millimetres_with_a_cap() -> None:
    cost = depth_cost(np.array([0.0, 0.035, 0.1, 0.2]), np.array([0.0, 0.0, 0.0, np.nan]))
    assert cost == pytest.approx([0, 1, 1.5, 0])


def test_a_view_is_turned_to_the_wrist_and_measures_in_metres() -> None:
    rotation = facing()
    pixels, wrist = seen(rotation, 2.0), np.array([[0.0, 0.0, 2.0]])
    shown = view_hand(HAND, pixels, np.full((1, 21), 0.8), wrist, K, 30.0)
    assert shown.points[0, 0] == pytest.approx([0, 0])
    plain = HAND.points(np.zeros((5, 5))) @ rotation.T
    assert shown.project(plain[None])[0] == pytest.approx(shown.points[0], rel=0.02, abs=1e-3)
    sigma = np.hypot(0.005, 0.8 * shown.distance[0] / 1000)
    assert shown.weight[0] == pytest.approx(0.8 / sigma**2)
    aside = view_hand(HAND, pixels + np.array([577.35, 0]), np.ones((1, 21)), np.array([[1.1547, 0, 2.0]]), K, 30.0)
    assert aside.turn[0] @ np.array([0.5, 0, np.sqrt(0.75)]) == pytest.approx([0, 0, 1], abs=1e-5)  # 30 degrees
    assert aside.turn[0] @ np.array([0.0, 1, 0]) == pytest.approx([0, 1, 0])
    deep = view_hand(HAND, pixels, np.ones((1, 21)), wrist, K, 30.0, depth=np.full((1, 21), 10.0))
    assert deep.depth[0, 5] == pytest.approx(10 * deep.distance[0] / 1000)


def test_a_hands_distance_follows_its_apparent_size_up_to_a_factor() -> None:
    """All frames twice as large as expected: the hand is at half of the body's distance, within e^0.6."""
    frames = 20
    usual, confidence, sees = np.full(frames, 3.0), np.ones((frames, 21)), np.ones(frames, bool)
    distances = view._distances(np.full(frames, 1 / 2.0), sees, confidence, usual, 1000.0, 30.0)
    assert distances == pytest.approx(2.0)  # apparent scale 1 / distance
    larger = view._distances(np.full(frames, 1 / 1.0), sees, confidence, usual, 1000.0, 30.0)
    # log(1/3) = -1.10 is beyond the common factor e^-0.6; the rest counts with weight 1 / 0.07^2 / (1 + (5/2)^2)^2
    deviation = np.log(1 / 3) + 0.6
    weight = 1 / 0.07**2 / (1 + (deviation / 0.1 / 2) ** 2) ** 2
    assert larger == pytest.approx(3 * np.exp(-0.6 + weight * deviation / (weight + 1 / 0.1**2)))
    assert view._distances(np.ones(frames), ~sees, confidence, usual, 1000.0, 30.0) == pytest.approx(3.0)


@pytest.mark.parametrize(("length", "sure", "quality"), [(16.0, 0.45, 1.0), (11.0, 0.45, 0.5), (16.0, 0.3, 0.5)])
def test_fingers_count_by_the_palms_pixels_and_the_detectors_confidence(
    length: float, sure: float, quality: float
) -> None:
    middle = float(np.linalg.norm(HAND.knuckles[2]))
    distance = 1000 * middle / length  # metres at which the palm has so many pixels
    pixels = np.tile(seen(facing(), distance), (9, 1, 1))
    shown = view_hand(HAND, pixels, np.full((9, 21), sure), np.tile([[0.0, 0, distance]], (9, 1)), K, 30.0)
    assert shown.quality[4] == pytest.approx(quality, abs=0.02)


def blind(frames: int = 1) -> HandView:
    """A view without detections, in which anatomy alone decides."""
    return HandView(
        points=np.zeros((frames, 21, 2)),
        weight=np.zeros((frames, 21)),
        turn=np.tile(np.eye(3), (frames, 1, 1)),
        distance=np.full(frames, 2.0),
        quality=np.zeros(frames),
        seen=np.zeros(frames, bool),
        depth=np.full((frames, 21), np.nan),
    )


def test_a_wrists_strain_is_its_angles_over_their_spread_and_what_is_beyond_the_limits() -> None:
    distal, dorsal, radial = HAND.axes
    bends = np.stack([exp_map(np.radians(a) * -radial) for a in (40.0, 80.0, 88.0)])
    forearm, bent = np.eye(3)[None], np.ones(1)
    cost = wrist_cost(bends[None], forearm, bent, blind(), HAND)[0]
    assert cost[0] == pytest.approx(1)  # 40 degrees of flexion: one standard deviation
    assert cost[1] == pytest.approx(4)
    assert cost[2] == pytest.approx((88 / 40) ** 2 + 1)  # 8 degrees beyond the limit of 80
    aside = exp_map(np.radians(18.0) * -dorsal)[None]
    assert wrist_cost(aside[None], forearm, bent, blind(), HAND)[0, 0] == pytest.approx(1)
    twist = exp_map(np.radians(55.0) * distal)[None]
    assert wrist_cost(twist[None], forearm, bent, blind(), HAND)[0, 0] == pytest.approx(1)
    assert wrist_cost(twist[None], forearm, 0.25 * bent, blind(), HAND)[0, 0] == pytest.approx(0.25)


@pytest.mark.parametrize(("gap", "fps", "gain", "flips"), [
    (1, 30.0, 3.9, False), (1, 30.0, 4.1, True), (4, 30.0, 1.1, True), (4, 30.0, 0.9, False), (1, 60.0, 7.9, False),
    (1, 60.0, 8.1, True), (1, 240.0, 12.1, True),
])  # fmt: skip
def test_a_turn_costs_its_square_in_13_degrees_a_frame(gap: int, fps: float, gain: float, flips: bool) -> None:
    """Two candidates 26 degrees apart cost (26 / 13)^2 = 4 in a frame, less over a gap, at most 12."""
    pair = np.stack([np.eye(3), exp_map(np.radians(26.0) * np.array([0.0, 0.0, 1.0]))])
    cost = np.array([[0.0, 100.0], [gain, 0.0]])
    path = best_path(cost, np.stack([pair, pair]), np.array([0, gap]), fps)
    assert path.tolist() == [0, int(flips)]


def test_wrist_and_elbow_share_the_forearms_twist() -> None:
    skeleton = default_human_skeleton()
    names = skeleton.joint_names
    elbow, wrist = names.index("left_elbow"), names.index("left_wrist")
    axis = unit(skeleton.rest_joints[wrist] - skeleton.rest_joints[elbow])
    turn = exp_map(0.8 * axis)[None] @ exp_map(np.array([[0.0, 0.0, 0.3]]))
    fitted = FittedHand(turn, np.zeros((1, 5, 3, 3, 3)), np.full(1, 0.7), np.zeros(1))
    bare = exp_map(np.array([[0.0, 0.4, 0.0]]))
    rotations, confidence = np.tile(np.eye(3), (1, len(names), 1, 1)), np.full((1, len(names)), np.nan)
    hands._write(rotations, confidence, skeleton, "left", bare, fitted)
    assert rotations[0, elbow] @ rotations[0, wrist] == pytest.approx(bare[0] @ turn[0])
    shared = twist_about(bare[0].T @ rotations[0, elbow], axis)
    assert shared == pytest.approx(0.5 * twist_about(turn[0], axis))
    assert confidence[0, wrist] == pytest.approx(0.7)


@pytest.mark.parametrize(("degrees", "bent"), [(12.0, 0.0), (28.5, 0.5), (60.0, 1.0)])
def test_a_bent_elbow_determines_the_forearms_twist(degrees: float, bent: float) -> None:
    from mvlift.bodies.fit_problem import BodyFit

    skeleton = default_human_skeleton()
    names = skeleton.joint_names
    rotations = np.tile(np.eye(3), (1, len(names), 1, 1))
    rest = skeleton.rest_joints
    shoulder, elbow, wrist = (names.index(f"left_{n}") for n in ("shoulder", "elbow", "wrist"))
    upper, lower = unit(rest[elbow] - rest[shoulder]), unit(rest[wrist] - rest[elbow])
    straight = np.arccos(np.clip(upper @ lower, -1, 1))
    axis = unit(np.cross(upper, lower)) if straight > 1e-6 else np.array([0.0, 1.0, 0.0])
    rotations[0, elbow] = exp_map((np.radians(degrees) - straight) * axis)
    fit = BodyFit(
        betas=np.zeros(10), rotations=rotations, root=np.zeros((1, 3)), points=np.zeros((1, 1, 3)), up=np.eye(3)[2],
        floor=0.0, contacts=np.zeros((1, 0)), contact_names=(), bridged=np.zeros((1, 1), bool), size=1.0, cost=[],
    )  # fmt: skip
    arm, _ = hands._arm(fit, skeleton, "left")
    assert arm.bent[0] == pytest.approx(bent, abs=1e-6)
    assert arm.wrist[0] == pytest.approx(rest[elbow] - rest[0] + rotations[0, elbow] @ (rest[wrist] - rest[elbow]))
