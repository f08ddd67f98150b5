"""The quadruped mannequin: a SMAL file in any axes is the same body, and an animal takes the height it is given."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.bodies.fit import FitOptions, FitTargets, fit_body
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.loading import load_body
from mvlift.bodies.skeletons import default_quadruped_skeleton
from mvlift.bodies.smpl_file import read_body_file
from mvlift.errors import LiftError
from mvlift.keypoints import layouts
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.mapping import map_clip
from mvlift.keypoints.reading import read_keypoints
from mvlift.lifting import subjects
from mvlift.lifting.body_of import body_of
from mvlift.lifting.subjects import get_subject
from mvlift_training.bodies.body_file import save_body

FILE = Path(mvlift.__file__).parent / "bodies" / "data" / "quadruped.npz"


def test_the_mannequin_is_watertight_symmetric_and_has_the_skeleton_s_joints() -> None:
    body = load_body(None, "quadruped")
    edges = Counter(tuple(sorted(e)) for f in body.faces.tolist() for e in (f[:2], f[1:], (f[2], f[0])))
    assert set(edges.values()) == {2}
    assert 2000 <= len(body.template) <= 7000
    np.testing.assert_allclose(body.regressor @ body.template, default_quadruped_skeleton().rest_joints, atol=1e-5)
    mirrored = {tuple(v) for v in (body.template * [-1, 1, 1]).round(6) + 0.0}
    assert mirrored == {tuple(v) for v in body.template.round(6) + 0.0}
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-6)


def test_no_shape_moves_a_joint_away_from_the_skeleton_s() -> None:
    body, skeleton = load_body(None, "quadruped"), default_quadruped_skeleton()
    moved = np.einsum("jv,vab->jab", body.regressor, body.shape_directions)
    np.testing.assert_allclose(moved, skeleton.shape_joints, atol=2e-5)


@pytest.mark.parametrize("order", list(permutations(range(3)))[:4])
def test_axes_and_signs_are_derived(order: tuple[int, int, int], tmp_path: Path) -> None:
    arrays = dict(read_body_file(FILE))
    wanted = load_body(None, "quadruped")
    for signs in product((1, -1), repeat=3):
        turn = np.eye(3)[list(order)] * signs
        if np.linalg.det(turn) < 0:
            continue
        path = tmp_path / f"{order}{signs}.npz"
        changed = {
            "v_template": arrays["v_template"] @ turn.T,
            "shapedirs": np.einsum("xa,vab->vxb", turn, arrays["shapedirs"]),
        }
        save_body({**arrays, **changed}, path)
        loaded = load_body(path)
        np.testing.assert_allclose(loaded.template, wanted.template, atol=1e-6)
        np.testing.assert_allclose(loaded.shape_directions, wanted.shape_directions, atol=1e-6)


@pytest.mark.parametrize("name", ["quadruped17", "ungulate16"])
def test_a_fit_finds_a_pose_again(name: str) -> None:
    skeleton, rig, _ = body_of(get_subject(name))
    rotations = np.tile(np.eye(3), (20, len(skeleton.joint_names), 1, 1))
    swing = 0.4 * np.sin(np.linspace(0, 6, 20))
    for joint, sign in (("LLeg1", 1), ("RLeg1", -1), ("LLegBack1", -1), ("RLegBack1", 1)):
        c, s = np.cos(sign * swing), np.sin(sign * swing)
        at = skeleton.joint_names.index(joint)
        rotations[:, at, 1, 1], rotations[:, at, 1, 2], rotations[:, at, 2, 1], rotations[:, at, 2, 2] = c, -s, s, c
    betas = np.zeros(len(skeleton.shape_sigma))
    _, points = skeleton.posed(betas, rotations, np.zeros((20, 3)))
    targets = FitTargets(points, np.full(points.shape[:2], 0.02), np.array([0.0, 1.0, 0.0]), 30.0)
    fitted = fit_body(skeleton, rig, targets, FitOptions(iterations=12, contacts=False))
    assert np.linalg.norm(fitted.points - points, axis=-1).mean() < 0.015


@pytest.mark.parametrize("name", ["quadruped17", "ungulate16"])
def test_legs_do_not_cross(name: str) -> None:
    """Lifted depth errs: legs seem exchanged for a stride. The fit keeps every leg on its side."""
    subject = get_subject(name)
    skeleton, rig, _ = body_of(subject)
    rotations = np.tile(np.eye(3), (16, len(skeleton.joint_names), 1, 1))
    _, points = skeleton.posed(np.zeros(len(skeleton.shape_sigma)), rotations, np.zeros((16, 3)))
    at = {n: i for i, n in enumerate(subject.layout.names)}
    moved = points.copy()
    for left, right in rig.apart:
        width = points[0, at[left], 0] - points[0, at[right], 0]
        assert width > 0.1
        moved[3:13, at[left], 0] -= 0.8 * width
        moved[3:13, at[right], 0] += 0.8 * width
    targets = FitTargets(moved, np.full(points.shape[:2], 0.02), np.array([0.0, 1.0, 0.0]), 30.0)

    def widths(rig: KinematicModel) -> np.ndarray:
        fitted = fit_body(skeleton, rig, targets, FitOptions(iterations=12, contacts=False)).points
        return np.stack([fitted[:, at[f"l_{e}"], 0] - fitted[:, at[f"r_{e}"], 0] for e in ("front_paw", "back_paw")])

    assert widths(replace(rig, apart=())).min() < -0.1
    assert widths(rig).min() > -0.01


def test_a_subject_file_may_bring_its_own_keypoints(tmp_path: Path) -> None:
    """A new species is one file: a camel's hump is in no layout that comes with MVLift."""
    source = json.loads(Path(subjects.__file__).with_name("ungulate16.json").read_text(encoding="utf-8"))
    layout = json.loads(Path(layouts.__file__).with_name("ungulate16.json").read_text(encoding="utf-8"))
    layout |= {"name": "camel17", "keypoints": [*layout["keypoints"], "hump"]}
    source |= {"name": "camel", "layout": layout, "tree": {**source["tree"], "hump": "withers"}}
    path = tmp_path / "camel.json"
    path.write_text(json.dumps(source), encoding="utf-8")
    camel = get_subject(path)
    assert camel.layout.names[-1] == "hump"
    assert camel.layout.family == "quadruped"
    points = np.random.default_rng(0).uniform(0, 500, (8, 17, 2))
    clip = KeypointClip(points, np.ones((8, 17)), camel.layout)
    np.testing.assert_allclose(map_clip(clip, camel.layout).points, points, rtol=1e-6)
    source["layout"] = {"title": "no keypoints"}
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(source), encoding="utf-8")
    with pytest.raises(LiftError, match="not a subject file"):
        get_subject(broken)


