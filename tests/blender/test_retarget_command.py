"""`mvlift retarget` without a window: what a rig is, files of other programs, several rigs, folders, bad files."""

from __future__ import annotations

import json

import bpy
import pytest
from retarget_checks import source_armature
from rigs import build

from mvlift_blender.commands.headless import run_command
from mvlift_blender.commands.retarget import with_every_rig
from mvlift_blender.commands.rig_files import split_rig
from mvlift_blender.exchange.export import export_rig

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture
def files(tmp_path, capfd):
    """A motion, a rig as .blend and .fbx, and one that nobody could animate."""
    export_rig(bpy.context, source_armature(), tmp_path / "walk.npz", "NPZ")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    build("mixamo").name = "hero:rig"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"), copy=True)
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "hero.fbx"), add_leaf_bones=False)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.object.armature_add()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "stick.blend"), copy=True)
    (tmp_path / "broken.blend").write_text("broken")
    (tmp_path / "broken.fbx").write_bytes(b"Kaydara FBX Binary  \x00\x1a\x00\xe8\x1c\x00\x00 nothing")
    capfd.readouterr()
    return tmp_path


def test_inspect_gives_one_object_for_each_rig_on_standard_output(files, capfd):
    assert run_command(["retarget", "--inspect", "--json", "--rig", str(files / "hero.fbx")]) == 0
    out, _ = capfd.readouterr()
    (line,) = (text for text in out.splitlines() if not text.startswith("Read "))  # Blender 4.3 says what it opens
    report = json.loads(line)
    assert report["program"] == "Mixamo"
    assert report["confidence"] > 0.85
    assert report["bones"]["hips"] == "mixamorig:Hips"
    assert report["bones"]["upper_arm"] == ["mixamorig:LeftArm", "mixamorig:RightArm"]
    assert report["bones"]["thumb"][1][0] == "mixamorig:RightHandThumb1"


def test_inspect_refuses_with_the_reason(files, capfd):
    rigs = [str(files / name) for name in ("stick.blend", "broken.blend", "broken.fbx", "none.blend")]
    assert run_command(["retarget", "--inspect", "--json", "--rig", *rigs]) == 1
    out, err = capfd.readouterr()
    reports = [json.loads(line) for line in out.splitlines()]
    assert [f["bones"] for f in reports] == [{}] * 4
    assert all(f["confidence"] == 0 and f["notes"] for f in reports)
    assert "Traceback" not in err


def test_rigs_by_object_with_colons_into_a_folder_that_resumes(files, capfd):
    rigs = ["--rig", f"{files / 'hero.blend'}:hero:rig", "--rig", str(files / "hero.fbx")]
    command = ["retarget", str(files / "walk.npz"), *rigs, "-o", str(files / "out"), "--extension", "bvh"]
    assert run_command(command) == 0
    _, err = capfd.readouterr()
    assert err.count("confidence") == 2
    written = sorted(p.name for p in (files / "out").iterdir())
    assert len(written) == 2
    assert all(name.endswith(".bvh") for name in written)
    before = [p.stat().st_mtime_ns for p in sorted((files / "out").iterdir())]
    assert run_command(command) == 0
    assert [p.stat().st_mtime_ns for p in sorted((files / "out").iterdir())] == before
    assert capfd.readouterr().err.count("skipped") == 2


def test_each_rig_may_follow_one_option():
    assert with_every_rig(["--rig", "a.blend", "b.glb:x", "m.npz"]) == ["--rig", "a.blend", "--rig", "b.glb:x", "m.npz"]


def test_a_missing_file_is_named(tmp_path):
    from mvlift.errors import MvliftError

    with pytest.raises(MvliftError, match=r"hero\.blend does not exist"):
        split_rig(str(tmp_path / "hero.blend:Armature"))
