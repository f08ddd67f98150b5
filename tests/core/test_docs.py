"""The documentation's own checks: links lead somewhere, and the checker notices what does not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mvlift.cameras import read_camera_track
from mvlift.keypoints import inspect_keypoints
from mvlift.lifting.objects.shape import load_shape
from scenes import ROOT


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_check", ROOT / "tools" / "docs_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_check"] = module
    spec.loader.exec_module(module)
    return module


def test_every_link_and_anchor_leads_somewhere(checker: ModuleType) -> None:
    assert len(checker.pages()) > 15
    assert [line for page in checker.pages() for line in checker.broken_links(page)] == []


def test_broken_links_and_failing_commands_are_noticed(
    checker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `title`, two\n\n[a](#one-title-two) [b](#none) [c](gone.md) [d](https://example.org)\n\n"
        "```sh\nexit 3\n```\n\n<!-- not run: a reason -->\n```sh\nexit 4\n```\n\n```python\nprint(1)\n```\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    assert [line.split(": ", 1)[1] for line in checker.broken_links(page)] == [
        "#none: no such heading",
        "gone.md: no such file",
    ]
    blocks = checker.blocks(page)
    assert [(b.language, b.reason) for b in blocks] == [("sh", ""), ("sh", "a reason"), ("python", "")]
    assert checker.run_block(blocks[0], tmp_path).startswith("exit code 3")


def test_every_command_is_spelt_the_same_way_and_is_a_command(checker: ModuleType) -> None:
    blocks = [block for page in checker.pages() for block in checker.blocks(page)]
    shell = [block for block in blocks if block.language in ("sh", "bash")]
    assert len(shell) > 30
    for block in shell:
        assert ".venv/bin/" not in block.code.replace("source .venv/bin/activate", ""), (block.page, block.line)
        parsed = subprocess.run(["bash", "-n", "-c", block.code], capture_output=True, text=True, check=False)
        assert parsed.returncode == 0, (block.page, block.line, parsed.stderr)
    unnamed = [b for b in blocks if not b.language and b.code.lstrip().startswith(("mvlift", "blender --", "python "))]
    assert unnamed == []


def test_the_sample_files_of_the_pages_are_what_they_are_called(checker: ModuleType, tmp_path: Path) -> None:
    checker.make_inputs(tmp_path)
    assert len(read_camera_track(tmp_path / "track.npz")) == 120
    model = read_camera_track(tmp_path / "colmap" / "sparse" / "0")
    np.testing.assert_allclose(model.K[149], [[1250, 0, 640], [0, 1250, 360], [0, 0, 1]])
    people, tracks = (inspect_keypoints(tmp_path / name).clips[0] for name in ("people.csv", "tracks.csv"))
    assert len(people) == len(tracks) == 170
    np.testing.assert_allclose(np.ptp(load_shape(tmp_path / "crate.json").points, 0), [0.42, 0.30, 0.26])


def test_the_reference_pages_are_current() -> None:
    """Made from docstrings and dataclasses: a changed option that the pages do not show fails here."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
