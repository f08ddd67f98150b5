"""Import and the list of people, through the operators."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np
import pytest
from people_files import SIZE, WALK, openpose_folder, two_people, walker

pytestmark = pytest.mark.usefixtures("extension")


def settings():
    return bpy.context.scene.mvlift


def rows():
    return [(p.name, p.track, p.first, p.last, p.chosen) for p in settings().people]


def import_files(*paths, **options):
    files = [{"name": path.name} for path in paths]
    return bpy.ops.mvlift.import_keypoints(directory=str(paths[0].parent), files=files, **options)


def clip_of_active():
    from mvlift_blender.importing.sources import clip_of

    return clip_of(settings(), settings().person())


def test_a_zip_is_recognised_and_what_it_does_not_say_is_asked_for():
    from mvlift_blender.importing.people import assumed, describe, why_not

    assert bpy.ops.mvlift.import_keypoints(filepath=str(WALK)) == {"FINISHED"}
    person = settings().person()
    assert (person.name, person.format, person.frames, person.gaps) == ("walk", "openpose", 150, 0)
    assert person.confidence == pytest.approx(walker().mean_confidence, abs=1e-6)
    said = "Assumed a picture of 1280 x 720 and 30 frames a second: pick the video, or type the right values"
    assert assumed(settings(), person) == said
    assert (settings().clip_size(person), settings().clip_fps(person)) == (SIZE, 30)
    assert bpy.ops.mvlift.lift.poll()
    settings().image_width, settings().image_height = SIZE
    assert assumed(settings(), person).startswith("Assumed 30 frames a second:")
    settings().fps = "ten"
    assert "ten frames per second is not a frame rate" in why_not(settings())
    settings().fps = "29.97"
    assert (why_not(settings()), assumed(settings(), person)) == ("", "")
    assert settings().clip_fps(person) == Fraction(30000, 1001)
    assert bpy.ops.mvlift.lift.poll()
    assert describe(settings(), person)[1] == "Frames 0 to 149, 5.0 s"
    detected_as = "Detected as: json with people[].pose_keypoints_2d, one file per frame; coordinates in pixels"
    assert describe(settings(), person)[-1] == detected_as


def test_a_folder_by_one_of_its_files_and_several_files_at_once(tmp_path):
    folder = openpose_folder(tmp_path / "clip")
    table = two_people(tmp_path / "pair.csv")
    one = sorted(folder.iterdir())[3]
    assert import_files(one) == {"FINISHED"}
    assert [(Path(p.source), p.frames) for p in settings().people] == [(folder, 60)]
    archive = Path(shutil.copy(WALK, tmp_path))
    assert import_files(table, archive, replace=True) == {"FINISHED"}
    assert [p.name for p in settings().people] == ["pair a", "pair b", "walk"]
    assert [p.chosen for p in settings().people] == [True, False, True]
    assert settings().people[0].fps == "30"
    assert (settings().people[1].width, settings().people[1].height) == SIZE


def test_importing_again_replaces_the_same_file_only(tmp_path):
    table = two_people(tmp_path / "pair.csv")
    import_files(WALK)
    import_files(table)
    settings().people[1].name = "Ada"
    two_people(table, frames=40)
    import_files(table)
    assert [(p.name, p.frames) for p in settings().people] == [("walk", 150), ("pair a", 40), ("pair b", 40)]


def drop(folder, *names, editor="VIEW_3D"):
    """Drop files onto an editor, by the operator that Blender runs when a file manager lets go of them."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == editor)
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        return bpy.ops.wm.drop_import_file(
            "INVOKE_DEFAULT", directory=f"{folder}{os.sep}", files=[{"name": name} for name in names]
        )


def test_a_dropped_file_is_imported_at_once(tmp_path):
    two_people(tmp_path / "pair.csv")
    assert drop(tmp_path, "pair.csv", editor="OUTLINER") == {"CANCELLED"}
    assert not settings().people
    assert drop(tmp_path, "pair.csv") == {"FINISHED"}
    assert [p.name for p in settings().people] == ["pair a", "pair b"]