@pytest.mark.parametrize(("example", "subject"), [("dog.csv", "quadruped17"), ("horse.csv", "ungulate16")])
def test_the_examples_are_lifted_onto_four_legs(example: str, subject: str) -> None:
    """On the floor, on the keypoints, with left limbs on the left, by the shipped weights."""
    clip = read_keypoints(FILE.parents[4] / "examples" / example)[0]
    motion = mvlift.lift(clip, subject=subject, preset="fast", device="cpu")
    names = motion.keypoint_names
    assert np.nanmedian(motion.reprojection_error) < 6
    paws = [names.index(n) for n in ("l_front_paw", "r_front_paw", "l_back_paw", "r_back_paw")]
    low = motion.keypoints[:, paws, 2].min(1)
    assert np.abs(low).max() < 0.15 * motion.keypoints[..., 2].max()
    trunk = [names.index(n) for n in (("neck", "tail_root") if subject == "quadruped17" else ("withers", "croup"))]
    assert (motion.keypoints[:, trunk, 2].min(1) > motion.keypoints[:, paws, 2].max(1)).mean() > 0.95
    ahead = motion.keypoints[:, trunk[0]] - motion.keypoints[:, trunk[1]]
    left = np.cross([0.0, 0.0, 1.0], ahead)
    for a, b in ((paws[0], paws[1]), (paws[2], paws[3])):
        offset = ((motion.keypoints[:, a] - motion.keypoints[:, b]) * left).sum(1)
        assert np.median(offset) > 0
