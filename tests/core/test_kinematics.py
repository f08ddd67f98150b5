"""Rotations, quaternions and chains, against SciPy and against geometry worked out by hand."""

import numpy as np
import pytest
from mvlift.kinematics import quaternions
from mvlift.kinematics.chains import (
    bend_side,
    blend_skinning,
    forward_kinematics,
    two_bone_positions,
    two_bone_rotations,
)
from mvlift.kinematics.rotations import (
    euler_zxy,
    exp_map,
    log_map,
    looking_at,
    mean_rotation,
    nearest_rotation,
    rotation_between,
    skew,
)
from scipy.spatial.transform import Rotation


def random_vectors(count: int = 50) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(count, 3))


def test_matrices_and_vectors_agree_with_scipy() -> None:
    vectors = random_vectors()
    matrices = Rotation.from_rotvec(vectors).as_matrix()
    assert np.abs(exp_map(vectors) - matrices).max() < 1e-12
    assert np.abs(log_map(matrices) - Rotation.from_matrix(matrices).as_rotvec()).max() < 1e-9
    assert np.abs(skew(vectors) @ np.array([0.3, -2.0, 0.7]) - np.cross(vectors, [0.3, -2.0, 0.7])).max() < 1e-12


def test_quaternions_agree_with_scipy() -> None:
    turns = Rotation.from_rotvec(random_vectors())
    computed = quaternions.from_matrix(turns.as_matrix())
    assert np.abs(computed - turns.as_quat(canonical=True)[:, [3, 0, 1, 2]]).max() < 1e-12
    product = quaternions.multiply(computed[:25], computed[25:])
    expected = (turns[:25] * turns[25:]).as_matrix()
    assert np.abs(quaternions.to_matrix(product) - expected).max() < 1e-12
    assert np.abs(quaternions.to_vector(computed) - turns.as_rotvec()).max() < 1e-9
    assert np.abs(quaternions.rotate(computed, np.array([1.0, 2, 3])) - turns.apply([1.0, 2, 3])).max() < 1e-12
    halfway = quaternions.slerp(computed[:25], computed[25:], np.full(25, 0.5))
    step = Rotation.from_rotvec(0.5 * (turns[:25].inv() * turns[25:]).as_rotvec())
    assert np.abs(quaternions.to_matrix(halfway) - (turns[:25] * step).as_matrix()).max() < 1e-9


def test_euler_angles_are_those_of_scipy_and_do_not_jump() -> None:
    angle = np.linspace(-4.0, 4.0, 80)
    turns = Rotation.from_euler("ZXY", np.stack([angle, 0.3 * np.sin(angle), 0.5 * angle], 1))
    angles = euler_zxy(turns.as_matrix())
    assert np.abs(np.diff(angles, axis=0)).max() < 0.2
    assert np.abs(Rotation.from_euler("ZXY", angles).as_matrix() - turns.as_matrix()).max() < 1e-9
    assert angles[-1] - angles[0] == pytest.approx([8.0, 0.6 * np.sin(4.0), 4.0])


def test_euler_angles_of_a_gimbal_lock_give_the_rotation_back() -> None:
    locked = Rotation.from_euler("ZXY", [[30, 90, 20], [-50, -90, 10]], degrees=True).as_matrix()
    assert np.abs(Rotation.from_euler("ZXY", euler_zxy(locked)).as_matrix() - locked).max() < 1e-7


def test_the_smallest_rotation_between_directions() -> None:
    a, b = random_vectors(20), 3 * random_vectors(40)[20:]
    turned = np.einsum("tab,tb->ta", rotation_between(a, b), a / np.linalg.norm(a, axis=1, keepdims=True))
    assert np.abs(turned - b / np.linalg.norm(b, axis=1, keepdims=True)).max() < 1e-12
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert np.linalg.norm(log_map(rotation_between(a, b)), axis=1) == pytest.approx(np.arccos(cosine))
    half_turn = rotation_between(np.array([0.0, 0, 2]), np.array([0.0, 0, -1]))
    assert np.abs(half_turn @ [0, 0, 1] - [0, 0, -1]).max() < 1e-9


def test_a_chain_bent_by_a_right_angle_ends_where_geometry_says() -> None:
    rest = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    quarter = exp_map(np.array([0, 0, np.pi / 2]))
    rotations = np.stack([np.eye(3), quarter, np.eye(3)])[None]
    world, place = forward_kinematics((-1, 0, 1), rest, rotations, np.array([[0.0, 0, 5]]))
    assert place[0] == pytest.approx(np.array([[0, 0, 5], [1, 0, 5], [1, 2, 5]]))
    assert world[0, 2] == pytest.approx(quarter)
    point = blend_skinning(np.array([[0, 0.25, 0.75]]), np.array([[4.0, 0, 0]]), rest, world, place)
    assert point[0, 0] == pytest.approx([1, 3, 5])


