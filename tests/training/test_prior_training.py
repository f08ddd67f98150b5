"""The pose prior: mocap becomes rotations, a tiny training writes a file that the engine loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mvlift.bodies.pose_prior import load_prior
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift_training.cli import main
from mvlift_training.prior import PriorConfig, _area, _joints, _mirrored, _split, _spoilt, depth_flipped
from mvlift_training.prior_data import MocapPoses, solve_mocap
from safetensors import safe_open
from scipy.spatial.transform import Rotation
from walkers import common_keys, walker

CLIPS, FRAMES, EVERY = 3, 24, 3
SKELETON = default_human_skeleton()


def write_mocap(path: Path, clips: int = CLIPS, frames: int = FRAMES) -> Path:
    points = np.concatenate([walker(70 + i, frames) for i in range(clips)])
    np.savez(path, points3d=points.astype(np.float32), **common_keys([frames] * clips))
    return path


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mocap(tmp_path_factory.mktemp("mocap") / "mocap.npz")


def arguments(mocap: Path, folder: Path, **changes: object) -> list[str]:
    values = {"data": mocap, "folder": folder, "output": folder / "tiny.safetensors", "stride": EVERY, "epochs": 2,
              "batch": 5, "held-out": 3, "threads": 1, **changes}  # fmt: skip
    return ["prior", *(str(a) for key, value in values.items() for a in (f"--{key}", value))]


@pytest.fixture(scope="module")
def trained(mocap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips to learn from, one to score with; 16 poses in batches of five leave one over."""
    folder = tmp_path_factory.mktemp("prior")
    assert main(arguments(mocap, folder)) == 0
    return folder


