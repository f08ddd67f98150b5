"""The body fit on a walk of our own making, whose truth is known."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.contacts import level_up, standing
from mvlift.bodies.fit import FitOptions, FitTargets, fit_body
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.skeleton import KeypointOffset
from mvlift.errors import BodyFileError, LiftError
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.clip_fit import fit_clip
from mvlift.lifting.world import world_axes

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import make_walk

SKELETON = default_human_skeleton()
KINEMATIC_MODEL = get_kinematic_model("human")
ROOT = [SKELETON.keypoint_names.index(n) for n in KINEMATIC_MODEL.root]


def walk(frames: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World points, pixels, and the camera's world-to-camera rotation."""
    world = make_walk.world_points()[:frames]
    tilt = np.radians(7)
    forward = np.array([0, np.cos(tilt), -np.sin(tilt)])
    down = np.array([0, -np.sin(tilt), -np.cos(tilt)])
    return world, make_walk.pixels(world), np.stack([[1.0, 0, 0], down, forward])


def targets(frames: int = 60, depth_share: float = 1.0, up_error: float = 0.0) -> tuple[FitTargets, np.ndarray]:
    world, pixels, R = walk(frames)
    local = (world - world[:, ROOT].mean(1, keepdims=True)) @ R.T
    local[..., 2] *= depth_share
    up = exp_map(np.array([up_error, 0.0, 0.0])) @ R[:, 2]
    K = np.array([[make_walk.FOCAL, 0, 640.0], [0, make_walk.FOCAL, 360.0], [0, 0, 1]])
    sigma = np.full(local.shape[:2], 0.1)
    wanted = FitTargets(local, sigma, up, 30.0, pixels, np.ones(local.shape[:2]), K)
    return wanted, world


def errors(fitted: object, world: np.ndarray) -> tuple[float, float]:
    """Mean distance of keypoints about the root, and of the root's path, in millimetres, after yaw and one scale."""
    from mvlift_training.evaluation.alignment import align

    axes = world_axes(fitted.up)  # type: ignore[attr-defined]
    points = fitted.points @ axes.T  # type: ignore[attr-defined]
    placed = align(points, world, ROOT, list(range(world.shape[1]))).apply(points)
    root, true_root = placed[:, ROOT].mean(1), world[:, ROOT].mean(1)
    local = np.linalg.norm((placed - root[:, None]) - (world - true_root[:, None]), axis=-1).mean()
    return 1000 * float(local), 1000 * float(np.linalg.norm(root - true_root, axis=-1).mean())