@pytest.mark.parametrize("reach", [0.5, 0.8, 0.98])
def test_two_bones_reach_their_goal_and_keep_their_plane(reach: float) -> None:
    start = np.zeros((1, 3))
    middle, end = np.array([[0.0, 0.1, -0.4]]), np.array([[0.0, 0.0, -0.8]])  # the knee is in front (+y)
    goal = reach * 0.82 * np.array([[0.6, 0.0, -0.8]])
    first, second = two_bone_rotations(start, middle, end, goal, np.array([[0.0, 1.0, 0.0]]))
    knee = start + np.einsum("tab,tb->ta", first, middle - start)
    foot = knee + np.einsum("tab,tb->ta", second, end - middle)
    assert np.abs(foot - goal).max() < 1e-9
    assert knee[0, 1] > 0
    assert np.abs(np.linalg.det(np.stack([knee[0], foot[0], [0.0, 1.0, 0.0]]))) < 1e-9  # bends in the pole's plane
    # the bend's axis turns with both bones: neither twists against the other
    axis = np.cross(middle, end)[0] / np.linalg.norm(np.cross(middle, end))
    bend = np.cross(knee, foot)[0] / np.linalg.norm(np.cross(knee, foot))
    assert first[0] @ axis == pytest.approx(bend, abs=1e-9)
    assert second[0] @ axis == pytest.approx(bend, abs=1e-9)


def test_two_bones_and_their_goal_form_a_right_triangle() -> None:
    start, goal = np.array([[1.0, 2.0, 3.0]]), np.array([[6.0, 2.0, 3.0]])
    middle, end = two_bone_positions(start, goal, 3.0, 4.0, np.array([[2.0, 1.0, 0.0]]))
    assert middle[0] - start[0] == pytest.approx([9 / 5, 12 / 5, 0])  # sides 3, 4 and 5: altitude 12/5
    assert end[0] == pytest.approx(goal[0])
    middle, end = two_bone_positions(
        start, start + np.array([[0.0, 9.0, 0.0]]), 3.0, 4.0, np.eye(3)[:1], max_reach=5 / 7
    )
    assert end[0] - start[0] == pytest.approx([0, 5, 0])
    assert middle[0] - start[0] == pytest.approx([12 / 5, 9 / 5, 0])


def test_two_bones_out_of_reach_stretch_towards_the_goal() -> None:
    start, middle, end = np.zeros((1, 3)), np.array([[0.0, 0, -0.5]]), np.array([[0.0, 0, -1.0]])
    first, second = two_bone_rotations(start, middle, end, np.array([[5.0, 0, 0]]), np.array([[0.0, 1.0, 0.0]]))
    foot = np.einsum("tab,tb->ta", first, middle) + np.einsum("tab,tb->ta", second, end - middle)
    assert foot[0] == pytest.approx([0.999, 0, 0], abs=1e-6)


def test_a_straight_limb_bends_to_its_pole_and_a_bent_one_to_its_own_side() -> None:
    start, end, pole = np.zeros((3, 3)), np.tile([0.0, 0.0, -1.0], (3, 1)), np.tile([0.0, 1.0, 0.0], (3, 1))
    aside = np.array([0.0, 0.2, 0.005])[:, None]  # straight, bent, half way to 0.02 of the bone
    middle = np.array([0.0, 0.0, -0.5]) + aside * [1.0, 0, 0]
    side = bend_side(start, middle, end, end * 0.8, pole)
    assert side[0] == pytest.approx([0, 1, 0], abs=1e-12)
    assert side[1] == pytest.approx([1, 0, 0], abs=1e-12)
    assert side[2] == pytest.approx([np.sqrt(0.5), np.sqrt(0.5), 0], abs=1e-4)
    # the side turns with the limb: a goal a quarter turn away about x takes +y to +z
    turned = bend_side(start[:1], middle[:1], end[:1], np.array([[0.0, 0.8, 0.0]]), pole[:1])
    assert turned[0] == pytest.approx([0, 0, 1], abs=1e-12)


def test_the_nearest_rotation_is_never_a_reflection() -> None:
    turns = Rotation.from_rotvec(random_vectors()).as_matrix()
    stretch = np.diag([3.0, 2.0, 0.5])
    assert np.abs(nearest_rotation(turns @ stretch) - turns).max() < 1e-12  # polar decomposition
    mirrored = nearest_rotation(turns @ np.diag([3.0, 2.0, -0.5]))
    assert np.abs(mirrored - turns).max() < 1e-12
    about_z = Rotation.from_euler("z", [[-0.4], [0.1], [0.9]]).as_matrix()
    mean = np.angle(np.exp(1j * np.array([-0.4, 0.1, 0.9])).sum())
    assert mean_rotation(about_z) == pytest.approx(Rotation.from_euler("z", mean).as_matrix())


def test_a_view_looks_along_its_ray_without_roll() -> None:
    rays = np.array([[0.0, 0, 2], [3, 0, 3], [1, 1, 1]])
    turns = looking_at(rays)
    assert turns[0] == pytest.approx(np.eye(3))
    assert turns[1] == pytest.approx(np.array([[1, 0, -1], [0, np.sqrt(2), 0], [1, 0, 1]]) / np.sqrt(2))
    assert np.linalg.det(turns) == pytest.approx(1)
    assert np.einsum("tab,tb->ta", turns, rays)[2] == pytest.approx([0, 0, np.sqrt(3)])
    assert turns[2, 0] @ [0, 1, 0] == pytest.approx(0)
    assert turns[2, 1] @ [0, 1, 0] > 0


def test_signs_of_quaternions_do_not_jump() -> None:
    turns = Rotation.from_euler("z", np.linspace(0, 4 * np.pi, 60)[:, None]).as_quat(canonical=True)[:, [3, 0, 1, 2]]
    assert ((turns[1:] * turns[:-1]).sum(-1) < 0).sum() == 2
    smooth = quaternions.continuous(turns)
    assert (smooth[1:] * smooth[:-1]).sum(-1).min() > 0.9
    np.testing.assert_array_equal(smooth[0], turns[0])
    np.testing.assert_array_equal(np.abs(smooth), np.abs(turns))
