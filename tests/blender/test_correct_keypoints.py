"""Correcting 2D keypoints over the video: each step, undo, saving, export, the lift of what was corrected, picking."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from lift_steps import COUNT, ready
from people_files import two_people, walker
from test_lift import keys
from test_scene import posed
from test_shot import in_view
from test_video import view

from mvlift_blender.importing.sources import clip_of

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture
def settings():
    return ready()


def clip():
    scene_settings = bpy.context.scene.mvlift
    return clip_of(scene_settings, scene_settings.person())


def column(name):
    return walker().layout.names.index(name)


def test_a_keypoint_is_moved_hidden_and_seen_again(settings):
    detected = walker()
    assert bpy.ops.mvlift.move_keypoint(frame=10, keypoint="l_wrist", x=321.5, y=210.25) == {"FINISHED"}
    j = column("l_wrist")
    np.testing.assert_allclose(clip().points[10, j], [321.5, 210.25])
    assert clip().confidence[10, j] == 1.0
    assert bpy.ops.mvlift.see_keypoint(frame=10, keypoint="l_wrist", seen=False) == {"FINISHED"}
    assert clip().confidence[10, j] == 0
    with pytest.raises(RuntimeError, match="has no position in frame 10"):
        bpy.ops.mvlift.see_keypoint(frame=10, keypoint="l_wrist", seen=True)
    with pytest.raises(RuntimeError, match="outside walk, who has frames 0 to 149"):
        bpy.ops.mvlift.move_keypoint(frame=400, keypoint="l_wrist", x=1, y=1)
    assert bpy.ops.mvlift.forget_corrections(first=10, last=10) == {"FINISHED"}
    np.testing.assert_array_equal(clip().points, detected.points)
    assert settings.person().corrections == ""


def test_copy_track_and_swap(settings):
    detected = walker()
    assert bpy.ops.mvlift.copy_keypoints(frame=20, step="NEXT") == {"FINISHED"}
    seen = detected.seen[21]
    np.testing.assert_allclose(clip().points[20, seen], detected.points[21, seen], atol=1e-4)
    bpy.ops.mvlift.forget_corrections(first=0, last=149)
    j = column("r_ankle")
    for frame, shift in ((30, 10), (40, 30)):
        x, y = detected.points[frame, j] + [shift, 0]
        bpy.ops.mvlift.move_keypoint(frame=frame, keypoint="r_ankle", x=float(x), y=float(y))
    assert bpy.ops.mvlift.track_keypoint(frame=35, keypoint="r_ankle") == {"FINISHED"}
    np.testing.assert_allclose(clip().points[35, j], detected.points[35, j] + [20, 0], atol=0.01)
    with pytest.raises(RuntimeError, match="no correction before and after"):
        bpy.ops.mvlift.track_keypoint(frame=35, keypoint="l_ankle")
    assert bpy.ops.mvlift.swap_sides(first=60, last=61) == {"FINISHED"}
    np.testing.assert_array_equal(clip().points[60, column("l_knee")], detected.points[60, column("r_knee")])
    np.testing.assert_array_equal(clip().points[62], detected.points[62])


def test_corrections_are_undone_saved_and_exported(settings, tmp_path):
    bpy.ops.ed.undo_push(message="imported")
    before = clip().points.copy()
    bpy.ops.mvlift.move_keypoint("EXEC_DEFAULT", True, frame=5, keypoint="nose", x=100, y=50)
    assert not np.array_equal(clip().points, before)
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(clip().points, before)
    bpy.ops.mvlift.move_keypoint(frame=5, keypoint="nose", x=100, y=50)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "corrected.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "corrected.blend"))
    np.testing.assert_allclose(clip().points[5, column("nose")], [100, 50])
    assert bpy.ops.mvlift.export_keypoints(filepath=str(tmp_path / "out.csv")) == {"FINISHED"}
    from mvlift.keypoints.reading import read_keypoints

    read = read_keypoints(tmp_path / "out.csv")[0]
    np.testing.assert_allclose(read.points[5 - read.first_frame, read.layout.index("nose")], [100, 50], atol=0.01)


def test_the_lift_of_corrections_changes_that_part_and_follows_them(settings):
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="No keypoint of walk was corrected"):
        bpy.ops.mvlift.relift_corrected()
    armature, detected = settings.result, walker(COUNT)
    old = keys(armature)
    j = column("l_wrist")
    for frame in range(18, 23):
        x, y = detected.points[frame, j] + [0, -120]
        bpy.ops.mvlift.move_keypoint(frame=frame, keypoint="l_wrist", x=float(x), y=float(y))
    assert bpy.ops.mvlift.relift_corrected() == {"FINISHED"}
    new = keys(armature)
    changed = np.abs(new[0]["left_shoulder"] - old[0]["left_shoulder"]).max(1) > 1e-6
    assert changed[18:23].all()
    assert not changed[:4].any()
    assert not changed[38:].any()
    off = []
    for frame in range(18, 23):
        bpy.context.scene.frame_set(1 + frame)
        wrist = in_view(bpy.context.scene.camera, posed(armature, ["left_wrist"])[0], (1280, 720))
        off.append(float(np.linalg.norm(wrist - (detected.points[frame, j] + [0, -120]))))
    assert max(off) < 12  # pixels, of the 120 that they were dragged: the joint lies beside the detector's keypoint


def test_everybody_is_shown_and_can_be_picked(tmp_path):
    from mvlift_blender.viewport.overlay import nearest_keypoint, nearest_person, screen_frame, to_video
    from mvlift_blender.viewport.preview import shown_at

    bpy.ops.mvlift.import_keypoints(filepath=str(two_people(tmp_path / "pair.csv")))
    settings = bpy.context.scene.mvlift
    settings.overlay, settings.active = True, 0
    bpy.context.scene.frame_set(21)
    context = view()
    shown = shown_at(context)
    assert (shown.person, [(o.index, o.name) for o in shown.others]) == ((0, "pair a"), [(1, "pair b")])
    frame = screen_frame(context, shown.size)
    (other,) = shown.others
    there = other.clip.points[other.row, column("r_wrist")].astype(float)
    mouse = there @ frame[:, :2].T + frame[:, 2]
    np.testing.assert_allclose(to_video(frame, mouse), there, atol=1e-6)
    assert nearest_person(shown, frame, mouse, 24) == 1
    wrist = shown.clip.points[shown.row, column("r_wrist")].astype(float) @ frame[:, :2].T + frame[:, 2]
    assert nearest_person(shown, frame, wrist, 24) == 0
    assert nearest_keypoint(shown, frame, wrist + 1, 24) == "r_wrist"
    assert nearest_person(shown, frame, np.array([-500.0, -500.0]), 24) is None
    assert bpy.ops.mvlift.pick_person(index=1) == {"FINISHED"}
    assert settings.active == 1
    assert shown_at(context).person == (1, "pair b")


def test_what_was_corrected_is_shown(settings):
    from mvlift_blender.importing.corrections import corrections_text
    from mvlift_blender.viewport.preview import shown_at

    settings.overlay = True
    bpy.context.scene.frame_set(6)
    bpy.ops.mvlift.move_keypoint(frame=5, keypoint="nose", x=100, y=50)
    bpy.ops.mvlift.swap_sides(first=8, last=9)
    assert shown_at(view()).corrected == ("nose",)
    assert corrections_text(settings.person()) == "1 keypoints in 1 frame; sides swapped in 8-9"


def test_the_tool_is_in_the_toolbar():
    from bl_ui.space_toolsystem_common import ToolSelectPanelHelper

    helper = ToolSelectPanelHelper._tool_class_from_space_type("VIEW_3D")
    names = {tool.idname for group in helper._tools["OBJECT"] for tool in _flat(group) if tool is not None}
    assert "mvlift.keypoint_tool" in names


def _flat(group):
    return group if isinstance(group, (list, tuple)) and not hasattr(group, "idname") else [group]


def test_after_a_lift_the_video_leaves_the_viewport_free():
    from mvlift_blender.viewport.overlay import screen_frame

    size = (1280, 720)
    full, inset = (screen_frame(view(), size, small) for small in (False, True))
    assert inset[0, 0] < 0.45 * full[0, 0]
    corners = np.array([[0, 0], size]) @ inset[:, :2].T + inset[:, 2]
    assert (corners.max(0) < [320, 200]).all()
    assert (corners.min(0) > 0).all()
