"""FID: the distance's formula, what its features must not depend on, and the training of the extractor."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mvlift.errors import ModelError
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from mvlift_training.cli import main
from mvlift_training.evaluation.fid import features, frechet_distance, load_features
from mvlift_training.motion_data import MotionWindows, load_sequences
from walkers import walker, write_data_set

HUMAN = get_subject("human")


def normal(seed: int, count: int = 400, size: int = 6) -> F64:
    return np.random.default_rng(seed).normal(size=(count, size))


def test_equal_sets_have_no_distance() -> None:
    assert frechet_distance(normal(0), normal(0)) == pytest.approx(0, abs=1e-6)
    few = normal(1, count=5, size=64)  # fewer than dimensions: singular covariances
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-4)


def test_a_shift_costs_its_square() -> None:
    a = normal(0)
    distances = [frechet_distance(a, a + np.array([d, 0, 0, 0, 0, 0])) for d in (0.5, 1.0, 2.0, 4.0)]
    assert distances == pytest.approx([0.25, 1.0, 4.0, 16.0], rel=1e-6)


def test_a_factor_costs_its_share_of_the_spread() -> None:
    """Of N(0, C) and N(0, s² C): tr(C) (1 - s)²."""
    a = normal(0) - normal(0).mean(0)
    wanted = np.trace(np.cov(a, rowvar=False)) * (1 - 3) ** 2
    assert frechet_distance(a, 3 * a) == pytest.approx(wanted, rel=1e-6)


def test_it_is_symmetric_and_blind_to_order_and_axes() -> None:
    a, b = normal(0) @ np.diag([1, 2, 3, 1, 1, 1]), normal(1) + 0.3
    turn = np.linalg.qr(normal(2, 6))[0]
    there = frechet_distance(a, b)
    assert there > 1
    assert frechet_distance(b, a) == pytest.approx(there, rel=1e-6)
    assert frechet_distance(a[::-1], b) == pytest.approx(there, rel=1e-9)
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(there, rel=1e-6)


@pytest.fixture(scope="module")
def walks() -> list[F64]:
    return [walker(seed, 48) for seed in range(4)]


def test_features_of_the_same_motions_are_the_same(walks: list[F64]) -> None:
    """Three views, windows of 32 frames eight apart; place, size and the speed of the whole do not count."""
    network = load_features()
    reference = features(network, walks, HUMAN)
    assert reference.shape == (4 * 3 * 3, 64)
    elsewhere = features(network, [2.0 * w + [5.0, -3.0, 1.0] for w in walks], HUMAN)
    np.testing.assert_allclose(elsewhere, reference, atol=1e-3)
    assert frechet_distance(reference, elsewhere) < 0.01


def test_features_tell_motions_apart(walks: list[F64]) -> None:
    """The more a motion trembles the further it is off; standing still is far off, too."""
    network = load_features()
    reference = features(network, walks, HUMAN)

    def distance(moved: list[F64]) -> float:
        return frechet_distance(reference, features(network, moved, HUMAN))

    random = np.random.default_rng(0)
    shakes = [distance([w + random.normal(0, s, w.shape) for w in walks]) for s in (0.01, 0.03, 0.09)]
    assert 0 < shakes[0] < shakes[1] < shakes[2]
    assert distance([np.repeat(w[:1], 48, 0) for w in walks]) > shakes[0]


def test_features_see_depth(walks: list[F64]) -> None:
    """The views are from the side and from behind: what is flat for the given camera is seen to be flat."""
    network = load_features()
    reference = features(network, walks, HUMAN)
    flat = features(network, [w * [1.0, 0.0, 1.0] for w in walks], HUMAN)
    assert frechet_distance(reference, flat) > 1


def test_a_tiny_training_is_better_than_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the command, into a folder that is not there yet; the same for a seed."""
    data = write_data_set(tmp_path / "walks.npz", sequences=3, frames=40)

    def trained(steps: int, name: str) -> Path:
        output = tmp_path / "new" / f"{name}.safetensors"
        arguments = ["--data", data, "--output", output, "--steps", steps, "--batch", 16, "--threads", 1]
        assert main(["fid", *map(str, arguments)]) == 0
        return output

    paths = {steps: trained(steps, f"features{steps}") for steps in (1, 40)}
    windows = MotionWindows(load_sequences(data), HUMAN, 32, "cpu")
    x = windows.batch(32, torch.Generator().manual_seed(99))[0][:, :, :24]
    loss = {steps: float((load_features(p)(x) - x).abs().mean()) for steps, p in paths.items()}
    assert loss[40] < 0.7 * loss[1]
    assert torch.equal(load_features(trained(1, "again")).expand.weight, load_features(paths[1]).expand.weight)
    assert sorted(p.suffix for p in (tmp_path / "new").iterdir()) == [".safetensors"] * 3


def test_what_is_no_extractor_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "features.safetensors"
    damaged.write_bytes(b"nonsense")
    for path in (damaged, tmp_path / "none.safetensors"):
        with pytest.raises(ModelError, match="mvlift-train fid"):
            load_features(path)
    assert main(["fid", "--data", str(tmp_path / "none.npz"), "--output", str(tmp_path / "x.safetensors")]) == 1
    assert "there is no such 2D data set" in " ".join(capsys.readouterr().err.split())


def test_a_window_is_as_long_as_the_clip_allows() -> None:
    """31 frames give no window, 39 one a view, 40 two."""
    network = load_features()
    for frames, count in ((32, 3), (39, 3), (40, 6)):
        assert len(features(network, [walker(0, frames)], HUMAN)) == count
    assert not math.isnan(float(features(network, [walker(0, 32)], HUMAN).sum()))
