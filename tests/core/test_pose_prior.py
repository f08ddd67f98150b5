"""The pose prior: what it was trained for, and the files it loads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mvlift.bodies.pose_prior import load_prior
from mvlift.bodies.pose_prior_network import PosePriorNetwork
from mvlift.errors import ModelError
from mvlift.kinematics.rotations import exp_map


def standing(count: int = 8) -> np.ndarray:
    """Standing people with bent elbows and knees."""
    random = np.random.default_rng(0)
    vector = 0.08 * random.normal(size=(count, 21, 3))
    vector[:, 15, 2], vector[:, 16, 2] = -1.2, 1.2  # arms down
    vector[:, 17, 1], vector[:, 18, 1] = -0.6, 0.6
    vector[:, 3, 0] = vector[:, 4, 0] = 0.4
    return exp_map(vector)


def test_knees_and_elbows_that_bend_backwards_are_unlikely_and_are_pulled_back() -> None:
    prior = load_prior("human-prior")
    flip = np.diag([1.0, 1.0, -1.0])
    real, wrong = standing(), flip @ standing() @ flip
    assert prior.energy(real).max() < 3
    assert prior.energy(wrong).min() > 3 * prior.energy(real).max()
    pulled, weight = prior.target_pose(wrong)
    assert np.abs(pulled @ pulled.transpose(0, 1, 3, 2) - np.eye(3)).max() < 1e-5
    assert ((weight > 0) & (weight <= 1)).all()
    assert prior.energy(pulled).max() < 0.5 * prior.energy(wrong).min()


def test_encoding_and_decoding_have_the_shapes_of_vposer() -> None:
    prior = load_prior("human-prior")
    mean, scale = prior.encode(standing(3))
    assert mean.shape == scale.shape == (3, 32)
    assert prior.decode(mean).shape == (3, 21, 3, 3)
    assert sum(p.numel() for p in PosePriorNetwork().parameters()) == 936_252


def test_a_users_folder_in_v02_05_layout_loads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PosePriorNetwork().eval()
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "V02_05.yaml").write_text("model_params: {num_neurons: 512, latentD: 32}\n")
    state = {f"vp_model.{k}": v for k, v in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "snapshots" / "V02_05_epoch=13.ckpt")
    latent = np.random.default_rng(0).normal(size=(2, 32))
    with torch.inference_mode():
        expected = network.decode(torch.as_tensor(latent, dtype=torch.float32)).numpy()
    assert np.abs(load_prior(tmp_path).decode(latent) - expected).max() < 2e-5


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no snapshots"):
        load_prior(tmp_path)
    (tmp_path / "snapshots").mkdir()
    torch.save({"state_dict": {"vp_model.decoder_net.0.weight": torch.zeros(512, 32)}}, tmp_path / "snapshots/a.ckpt")
    with pytest.raises(ModelError, match="not a pose prior"):
        load_prior(tmp_path)
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_prior(bad)
