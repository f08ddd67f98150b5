"""Hands: the tables, how they bend, and the fit of wrist and fingers against synthetic truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_scenes import POSES, HandScene, angles_of, hand_scene
from mvlift.bodies.hands.fit import Arm, FittedHand, fit_hand
from mvlift.bodies.hands.model import COLUMNS, ORDER, THUMB, hand_model, is_relaxed
from mvlift.bodies.hands.tables import SIDES, Side, flat_to_rest, from_flat, to_flat
from mvlift.bodies.hands.wrist import best_path, wrist_angles
from mvlift.bodies.skeletons import default_human_skeleton, default_human_skeleton_with_fingers
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

SKELETON = default_human_skeleton_with_fingers()
FLAT = default_human_skeleton_with_fingers(relaxed=False)
SMPLH_TAIL = (
    "left_index1",
    "left_index2",
    "left_index3",
    "left_middle1",
    "left_middle2",
    "left_middle3",
    "left_pinky1",
)


def fitted(scene: HandScene, **changes: object) -> FittedHand:
    scene = replace(scene, **changes)  # type: ignore[arg-type]
    return fit_hand(scene.hand, scene.points, scene.confidence, scene.arm, scene.K, scene.fps)


def wrist_errors(scene: HandScene, fit: FittedHand) -> F64:
    """(T,) degrees."""
    return np.degrees(np.linalg.norm(log_map(fit.wrist.transpose(0, 2, 1) @ scene.wrist), axis=-1))


def finger_errors(scene: HandScene, fit: FittedHand) -> F64:
    """(T, 5, 3) degrees of each joint."""
    truth = scene.hand.rotations(scene.angles)
    return np.degrees(np.linalg.norm(log_map(fit.fingers.swapaxes(-1, -2) @ truth), axis=-1))


def longest_run(wrong: np.ndarray) -> int:
    best = run = 0
    for value in wrong:
        run = run + 1 if value else 0
        best = max(best, run)
    return best


def test_joints_are_smplhs_in_its_order() -> None:
    assert len(SKELETON.joint_names) == 52
    assert SKELETON.joint_names[:22] == default_human_skeleton().joint_names[:22]
    assert SKELETON.joint_names[22:29] == SMPLH_TAIL
    assert [SKELETON.joint_names[p] for p in SKELETON.parents[22:26]] == [
        "left_wrist", "left_index1", "left_index2", "left_wrist"
    ]  # fmt: skip
    swapped = [n.replace("left", "R").replace("right", "left").replace("R", "right") for n in SKELETON.joint_names]
    mirrored = SKELETON.rest_joints[[SKELETON.joint_names.index(n) for n in swapped]] * [-1, 1, 1]
    assert np.allclose(mirrored, SKELETON.rest_joints, atol=1e-12)


def test_rest_is_relaxed_and_the_flat_hand_is_flat() -> None:
    assert is_relaxed(SKELETON)
    assert not is_relaxed(FLAT)
    for skeleton, bends in ((SKELETON, (16.0, 32.0)), (FLAT, (0.0, 0.0))):
        hand = hand_model(skeleton, "left")
        flexion = np.degrees(hand.rest[[f for f in range(5) if f != THUMB], 2])
        assert bends[0] - 1e-6 <= flexion.min() <= flexion.max() <= bends[1] + 1e-6 or skeleton is FLAT
        if skeleton is FLAT:
            assert np.abs(flexion).max() < 1e-6


def test_stature_scales_the_hand_with_the_body() -> None:
    betas = np.zeros(10)
    betas[0] = 2.0
    small, large = (hand_model(SKELETON, "right", b) for b in (None, betas))
    assert np.allclose(large.bones, small.bones * 1.1)
    assert np.allclose(large.knuckles, small.knuckles * 1.1)


@pytest.mark.parametrize("relaxed", [True, False])
def test_flexion_curls_fingers_into_the_palm(relaxed: bool) -> None:
    """A fist brings every tip near the palm on its palmar side; a thumb opposes the index finger in a pinch."""
    for side in SIDES:
        hand = hand_model(SKELETON if relaxed else FLAT, side)
        fist = hand.points(angles_of(hand, "fist"))
        depth = fist[[8, 12, 16, 20]] @ hand.axes[1]  # along the back of the hand
        reach = fist[[8, 12, 16, 20]] @ hand.axes[0]
        assert (depth < -0.015).all()
        assert (depth > -0.07).all()
        assert (reach < hand.knuckles[1:] @ hand.axes[0]).all()
        opened, pinch = hand.points(angles_of(hand, "open")), hand.points(angles_of(hand, "pinch"))
        assert np.linalg.norm(pinch[4] - pinch[8]) < 0.04 < 0.1 < np.linalg.norm(opened[4] - opened[8])


def test_right_hand_is_the_left_ones_mirror_image() -> None:
    rng = np.random.default_rng(0)
    angles = rng.normal(0, 0.3, (7, 5, 5))
    left, right = (hand_model(SKELETON, side) for side in SIDES)
    assert np.allclose(left.points(angles) * [-1, 1, 1], right.points(angles), atol=1e-12)


def test_forward_kinematics_agrees_with_the_skeletons() -> None:
    rng = np.random.default_rng(1)
    angles = rng.normal(0, 0.3, (4, 5, 5))
    hand = hand_model(SKELETON, "right")
    rotations = np.tile(np.eye(3), (4, 52, 1, 1))
    rotations[:, hand.joints] = hand.rotations(angles)
    joints, _ = SKELETON.posed(np.zeros(10), rotations, np.zeros((4, 3)))
    points = hand.points(angles)[:, 1:].reshape(4, 5, 4, 3)[:, :, :3]
    assert np.allclose(joints[:, hand.joints] - joints[:, None, None, hand.wrist], points, atol=1e-12)


def test_jacobian_against_differences() -> None:
    rng = np.random.default_rng(2)
    hand = hand_model(SKELETON, "left")
    angles = rng.normal(0, 0.4, (3, 5, 5))
    points, slopes = hand.jacobian(angles)
    assert np.allclose(points, hand.points(angles))
    for n, column in enumerate(COLUMNS):
        step = np.zeros(25)
        step[column] = 1e-6
        ahead, behind = (hand.points(angles + s * step.reshape(5, 5)) for s in (1, -1))
        assert np.allclose(slopes[..., n], (ahead - behind) / 2e-6, atol=1e-7)


def test_flat_and_relaxed_rest_show_the_same_hand() -> None:
    """Bones of a body that rests flat, posed by converted rotations, lie where those of the default body do."""
    local = Rotation.random(52, random_state=3).as_matrix()[None]
    flat = to_flat(local, SKELETON.parents)
    a = SKELETON.posed(np.zeros(10), local, np.zeros((1, 3)))[0]
    b = FLAT.posed(np.zeros(10), flat, np.zeros((1, 3)))[0]
    assert np.allclose(a, b, atol=1e-12)
    assert np.allclose(from_flat(flat, SKELETON.parents), local, atol=1e-12)
    assert np.array_equal(flat_to_rest()[:22], np.tile(np.eye(3), (22, 1, 1)))


@pytest.mark.parametrize("side", SIDES)
def test_wrist_angles_have_the_signs_of_anatomy(side: Side) -> None:
    """Flexion takes the knuckles to the palm's side, spread to the thumb's; twist is about the middle finger."""
    hand = hand_model(SKELETON, side)
    sign = 1.0 if side == "left" else -1.0
    distal, dorsal, radial = hand.axes
    for axis, expected in ((-radial, 1), (-dorsal, 2), (distal, 0)):
        turn = exp_map(sign * 0.4 * axis)
        angles = wrist_angles(turn, hand)
        assert angles[expected] == pytest.approx(0.4)
        assert np.abs(np.delete(angles, expected)).max() < 1e-9
    assert exp_map(-sign * 0.4 * radial) @ distal @ dorsal < -0.3
    assert exp_map(-sign * 0.4 * dorsal) @ distal @ radial > 0.3


def test_best_path_prefers_the_smooth_reading() -> None:
    """Two readings of equal cost: the path starts with the cheaper one and does not jump."""
    still, other = np.eye(3), exp_map(np.array([0.0, 1.2, 0.0]))
    candidates = np.stack([np.stack([still, other]), np.stack([other, still]), np.stack([still, other])])
    cost = np.array([[0.0, 1.0], [0.0, 0.5], [0.2, 0.0]])
    assert best_path(cost, candidates, np.arange(3), 30.0).tolist() == [0, 1, 0]


def test_clean_hands_are_found() -> None:
    wrists, flexions = [], []
    for seed in range(6):
        scene = hand_scene(seed, SIDES[seed % 2], frames=90)
        fit = fitted(scene)
        error = wrist_errors(scene, fit)
        wrists.append(error.mean())
        flexions.append(finger_errors(scene, fit).mean())
        assert longest_run(error > 40) <= 3
    assert np.mean(wrists) < 5
    assert np.mean(flexions) < 8


@pytest.mark.parametrize(("distance", "size"), [(2.5, 1.0), (1.0, 1.12), (4.0, 0.9)])
def test_noisy_hands_are_found(distance: float, size: float) -> None:
    wrists, flexions = [], []
    for seed in range(10, 14):
        scene = hand_scene(seed, SIDES[seed % 2], 90, distance=distance, noise=0.025, losses=0.03, size=size)
        fit = fitted(scene)
        error = wrist_errors(scene, fit)
        wrists.append(error.mean())
        flexions.append(finger_errors(scene, fit).mean())
        assert longest_run(error > 40) <= 3
    assert np.mean(wrists) < 9
    assert np.mean(flexions) < 13


def test_every_pose_is_told_from_the_others() -> None:
    """Held still before the camera, palm a little turned, each pose is nearest to itself."""
    base = hand_scene(3, "left", frames=12)
    turn = exp_map(np.array([0.9, 0.5, 0.3]))
    still = Arm(np.tile([0.1, -0.1, 2.0], (12, 1)), np.tile(turn, (12, 1, 1)), np.ones(12))
    poses = np.stack([base.hand.rotations(angles_of(base.hand, n)) for n in POSES])
    for n, name in enumerate(POSES):
        angles = np.tile(angles_of(base.hand, name), (12, 1, 1))
        points = still.wrist[:, None] + base.hand.points(angles) @ turn.T
        pixels = 900 * points[..., :2] / points[..., 2:] + [640, 360]
        fit = fit_hand(base.hand, pixels, np.full((12, 21), 0.9), still, base.K, 30.0)
        deviation = log_map(poses.swapaxes(-1, -2) @ fit.fingers[6])
        errors = np.degrees(np.linalg.norm(deviation, axis=-1)).mean((1, 2))
        assert errors[n] < 8, name
        assert errors[n] < errors.min() + 2, name  # "five" and "open" are nearly the same


def test_small_or_doubtful_hands_relax() -> None:
    scene = hand_scene(5, frames=60, noise=0.03)
    tiny = hand_scene(5, frames=60, distance=40.0, noise=0.03)
    doubtful = replace(scene, confidence=scene.confidence * 0.1)
    for hand in (tiny, doubtful):
        fit = fitted(hand)
        turned = np.degrees(np.linalg.norm(log_map(fit.fingers), axis=-1))
        assert turned.mean() < 6
        assert fit.finger_confidence.max() < 0.2
    assert np.degrees(np.linalg.norm(log_map(fitted(scene).fingers), axis=-1)).mean() > 15


def test_fingers_relax_smoothly_where_the_hand_is_lost() -> None:
    scene = hand_scene(8, frames=90)
    confidence = scene.confidence.copy()
    confidence[40:80] = 0
    fit = fitted(scene, confidence=confidence)
    turned = np.degrees(np.linalg.norm(log_map(fit.fingers), axis=-1)).mean((1, 2))
    assert turned[55:70].max() < 6
    step = np.degrees(np.linalg.norm(log_map(fit.fingers[:-1].swapaxes(-1, -2) @ fit.fingers[1:]), axis=-1))
    assert step[36:46].max() < 30  # no jump at the edge
    assert (fit.confidence[41:79] == 0).all()
    assert np.degrees(np.linalg.norm(log_map(fit.wrist[55:65]), axis=-1)).max() < 20


def test_three_points_of_a_body_detector_turn_the_wrist() -> None:
    errors = []
    for seed in range(4):
        scene = hand_scene(seed, SIDES[seed % 2], frames=60)
        confidence = np.zeros_like(scene.confidence)
        confidence[:, [0, 2, 5, 17]] = 0.9
        fit = fitted(scene, confidence=confidence)
        errors.append(wrist_errors(scene, fit).mean())
        assert np.degrees(np.linalg.norm(log_map(fit.fingers), axis=-1)).mean() < 6
    assert np.mean(errors) < 25


def test_nothing_seen_is_a_hand_at_rest() -> None:
    scene = hand_scene(0, frames=20)
    fit = fitted(scene, confidence=np.zeros_like(scene.confidence))
    assert np.allclose(fit.wrist, np.eye(3))
    assert np.allclose(fit.fingers, np.eye(3))
    assert not fit.confidence.any()


def test_a_detectors_depth_settles_a_flip() -> None:
    """One frame of a palm whose two readings look alike: the depth hint decides for the one that it fits."""
    scene = hand_scene(2, frames=1)
    truth = scene.arm.forearm @ scene.wrist
    points = scene.hand.points(scene.angles)
    depth = np.einsum("tab,tkb->tka", truth, points)[..., 2] * scene.K[0, 0] / scene.arm.wrist[:, 2:]
    loose = replace(scene.arm, bent=np.zeros(1))
    helped = fit_hand(scene.hand, scene.points, scene.confidence, loose, scene.K, 30.0, depth)
    assert wrist_errors(scene, helped).max() < 20
    assert len(ORDER) == 5
