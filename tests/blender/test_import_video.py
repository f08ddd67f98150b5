"""Import Video: the engine detects, the people come into the list with their video, and lift."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from people_files import two_people

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.mp4"))
pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture(scope="module")
def video() -> Path:
    """The bundled video, where this Blender's Python can detect in it."""
    for package in ("av", "tflite"):
        pytest.importorskip(package, reason=f"this Blender's Python has no {package}, which detection needs")
    from mvlift.detection.models import model_path
    from mvlift.errors import DetectionError

    try:
        model_path("pose_detection")
    except DetectionError as error:
        pytest.skip(f"the detector's files are not installed: {error}")
    if not EXAMPLES:
        pytest.skip("no example video in this copy")
    return EXAMPLES[0]


def test_a_video_becomes_people_with_their_video_and_lifts(video: Path, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert bpy.ops.mvlift.import_video(filepath=str(video), hands=False) == {"FINISHED"}
    settings = bpy.context.scene.mvlift
    assert len(settings.people) >= 1
    person = settings.person()
    source = settings.source_of(person)
    assert Path(source.video) == video
    assert Path(source.path) == tmp_path / f"{video.stem}_keypoints.npz"  # beside the .blend
    assert (source.video_width, source.video_height) == settings.clip_size(person)
    assert not source.findings  # nothing is asked, nothing disagrees
    written = Path(source.path).stat().st_mtime_ns
    assert bpy.ops.mvlift.import_video(filepath=str(video), hands=False) == {"FINISHED"}
    assert Path(source.path).stat().st_mtime_ns == written  # the next time costs nothing
    settings.use_range, settings.range_first, settings.range_last = True, person.first, person.first + 24
    settings.preset = "fast"
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    armature = bpy.context.view_layer.objects.active
    assert armature.type == "ARMATURE"
    assert any(o.type == "CAMERA" and o.data.background_images for o in bpy.context.scene.objects)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    keypoints = two_people(tmp_path / "two.csv")
    with pytest.raises(RuntimeError, match="is not a video file that MVLift knows"):
        bpy.ops.mvlift.import_video(filepath=str(keypoints))
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.mvlift.import_video(filepath=str(tmp_path / "gone.mp4"))
    assert not bpy.context.scene.mvlift.people


def test_a_broken_video_is_one_error_and_the_list_stays(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film" * 100)
    with pytest.raises(RuntimeError):
        bpy.ops.mvlift.import_video(filepath=str(broken))
    assert not bpy.context.scene.mvlift.people
    assert not list(tmp_path.glob("*_keypoints.npz"))
