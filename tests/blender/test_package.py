"""The zip for Linux: built from the lock, installed through Blender, used without torch, and taken off again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    bool(bpy.app.binary_path) or sys.version_info[:2] != (3, 11),
    reason="zips are built where Blender is a module of Python 3.11",
)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for Linux and Blender 4.2 to 5.0."""
    folder = tmp_path_factory.mktemp("zip")
    command = [sys.executable, ROOT / "wheels" / "build.py", "--blender", sys.executable, "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580)
    if "pip could not fetch" in done.stderr or "detector's files" in done.stderr:
        pytest.skip("the package index that pip is set up with, or the detector's files, cannot be reached")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.zip")
    return path


def installed(path: Path, home: Path) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # the zip's package, not the source's
    environment["BLENDER_USER_RESOURCES"] = str(home)
    command = [sys.executable, Path(__file__).with_name("install_zip.py"), path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, timeout=400)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("FOUND "))


def manifest_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return tomllib.loads(archive.read("blender_manifest.toml").decode())


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tomllib.loads((ROOT / "blender_manifest.toml").read_text())["version"] == project


def test_the_zip_holds_what_a_lift_needs_and_no_more(zipped: Path) -> None:
    assert zipped.name.endswith("-linux-x64-cp311.zip")
    manifest = manifest_of(zipped)
    assert manifest["platforms"] == ["linux-x64"]
    assert manifest["blender_version_min"] == "4.2.0"
    assert "blender_version_max" not in manifest
    assert "network" not in manifest["permissions"]
    assert not any("torch" in name for name in manifest["wheels"])
    assert any("onnxruntime" in name for name in manifest["wheels"])
    with zipfile.ZipFile(zipped) as archive:
        names = archive.namelist()
        (wheel_name,) = [n for n in names if "/mvlift-" in f"/{n}"]
        with archive.open(wheel_name) as file, zipfile.ZipFile(file) as wheel:
            inside = wheel.namelist()
    assert {"__init__.py", "LICENSE", "examples/walk.zip"} <= set(names)
    assert not [n for n in names if "__pycache__" in n]
    assert not [n for n in inside if n.startswith("mvlift_training") or "bpy" in n or "stage1" in n]
    assert "mvlift/models/human-stage4.safetensors" in inside
    assert "mvlift/bodies/data/mannequin.npz" in inside


def test_the_zip_lifts_at_once_without_torch(zipped: Path, tmp_path: Path) -> None:
    results = installed(zipped, tmp_path)
    assert Path(results["mvlift"]).is_relative_to(tmp_path)
    assert results["people"] == [["openpose", 150]]
    assert results["frames"] == 40
    assert results["bones"] >= 24
    assert results["vertices"] > 1000
    assert 0.5 < results["walked"] < 4
    assert (results["left"], results["registered"]) == ([], False)
