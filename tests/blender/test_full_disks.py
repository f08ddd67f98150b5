"""Blender's own writers on a full disk, in a folder that is read-only or gone: one sentence, the older file whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from mvlift.errors import MvliftError
from retarget_checks import source_armature
from synthetic_motion import walk

from mvlift_blender.commands import headless
from mvlift_blender.exchange.export import FORMATS, export_rig
from mvlift_blender.exchange.scene_file import export_file

OLD = b"an older file" * 50
SCENES = (".blend", ".fbx", ".glb", ".usd", ".png")


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a disk of 64 kB that is all but full."""
    if not sys.platform.startswith("linux") or os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let one mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # glTF's exporter leaves its file open


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch, extension):
    monkeypatch.setattr("mvlift_blender.exchange.picture._SIZE", (64, 32))
    monkeypatch.setattr("mvlift_blender.exchange.picture._MOMENTS", 2)


def _needs(form: str) -> None:
    if "usd" in form.lower() and not bpy.app.build_options.usd:
        pytest.skip("this Blender is built without USD")


def _write(path: Path, form: str):
    if form == ".png":  # a picture shows bodies, which are written with the scene
        return headless.write_blender_file([walk(20)], path)
    armature = source_armature(walk(60))
    if form.startswith("."):
        return export_file(path)
    return export_rig(bpy.context, armature, path, form)


def _filled(folder: Path, path: Path) -> None:
    path.write_bytes(OLD)
    with (folder / "rest").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            pass


def _suffix(form: str) -> str:
    return form if form.startswith(".") else FORMATS[form]


@pytest.mark.parametrize("form", [*FORMATS, *SCENES])
def test_a_full_disk(full_disk, form):
    _needs(form)
    path = full_disk / f"walk{_suffix(form)}"
    _filled(full_disk, path)
    with pytest.raises(MvliftError) as caught:
        _write(path, form)
    assert path.name in caught.value.message
    assert len(caught.value.message.splitlines()) == 1
    assert "Location" not in caught.value.message
    assert caught.value.remedy
    assert path.read_bytes() == OLD
    assert sorted(p.name for p in full_disk.iterdir()) == sorted(["rest", path.name])


@pytest.mark.parametrize("form", [*FORMATS, *SCENES])
def test_a_folder_that_is_none(tmp_path, form):
    _needs(form)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MvliftError, match="cannot be written") as caught:
        _write(tmp_path / "file" / f"walk{_suffix(form)}", form)
    assert caught.value.remedy


@pytest.mark.parametrize("form", [*FORMATS, *SCENES])
def test_a_folder_that_is_read_only(tmp_path, form):
    _needs(form)
    folder = tmp_path / "locked"
    folder.mkdir()
    path = folder / f"walk{_suffix(form)}"
    path.write_bytes(OLD)
    if subprocess.run(["chattr", "+i", str(folder)], capture_output=True, check=False).returncode:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
    try:
        with pytest.raises(MvliftError, match="cannot be written") as caught:
            _write(path, form)
    finally:
        subprocess.run(["chattr", "-i", str(folder)], capture_output=True, check=False)
        folder.chmod(0o700)
    assert path.name in caught.value.message
    assert path.read_bytes() == OLD
    assert [p.name for p in folder.iterdir()] == [path.name]
