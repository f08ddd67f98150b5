"""SMPL-H and SMPL-X files of the official layout: every joint is driven as the reference package drives it."""

from __future__ import annotations

import contextlib
import io
import unittest.mock
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mvlift.amass import load_amass, save_amass
from mvlift.bodies.loading import load_body
from mvlift.bodies.skeletons import default_human_skeleton, default_human_skeleton_with_fingers
from mvlift.kinematics.rotations import exp_map, log_map

VERTICES, FRAMES = 400, 4
FINGERS = 30


def _official(kind: str) -> dict[str, Any]:
    """A made-up body with the keys, shapes and joint order of the files that the models' pages hand out."""
    random = np.random.default_rng(5)
    face = 3 if kind == "smplx" else 0
    count = 52 + face
    hand = [[holder if k % 3 == 0 else None for k in range(15)] for holder in (20, 21)]
    parents = [*default_human_skeleton().parents[:22], *[15] * face]
    for side in range(2):
        first = len(parents)
        parents += [held if held is not None else first + k - 1 for k, held in enumerate(hand[side])]
    home = np.arange(VERTICES) % count
    rest = 0.2 * random.normal(size=(count, 3))
    regressor = np.zeros((count, VERTICES))
    regressor[home, np.arange(VERTICES)] = 1 / np.bincount(home)[home]
    weights = np.full((VERTICES, count), 0.01)
    weights[np.arange(VERTICES), home] = 1
    tree = np.stack([np.array(parents), np.arange(count)]).astype(np.int64)
    tree[0, 0] = 4294967295
    arrays: dict[str, Any] = {
        "v_template": rest[home] + 0.05 * random.normal(size=(VERTICES, 3)),
        "f": random.integers(0, VERTICES, (60, 3)).astype(np.uint32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": tree.astype(np.uint32),
        "shapedirs": 0.01 * random.normal(size=(VERTICES, 3, 400 if kind == "smplx" else 16)),
        "posedirs": 0.003 * random.normal(size=(VERTICES, 3, 9 * (count - 1))),
    }
    for side in "lr":
        arrays[f"hands_components{side}"] = random.normal(size=(45, 45))
        arrays[f"hands_mean{side}"] = 0.2 * random.normal(size=45)
        arrays[f"hands_coeffs{side}"] = random.normal(size=(8, 45))
    if kind == "smplx":
        arrays["lmk_faces_idx"], arrays["lmk_bary_coords"] = np.zeros(51, np.int64), np.full((51, 3), 1 / 3)
        arrays["dynamic_lmk_faces_idx"] = np.zeros((79, 17), np.int64)
        arrays["dynamic_lmk_bary_coords"] = np.full((79, 17, 3), 1 / 3)
    return arrays


@pytest.fixture(params=["smplh", "smplx"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pose(kind: str) -> np.ndarray:
    return 0.5 * np.random.default_rng(8).normal(size=(FRAMES, 55 if kind == "smplx" else 52, 3))


def _reference(kind: str, path: Path, pose: np.ndarray, betas: np.ndarray) -> Any:
    smplx = pytest.importorskip("smplx", reason="smplx is not installed")
    from smplx.vertex_ids import vertex_ids

    vertex_numbers = {name: i % VERTICES for i, name in enumerate(vertex_ids[kind])}
    build = smplx.SMPLX if kind == "smplx" else smplx.SMPLH
    # the made-up body has fewer vertices than those that the package would show
    with (
        unittest.mock.patch.dict("smplx.body_models.VERTEX_IDS", {kind: vertex_numbers}),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        model = build(
            model_path=str(path), ext="npz", batch_size=FRAMES, dtype=torch.float64,
            use_pca=False, flat_hand_mean=True, num_betas=10,
        )  # fmt: skip
    vector = torch.as_tensor(pose)
    parts = {"left_hand_pose": vector[:, -FINGERS:-15], "right_hand_pose": vector[:, -15:]}
    if kind == "smplx":
        parts |= {"jaw_pose": vector[:, 22], "leye_pose": vector[:, 23], "reye_pose": vector[:, 24]}
    with torch.no_grad():
        return model(
            betas=torch.as_tensor(betas).expand(FRAMES, -1), global_orient=vector[:, 0],
            body_pose=vector[:, 1:22].flatten(1), **{k: v.flatten(1) for k, v in parts.items()},
        )  # fmt: skip


def test_all_joints_are_driven_as_by_the_reference(kind: str, pose: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", **_official(kind))
    body = load_body(tmp_path / "model.npz")
    assert body.kind == kind
    betas = np.random.default_rng(9).normal(size=10)
    reference = _reference(kind, tmp_path / "model.npz", pose, betas)
    still = np.zeros((FRAMES, 3))
    vertices = body.posed(betas, exp_map(pose), still)
    assert np.abs(vertices - reference.vertices.numpy()).max() < 1e-6
    rows = [*range(22), *range(len(pose[0]) - FINGERS, len(pose[0]))]
    skeleton = body.skeleton((), fingers=True)
    padded = np.pad(betas, (0, skeleton.shape_joints.shape[2] - len(betas)))
    joints, _ = skeleton.posed(padded, exp_map(pose[:, rows]), still)
    assert np.abs(joints - reference.joints[:, rows].numpy()).max() < 1e-6


def test_the_52_joints_are_smpl_hs_in_its_order(kind: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", **_official(kind))
    skeleton = load_body(tmp_path / "model.npz").skeleton((), fingers=True)
    assert skeleton.joint_names == default_human_skeleton_with_fingers().joint_names
    assert skeleton.joint_names[22:25] == ("left_index1", "left_index2", "left_index3")
    assert [skeleton.parents[j] for j in (22, 25, 37, 40)] == [20, 20, 21, 21]


@pytest.mark.parametrize("variant", ["smplh", "smplx"])
def test_fingers_come_back_from_files_with_amass_keys(variant: Any, tmp_path: Path) -> None:
    vectors = 0.3 * np.random.default_rng(1).normal(size=(FRAMES, 55 if variant == "smplx" else 52, 3))
    np.savez(
        tmp_path / "in.npz", poses=vectors.reshape(FRAMES, -1), trans=np.zeros((FRAMES, 3)), betas=np.zeros(16),
        gender="neutral", mocap_frame_rate=60.0, **({"surface_model_type": "smplx"} if variant == "smplx" else {}),
    )  # fmt: skip
    motion = load_amass(tmp_path / "in.npz")
    assert len(motion.joint_names) == 52
    with np.load(save_amass(motion, tmp_path / "out.npz", variant)) as data:
        back = data["poses"].reshape(FRAMES, -1, 3)
    turns = exp_map(back[:, -FINGERS:].astype(float)).swapaxes(-1, -2) @ exp_map(vectors[:, -FINGERS:])
    assert np.abs(log_map(turns)).max() < 1e-5


def test_the_fitted_shape_of_a_users_model_is_in_its_amass_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", poses=np.zeros((FRAMES, 156)), trans=np.zeros((FRAMES, 3)), mocap_frame_rate=30.0)
    motion = load_amass(tmp_path / "in.npz")
    betas = np.arange(1, 11, dtype=np.float32)
    of_file = replace(motion, betas=betas, metadata={**motion.metadata, "body_kind": "smplh"})
    for kind, variant, expected in (("smplh", "smpl", betas), ("smplh", "smplx", 0 * betas), ("", "smplh", 0 * betas)):
        kept = replace(of_file, metadata={**motion.metadata, "body_kind": kind})
        with np.load(save_amass(kept, tmp_path / "out.npz", variant)) as data:  # type: ignore[arg-type]
            assert data["betas"].shape == (16,)
            np.testing.assert_array_equal(data["betas"][:10], expected)
            assert not data["betas"][10:].any()