def test_of_several_dropped_files_those_of_keypoints_are_imported(tmp_path):
    two_people(tmp_path / "pair.csv")
    shutil.copy(WALK, tmp_path)
    (tmp_path / "notes.md").write_text("no keypoints")
    assert drop(tmp_path, "notes.md") == {"CANCELLED"}
    assert drop(tmp_path, "notes.md", "pair.csv", "walk.zip") == {"FINISHED"}
    assert [p.name for p in settings().people] == ["pair a", "pair b", "walk"]


def test_dropped_files_of_one_folder_are_one_clip(tmp_path):
    folder = openpose_folder(tmp_path / "clip")
    assert drop(tmp_path, "clip") == {"CANCELLED"}  # Blender hands folders to nobody
    assert drop(folder, *sorted(path.name for path in folder.iterdir())) == {"FINISHED"}
    assert [(Path(p.source), p.frames) for p in settings().people] == [(folder, 60)]


def test_a_dropped_file_that_cannot_be_read_is_said(tmp_path, capfd):
    (tmp_path / "bad.json").write_text("{")
    drop(tmp_path, "bad.json")
    assert "bad.json is not valid JSON" in capfd.readouterr().out
    assert not settings().people


def test_a_folder_is_looked_through_once_however_many_of_its_files_are_chosen(tmp_path, monkeypatch):
    from mvlift_blender.importing.people import sources_of

    folder, lists, glob = openpose_folder(tmp_path / "clip"), [], Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: lists.append(path) or glob(path, pattern))
    assert sources_of(sorted(folder.iterdir())) == [folder]
    assert lists == [folder]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("gone.json", None, "does not exist"), ("empty.json", "{}", "empty.json"), ("bad.npz", "no zip", "bad.npz")],
)
def test_a_file_that_cannot_be_read_leaves_the_list(tmp_path, name, content, says):
    import_files(WALK)
    before = rows()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.mvlift.import_keypoints(filepath=str(tmp_path / name), replace=True)
    assert rows() == before


def test_choosing_and_forgetting(tmp_path):
    from mvlift_blender.importing.people import why_not

    import_files(two_people(tmp_path / "pair.csv"))
    bpy.ops.mvlift.choose_people()
    assert [p.chosen for p in settings().people] == [True, True]
    bpy.ops.mvlift.choose_people()
    assert [p.chosen for p in settings().people] == [False, False]
    assert "Select at least one" in why_not(settings())
    settings().active = 0
    bpy.ops.mvlift.forget_people()
    assert [p.track for p in settings().people] == ["b"]
    bpy.ops.mvlift.forget_people(everybody=True)
    assert not settings().people
    assert not bpy.ops.mvlift.forget_people.poll()


def test_split_and_join_give_the_same_keypoints_back(tmp_path):
    import_files(two_people(tmp_path / "pair.csv"))
    settings().active = 0
    joined = clip_of_active()
    assert bpy.ops.mvlift.split_person(frame=25) == {"FINISHED"}
    assert [(p.name, p.first, p.last) for p in settings().people] == [
        ("pair a", 0, 24), ("pair a from 25", 25, 59), ("pair b", 10, 69),
    ]  # fmt: skip
    settings().active = 1
    np.testing.assert_array_equal(clip_of_active().points, joined.points[25:])
    settings().active = 0
    assert bpy.ops.mvlift.join_people(other="1") == {"FINISHED"}
    assert len(settings().people) == 2
    np.testing.assert_array_equal(clip_of_active().points, joined.points)
    with pytest.raises(RuntimeError, match="not inside pair a"):
        bpy.ops.mvlift.split_person(frame=60)


