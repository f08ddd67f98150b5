"""Blender's command line: the same arrays as the button, every format, folders, resume, exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mvlift.motion import LiftedMotion
from synthetic_motion import walk

from mvlift_blender.commands import cli, headless
from mvlift_blender.scene.animation import current_curves

ROOT = Path(__file__).resolve().parents[2]
WALK = ROOT / "examples" / "walk.zip"
VIDEO = ["--fps", "30", "--image-size", "1280x720"]
FAST = ["--preset", "fast", "--frames", "0-39", *VIDEO]


def keys_of(armature: Any) -> dict[tuple[str, int], np.ndarray]:
    curves = {}
    for curve in current_curves(armature):
        values = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", values)
        curves[curve.data_path, curve.array_index] = values
    return curves


def armature_of(path: Path) -> Any:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (armature,) = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    return armature


@pytest.fixture(scope="module")
def lifted(extension: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with walk.blend and walk.npz, lifted by the command."""
    folder = tmp_path_factory.mktemp("lifted")
    outputs = [str(folder / "walk.blend"), str(folder / "walk.npz")]
    assert cli.run(["lift", str(WALK), "-o", *outputs, *FAST]) == 0
    return folder


def test_command_and_button_write_equal_arrays(lifted: Path) -> None:
    by_command = keys_of(armature_of(lifted / "walk.blend"))
    headless.new_scene()
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    settings.fps, settings.image_width, settings.image_height, settings.preset = "30", 1280, 720, "fast"
    settings.use_range, settings.range_first, settings.range_last = True, 0, 39
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    by_button = keys_of(settings.result)
    assert by_command.keys() == by_button.keys()
    assert len(by_command) > 4 * 24
    for key, values in by_command.items():
        # two processes: sums may round in another order where memory is aligned otherwise
        np.testing.assert_allclose(values, by_button[key], atol=1e-5, err_msg=str(key))


def test_npz_becomes_the_same_blend(lifted: Path, tmp_path: Path) -> None:
    assert cli.run(["write", str(lifted / "walk.npz"), "-o", str(tmp_path / "again.blend")]) == 0
    first, again = keys_of(armature_of(lifted / "walk.blend")), keys_of(armature_of(tmp_path / "again.blend"))
    assert first.keys() == again.keys()
    for key, values in first.items():
        np.testing.assert_allclose(values, again[key], atol=1e-5)


@pytest.mark.parametrize("suffix", ["fbx", "glb", "usd"])
def test_other_programs_formats_hold_the_motion(extension: Any, tmp_path: Path, suffix: str) -> None:
    if suffix == "usd" and not bpy.app.build_options.usd:
        pytest.skip("this Blender is built without USD")
    motion, path = walk(30), tmp_path / f"walk.{suffix}"
    headless.write_blender_file([motion], path)
    headless.new_scene()
    bpy.context.scene.render.fps = 30
    {
        "fbx": lambda: bpy.ops.import_scene.fbx(filepath=str(path)),
        "glb": lambda: bpy.ops.import_scene.gltf(filepath=str(path)),
        "usd": lambda: bpy.ops.wm.usd_import(filepath=str(path)),
    }[suffix]()
    (armature,) = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    scene, places = bpy.context.scene, []
    for frame in (1, 29):
        scene.frame_set(frame)
        places.append(armature.matrix_world @ armature.pose.bones["pelvis"].head)
    expected = motion.translation[28] - motion.translation[0]
    moved = np.array(places[1] - places[0])
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(expected), abs=0.04)
    assert len(armature.data.bones) == 24
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_clips_resumes_and_reports(
    extension: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name in ("a", "b"):
        shutil.copy(WALK, clips / f"{name}.zip")
    (clips / "broken.json").write_text("{")
    command = ["lift", str(clips), "--batch", "-o", str(out), "--extensions", "blend", "bvh", "--jobs", "2"]
    command += ["--preset", "fast", "--frames", "0-15", *VIDEO]
    assert cli.run(command) == 1
    assert "2 lifted, 0 already there, 1 failed: broken.json" in capfd.readouterr().err
    assert sorted(p.name for p in out.iterdir()) == ["a.blend", "a.bvh", "b.blend", "b.bvh"]
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    (out / "b.bvh").unlink()
    assert cli.run(command) == 1
    assert "1 lifted, 1 already there, 1 failed" in capfd.readouterr().err
    assert (out / "a.blend").stat().st_mtime_ns == before["a.blend"]
    assert (out / "b.blend").stat().st_mtime_ns > before["b.blend"]


def test_inspect_and_wrong_arguments(extension: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["inspect", "--json", str(WALK)]) == 0
    assert '"format": "openpose"' in capfd.readouterr().out
    assert cli.run(["lift", str(WALK), "--no-such-option"]) == 2
    assert cli.run(["lift", str(tmp_path / "missing.json"), "-o", str(tmp_path / "x.blend")]) == 1
    assert cli.run(["write", str(WALK), "-o", str(tmp_path / "x.xyz")]) == 1
    assert not list(tmp_path.iterdir())
    capfd.readouterr()


def test_picture_shows_the_bodies(extension: Any, tmp_path: Path) -> None:
    motion = LiftedMotion.load(walk(20).save(tmp_path / "m.npz"))
    headless.write_blender_file([motion], tmp_path / "m.png")
    image = bpy.data.images.load(str(tmp_path / "m.png"))
    pixels = np.array(image.pixels, np.float32).reshape(image.size[1], image.size[0], 4)
    assert tuple(image.size) == (1280, 640)
    middle = pixels[160:480, 320:960, :3]
    assert np.ptp(middle, axis=-1).max() > 0.2  # coloured bodies before a grey floor
    assert np.ptp(pixels[600:, :, :3], axis=-1).mean() < 0.1


def test_an_exporter_that_this_blender_lacks_is_said(
    extension: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mvlift.errors import MvliftError

    from mvlift_blender.exchange import scene_file as exporting

    def lacks(_path: str) -> None:
        bpy.ops.wm.no_such_export(filepath="")

    monkeypatch.setattr(exporting, "_usd", lacks)
    with pytest.raises(MvliftError, match=r"did not write walk\.usd: this Blender is built without"):
        exporting.export_file(tmp_path / "walk.usd")
    assert not list(tmp_path.iterdir())
