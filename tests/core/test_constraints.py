"""Poses and pins of a person's own: data, and each residual against hand-made values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mvlift.bodies.banded import MotionSystem
from mvlift.bodies.constrained_fit import (
    BELOW_SIGMA,
    CORRECTED_SIGMA,
    LENGTH,
    PLACE_SIGMA,
    POSE_SIGMA,
    REPROJECTION_SIGMA,
    ROOT_SIGMA,
    ROTATION_SIGMA,
    STILL_SIGMA,
    BaseMotion,
    ConstrainedFit,
    Evidence,
    Held,
    correct_motion,
    matern,
)
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.errors import MvliftError
from mvlift.keypoints import read_keypoints
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.constraints import (
    Constraints,
    KeypointConstraint,
    PinConstraint,
    PoseConstraint,
    load_constraints,
)
from mvlift.lifting.options import LiftOptions
from mvlift.lifting.pipeline import lift
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from scenes import WALK

TURN = np.array([0.0, -1.0, 0.0])


# --- data ---------------------------------------------------------------------------------------------------------


def some_constraints() -> Constraints:
    turns = np.array([[0.0, -1, 0], [0.1, 0.2, 0.3]])
    pose = PoseConstraint(20, ("left_elbow", "pelvis"), turns, np.array([1.0, 2, 3]))
    pin = PinConstraint("left_wrist", 5, np.array([[1.0, 0, 1], [1, 0, 1.1]]), 0.5)
    return Constraints((pose,), (pin,), (KeypointConstraint(7, "l_ankle", np.array([3.0, 4.0])),))


def test_constraints_go_through_json_and_through_the_options() -> None:
    made = some_constraints()
    back = LiftOptions.from_json(json.loads(json.dumps(LiftOptions(constraints=made).to_json()))).constraints
    assert isinstance(back, Constraints)
    assert back.to_json() == made.to_json()
    assert back.pins[0].last == 6
    assert back.poses[0].joints == ("left_elbow", "pelvis")


def test_a_file_may_give_one_place_for_a_range(tmp_path: Path) -> None:
    file = tmp_path / "poses.json"
    file.write_text('{"pins": [{"joint": "left_wrist", "first": 3, "last": 5, "position": [1, 2, 3]}]}')
    pin = load_constraints(file).pins[0]
    assert pin.positions.tolist() == [[1, 2, 3]] * 3


ROOT_ONLY = '{"frame": 1, "rotations": {}, "root": [0, 0, 1]}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "no list"),
        ('{"poses": [{"frame": 1}]}', r"poses\[0\].*rotations"),
        ('{"poses": [{"frame": 1, "rotations": {"left_elbow": [1, 2]}}]}', "1 joints and 1 rotations"),
        ('{"poses": [{"frame": 1, "rotations": {"a": [0, 0, 1e999]}}]}', "not finite"),
        ('{"poses": [{"frame": 1, "rotations": {}}]}', "neither rotations nor a root"),
        (f'{{"poses": [{ROOT_ONLY}, {ROOT_ONLY}]}}', "Frame 1 has two poses"),
        ('{"poses": [{"frame": 1, "rotations": 3}]}', r"poses\[0\]"),
        ('{"pins": [{"joint": "left_wrist", "first": 5, "last": 4, "position": [0, 0, 0]}]}', "no range"),
        ('{"pins": [{"joint": "left_wrist", "first": 0, "last": 2147483647, "position": [0, 0, 0]}]}', "no range"),
        ('{"pins": [{"joint": "left_wrist", "first": 5, "positions": [[0, 0]]}]}', "no places"),
        ('{"pins": [{"joint": "a", "first": 5, "positions": [[0, 0, 0]], "weight": 0}]}', "weight 0"),
        ("{", "not valid JSON"),
    ],
)
def test_files_that_say_nothing_sensible_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "poses.json"
    file.write_text(text)
    with pytest.raises(MvliftError, match=said):
        load_constraints(file)


# --- residuals ----------------------------------------------------------------------------------------------------


def arm(frames: int = 7, *, radius: float = 0.0, fps: float = 30.0) -> ConstrainedFit:
    """Two bones of 1 m along x from a root 1 m high: a keypoint and a support at their end, and a pin there."""
    rest = np.array([[0.0, 0, 0], [1, 0, 0]])
    ends = np.tile([2.0, 0, 0], (3, 1))
    skeleton = BodySkeleton(
        joint_names=("a", "b"),
        parents=(-1, 0),
        rest_joints=rest,
        shape_joints=np.zeros((2, 3, 0)),
        keypoint_names=("end", "support", "pin"),
        rest_points=ends,
        shape_points=np.zeros((3, 3, 0)),
        point_weights=np.tile([0.0, 1.0], (3, 1)),
        shape_sigma=np.zeros(0),
    )
    model = replace(get_kinematic_model("human"), groups=({"a": 1.0}, {"b": 1.0}))
    root, still = np.tile([0.0, 0, 1], (frames, 1)), np.tile(np.eye(3), (frames, 2, 1, 1))
    K = np.tile(np.array([[1000.0, 0, 500], [0, 1000, 400], [0, 0, 1]]), (frames, 1, 1))
    R = np.tile(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), (frames, 1, 1))  # looks along y
    evidence = Evidence(
        pixels=np.tile([900.0, 400], (frames, 1, 1)),
        confidence=np.ones((frames, 1)),
        K=K,
        R=R,
        t=np.tile([0.0, 1, 5], (frames, 1)),  # from (0, -5, 1)
        contacts=np.ones((frames, 1)),
        radius=np.array([radius]),
        fps=fps,
    )
    held = Held(still.copy(), np.zeros((frames, 2)), root.copy(), np.zeros(frames), np.zeros((frames, 1, 3)),
                np.zeros((frames, 1)), np.zeros((frames, 1, 2)), np.zeros((frames, 1)))  # fmt: skip
    return ConstrainedFit(Kinematics(skeleton, model), BaseMotion(root, still), evidence, held)


def added(fit: ConstrainedFit, name: str) -> MotionSystem:
    """What one residual puts into empty normal equations."""
    system = MotionSystem(len(fit.root), fit.kinematics.dof, 0)
    posed = fit.pose()
    arguments = () if name in ("add_prior", "add_poses") else (posed, fit.kinematics.jacobian(posed))
    getattr(fit, name)(system, *arguments)
    return system


def moved(fit: ConstrainedFit, *, seed: int = 0, size: float = 0.05) -> ConstrainedFit:
    step = size * np.random.default_rng(seed).normal(size=(len(fit.root), fit.kinematics.dof))
    fit.move(step)
    return fit


def test_the_kernel_is_the_matern_covariance_of_smoothness_three_halves() -> None:
    assert matern(np.array([0.0, 6.0, -6.0, 12.0]), 6.0) == pytest.approx([1, 2 / np.e, 2 / np.e, 3 / np.e**2])
    # its spectral density gives the precision that the prior adds: the middle of a long solve is the kernel
    fit = arm(241)
    fit.held.root_weight[120] = 1e6
    fit.held.root[120] += [0.01, 0, 0]
    system = MotionSystem(241, fit.kinematics.dof, 0)
    fit.add_prior(system)
    fit.add_poses(system)
    solved = system.solve(0.0)[0][:, 0]
    expected = 0.01 * matern(np.arange(241) - 120.0, LENGTH * 30)
    assert np.abs(solved - expected).max() < 2e-4  # of 1e-2: frames are a grid, the process is not


def test_the_prior_has_the_stated_standard_deviation() -> None:
    fit = arm(241)
    for column, sigma in ((0, ROOT_SIGMA), (4, ROTATION_SIGMA)):
        system = MotionSystem(241, fit.kinematics.dof, 0)
        fit.add_prior(system)
        system.gradient[120, column] = 1.0
        variance = -system.solve(0.0)[0][120, column]
        assert np.sqrt(variance) == pytest.approx(sigma, rel=0.02)


def test_a_pose_pulls_by_its_angle_and_the_root_by_its_distance() -> None:
    fit = arm(3)
    fit.held.rotations[1, 1] = exp_map(np.array([0.0, 0.2, 0.0]))
    fit.held.rotation_weight[1, 1] = 0.25
    fit.held.root[2] += [0.0, 0.0, -0.3]
    fit.held.root_weight[2] = 1.0
    system = added(fit, "add_poses")
    expected = np.zeros((3, 9))
    expected[1, 7] = -0.2 * 0.25 / POSE_SIGMA**2  # of the second group's y: 0.2 radians short
    expected[2, 2] = 0.3 / PLACE_SIGMA**2  # 0.3 m too high
    assert np.allclose(system.gradient, expected)
    assert np.allclose(system.diagonal[1, 6:, 6:], 0.25 / POSE_SIGMA**2 * np.eye(3))


def test_a_pin_pulls_with_the_lever_of_each_joint() -> None:
    fit = arm(2)
    fit.held.places[:] = [2.0, 0.0, 1.0]
    fit.held.places[1, 0] = [2.0, 0.1, 1.0]
    fit.held.place_weight[1] = 1.0
    gradient = added(fit, "add_pins").gradient * PLACE_SIGMA**2
    assert np.allclose(gradient[0], 0)
    # y is 0.1 m short; the end is 2 m from a and 1 m from b, and turns towards y about z
    assert np.allclose(gradient[1], [0, -0.1, 0, 0, 0, -0.2, 0, 0, -0.1])


def test_pixels_pull_by_their_distance_robustly() -> None:
    fit = arm(2)
    fit.target = fit.seen_before + np.array([10.0, 0.0])
    sigma = REPROJECTION_SIGMA * 1000 / 5
    gradient = added(fit, "add_pixels").gradient[0]
    weight = 1 / sigma**2 / (1 + (10 / (4 * sigma)) ** 2)
    slope = np.array([200.0, -80, 0, 0, 0, -160, 0, 0, -80])  # 1000 px / 5 m; further away it comes to the middle
    assert np.allclose(gradient, -10 * weight * slope)
    fit.trust[:] = 0.0
    assert np.allclose(added(fit, "add_pixels").gradient, 0)


def test_keypoints_that_the_user_placed_pull_firmly_and_their_own_pixels_no_more() -> None:
    fit = arm(2)
    fit.target = fit.seen_before + 50.0
    fit.held.pixels[:] = fit.seen_before + np.array([0.0, 30.0])
    fit.held.pixel_weight[1] = 0.5
    gradient = added(fit, "add_pixels").gradient[1]
    slope = np.array([0.0, 0, -200, 0, 400, 0, 0, 200, 0])  # up in the world is up in the picture, where y falls
    sigma = CORRECTED_SIGMA * 1000 / 5
    assert np.allclose(gradient[[0, 2, 4, 7]], (-30 * 0.5 / sigma**2 * slope)[[0, 2, 4, 7]])
    assert np.isclose(gradient[1], 0)


def test_what_rested_moves_no_more_than_it_did_and_sinks_no_deeper() -> None:
    fit = arm(3, radius=1.05)  # the support's lowest point is 0.05 m below the floor already
    fit.root[1:, 0] += 0.02
    fit.root[2, 2] -= 0.03
    gradient = added(fit, "add_contacts").gradient
    slip, sink = 1 / STILL_SIGMA**2, 1 / BELOW_SIGMA**2
    assert np.allclose(gradient[:, 0], [-0.02 * slip, 0.02 * slip, 0.0])
    assert np.allclose(gradient[:, 2], [0.0, 0.03 * slip, -0.03 * slip - 0.03 * sink])
    fit.evidence.contacts[:] = 0.0
    assert np.allclose(added(fit, "add_contacts").gradient[:, 2], [0, 0, -0.03 * sink])


@pytest.mark.parametrize("name", ["add_prior", "add_poses", "add_pins", "add_pixels"])
def test_gradients_are_those_of_the_cost(name: str) -> None:
    """A step against the gradient changes the weighted squares by what the gradient says."""
    fit = moved(arm(5), size=0.01)
    fit.held.rotation_weight[2] = fit.held.place_weight[3] = 1e-6
    fit.held.root_weight[1] = 1e-6
    fit.held.places[:] = [2.0, 0, 1]
    system = added(fit, name)
    random = np.random.default_rng(3)
    for _ in range(3):
        step = random.normal(size=(5, 9))
        costs = []
        for sign in (1, -1):
            root, rotations = fit.root, fit.rotations
            fit.move(sign * 1e-5 * step)
            costs.append(_cost(added(fit, name), fit, name))
            fit.root, fit.rotations = root, rotations
        slope = (costs[0] - costs[1]) / 2e-5
        assert slope == pytest.approx(float((system.gradient * step).sum()), rel=0.02, abs=1e-6)


def _cost(system: MotionSystem, fit: ConstrainedFit, name: str) -> float:
    """Half the weighted squares, from their own definitions."""
    if name == "add_poses":
        h = fit.held
        turned = log_map(fit.rotations @ h.rotations.transpose(0, 1, 3, 2))
        angles = (h.rotation_weight[..., None] * turned**2).sum() / POSE_SIGMA**2
        return 0.5 * float(angles + (h.root_weight[:, None] * (fit.root - h.root) ** 2).sum() / PLACE_SIGMA**2)
    if name == "add_pins":
        off = fit.pose().points[:, 2:] - fit.held.places
        return 0.5 * float((fit.held.place_weight[..., None] * off**2).sum() / PLACE_SIGMA**2)
    if name == "add_pixels":
        sigma = REPROJECTION_SIGMA * 1000 / 5
        off = np.linalg.norm(fit._project(fit.pose()) - fit.target, axis=-1)
        return 0.5 * float((16 * np.log1p((off / (4 * sigma)) ** 2)).sum())
    now, length = fit.correction(), fit.length
    sigmas = np.where(np.arange(9) < 3, ROOT_SIGMA, ROTATION_SIGMA)
    squares = (now**2).sum(0) + 2 * length**2 * (np.diff(now, axis=0) ** 2).sum(0)
    squares = squares + length**4 * (np.diff(now, n=2, axis=0) ** 2).sum(0)
    return 0.5 * float((squares / (4 * length * sigmas**2)).sum())


def test_a_joint_without_points_is_interpolated_by_the_same_kernel() -> None:
    fit = arm(61)
    held = fit.held
    fit.kinematics.groups = fit.kinematics.groups[:1]
    held.rotations[30, 1], held.rotation_weight[30, 1] = exp_map(np.array([0.0, 0.5, 0.0])), 1.0
    model = replace(get_kinematic_model("human"), groups=({"a": 1.0},))
    changed = correct_motion(Kinematics(fit.kinematics.skeleton, model), fit.base, fit.evidence, held)
    angle = log_map(changed.rotations[:, 1])[:, 1]
    assert angle[30] == pytest.approx(0.5, abs=1e-5)
    assert angle[36] == pytest.approx(0.5 * 2 / np.e, abs=1e-5)


def test_the_video_is_followed_where_it_agrees_with_the_pose() -> None:
    """A motion that missed the keypoints: posed once as the video shows it, the neighbouring frames come along."""
    fit = arm(41)
    wanted = exp_map(np.array([0.0, -0.4, 0.0]))
    rotations = fit.base.rotations.copy()
    rotations[:, 0] = wanted
    pixels = ConstrainedFit(fit.kinematics, BaseMotion(fit.base.root, rotations), fit.evidence, fit.held).seen_before
    fit = ConstrainedFit(fit.kinematics, fit.base, replace(fit.evidence, pixels=pixels), fit.held)
    fit.held.rotations[20, 0], fit.held.rotation_weight[20] = wanted, 1.0
    fit.evidence.contacts[:] = 0.0
    fit.run(lambda _: None)
    angle = np.linalg.norm(log_map(fit.rotations[:, 0]), axis=-1)
    assert angle[20] == pytest.approx(0.4, abs=0.005)
    blind = ConstrainedFit(fit.kinematics, fit.base, replace(fit.evidence, pixels=fit.seen_before), fit.held)
    blind.run(lambda _: None)
    ends = [np.linalg.norm(f._project(f.pose()) - pixels, axis=-1)[:, 0] for f in (fit, blind)]
    assert ends[0][[16, 24]].max() < 30  # of the 160 pixels that the motion was off
    assert ends[1][[16, 24]].min() > 60
    assert ends[0][[0, 40]].min() > 100  # the kernel has faded


def test_somebody_behind_a_desk_is_seated_on_request() -> None:
    clip = read_keypoints(WALK)[0].restricted(0, 23)
    hidden = [i for i, n in enumerate(clip.layout.names) if any(w in n for w in ("knee", "ankle", "heel", "toe"))]
    confidence = clip.confidence.copy()
    confidence[:, hidden] = 0
    clip = replace(clip, confidence=confidence)
    options = {"preset": "fast", "fps": 30, "image_size": (1280, 720), "device": "cpu"}
    standing = lift(clip, **options)
    seated = lift(clip, constraints="seated", **options)

    def at(motion: LiftedMotion, name: str) -> F64:
        return motion.keypoints[:, motion.keypoint_names.index(name)].astype(np.float64)

    def angle(motion: LiftedMotion, a: str, b: str, c: str) -> float:
        u, v = at(motion, a) - at(motion, b), at(motion, c) - at(motion, b)
        cosine = (u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)
        return float(np.degrees(np.arccos(cosine)).mean())

    assert any("seated" in str(a) for a in standing.metadata["assumptions"])  # type: ignore[attr-defined]
    for side in "lr":
        assert angle(standing, f"{side}_hip", f"{side}_knee", f"{side}_ankle") > 130
        assert 75 < angle(seated, f"{side}_hip", f"{side}_knee", f"{side}_ankle") < 105
        assert 75 < angle(seated, f"{side}_shoulder", f"{side}_hip", f"{side}_knee") < 115
        assert 0.40 < np.median(at(seated, f"{side}_hip")[:, 2]) < 0.62
    feet = np.stack([at(seated, n)[:, 2] for n in ("l_heel", "l_big_toe", "r_heel", "r_big_toe")])
    assert abs(np.median(feet.min(0))) < 0.03
    seen = seated.camera.project(seated.keypoints)[:, seated.keypoint_names.index("nose")]
    before = standing.camera.project(standing.keypoints)[:, standing.keypoint_names.index("nose")]
    assert np.median(np.linalg.norm(seen - before, axis=-1)) < 12  # pixels: the camera moved with the person
