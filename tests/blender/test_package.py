"""The light and cpu zips for Linux: built from the lock, installed through Blender, used, and taken off again."""

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


def build(flavour: str, folder: Path) -> Path:
    command = [sys.executable, ROOT / "wheels" / "build.py", flavour, "--blender", sys.executable, "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580)
    if "pip could not fetch" in done.stderr and "torch" in done.stderr:
        pytest.skip("the package index that pip is set up with has no torch build for the processor")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.zip")
    return path


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("light", tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("cpu", tmp_path_factory.mktemp("cpu"))


def installed(path: Path, mode: str, home: Path) -> dict[str, Any]:
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(home)}
    command = [sys.executable, Path(__file__).with_name("install_zip.py"), path, mode]
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


def test_light_zip_fits_everywhere(light: Path) -> None:
    assert light.name.endswith("-any-py3-light.zip")
    manifest = manifest_of(light)
    assert "platforms" not in manifest
    assert manifest["blender_version_min"] == "4.2.0"
    assert "network" not in manifest["permissions"]
    assert all(name.endswith("-none-any.whl") for name in manifest["wheels"])
    with zipfile.ZipFile(light) as archive:
        names = archive.namelist()
        (own,) = [n for n in names if "/mvlift-" in f"/{n}"]
        with archive.open(own) as file, zipfile.ZipFile(file) as wheel:
            inside = wheel.namelist()
    assert {"__init__.py", "LICENSE", "examples/walk.zip"} <= set(names)
    assert not [n for n in names if "__pycache__" in n]
    assert not [n for n in inside if n.startswith("mvlift_training") or "bpy" in n]
    assert "mvlift/models/human-stage4.safetensors" in inside
    assert "mvlift/bodies/data/mannequin.npz" in inside


def test_light_zip_reads_and_says_what_it_lacks(light: Path, tmp_path: Path) -> None:
    found = installed(light, "read", tmp_path)
    assert Path(found["mvlift"]).is_relative_to(tmp_path)
    assert found["people"] == [["openpose", 150]]
    assert (found["left"], found["registered"]) == ([], False)


def test_cpu_zip_lifts_at_once(cpu: Path, tmp_path: Path) -> None:
    manifest = manifest_of(cpu)
    assert manifest["platforms"] == ["linux-x64"]
    assert any("torch-" in name for name in manifest["wheels"])
    found = installed(cpu, "lift", tmp_path)
    assert Path(found["mvlift"]).is_relative_to(tmp_path)
    assert (found["frames"], found["bones"]) == (40, 24)
    assert found["vertices"] > 1000
    assert 0.5 < found["walked"] < 4
    assert (found["left"], found["registered"]) == ([], False)
