"""All stages, tiny: losses fall, every artefact is there, and the exported weights lift a clip."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import mvlift
import numpy as np
import pytest
import torch
from conftest import TinyRun
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.models import describe_model, load_denoiser, save_denoiser
from mvlift_training.cli import main
from mvlift_training.config import ConfigError, load_config
from mvlift_training.runtime import fresh_network, trained_network
from mvlift_training.stages import export
from mvlift_training.warm_start import start_from_base, start_from_line
from tiny_runs import STEPS, tiny_config
from walkers import NAMES, SIZE, filmed, walker


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("stage", ["stage1", "stage4"])
def test_loss_falls_and_is_logged(run: TinyRun, stage: str) -> None:
    rows = log(run.folder / stage)
    assert [r["step"] for r in rows] == list(range(5, STEPS + 1, 5))
    assert rows[-1]["loss"] < 0.85 * rows[0]["loss"]
    assert list((run.folder / stage / "tensorboard").glob("events*"))


def test_checkpoints_carry_provenance(run: TinyRun) -> None:
    checkpoint = torch.load(run.folder / "stage1" / "last.pt", weights_only=True)
    assert checkpoint["step"] == STEPS
    assert checkpoint["provenance"]["data"] == "walks.npz"
    assert len(checkpoint["provenance"]["digest"]) == 16
    assert checkpoint["provenance"]["config"]["seed"] == 1
    assert checkpoint["provenance"]["version"] == version("mvlift")


def test_averaged_weights_differ_from_the_last_ones(run: TinyRun) -> None:
    checkpoint = torch.load(run.folder / "stage1" / "last.pt", weights_only=True)
    differences = [(checkpoint["network"][k] - v).abs().max() for k, v in checkpoint["average"].items()]
    assert max(differences) > 1e-4


def test_stage2_lifts_every_sequence_with_all_hypotheses(run: TinyRun) -> None:
    for i in range(5):
        with np.load(run.folder / "stage2" / f"{i:05d}.npz") as lifted:
            assert lifted["points"].shape == (2, 48, len(NAMES) + 1, 3)
            assert np.isfinite(lifted["points"]).all()
            assert lifted["depth"].min() > 1


def test_stage3_writes_motions_on_the_floor(run: TinyRun) -> None:
    report = json.loads((run.folder / "stage3" / "report.json").read_text(encoding="utf-8"))
    with np.load(run.folder / "stage3" / "motions.npz") as data:
        points, length = data["points3d"], data["length"]
        assert tuple(data["names"]) == NAMES
    assert report["kept"] == report["sequences"] == len(length) == 5
    assert report["frames"] == len(points) == 5 * 48
    feet = points[:, [NAMES.index(n) for n in ("l_heel", "r_heel", "l_big_toe", "r_big_toe")], 2].min(1)
    assert abs(float(np.median(feet))) < 0.1
    head = points[:, NAMES.index("nose"), 2]
    assert 1.0 < float(np.median(head)) < 2.2
    assert report["median_reprojection"] < 0.03


@pytest.mark.parametrize("limit", ["max_reprojection", "max_energy", "max_disagreement", "max_speed"])
def test_stage3_drops_what_a_limit_forbids(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str
) -> None:
    keys = {"max_reprojection": "reprojection", "max_energy": "energy", "max_disagreement": "agreement",
            "max_speed": "speed"}  # fmt: skip
    order = ["reprojection", "agreement", "energy", "speed"]
    measures = []
    for i in range(5):
        with np.load(run.folder / "stage3" / f"{i:05d}.npz") as data:
            measures.append(float(data["measures"][order.index(keys[limit])]))
    between = float(np.mean(sorted(measures)[1:3]))
    folder = tmp_path / "strict"
    for stage in ("stage2", "stage3"):
        shutil.copytree(run.folder / stage, folder / stage)
    assert main(["stage3", "--config", str(tiny_config(folder, run.data, stage3={limit: between}))]) == 0
    report = json.loads((folder / "stage3" / "report.json").read_text(encoding="utf-8"))
    assert report["kept"] == 2
    assert all(d[keys[limit]] > between for d in report["dropped"])
    nothing = tiny_config(folder, run.data, stage3={limit: min(measures) - 1e-3 * abs(min(measures)) - 1e-9})
    assert main(["stage3", "--config", str(nothing)]) == 1
    assert "Stage 3 kept nothing" in " ".join(capsys.readouterr().err.split())


def test_stage4_starts_from_stage1(run: TinyRun) -> None:
    config, subject = load_config(run.config), get_subject("human")
    line = trained_network(config, subject, "line", "stage1", torch.device("cpu"))[0]
    fresh, warm = (fresh_network(config, subject, "multiview") for _ in range(2))
    start_from_line(warm, line)
    ours, theirs, before = warm.state_dict(), line.state_dict(), fresh.state_dict()
    assert torch.equal(ours["blocks.0.time.qkv.weight"], theirs["blocks.0.time.qkv.weight"])
    assert torch.equal(ours["head.weight"], theirs["head.weight"])
    assert torch.equal(ours["blocks.0.views.qkv.weight"], before["blocks.0.views.qkv.weight"])
    assert not torch.equal(ours["blocks.0.time.qkv.weight"], before["blocks.0.time.qkv.weight"])
    rows = ours["blocks.0.table"].view(3, 3, -1)
    assert torch.equal(rows[:, [0, 2]], theirs["blocks.0.table"].view(3, 2, -1))
    assert not rows[:, 1].any()


def test_warm_start_helps(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "cold"
    shutil.copytree(run.folder / "stage3", folder / "stage3")
    shutil.copytree(run.folder / "stage1", folder / "stage1")
    config = tiny_config(folder, run.data, stage4={"warm_start": False}, train4={"steps": 10})
    assert main(["stage4", "--config", str(config)]) == 0
    warm = tiny_config(tmp_path / "warm", run.data, train4={"steps": 10})
    shutil.copytree(folder / "stage3", tmp_path / "warm" / "stage3")
    shutil.copytree(folder / "stage1", tmp_path / "warm" / "stage1")
    assert main(["stage4", "--config", str(warm)]) == 0
    assert log(tmp_path / "warm" / "stage4")[0]["loss"] < log(folder / "stage4")[0]["loss"]


def test_exported_weights_lift_a_clip(run: TinyRun) -> None:
    weights = {role: str(run.folder / "export" / f"tiny-{stage}.safetensors")
               for role, stage in (("multiview", "stage4"), ("line", "stage1"))}  # fmt: skip
    header = describe_model(weights["multiview"])
    assert header["kind"] == "multiview"
    assert header["provenance"]["steps"] == STEPS
    assert header["provenance"]["config"]["name"] == "tiny"
    clip = KeypointClip(filmed(9, 40).astype(np.float32), np.ones((40, len(NAMES)), np.float32),
                        get_layout("openpose24"), fps=30, image_size=SIZE)  # fmt: skip
    motion = mvlift.lift(clip, models=weights, preset="fast", device="cpu")
    assert motion.keypoints.shape == walker(9, 40).shape
    assert np.nanmedian(motion.reprojection_error) < 8
    alone = mvlift.lift(clip, models={"line": weights["line"], "multiview": "none"}, preset="fast", device="cpu")
    assert np.isfinite(alone.keypoints).all()
    assert not np.allclose(alone.keypoints, motion.keypoints)


def test_what_is_trained_is_exported(run: TinyRun, tmp_path: Path) -> None:
    """A subject that begins with another's weights has no stage 1 of its own."""
    config = replace(load_config(run.config), folder=tmp_path / "run")
    with pytest.raises(ConfigError, match="no trained network"):
        export(config, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()
    shutil.copytree(run.folder / "stage4", tmp_path / "run" / "stage4")
    assert export(config, tmp_path / "weights") == [tmp_path / "weights" / "tiny-stage4.safetensors"]


def test_finished_stages_are_not_run_again(run: TinyRun) -> None:
    lifted = sorted((run.folder / "stage2").glob("0*.npz")) + sorted((run.folder / "stage3").glob("0*.npz"))
    before = [p.stat().st_mtime_ns for p in lifted]
    weights = torch.load(run.folder / "stage4" / "last.pt", weights_only=True)["average"]
    assert main(["all", "--config", str(run.config)]) == 0
    assert [p.stat().st_mtime_ns for p in lifted] == before
    after = torch.load(run.folder / "stage4" / "last.pt", weights_only=True)["average"]
    assert all(torch.equal(weights[k], after[k]) for k in weights)


def test_self_training_round_uses_stage4(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(run.folder, folder)
    config = str(tiny_config(folder, run.data, stage3={"rounds": 2}, train4={"steps": 10}))
    for stage in ("stage2", "stage3", "stage4"):
        assert main([stage, "--config", config, "--round", "2"]) == 0
    source = json.loads((folder / "stage2-round2" / "source.json").read_text(encoding="utf-8"))
    assert source["model"] == "stage4"
    assert source["model_steps"] == STEPS
    assert torch.load(folder / "stage4-round2" / "last.pt", weights_only=True)["step"] == 10
    assert main(["export", "--config", config, "--folder", str(folder / "export"), "--onnx"]) == 0
    assert describe_model(folder / "export" / "tiny-stage4.onnx")["provenance"]["steps"] == 10
    assert describe_model(folder / "export" / "tiny-stage4.safetensors")["provenance"]["steps"] == 10
    both = str(tiny_config(folder, run.data, stage3={"rounds": 2}, stage4={"average_rounds": True}))
    assert main(["export", "--config", both, "--folder", str(folder / "mean")]) == 0
    assert describe_model(folder / "mean" / "tiny-stage4.safetensors")["provenance"]["steps"] == STEPS + 10
    first, second = (
        torch.load(folder / s / "last.pt", weights_only=True)["average"] for s in ("stage4", "stage4-round2")
    )
    mean = load_denoiser(str(folder / "mean" / "tiny-stage4.safetensors"), "multiview", "cpu")[0].state_dict()
    assert not torch.equal(first["head.weight"], second["head.weight"])
    torch.testing.assert_close(
        mean["head.weight"], (first["head.weight"] + second["head.weight"]) / 2, atol=1e-3, rtol=0
    )


def test_stage4_goes_on_from_weights_that_are_named(run: TinyRun, tmp_path: Path) -> None:
    """One step of almost no size leaves the weights of the run that was named, not the base's shipped ones."""
    weights = run.folder / "export" / "tiny-stage4.safetensors"
    config = tiny_config(
        tmp_path / "further", run.data, base="human", library=str(run.folder / "stage3" / "motions.npz"),
        stage4={"weights": str(weights)}, train4={"steps": 1, "learning_rate": 1e-9},
    )  # fmt: skip
    assert main(["stage4", "--config", str(config)]) == 0
    begun = torch.load(tmp_path / "further" / "stage4" / "last.pt", weights_only=True)["network"]
    named = load_denoiser(str(weights), "multiview", "cpu")[0].state_dict()
    for name, values in named.items():
        torch.testing.assert_close(begun[name], values, atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match=r"stage4\.weights.*no base"):
        load_config(tiny_config(tmp_path / "baseless", run.data, stage4={"weights": str(weights)}))


def test_a_later_round_may_distil_with_stage1(run: TinyRun, tmp_path: Path) -> None:
    """Motions of several lengths in batches of two; stage 4 goes on from its weights of the round before."""
    folder = tmp_path / "distilled"
    shutil.copytree(run.folder, folder)
    stage2 = {"later": "sds", "sds_iterations": 3, "sds_batch": 2}
    config = str(tiny_config(folder, run.data, stage2=stage2, stage3={"rounds": 2}))
    assert main(["stage2", "--config", config, "--round", "2"]) == 0
    source = json.loads((folder / "stage2-round2" / "source.json").read_text(encoding="utf-8"))
    assert (source["model"], source["method"]) == ("stage1", "sds")
    for i in range(5):
        with np.load(folder / "stage2-round2" / f"{i:05d}.npz") as lifted:
            assert lifted["points"].shape == (1, 48, len(NAMES) + 1, 3)


def test_a_species_begins_with_what_is_known_of_another(tmp_path: Path) -> None:
    """Blocks carry over; common and like keypoints keep their place by name; what writes the others is zero."""
    dog, horse = get_subject("quadruped17"), get_subject("ungulate16")

    def network(seed: int, subject: Subject) -> MotionDenoiser:
        torch.manual_seed(seed)
        points = len(subject.layout.names) + 1
        return MotionDenoiser(DenoiserConfig(points=points, features=6, width=32, layers=1, heads=2, patch=4))

    trained, fresh = network(1, dog), network(2, horse)
    torch.nn.init.normal_(trained.head.weight)
    path = tmp_path / "dog.safetensors"
    save_denoiser(trained, CosineSchedule(), "line", path, {})
    start_from_base(fresh, horse, str(path), "line", dog, {"withers": "neck"})
    assert torch.allclose(fresh.blocks[0].feed[0].weight, trained.blocks[0].feed[0].weight, atol=1e-3)  # type: ignore[index]
    horse_head, dog_head = (n.head.weight.view(4, -1, 2, 32) for n in (fresh, trained))
    for mine, yours in (("nose", "nose"), ("l_back_paw", "l_back_paw"), ("withers", "neck")):
        a, b = horse_head[:, horse.layout.index(mine)], dog_head[:, dog.layout.index(yours)]
        assert torch.allclose(a, b, rtol=1e-2, atol=1e-2)
    assert torch.allclose(horse_head[:, -1], dog_head[:, -1], rtol=1e-2, atol=1e-2)
    assert not horse_head[:, horse.layout.index("l_hock")].any()
    with pytest.raises(ConfigError, match="hump"):
        start_from_base(fresh, horse, str(path), "line", dog, {"hump": "neck"})
    with pytest.raises(ConfigError, match="not those of human"):
        start_from_base(fresh, horse, str(path), "line", get_subject("human"), {})
