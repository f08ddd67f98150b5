"""Our skinning and our prior against the reference packages, where installed; a user's VPoser folder."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mvlift.bodies.loading import load_body
from mvlift.bodies.model import BodyModel
from mvlift.bodies.pose_prior import load_prior
from mvlift.errors import ModelError
from mvlift.kinematics.rotations import exp_map
from numpy.typing import NDArray
from scenes import FIXTURES, Evil

FRAMES = 6
FIXTURE = FIXTURES / "openbody_smpl_6890.npz"


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture with pose blend shapes of about a centimetre, which its own are zero."""
    if not FIXTURE.is_file():
        pytest.skip(f"the fixture {FIXTURE.name} is not in ../shared/bodies")
    with np.load(FIXTURE, allow_pickle=False) as data:
        arrays = dict(data)
    arrays["posedirs"] = 0.003 * np.random.default_rng(6).normal(size=arrays["posedirs"].shape)
    path = tmp_path_factory.mktemp("body") / "posed.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def body(model_file: Path) -> BodyModel:
    return load_body(model_file)


@pytest.fixture(scope="module")
def pose() -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)
    return {
        "vector": 0.6 * random.normal(size=(FRAMES, 24, 3)),
        "betas": random.normal(size=10),
        "move": random.normal(size=(FRAMES, 3)),
    }


@pytest.fixture(scope="module")
def reference(model_file: Path, pose: dict[str, np.ndarray]) -> Any:
    smplx = pytest.importorskip("smplx", reason="smplx is not installed")
    from smplx.utils import Struct

    with np.load(model_file, allow_pickle=False) as data, contextlib.redirect_stdout(io.StringIO()):
        model = smplx.SMPL(model_path="", data_struct=Struct(**data), batch_size=FRAMES, dtype=torch.float64)
    vector = torch.as_tensor(pose["vector"])
    with torch.no_grad():
        return model(
            betas=torch.as_tensor(pose["betas"]).expand(FRAMES, -1),
            global_orient=vector[:, 0],
            body_pose=vector[:, 1:].flatten(1),
            transl=torch.as_tensor(pose["move"]),
        )


def test_vertices_equal_smplx(body: BodyModel, pose: dict[str, np.ndarray], reference: Any) -> None:
    ours = body.posed(pose["betas"], exp_map(pose["vector"]), pose["move"])
    assert np.abs(ours - reference.vertices.numpy()).max() < 1e-5


def test_joints_equal_smplx(body: BodyModel, pose: dict[str, np.ndarray], reference: Any) -> None:
    joints, _ = body.skeleton().posed(pose["betas"], exp_map(pose["vector"]), pose["move"])
    assert np.abs(joints - reference.joints[:, :24].numpy()).max() < 1e-5


def test_keypoint_vertices_are_those_of_smplx(body: BodyModel, reference: Any, pose: dict[str, np.ndarray]) -> None:
    """The 21 vertices that smplx appends to the joints, in its order, hold our nose, eyes, ears and feet."""
    names = ("nose", "r_eye", "l_eye", "r_ear", "l_ear", "l_big_toe", "l_small_toe", "l_heel", "r_big_toe",
             "r_small_toe", "r_heel")  # fmt: skip
    skeleton = body.skeleton().with_keypoints(names)
    _, ours = skeleton.posed(pose["betas"], exp_map(0 * pose["vector"]), 0 * pose["move"])
    vertices, _ = body.shaped(pose["betas"])
    posed = body.posed(pose["betas"], exp_map(pose["vector"]), pose["move"])
    rows = [int(np.linalg.norm(vertices - point, axis=1).argmin()) for point in ours[0]]
    assert np.linalg.norm(vertices[rows] - ours[0], axis=1).max() < 1e-9
    theirs = reference.joints[:, 24 : 24 + len(names)].numpy()
    assert np.abs(posed[:, rows] - theirs).max() < 1e-5