def test_exponential_and_logarithm_agree_up_to_half_a_turn() -> None:
    random = np.random.default_rng(0)
    axis = random.normal(size=(200, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.concatenate([[0.0, 1e-9, np.pi - 1e-7, np.pi - 1e-4], random.uniform(0, np.pi, 196)])
    vector = axis * angle[:, None]
    rotation = exp_map(vector)
    assert np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
    assert np.abs(exp_map(log_map(rotation)) - rotation).max() < 1e-6
    assert np.abs(log_map(rotation)[4:] - vector[4:]).max() < 1e-6


def test_kinematics_agree_with_the_skeleton_and_with_finite_differences() -> None:
    random = np.random.default_rng(1)
    rotations = exp_map(0.5 * random.normal(size=(3, 24, 3)))
    root, betas = random.normal(size=(3, 3)), random.normal(size=10)
    kinematics = Kinematics(SKELETON, KINEMATIC_MODEL)
    posed = kinematics.pose(betas, rotations, root)
    joints, points = SKELETON.posed(betas, rotations, root - SKELETON.shaped(betas)[0][0])
    assert np.abs(posed.joints - joints).max() < 1e-12
    assert np.abs(posed.points - points).max() < 1e-12
    jacobian, step = kinematics.jacobian(posed), 1e-6
    for d in random.choice(kinematics.dof, 12, replace=False):
        turn = np.zeros((3, len(kinematics.groups), 3))
        moved = root.copy()
        if d < 3:
            moved[:, d] += step
        else:
            turn[:, (d - 3) // 3, (d - 3) % 3] = step
        there = kinematics.pose(betas, kinematics.moved_by(rotations, turn), moved).points
        assert np.abs((there - posed.points) / step - jacobian[..., d]).max() < 1e-5
    shape = kinematics.shape_jacobian(posed)
    for b in range(10):
        there = kinematics.pose(betas + step * np.eye(10)[b], rotations, root).points
        assert np.abs((there - posed.points) / step - shape[..., b]).max() < 1e-5


OFFSETS = (
    KeypointOffset(("l_knee",), "pelvis", (0.02, 0.03, 0.0), asymmetry=0.5),
    KeypointOffset(("nose", "l_eye"), "spine3", (0.01, 0.01, 0.01)),
)


def test_offsets_turn_with_their_joint_and_mirror_or_oppose_the_sides() -> None:
    body = SKELETON.with_keypoint_offsets(OFFSETS)
    assert body.keypoint_offsets == 4 + 3  # x and y, tied and opposed; nose and eyes together
    names, bare = body.keypoint_names, np.zeros(len(body.shape_sigma))
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    rotations[0, 0] = exp_map(np.array([0, 0, np.pi / 2]))  # the pelvis' x is the world's y
    rotations[0, 4] = exp_map(np.array([0.7, 0, 0]))  # the knee's own bend does not turn its offset
    kinematics = Kinematics(body, KINEMATIC_MODEL)
    posed = kinematics.pose(bare, rotations, np.zeros((1, 3)))
    first = len(SKELETON.shape_sigma)
    moved = [kinematics.pose(bare + np.eye(len(bare))[first + i], rotations, np.zeros((1, 3))) for i in range(4)]
    change = [(m.points - posed.points)[0, [names.index("l_knee"), names.index("r_knee")]] for m in moved]
    assert change[0] == pytest.approx(np.array([[0, 0.02, 0], [0, -0.02, 0]]))  # x, mirrored
    assert change[1] == pytest.approx(np.array([[0, 0.01, 0], [0, 0.01, 0]]))  # x, opposed: both to the left
    assert change[2] == pytest.approx(np.array([[-0.03, 0, 0], [-0.03, 0, 0]]))
    assert change[3] == pytest.approx(np.array([[-0.015, 0, 0], [0.015, 0, 0]]))
    assert moved[0].body_points == pytest.approx(posed.points)


def test_derivatives_of_keypoints_with_offsets_are_finite_differences() -> None:
    random = np.random.default_rng(5)
    body = SKELETON.with_keypoint_offsets(OFFSETS)
    kinematics = Kinematics(body, KINEMATIC_MODEL)
    rotations = exp_map(0.5 * random.normal(size=(2, 24, 3)))
    root, betas, step = random.normal(size=(2, 3)), random.normal(size=len(body.shape_sigma)), 1e-6
    posed = kinematics.pose(betas, rotations, root)
    jacobian, shape = kinematics.jacobian(posed), kinematics.shape_jacobian(posed)
    for d in range(3, kinematics.dof):
        turn = np.zeros((2, len(kinematics.groups), 3))
        turn[:, (d - 3) // 3, (d - 3) % 3] = step
        there = kinematics.pose(betas, kinematics.moved_by(rotations, turn), root).points
        assert np.abs((there - posed.points) / step - jacobian[..., d]).max() < 1e-5
    for b in range(len(betas)):
        there = kinematics.pose(betas + step * np.eye(len(betas))[b], rotations, root).points
        assert np.abs((there - posed.points) / step - shape[..., b]).max() < 1e-5


def test_a_detectors_constant_offsets_are_found_and_do_not_bend_the_body() -> None:
    clean, _ = targets(90)
    assert clean.pixels is not None
    axes = walk(90)[2]
    shift = np.zeros((len(SKELETON.keypoint_names), 3))
    for side in ("l_", "r_"):
        shift[SKELETON.keypoint_names.index(side + "knee")] = [0, 0, 0.04]  # 4 cm too high
    K = clean.K
    assert K is not None
    depth = clean.points3d[..., 2:] + 4.0
    spoilt = clean.pixels + K[0, 0] * (shift @ axes.T)[..., :2] / depth
    wanted = replace(clean, pixels=spoilt, points3d=clean.points3d + shift @ axes.T)
    offsets = (KeypointOffset(("l_knee",), "pelvis", (0.02, 0.02, 0.02)),)
    fitted = fit_body(SKELETON.with_keypoint_offsets(offsets), KINEMATIC_MODEL, wanted, FitOptions(iterations=12))
    assert fitted.betas[-2] > 1.3  # upwards, in units of 2 cm; a shorter shank may say a part of it
    assert np.abs(fitted.betas[[-3, -1]]).max() < 0.7


def test_rounding_does_not_grow_over_the_frames_of_a_long_stiff_motion() -> None:
    random = np.random.default_rng(3)
    frames, dof = 400, 4
    system = MotionSystem(frames, dof, 0)
    gradient = random.normal(size=(frames, dof))
    system.add_diagonal(gradient, np.ones((frames, dof)))
    weight = np.array([1e4, 1e2, 1e6, 1.0])
    system.add_acceleration(np.zeros((frames - 2, dof)), weight)
    mixed = np.broadcast_to(random.normal(size=(3, dof)), (frames, 3, dof))
    system.add_difference(np.zeros((frames - 1, 3)), np.full((frames - 1, 3), 1e5), mixed)
    bends, steps = (np.diff(np.eye(frames), n=n, axis=0) for n in (2, 1))
    dense = np.kron(bends.T @ bends, np.diag(weight)) + np.kron(steps.T @ steps, 1e5 * mixed[0].T @ mixed[0])
    dense += np.eye(frames * dof)
    dense += 1e-3 * np.diag(np.diag(dense))
    solved, _ = system.solve(1e-3)
    assert solved.reshape(-1) == pytest.approx(-np.linalg.solve(dense, gradient.reshape(-1)), rel=1e-7, abs=1e-12)


def test_the_banded_system_solves_the_dense_normal_equations() -> None:
    random = np.random.default_rng(2)
    frames, dof, shared = 6, 5, 3
    system = MotionSystem(frames, dof, shared)
    size = frames * dof
    dense, right = np.zeros((size + shared, size + shared)), np.zeros(size + shared)

    def note(row: np.ndarray, residual: float, weight: float) -> None:
        nonlocal dense, right
        dense += weight * np.outer(row, row)
        right += weight * residual * row

    a, b = random.normal(size=(frames, 9, dof)), random.normal(size=(frames, 9, shared))
    r, w = random.normal(size=(frames, 9)), random.uniform(0.5, 2, (frames, 9))
    system.add(r, w, a, b)
    c, rd, wd = (random.normal(size=(frames, 4, dof)), random.normal(size=(frames - 1, 4)),
                 random.uniform(0.5, 2, (frames - 1, 4)))  # fmt: skip
    system.add_difference(rd, wd, c)
    ra, wa = random.normal(size=(frames - 2, dof)), random.uniform(0.5, 2, dof)
    system.add_acceleration(ra, wa)
    for t in range(frames):
        for i in range(9):
            row = np.zeros(size + shared)
            row[t * dof : (t + 1) * dof], row[size:] = a[t, i], b[t, i]
            note(row, r[t, i], w[t, i])
        for i in range(4):
            if t < frames - 1:
                row = np.zeros(size + shared)
                row[(t + 1) * dof : (t + 2) * dof], row[t * dof : (t + 1) * dof] = c[t + 1, i], -c[t, i]
                note(row, rd[t, i], wd[t, i])
        for i in range(dof):
            if t < frames - 2:
                row = np.zeros(size + shared)
                row[[t * dof + i, (t + 1) * dof + i, (t + 2) * dof + i]] = 1, -2, 1
                note(row, ra[t, i], wa[i])
    expected = -np.linalg.solve(dense + 1e-9 * np.eye(size + shared), right)
    per_frame, clip = system.solve(0.0)
    assert np.abs(np.concatenate([per_frame.ravel(), clip]) - expected).max() < 1e-6


def test_good_targets_give_the_walk_back() -> None:
    wanted, world = targets()
    fitted = fit_body(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=12))
    local, root = errors(fitted, world)
    assert local < 20
    assert root < 40
    assert min(fitted.cost) < 0.25 * fitted.cost[0]  # pinned feet cost a little again
    assert np.linalg.norm(fitted.points - fitted.points[:, ROOT].mean(1, keepdims=True), axis=-1).max() < 1.5


def test_flattened_targets_stay_sane_and_sit_on_the_pixels() -> None:
    wanted, world = targets(depth_share=0.0)
    fitted = fit_body(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=12))
    K = wanted.K
    assert K is not None
    assert wanted.pixels is not None
    seen = fitted.points @ K.T
    pixel_error = np.linalg.norm(seen[..., :2] / seen[..., 2:] - wanted.pixels, axis=-1)
    assert np.median(pixel_error) < 4
    assert errors(fitted, world)[0] < 160


def test_contacts_level_a_tilted_guess_and_keep_the_feet_still() -> None:
    wanted, world = targets(frames=120, up_error=0.1)
    held = fit_body(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=14, up_sigma=0.0))
    free = fit_body(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=14, up_sigma=0.15))
    true_up = walk(120)[2][:, 2]
    before, after = (np.degrees(np.arccos(np.clip(f.up @ true_up, -1, 1))) for f in (held, free))
    assert before == pytest.approx(np.degrees(0.1), abs=0.1)
    assert after < 0.6 * before
    feet = [SKELETON.keypoint_names.index(n) for n in KINEMATIC_MODEL.contacts]
    still = np.linalg.norm(np.diff(world[:, feet], axis=0), axis=-1) < 0.002
    moved = np.linalg.norm(np.diff(free.points[:, feet], axis=0), axis=-1)
    assert np.median(moved[still]) < 0.006


