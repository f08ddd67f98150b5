"""What must not go on in silence: stale stages, changed settings, divergence, two runs in one folder, full disks."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyRun
from filelock import FileLock
from mvlift.errors import MvliftError
from mvlift.models import describe_model
from mvlift_training import checkpoints
from mvlift_training.checkpoints import CheckpointError, load_checkpoint, locked_folder, save_checkpoint
from mvlift_training.cli import main
from mvlift_training.config import ConfigError, load_config
from mvlift_training.runtime import fabric_for
from mvlift_training.train_options import TrainOptions, rate_factor
from tiny_runs import tiny_config


def copied(run: TinyRun, folder: Path, *stages: str) -> Path:
    """A run's finished stages in a folder of its own, with the config of that folder."""
    for stage in stages:
        shutil.copytree(run.folder / stage, folder / stage)
    return tiny_config(folder, run.data)


def ends(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(arguments)
    return code, " ".join(capsys.readouterr().err.split())


def test_stage4_of_other_motions_is_neither_gone_on_with_nor_exported(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "stale"
    config = copied(run, folder, "stage1", "stage3", "stage4")
    assert main(["export", "--config", str(config), "--folder", str(tmp_path / "good")]) == 0
    motions = folder / "stage3" / "motions.npz"
    motions.write_bytes(motions.read_bytes() + b"another")
    code, said = ends(["export", "--config", str(config), "--folder", str(tmp_path / "bad")], capsys)
    assert code == 1
    assert "learnt from other motions" in said
    assert not (tmp_path / "bad" / "tiny-stage4.safetensors").exists()
    shutil.copy(run.folder / "stage3" / "motions.npz", motions)
    line = torch.load(folder / "stage1" / "last.pt", weights_only=True)
    line["average"]["head.bias"] += 0.01  # stage 1 was trained again
    torch.save(line, folder / "stage1" / "last.pt")
    code, said = ends(["stage4", "--config", str(config)], capsys)
    assert code == 1
    assert "origin" in said
    assert "--allow-changes" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"seed": 7}, "seed 1 -> 7"), ({"window": 36}, "window 32 -> 36"), ({"train1": {"batch": 8}}, "batch 16 -> 8"),
     ({"train1": {"learning_rate": 1e-4}}, "learning_rate"), ({"train1": {"ema": 0.5}}, "ema 0.9 -> 0.5"),
     ({"stage1": {"line_weight": 2.0}}, "line_weight 1.0 -> 2.0"),
     ({"augmentation": {"mirror": False}}, "mirror True -> False")],
)  # fmt: skip
def test_a_run_does_not_go_on_with_other_settings(
    run: TinyRun, tmp_path: Path, changes: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "changed"
    copied(run, folder, "stage1")
    before = (folder / "stage1" / "last.pt").read_bytes()
    config = tiny_config(folder, run.data, **changes)
    code, said = ends(["stage1", "--config", str(config)], capsys)
    assert code == 1
    assert "was trained with other settings" in said
    assert words in said
    assert (folder / "stage1" / "last.pt").read_bytes() == before
    assert main(["stage1", "--config", str(config), "--allow-changes"]) == 0


def test_the_header_says_how_it_was_trained_not_todays_config(run: TinyRun, tmp_path: Path) -> None:
    copied(run, tmp_path / "header", "stage1", "stage3", "stage4")
    config = tiny_config(tmp_path / "header", run.data, seed=99)
    assert main(["export", "--config", str(config), "--folder", str(tmp_path / "out")]) == 0
    for name in ("tiny-stage1", "tiny-stage4"):
        provenance = describe_model(tmp_path / "out" / f"{name}.safetensors")["provenance"]
        assert provenance["config"]["seed"] == 1


def test_divergence_ends_the_run_and_keeps_the_weights_before_it(
    run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mvlift_training.stage1 import LineTask

    honest, calls = LineTask.loss, []

    def loss(self: LineTask, network: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        calls.append(1)
        terms = honest(self, network, batch)
        return {**terms, "loss": terms["loss"] * (math.nan if len(calls) == 8 else 1.0)}

    monkeypatch.setattr(LineTask, "loss", loss)
    config = tiny_config(tmp_path / "nan", run.data, train1={"checkpoint_every": 0.0})
    code, said = ends(["stage1", "--config", str(config)], capsys)
    assert code == 1
    assert "not finite at step 8" in said
    assert "learning_rate" in said
    saved = load_checkpoint(tmp_path / "nan" / "stage1" / "last.pt")
    assert saved["step"] == 7
    assert checkpoints.all_finite(saved["network"])
    ages = [load_checkpoint(tmp_path / "nan" / "stage1" / f"last-{n}.pt")["step"] for n in (1, 2)]
    assert ages == [6, 5]
    assert not (tmp_path / "nan" / "stage1" / "last-3.pt").exists()


def test_weights_that_are_not_finite_are_not_exported(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = copied(run, tmp_path / "inf", "stage1")
    path = tmp_path / "inf" / "stage1" / "last.pt"
    saved = torch.load(path, weights_only=True)
    saved["average"]["norm.weight"][0] = math.inf
    torch.save(saved, path)
    code, said = ends(["export", "--config", str(config), "--folder", str(tmp_path / "out")], capsys)
    assert code == 1
    assert "not finite" in said
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_a_second_training_in_the_folder_is_refused(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(tmp_path / "two", run.data, train1={"steps": 2})
    (tmp_path / "two" / "stage1").mkdir(parents=True)
    with FileLock(tmp_path / "two" / "stage1" / "run.lock"):
        code, said = ends(["stage1", "--config", str(config)], capsys)
    assert code == 1
    assert "Another training runs in" in said
    assert main(["stage1", "--config", str(config)]) == 0


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointError, match="cannot be written"), locked_folder(tmp_path / "file" / "stage1"):
        pass


def test_a_full_disk_leaves_the_older_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"network": {"w": torch.ones(2)}, "average": {"w": torch.ones(2)}, "step": 1}
    save_checkpoint(tmp_path / "last.pt", good)
    before = (tmp_path / "last.pt").read_bytes()

    def full(content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(CheckpointError, match="Make room"):
        save_checkpoint(tmp_path / "last.pt", good)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("content", [b"", b"no checkpoint", {"epoch": 3}, [1, 2]])
def test_a_foreign_checkpoint_is_named(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"last\.pt: not a checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "text",
    ["train1: {learning_rate: -1}", "window: 30", "window: 0", "train1: {log_every: 0}", "network: {dropout: 2}",
     "train4: {batch: 0}", "train1: {steps: -5}", "train4: {ema: 1.5}", "train1: {minutes: 0}", "devices: 0",
     "train1: {betas: [0.9, 1.0]}", "noise: {clean: 0.7, realistic: 0.7}", "noise: {jitter: -1}",
     "stage4: {azimuths: []}", "stage4: {elevation: [30, -10]}", "augmentation: {roll: -1}"],
)  # fmt: skip
def test_values_that_cannot_be_are_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"Give|Write") as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))


def test_the_learning_rate_follows_steps_alone() -> None:
    options = TrainOptions(steps=100, warmup=10, cooldown=0.3, final_share=0.1)
    rates = [rate_factor(options, step, 100, None) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:70] == pytest.approx([1.0] * 61)
    assert rates[84] == pytest.approx(1 - 0.9 * 15 / 30)
    assert rates[99] == pytest.approx(0.1)
    early = [rate_factor(options, step, 60, 50) for step in range(60)]
    assert early[49] == 1.0
    assert early[54] == pytest.approx(1 - 0.9 / 2)
    assert early[59] == pytest.approx(0.1)


def test_a_time_limit_cools_down_and_more_time_goes_on_from_before(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "timed"
    options = {"steps": 100_000, "minutes": 0.02, "cooldown": 0.5}
    assert main(["stage1", "--config", str(tiny_config(folder, run.data, train1=options))]) == 0
    first = load_checkpoint(folder / "stage1" / "last.pt")
    assert first["step"] == first["end"] == 2 * first["cooled_from"]
    longer = str(tiny_config(folder, run.data, train1={**options, "minutes": 0.04}))
    assert main(["stage1", "--config", longer]) == 0
    second = load_checkpoint(folder / "stage1" / "last.pt")
    assert second["cooled_from"] > first["cooled_from"]
    rows = [json.loads(line)["step"] for line in (folder / "stage1" / "log.jsonl").read_text().splitlines()]
    assert rows == sorted(set(rows))


def _killed(*_: object) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_killed_worker_of_stage_3_is_one_message(
    run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mvlift_training.stage3._fit_one", _killed)
    config = copied(run, tmp_path / "oom", "stage2")
    code, said = ends(["stage3", "--config", str(config)], capsys)
    assert code == 1
    assert "was killed" in said
    assert "Run stage 3 again" in said


def test_only_the_first_of_several_processes_exports(
    run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["export", "--config", str(run.config), "--folder", str(tmp_path / "out")]
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert main(arguments) == 0
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert main(arguments) == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def slurm(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "train", "SLURM_NNODES": "1", **values}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("values", "devices", "words"),
    [({}, 2, "devices is 2, but the SLURM job has 1 task."), ({"SLURM_NTASKS": "2"}, 1, "was not started by srun"),
     ({"SLURM_NTASKS": "3", "SLURM_NNODES": "2", "SLURM_PROCID": "0"}, 1, "the same number on every node")],
)  # fmt: skip
def test_wrong_launches_under_slurm_are_refused(
    monkeypatch: pytest.MonkeyPatch, run: TinyRun, tmp_path: Path, values: dict[str, str], devices: int, words: str
) -> None:
    slurm(monkeypatch, **values)
    config = replace(load_config(tiny_config(tmp_path / "slurm", run.data)), devices=devices)
    with pytest.raises(MvliftError, match=r"srun|devices|node") as caught:
        fabric_for(config)
    assert words in str(caught.value)


def test_progress_is_shown_while_it_trains(
    run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mvlift_training.train_progress.LINE_EVERY", 0.0)
    config = tiny_config(tmp_path / "shown", run.data, train1={"steps": 20})
    assert main(["stage1", "--config", str(config)]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stage 1: step")]
    assert len(lines) == 4
    assert all(words in lines[1] for words in ("step 10,", "windows/s", "loss 0.", "left"))