def test_scaling_comes_before_translation(body: BodyModel, pose: dict[str, np.ndarray], reference: Any) -> None:
    ours = body.posed(pose["betas"], exp_map(pose["vector"]), pose["move"], 1.3)
    theirs = 1.3 * (reference.vertices.numpy() - pose["move"][:, None]) + pose["move"][:, None]
    assert np.abs(ours - theirs).max() < 1e-5


def test_prior_equals_human_body_prior(tmp_path: Path) -> None:
    pytest.importorskip("human_body_prior", reason="human_body_prior is not installed")
    from human_body_prior.models.vposer_model import VPoser
    from omegaconf import OmegaConf

    ours = load_prior("human-prior")
    config = OmegaConf.create({"model_params": {"num_neurons": 512, "latentD": 32}})
    theirs = VPoser(config).eval()
    theirs.load_state_dict({k: torch.as_tensor(np.array(v)) for k, v in ours.weights.items()}, strict=False)
    vector = 0.3 * np.random.default_rng(4).normal(size=(7, 21, 3))
    with torch.no_grad():
        latent = theirs.encode(torch.as_tensor(vector.reshape(7, -1), dtype=torch.float32)).mean
        decoded = theirs.decode(latent)["pose_body_matrot"].reshape(7, 21, 3, 3)
    np.testing.assert_allclose(ours.encode(exp_map(vector))[0], latent.numpy(), atol=1e-4)
    np.testing.assert_allclose(ours.decode(latent.double().numpy()), decoded.numpy(), atol=1e-4)


def vposer_folder(folder: Path, prefix: str = "vp_model.", drop: str = "", extra: object = None) -> Path:
    """Our prior written as a V02_05 download is."""
    state = {k: torch.as_tensor(np.array(v)) for k, v in load_prior("human-prior").weights.items()}
    tensors: dict[str, Any] = {f"{prefix}{k}": v.clone() for k, v in state.items() if k != drop}
    tensors[f"{prefix}bm_train.weights"] = torch.zeros(3)  # official files hold the body model too
    (folder / "snapshots").mkdir(parents=True)
    (folder / "V02_05.yaml").write_text("model_params: {num_neurons: 512, latentD: 32}\n")
    content: dict[str, Any] = {"state_dict": tensors, "epoch": 13}
    if extra is not None:
        content["callbacks"] = extra
    torch.save(content, folder / "snapshots" / "V02_05_epoch=13_val_loss=0.03.ckpt")
    return folder


def poses() -> NDArray[np.float64]:
    return exp_map(0.3 * np.random.default_rng(2).normal(size=(5, 21, 3)))


@pytest.mark.parametrize("prefix", ["vp_model.", ""])
def test_a_vposer_folder_decodes_as_the_same_weights_do(tmp_path: Path, prefix: str) -> None:
    ours, users = load_prior("human-prior"), load_prior(vposer_folder(tmp_path / "V02_05", prefix))
    mean, scale = users.encode(poses())
    np.testing.assert_allclose(mean, ours.encode(poses())[0], atol=1e-6)
    np.testing.assert_allclose(scale, ours.encode(poses())[1], atol=1e-6)
    np.testing.assert_allclose(users.decode(mean), ours.decode(mean), atol=1e-6)


def test_a_vposer_folder_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"decoder_net\.3\.weight"):
        load_prior(vposer_folder(tmp_path / "a", drop="decoder_net.3.weight"))
    with pytest.raises(ModelError, match="VPoser"):
        load_prior(vposer_folder(tmp_path / "b", prefix="other."))
    (tmp_path / "empty" / "snapshots").mkdir(parents=True)
    with pytest.raises(ModelError, match="no snapshots"):
        load_prior(tmp_path / "empty")


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    folder = vposer_folder(tmp_path / "V02_05", extra=Evil(tmp_path / "ran"))
    with pytest.raises(ModelError, match="more than tensors"):
        load_prior(folder)
    assert not (tmp_path / "ran").exists()
