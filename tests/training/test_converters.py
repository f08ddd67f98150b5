"""Files of MotionBERT, WHAM and GVHMR become keypoints of the world that the same poses have in ours."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints.layouts import get_layout
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.body_of import body_of
from mvlift.lifting.subjects import get_subject
from mvlift_training.cli import main
from mvlift_training.evaluation.converters import UPRIGHT, read_result
from numpy.typing import NDArray
from walkers import NAMES, write_validation

HUMAN = get_subject("human")
FRAMES = 16


def poses() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, 24, 3) small turns and a path, y up."""
    random = np.random.default_rng(3)
    turns = random.normal(0, 0.2, (1, 24, 3)) + random.normal(0, 0.02, (FRAMES, 24, 3))
    turns[:, 22:] = 0
    path = np.stack([np.linspace(0, 1, FRAMES), np.full(FRAMES, 0.9), np.linspace(0, -2, FRAMES)], 1)
    return turns, path


def truth() -> NDArray[np.float64]:
    turns, path = poses()
    skeleton = body_of(HUMAN)[0]
    rotations = exp_map(turns.reshape(-1, 3)).reshape(FRAMES, 24, 3, 3)
    return skeleton.posed(np.zeros(skeleton.shape_joints.shape[2]), rotations, path)[1] @ UPRIGHT.T


def write(system: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    turns, path = poses()
    if system == "gvhmr":
        world = {"global_orient": turns[:, 0], "body_pose": turns[:, 1:22].reshape(FRAMES, 63), "transl": path,
                 "betas": np.zeros((FRAMES, 10))}  # fmt: skip
        torch.save({"smpl_params_global": {k: torch.as_tensor(v) for k, v in world.items()}, "net_outputs": {}},
                   folder / "hmr4d_results.pt")  # fmt: skip
        return folder / "hmr4d_results.pt"
    if system == "wham":
        person = {"pose_world": turns.reshape(FRAMES, 72), "trans_world": path, "betas": np.zeros((FRAMES, 10)),
                  "frame_ids": np.arange(FRAMES)}  # fmt: skip
        passer_by = {**person, "pose_world": 0 * person["pose_world"][:3], "frame_ids": np.arange(3)}
        people: defaultdict[int, dict[str, object]] = defaultdict(dict)
        people[0].update(passer_by)
        people[1].update(person)
        (folder / "wham_output.pkl").write_bytes(pickle.dumps(people))
        return folder / "wham_output.pkl"
    joints = np.random.default_rng(5).normal(size=(FRAMES, 17, 3)).astype(np.float32)
    np.save(folder / "X3D.npy", joints)
    return folder / "X3D.npy"


@pytest.mark.parametrize("system", ["gvhmr", "wham"])
def test_smpl_poses_are_those_of_the_body_with_z_up(system: str, tmp_path: Path) -> None:
    joints = read_result(system, write(system, tmp_path / "a"), FRAMES, HUMAN)  # type: ignore[arg-type]
    np.testing.assert_allclose(joints, truth(), atol=1e-5)
    head, foot = (joints[:, NAMES.index(n), 2].mean() for n in ("nose", "l_heel"))
    assert head > foot + 1


def test_motionberts_joints_are_named_and_turned(tmp_path: Path) -> None:
    path = write("motionbert", tmp_path / "a")
    joints, names = np.load(path), get_layout("h36m17").names
    converted = read_result("motionbert", path, FRAMES, HUMAN)
    for ours, theirs in (("l_knee", "l_knee"), ("r_wrist", "r_wrist"), ("neck", "neck"), ("l_heel", "l_ankle"),
                         ("nose", "upper_neck")):  # fmt: skip
        x, y, z = joints[:, names.index(theirs)].T
        np.testing.assert_allclose(converted[:, NAMES.index(ours)], np.stack([x, z, -y], 1), rtol=1e-6)


def test_frames_that_are_missing_are_held(tmp_path: Path) -> None:
    path = write("wham", tmp_path / "a")
    content = pickle.loads(path.read_bytes())
    content[1]["frame_ids"] = np.arange(FRAMES) * 2
    path.write_bytes(pickle.dumps(content))
    joints = read_result("wham", path, 2 * FRAMES, HUMAN)
    np.testing.assert_allclose(joints[::2], truth(), atol=1e-5)
    np.testing.assert_allclose(joints[1], truth()[0], atol=1e-5)


@pytest.mark.parametrize("system", ["gvhmr", "wham", "motionbert"])
def test_other_files_are_named(system: str, tmp_path: Path) -> None:
    path = write(system, tmp_path / "a")
    with pytest.raises(KeypointError, match="no such result"):
        read_result(system, tmp_path / "nothing", FRAMES, HUMAN)  # type: ignore[arg-type]
    if system == "motionbert":
        np.save(path, np.zeros((4, 5, 3)))
    else:
        path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(MvliftError, match=path.name):
        read_result(system, path, FRAMES, HUMAN)  # type: ignore[arg-type]


def test_a_row_of_the_table_comes_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_validation(tmp_path / "validation.npz", 2, FRAMES)
    for name in ("walk0#0", "walk1#1"):
        write("gvhmr", tmp_path / "demo" / name)
    common = ["--data", str(data)]
    assert main(["convert-results", "--system", "gvhmr", "--results", str(tmp_path / "demo"), "--output",
                 str(tmp_path / "rows"), *common]) == 0  # fmt: skip
    assert main(["evaluate", *common, "--inputs", "noisy", "--rows", "flat", "--external", "GVHMR",
                 str(tmp_path / "rows")]) == 0  # fmt: skip
    assert "| GVHMR | noisy |" in capsys.readouterr().out
    assert main(["convert-results", "--system", "wham", "--results", str(tmp_path / "demo"), "--output",
                 str(tmp_path / "other"), *common]) == 1  # fmt: skip
    assert "no such result" in capsys.readouterr().err
