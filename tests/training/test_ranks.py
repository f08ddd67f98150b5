"""Two gloo processes under torchrun do what one process does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rank_script
import torch
from conftest import TinyRun
from mvlift_training.cli import main
from tiny_runs import tiny_config, two_ranks


@pytest.mark.parametrize("stage", ["stage1", "stage4"])
def test_two_ranks_train_as_one_with_the_whole_batch(run: TinyRun, tmp_path: Path, stage: str) -> None:
    config = tiny_config(run.folder, run.data, network={"dropout": 0.0}, train1={"steps": 8, "batch": 16})
    config = config.rename(tmp_path / "ranks.yaml")
    tiny_config(run.folder, run.data)
    rank_script.main(str(config), stage, str(tmp_path / "one"))
    two_ranks([str(Path(rank_script.__file__)), str(config), stage, str(tmp_path / "two")])
    one, two = (torch.load(tmp_path / n / "last.pt", weights_only=True) for n in ("one", "two"))
    assert len(one["generators"]) == 1
    assert len(two["generators"]) == 2
    assert not torch.equal(two["generators"][0], two["generators"][1])
    start = torch.load(run.folder / "stage1" / "last.pt", weights_only=True)["network"]
    assert one["step"] == two["step"] == 8
    for name, value in one["network"].items():
        torch.testing.assert_close(two["network"][name], value, rtol=1e-4, atol=2e-5, msg=name)
    moved = one["network"]["head.weight"].abs().max()  # it begins at zero
    assert moved > 1e-3
    assert not torch.equal(one["network"]["head.weight"], start["head.weight"])
    moments = zip(*(saved["optimisers"][0]["state"].values() for saved in (one, two)), strict=True)
    for a, b in moments:  # running mean of the gradients
        torch.testing.assert_close(b["exp_avg"], a["exp_avg"], rtol=1e-3, atol=1e-6)


def test_sharded_stages_give_what_one_rank_gives(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "sharded"
    shutil.copytree(run.folder / "stage1", folder / "stage1")
    config = tiny_config(folder, run.data, train4={"steps": 4, "minutes": 10})
    script = tmp_path / "command.py"
    script.write_text(
        "import sys\nfrom mvlift_training.cli import main\n"
        "if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n",
        encoding="utf-8",
    )
    two_ranks([str(script), "all", "--config", str(config)])
    for stage, key in (("stage2", "points"), ("stage3", "measures")):
        for i in range(5):
            with np.load(folder / stage / f"{i:05d}.npz") as a, np.load(run.folder / stage / f"{i:05d}.npz") as b:
                np.testing.assert_allclose(a[key], b[key], rtol=1e-4, atol=1e-4)
    with np.load(folder / "stage3" / "motions.npz") as a, np.load(run.folder / "stage3" / "motions.npz") as b:
        assert np.array_equal(a["length"], b["length"])
        np.testing.assert_allclose(a["points3d"], b["points3d"], atol=1e-3)
    assert len(torch.load(folder / "stage4" / "last.pt", weights_only=True)["generators"]) == 2
    assert (folder / "export" / "tiny-stage4.safetensors").is_file()


def test_two_ranks_do_all_stages_from_nothing_and_again(data: Path, tmp_path: Path) -> None:
    """The command of docs/training.md; the second time every stage finds what it did."""
    folder = tmp_path / "fresh"
    config = tiny_config(folder, data, train1={"steps": 3}, train4={"steps": 3})
    two_ranks(["-m", "mvlift_training", "all", "--config", str(config)])
    weights = folder / "export" / "tiny-stage4.safetensors"
    first = weights.read_bytes()
    assert torch.load(folder / "stage1" / "last.pt", weights_only=True)["step"] == 3
    assert len(torch.load(folder / "stage4" / "last.pt", weights_only=True)["generators"]) == 2
    two_ranks(["-m", "mvlift_training", "all", "--config", str(config)])
    assert weights.read_bytes() == first


def test_one_rank_goes_on_with_a_run_of_two(run: TinyRun, tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "run", run.data, train1={"steps": 4})
    config.write_text(config.read_text(encoding="utf-8") + "devices: 2\n", encoding="utf-8")
    script = tmp_path / "command.py"
    script.write_text(
        "import sys\nfrom mvlift_training.cli import main\nsys.exit(main(sys.argv[1:]))\n", encoding="utf-8"
    )
    two_ranks([str(script), "stage1", "--config", str(config)])
    longer = tiny_config(tmp_path / "run", run.data, train1={"steps": 6})
    assert main(["stage1", "--config", str(longer), "--allow-changes"]) == 0
    saved = torch.load(tmp_path / "run" / "stage1" / "last.pt", weights_only=True)
    assert saved["step"] == 6
    assert len(saved["generators"]) == 1
