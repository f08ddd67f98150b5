"""A killed training goes on as if nothing had happened; a stopped one says so."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyRun
from mvlift_training.cli import main
from tiny_runs import COMMAND, ENVIRONMENT, STEPS, tiny_config


def killed(arguments: list[str], log: Path, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Run the command until its log has a line, then send it a signal."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    began = time.monotonic()
    while process.poll() is None and not (log.is_file() and log.stat().st_size) and time.monotonic() - began < 60:
        time.sleep(0.002)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, said)


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "last.pt", weights_only=True)


def prepared(run: TinyRun, folder: Path, stage: str) -> tuple[Path, list[str]]:
    """A run of the same seed that has got as far as the stage, with a checkpoint after every step."""
    folder.mkdir()
    for earlier in ("stage1", "stage2", "stage3") if stage == "stage4" else ():
        shutil.copytree(run.folder / earlier, folder / earlier)
    key = "train1" if stage == "stage1" else "train4"
    config = tiny_config(folder, run.data, **{key: {"checkpoint_every": 0.0}})
    return folder / stage, [stage, "--config", str(config)]


@pytest.mark.parametrize("stage", ["stage1", "stage4"])
def test_killed_run_ends_with_the_same_weights(run: TinyRun, tmp_path: Path, stage: str) -> None:
    folder, arguments = prepared(run, tmp_path / "killed", stage)
    done = killed(arguments, folder / "log.jsonl", signal.SIGKILL)
    assert done.returncode == -signal.SIGKILL, done.stdout
    assert 0 < checkpoint(folder)["step"] < STEPS
    assert main(arguments) == 0
    resumed, uninterrupted = checkpoint(folder), checkpoint(run.folder / stage)
    assert resumed["step"] == uninterrupted["step"] == STEPS
    for key in ("network", "average"):
        for name, value in uninterrupted[key].items():
            torch.testing.assert_close(resumed[key][name], value, rtol=0, atol=1e-6, msg=f"{key} {name}")
    assert torch.equal(resumed["generators"][0], uninterrupted["generators"][0])
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [r["step"] for r in rows] == list(range(5, STEPS + 1, 5))


def test_stop_signal_saves_and_does_not_go_on_to_the_next_stage(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    config = tiny_config(folder, run.data, train1={"steps": 100_000})
    done = killed(["all", "--config", str(config)], folder / "stage1" / "log.jsonl", signal.SIGTERM)
    assert done.returncode == 75
    saved = checkpoint(folder / "stage1")
    assert 0 < saved["step"] < 100_000
    assert f"stopped at step {saved['step']}" in " ".join(done.stdout.split())
    assert not (folder / "stage2").exists()


def test_training_leaves_signals_as_they_were(run: TinyRun, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert main(["stage1", "--config", str(tiny_config(tmp_path / "s", run.data, train1={"steps": 2}))]) == 0
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_stage2_goes_on_with_the_sequences_that_are_missing(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    for stage in ("stage1", "stage2"):
        shutil.copytree(run.folder / stage, folder / stage)
    content = (folder / "stage2" / "00003.npz").read_bytes()
    (folder / "stage2" / "00003.npz").unlink()
    kept = (folder / "stage2" / "00001.npz").stat().st_mtime_ns
    assert main(["stage2", "--config", str(tiny_config(folder, run.data))]) == 0
    assert (folder / "stage2" / "00003.npz").read_bytes() == content
    assert (folder / "stage2" / "00001.npz").stat().st_mtime_ns == kept


def test_time_limit_ends_a_run_and_stays_ended(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "timed"
    config = str(tiny_config(folder, run.data, train1={"steps": 1_000_000, "minutes": 0.02}))
    assert main(["stage1", "--config", config]) == 0
    saved = checkpoint(folder / "stage1")
    assert 1 <= saved["step"] < 1_000_000
    assert saved["cooled_from"] is not None  # the learning rate went down before the end
    assert main(["stage1", "--config", config]) == 0
    assert checkpoint(folder / "stage1")["step"] == saved["step"]