def test_swap_from_a_frame_exchanges_the_keypoints(tmp_path):
    import_files(two_people(tmp_path / "pair.csv"))
    clips = []
    for index in (0, 1):
        settings().active = index
        clips.append(clip_of_active())
    a, b = clips
    settings().active = 0
    assert bpy.ops.mvlift.swap_people(other="1", frame=30) == {"FINISHED"}
    swapped = clip_of_active()
    assert (swapped.first_frame, len(swapped)) == (0, 70)
    np.testing.assert_array_equal(swapped.points[:30], a.points[:30])
    np.testing.assert_array_equal(swapped.points[30:], b.points[20:])
    settings().active = 1
    other = clip_of_active()
    np.testing.assert_array_equal(other.points, np.concatenate([b.points[:20], a.points[30:]]))
    before = rows()
    with pytest.raises(RuntimeError, match="Choose a frame from 1 to 69"):
        bpy.ops.mvlift.swap_people(other="0", frame=70)
    assert rows() == before


def test_corrections_need_people_of_one_file(tmp_path):
    assert not bpy.ops.mvlift.split_person.poll()
    import_files(WALK)
    assert bpy.ops.mvlift.split_person.poll()
    assert not bpy.ops.mvlift.join_people.poll()
    import_files(two_people(tmp_path / "pair.csv"))
    settings().active = 1
    assert bpy.ops.mvlift.join_people.poll()


def test_corrections_are_saved_and_undone(tmp_path):
    import_files(two_people(tmp_path / "pair.csv"))
    settings().active = 0
    bpy.ops.ed.undo_push(message="imported")
    assert bpy.ops.mvlift.trim_person("EXEC_DEFAULT", True, first=10, last=49) == {"FINISHED"}
    settings().people[0].name = "Ada"
    trimmed = rows()
    np.testing.assert_array_equal(clip_of_active().points, walker().points[10:50])
    file = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert not settings().people
    bpy.ops.wm.open_mainfile(filepath=str(file))
    assert rows() == trimmed
    np.testing.assert_array_equal(clip_of_active().points, walker().points[10:50])


def test_trim_is_one_undo_step(tmp_path):
    import_files(two_people(tmp_path / "pair.csv"))
    settings().active = 0
    before = rows()
    bpy.ops.ed.undo_push(message="imported")
    bpy.ops.mvlift.trim_person("EXEC_DEFAULT", True, first=10, last=49)
    assert rows() != before
    bpy.ops.ed.undo()
    assert rows() == before


def test_a_file_that_is_gone_is_said(tmp_path):
    table = two_people(tmp_path / "pair.csv")
    import_files(table)
    table.unlink()
    with pytest.raises(RuntimeError, match=r"pair\.csv does not exist"):
        bpy.ops.mvlift.lift()
    assert not bpy.data.objects


def test_outline_of_a_person():
    from mvlift_blender.viewport.thumbnails import outline

    picture = outline(walker())
    assert picture.shape == (48, 48, 4)
    covered = picture[..., 3] > 0.5
    assert 0.05 < covered.mean() < 0.5
    # head up: the picture's rows go from the bottom to the top, and a head is narrower than two legs in a stride
    heights = np.flatnonzero(covered.any(1))
    assert heights[-1] - heights[0] > 35


def test_a_source_is_read_once_whatever_is_typed_about_the_video(tmp_path, monkeypatch):
    from mvlift.keypoints import reading

    from mvlift_blender.importing import sources

    sources.forget()
    calls, inspect = [], reading.inspect_keypoints
    monkeypatch.setattr(reading, "inspect_keypoints", lambda *a, **k: calls.append(a) or inspect(*a, **k))
    import_files(WALK)
    settings().image_width, settings().image_height = SIZE
    settings().fps = "25"
    clip = clip_of_active()
    assert (clip.image_size, clip.fps) == (SIZE, 25)
    assert len(calls) == 1
    # shares of the picture are other pixels in another picture
    import json

    fraction = tmp_path / "share.json"
    frames = [[{"x": 0.1 + 0.02 * j, "y": 0.1 + 0.02 * j, "visibility": 0.9} for j in range(33)] for _ in range(12)]
    fraction.write_text(json.dumps(frames))
    import_files(fraction)
    settings().active = 1
    small = clip_of_active()
    settings().image_width = 2 * SIZE[0]
    assert np.ptp(clip_of_active().points[0, :, 0]) == pytest.approx(2 * np.ptp(small.points[0, :, 0]), rel=1e-5)