def test_evidence_turns_the_first_guess_of_gravity_not_the_last() -> None:
    """Passes that begin where the one before ended count the same footholds once."""
    wanted, _ = targets(frames=60, up_error=0.1)
    ends = []
    for start in (0.0, 0.15, 0.3):
        begun = replace(wanted, up=exp_map(np.array([start, 0.0, 0.0])) @ wanted.up, up_guess=wanted.up)
        ends.append(fit_body(SKELETON, KINEMATIC_MODEL, begun, FitOptions(iterations=14)).up)
    assert max(np.degrees(np.arccos(np.clip(end @ ends[0], -1, 1))) for end in ends) < 1.0
    further = replace(wanted, up=exp_map(np.array([0.3, 0.0, 0.0])) @ wanted.up)
    off = fit_body(SKELETON, KINEMATIC_MODEL, further, FitOptions(iterations=14)).up
    assert np.degrees(np.arccos(off @ ends[0])) > 3.0


def test_who_stands_still_is_levelled_by_their_balance() -> None:
    """Feet in one place say nothing of gravity; the body over them does. A body far off them is held or sits."""
    rest, _ = SKELETON.shaped(np.zeros(len(SKELETON.shape_sigma)))
    up, sole = np.array([0.0, 1.0, 0.0]), np.zeros((60, 2, 3))
    over = standing(np.repeat(rest[None], 60, axis=0), SKELETON, KINEMATIC_MODEL)
    assert over is not None
    assert over @ up == pytest.approx(0.9, abs=0.15)  # metres: the centre of mass of who stands upright
    assert np.degrees(np.arccos(over @ up / np.linalg.norm(over))) < 5
    tilted = exp_map(np.array([0.15, 0.0, 0.0])) @ up
    contact = np.ones((60, 2))

    def off(direction: np.ndarray) -> float:
        return float(np.arccos(direction @ over / np.linalg.norm(over)))

    assert off(level_up(sole, contact, tilted, 0.1, 30)) == pytest.approx(off(tilted))
    assert off(level_up(sole, contact, tilted, 0.1, 30, over)) < 0.65 * off(tilted)
    sitting = exp_map(np.array([1.0, 0.0, 0.0])) @ tilted * 0.5
    np.testing.assert_allclose(level_up(sole, contact, tilted, 0.1, 30, sitting), tilted, atol=0.03)
    assert standing(np.repeat(rest[None], 2, axis=0), SKELETON, replace(KINEMATIC_MODEL, masses={})) is None


