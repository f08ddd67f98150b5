"""Gravity, confidence, sets and files without 3D truth in the table."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mvlift.lifting.subjects import get_subject
from mvlift_training.cli import main
from mvlift_training.evaluation.data import Sequence, load_validation
from mvlift_training.evaluation.metrics import Prediction, gravity_error, measure
from mvlift_training.evaluation.table import Scores, confidence_scores, markdown
from walkers import write_validation

HUMAN = get_subject("human")
FRAMES = 40


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    return load_validation(write_validation(tmp_path_factory.mktemp("walk") / "validation.npz", 1, FRAMES))[0]


@pytest.mark.parametrize("degrees", [0.0, 3.0, 40.0])
def test_gravity_is_the_angle_in_the_camera(walk: Sequence, degrees: float) -> None:
    """Turned about the camera's own axis of view, whatever way it looks."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    true = walk.R[:, 2]
    across = np.cross(true, [0.3, -0.2, 0.9])
    across /= np.linalg.norm(across)
    up = 2.5 * (c * true + s * np.cross(across, true))
    assert gravity_error(Prediction(walk.truth, None, up=up), walk) == pytest.approx(degrees, abs=1e-5)
    assert math.isnan(gravity_error(Prediction(walk.truth, None), walk))


def _spoilt(walk: Sequence, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints with errors of very different size, and that size."""
    random = np.random.default_rng(seed)
    size = random.uniform(0.001, 0.08, walk.truth.shape[:2])
    size[:, [HUMAN.layout.index(n) for n in HUMAN.root]] = 1e-6  # the root's error would be every joint's
    move = random.normal(size=walk.truth.shape)
    return walk.truth + size[..., None] * move / np.linalg.norm(move, axis=-1, keepdims=True), size


def test_confidence_that_falls_with_the_error_correlates(walk: Sequence) -> None:
    points, size = _spoilt(walk, 1)
    right = confidence_scores([Prediction(points, None, confidence=1 - size)], [walk], HUMAN)
    wrong = confidence_scores([Prediction(points, None, confidence=size)], [walk], HUMAN)
    chance = confidence_scores(
        [Prediction(points, None, confidence=np.random.default_rng(2).random(size.shape))], [walk], HUMAN
    )
    assert right["confidence"] > 0.8
    assert wrong["confidence"] < -0.8
    assert abs(chance["confidence"]) < 0.15
    fifths = [right[f"error_fifth_{i}"] for i in range(1, 6)]
    assert fifths == sorted(fifths)
    assert fifths[0] < 25 < 50 < fifths[-1]


def test_nothing_is_said_of_a_confidence_that_nobody_reports(walk: Sequence) -> None:
    assert confidence_scores([None, Prediction(walk.truth, None)], [walk, walk], HUMAN) == {}
    ones = np.ones(walk.truth.shape[:2])
    assert confidence_scores([Prediction(walk.truth, None, confidence=ones)], [walk], HUMAN) == {}


def test_sets_are_means_of_their_own() -> None:
    clips = [{"name": str(i), "category": "", "set": s, "mpjpe": v}
             for i, (s, v) in enumerate([("a", 10.0), ("a", 20.0), ("b", 90.0)])]  # fmt: skip
    row = Scores("r", True, clips, extra={"fid": 3.5})
    assert row.value("mpjpe", sets={"a"}) == pytest.approx(15)
    assert row.value("mpjpe") == pytest.approx(40)
    assert math.isnan(row.value("fid", sets={"a"}))
    assert "| r | noisy | 90.0 |" in markdown([row], ["mpjpe"], sets={"b"})


def test_without_truth_only_the_picture_is_measured(walk: Sequence) -> None:
    blind = replace(walk, truth=walk.truth * np.nan, R=walk.R * np.nan)
    scores = measure(Prediction(walk.truth, walk.clean + np.array([3.0, 4.0])), blind, HUMAN)
    assert scores == {"j2d": pytest.approx(5), "j2d_c": pytest.approx(0, abs=1e-9)}


def test_a_file_without_truth_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_validation(tmp_path / "validation.npz", 2, FRAMES)
    with np.load(path) as file:
        kept = {k: file[k] for k in file.files if k not in ("points3d", "K", "R", "t", "noisy_xy", "noisy_confidence")}
    np.savez(tmp_path / "flat.npz", **kept)
    arguments = ["evaluate", "--data", str(tmp_path / "flat.npz"), "--rows", "flat"]
    assert main([*arguments, "--inputs", "clean"]) == 0
    shown = capsys.readouterr().out
    assert "| J2D (px) | J2D^C (px) | FID |" in shown
    assert "MPJPE" not in shown
    row = next(line for line in shown.splitlines() if line.startswith("| flat | clean |"))
    assert all(np.isfinite(float(cell)) for cell in row.split("|")[3:6])
    assert main([*arguments, "--inputs", "noisy"]) == 1
    assert "has no noisy input" in capsys.readouterr().err
