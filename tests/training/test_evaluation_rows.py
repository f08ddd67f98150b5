"""The table's rows on one short walk, with tiny untrained networks: all lift the same input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mvlift.diffusion.conditioning import LINE_FEATURES, VIEW_FEATURES
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.subjects import get_subject
from mvlift.models import save_denoiser
from mvlift_training.elepose import EleposeConfig, train_elepose
from mvlift_training.evaluation.data import Sequence, load_validation
from mvlift_training.evaluation.methods import Setting, method, method_names
from mvlift_training.evaluation.metrics import Prediction, measure
from walkers import write_data_set, write_validation

HUMAN = get_subject("human")
FRAMES = 12
LIFTED = ("full", "stage 1 only", "stage 2 only", "stage 2 only (SDS)", "SDS for 3D",
          "SDS for 3D, no lines", "SMPLify", "MAS", "ElePose")  # fmt: skip


def tiny_network(path: Path, kind: str, seed: int = 3) -> str:
    """Weights of a network that answers something else to every line and view."""
    torch.manual_seed(seed)
    features = LINE_FEATURES if kind == "line" else VIEW_FEATURES
    network = MotionDenoiser(DenoiserConfig(25, features, width=16, layers=1, heads=2, cross_view=kind != "line"))
    torch.nn.init.normal_(network.head.weight, std=0.1)
    save_denoiser(network, CosineSchedule(), kind, path, {})
    return str(path)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("rows")
    data = write_data_set(folder / "walks.npz", sequences=2, frames=24)
    elepose = train_elepose(EleposeConfig(data, folder / "elepose.safetensors", flow_steps=2, lift_steps=2, batch=16))
    models = {kind: tiny_network(folder / f"{kind}.safetensors", kind) for kind in ("line", "multiview")}
    return Setting(HUMAN, models, sds_iterations=12, elepose=elepose)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    return load_validation(write_validation(tmp_path_factory.mktemp("walk") / "validation.npz", 1, FRAMES))[0]


@pytest.fixture(scope="module")
def predictions(setting: Setting, walk: Sequence) -> dict[str, Prediction]:
    """Every row on the clean walk, seed 0."""
    return {name: method(name, setting)(walk, False, 0) for name in method_names(setting)}


def test_there_is_a_row_for_each(predictions: dict[str, Prediction]) -> None:
    assert set(predictions) == {"flat", *LIFTED}


@pytest.mark.parametrize("name", ["flat", *LIFTED])
def test_every_row_gives_keypoints_in_the_world(name: str, predictions: dict[str, Prediction], walk: Sequence) -> None:
    """Metres, z up, head above feet, all frames; its picture lies on the pixels that it was given."""
    made = predictions[name]
    assert made.points.shape == walk.truth.shape
    assert np.isfinite(made.points).all()
    scores = measure(made, walk, HUMAN)
    assert scores["j2d"] < 25  # untrained networks: the fit gives way to what they answer
    up = made.points[:, HUMAN.layout.index("neck"), 2] - made.points[:, HUMAN.layout.index("l_ankle"), 2]
    assert (up > 0).all()
    assert np.isfinite([scores[k] for k in ("t_root", "mpjpe", "pa_mpjpe", "acceleration")]).all()


def test_rows_differ(predictions: dict[str, Prediction]) -> None:
    """No two rows are the same method under two names."""
    names = list(predictions)
    for i, a in enumerate(names):
        for b in names[:i]:
            assert not np.allclose(predictions[a].points, predictions[b].points, atol=1e-4), (a, b)


def test_flat_knows_nothing_of_depth(predictions: dict[str, Prediction], walk: Sequence) -> None:
    """All points at one depth, exactly on their pixels: the floor of the table is still what it says."""
    flat = predictions["flat"]
    assert np.ptp(flat.points[..., 1]) == 0
    assert flat.pixels is not None
    assert np.linalg.norm(flat.pixels - walk.clean, axis=-1).mean() < 3
    assert measure(flat, walk, HUMAN)["mirrored"] == 0


def test_a_seed_gives_the_same_and_another_seed_another(setting: Setting, walk: Sequence) -> None:
    run = method("stage 2 only", setting)
    np.testing.assert_array_equal(run(walk, False, 1).points, run(walk, False, 1).points)
    assert not np.allclose(run(walk, False, 1).points, run(walk, False, 2).points, atol=1e-4)


def test_noisy_input_is_another_input(setting: Setting, walk: Sequence, predictions: dict[str, Prediction]) -> None:
    noisy = method("SMPLify", setting)(walk, True, 0)
    assert np.isfinite(noisy.points).all()
    assert measure(noisy, walk, HUMAN)["j2d"] > measure(predictions["SMPLify"], walk, HUMAN)["j2d"]


def test_nobody_is_told_the_camera_or_the_truth(setting: Setting, walk: Sequence) -> None:
    """With another truth and camera in the file, a row says the same of the same pixels."""
    other = Sequence(**{**vars(walk), "truth": walk.truth[::-1] + 1.0, "K": 2 * walk.K, "R": walk.R.T, "t": walk.t + 1})
    for name in ("flat", "SMPLify", "full"):
        run = method(name, setting)
        np.testing.assert_array_equal(run(other, False, 0).points, run(walk, False, 0).points)


def test_weights_can_be_chosen(
    setting: Setting, walk: Sequence, predictions: dict[str, Prediction], tmp_path: Path
) -> None:
    other = replace(
        setting, models={**setting.models, "multiview": tiny_network(tmp_path / "o.safetensors", "multiview", 4)}
    )
    made = method("full (fast)", other)(walk, False, 0)
    assert not np.allclose(made.points, predictions["full"].points, atol=1e-3)