def test_a_first_guess_holds_its_roll_more_than_its_elevation() -> None:
    """Two footholds: the slope of the line between them is taken for an error of the guess, sideways only a little."""
    up, contact = np.array([0.0, -1.0, 0.0]), np.ones((60, 2))
    turned = []
    for axis in (0, 2):  # one beside the other, one behind the other
        feet = np.zeros((60, 2, 3))
        feet[:, 1, axis], feet[:, 1, 1] = 0.4, -0.04
        turned.append(np.arccos(np.clip(level_up(feet, contact, up, 0.1, 30) @ up, -1, 1)))
    assert turned[1] > 3 * turned[0]
    # by hand: the lower foot weighs 2 and the other 1, which are 0.4 m apart: 2 s / (0.1 m)^2 x 2/3 x 0.4^2
    footing = 2 / 0.1**2 * 2 / 3 * 0.4**2 / (1 + 0.1**2 / 0.25**2) ** 2  # less, as stairs have such slopes, too
    for angle, share in zip(turned, (0.4, 2.0), strict=True):
        assert np.tan(angle) == pytest.approx(0.1 * footing / (footing + 1 / (share * 0.1) ** 2), rel=1e-6)


def test_a_given_height_fixes_the_scale() -> None:
    wanted, _ = targets(frames=20)
    heights = []
    for stature in (1.5, 1.9):
        fitted = fit_body(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=8, stature=stature))
        joints, points = SKELETON.shaped(fitted.betas)
        heights.append(np.concatenate([joints, points])[:, 1].max() - np.concatenate([joints, points])[:, 1].min())
    assert heights[1] / heights[0] == pytest.approx(1.9 / 1.5, rel=0.01)


def test_a_long_clip_in_windows_equals_the_clip_in_one() -> None:
    wanted, world = targets(frames=150)
    in_one = fit_body(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=10))
    parts = fit_clip(SKELETON, KINEMATIC_MODEL, wanted, FitOptions(iterations=10), None, window=100)
    assert len(parts.root) == 150
    assert abs(errors(in_one, world)[0] - errors(parts, world)[0]) < 12
    step = np.linalg.norm(np.diff(parts.points, 2, axis=0), axis=-1)
    assert step.max() < 3 * np.linalg.norm(np.diff(in_one.points, 2, axis=0), axis=-1).max()


def test_wrong_input_is_refused() -> None:
    wanted, _ = targets(frames=10)
    with pytest.raises(LiftError, match="keypoints for a body"):
        fit_body(SKELETON.with_keypoints(("nose", "neck")), KINEMATIC_MODEL, wanted)
    with pytest.raises(BodyFileError, match="no keypoints"):
        SKELETON.with_keypoints(("tail",))