def test_mocap_becomes_rotations(mocap: Path, trained: Path) -> None:
    """The limbs of the posed skeleton lie on the mocap."""
    poses = solve_mocap(mocap, trained / "poses.npz", EVERY)
    assert poses.rotations.shape == (CLIPS * FRAMES // EVERY, 21, 3, 3)
    assert poses.clip.tolist() == sorted([0, 1, 2] * (FRAMES // EVERY))
    assert float(poses.error.max()) < 0.03
    eye = np.einsum("njab,njcb->njac", poses.rotations, poses.rotations)
    np.testing.assert_allclose(eye, np.broadcast_to(np.eye(3), eye.shape), atol=1e-5)
    knee = SKELETON.joint_names[1:22].index("left_knee")
    bend = np.arccos((np.trace(poses.rotations[:, knee], axis1=-2, axis2=-1) - 1) / 2)
    assert 0.05 < float(bend.min()) < float(bend.max()) < 1.3, "walkers bend their knees by 0.1 to 0.9 radians"


def test_solved_poses_are_kept_for_the_same_data_only(mocap: Path, trained: Path, tmp_path: Path) -> None:
    cache = tmp_path / "poses.npz"
    cache.write_bytes((trained / "poses.npz").read_bytes())
    before = cache.stat().st_mtime_ns
    solve_mocap(mocap, cache, EVERY)
    assert cache.stat().st_mtime_ns == before
    other = write_mocap(tmp_path / "other.npz", clips=1, frames=12)
    assert len(solve_mocap(other, cache, EVERY).rotations) == 4
    assert len(solve_mocap(other, cache, 2).rotations) == 6


def test_training_writes_a_prior_that_the_engine_loads(mocap: Path, trained: Path) -> None:
    prior = load_prior(trained / "tiny.safetensors")
    rotations = solve_mocap(mocap, trained / "poses.npz", EVERY).rotations.astype(np.float64)
    plausible, trust = prior.target_pose(rotations)
    assert plausible.shape == rotations.shape
    assert ((trust > 0) & (trust <= 1)).all()
    assert np.isfinite(prior.energy(rotations)).all()
    with safe_open(trained / "tiny.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["mvlift"])
    assert header["scale"] == prior.scale > 0
    assert header["provenance"]["data"] == "mocap.npz"
    assert header["provenance"]["config"]["stride"] == EVERY
    assert header["provenance"]["scores"]["held_out_poses"] == 3
    assert header["provenance"]["scores"]["spoilt_mm"] > 1


def test_training_learns(mocap: Path, trained: Path, tmp_path: Path) -> None:
    """More epochs, poses nearer to the truth: those of the clip that was held out."""
    (tmp_path / "poses.npz").write_bytes((trained / "poses.npz").read_bytes())
    assert main(arguments(mocap, tmp_path, epochs=25)) == 0

    def millimetres(folder: Path) -> float:
        with safe_open(folder / "tiny.safetensors", framework="pt") as file:
            return float(json.loads(file.metadata()["mvlift"])["provenance"]["scores"]["reconstruction_mm"])

    assert millimetres(tmp_path) < 0.6 * millimetres(trained)


def test_a_killed_run_goes_on(mocap: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The third epoch starts from the two that are done; another data set does not."""
    for name in ("poses.npz", "last.pt"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    assert main(arguments(mocap, tmp_path, epochs=3)) == 0
    assert torch.load(tmp_path / "last.pt", weights_only=True)["epoch"] == 3
    assert main(arguments(write_mocap(tmp_path / "other.npz", frames=12), tmp_path)) == 1
    assert "was trained on other data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"data": "none.npz"}, "none.npz: there is no such mocap file"),
     ({"data": "damaged.npz"}, "damaged.npz: not a mocap file"),
     ({"data": "keys.npz"}, "keys ['points3d'] are missing"), ({"data": "short.npz"}, "no clip has 12 frames"),
     ({"held-out": 1}, "0 poses to learn from and 8 to score with"),
     ({"max-error": 0.0}, "0 poses to learn from and 0 to score with")],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_named(
    tmp_path: Path, changes: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged.npz").write_bytes(b"nonsense")
    np.savez(tmp_path / "keys.npz", **common_keys([3]))
    write_mocap(tmp_path / "short.npz", frames=9)
    write_mocap(tmp_path / "mocap.npz", clips=1)
    data = tmp_path / str(changes.get("data", "mocap.npz"))
    assert main(arguments(data, tmp_path / "run", **{k: v for k, v in changes.items() if k != "data"})) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run" / "tiny.safetensors").exists()


def rotations(count: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.as_tensor(Rotation.random(count * 21, random_state=0).as_matrix()).view(count, 21, 3, 3).float()


def mirror() -> list[int]:
    poses = MocapPoses(rotations(6).numpy(), np.array([0, 0, 0, 1, 1, 1]), np.zeros(6, np.float32))
    return _split(poses, PriorConfig(held_out=2)).mirror


def test_held_out_clips_are_not_learnt_from() -> None:
    """Whole clips, and no pose that was solved badly."""
    poses_in = rotations(6)
    poses = MocapPoses(poses_in.numpy(), np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 0, 0.01, 0, 1], np.float32))
    split = _split(poses, PriorConfig(held_out=2))
    assert torch.equal(split.train, poses_in[[2, 3]])
    assert torch.equal(split.held, poses_in[[0, 4]])


def test_a_mirrored_pose_has_mirrored_joints() -> None:
    """Left and right exchange places in space; mirrored twice is the pose itself."""
    poses = rotations(4)
    names = SKELETON.joint_names[1:22]
    partner = mirror()
    assert names[partner[names.index("left_knee")]] == "right_knee"
    assert partner[names.index("spine1")] == names.index("spine1")
    assert torch.equal(_mirrored(_mirrored(poses, partner), partner), poses)
    before, after = _joints(poses), _joints(_mirrored(poses, partner))
    with_root = [0, *(1 + p for p in partner)]
    asymmetry = after[:, :22] - before[:, with_root] * torch.tensor([-1.0, 1.0, 1.0])
    assert float(asymmetry.abs().max()) < 0.03  # the body's rest pose is not quite symmetrical
    assert float((after[:, :22] - before[:, :22]).norm(dim=-1).mean()) > 0.1


def test_joints_are_those_of_the_skeleton() -> None:
    """As the engine poses it, with a level root."""
    poses = rotations(3)
    all_rotations = torch.eye(3).expand(3, 24, 3, 3).clone()
    all_rotations[:, 1:22] = poses
    wanted = SKELETON.posed(np.zeros(SKELETON.shape_joints.shape[2]), all_rotations.double().numpy(), np.zeros((3, 3)))[
        0
    ]
    joints = _joints(poses).double().numpy()
    np.testing.assert_allclose(joints - joints[:, :1], wanted - wanted[:, :1], atol=1e-5)


def test_spoilt_poses_are_rotations_and_only_their_share_is_spoilt() -> None:
    poses, generator = rotations(400), torch.Generator().manual_seed(0)
    assert torch.equal(_spoilt(poses, 0.0, generator), poses)
    out = _spoilt(poses, 0.5, generator)
    torch.testing.assert_close(out @ out.transpose(-1, -2), torch.eye(3).expand_as(out), atol=1e-5, rtol=0)
    assert float(torch.linalg.det(out).min()) > 0.99
    untouched = (out == poses).all(-1).all(-1).all(-1).float().mean()
    assert float(untouched) == pytest.approx(0.5, abs=0.08)


def test_a_pose_bent_backwards_is_its_mirror_image_in_depth() -> None:
    angle = 0.8
    bent = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    poses = torch.as_tensor(bent, dtype=torch.float32).expand(1, 21, 3, 3)
    torch.testing.assert_close(depth_flipped(poses), poses.transpose(-1, -2))


def test_area_under_the_curve_by_hand() -> None:
    assert _area(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])) == 1.0
    assert _area(np.array([4.0, 5.0]), np.array([1.0, 2.0, 3.0])) == 0.0
    assert _area(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == pytest.approx(0.5)
    assert _area(np.array([1.0, 3.0]), np.array([2.0, 4.0])) == pytest.approx(0.75)
