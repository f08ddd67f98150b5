"""After a lift: what is selected, how it is removed, how the scene is matched to it, and files of older versions."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest
from lift_steps import ready, started_job
from people_files import WALK
from synthetic_motion import walk
from test_shot import Walker, facts

from mvlift_blender.lifting.write import WritePlan, write_lifted
from mvlift_blender.scene.write import WriteOptions

pytestmark = pytest.mark.usefixtures("extension")


def lifted(name="Ada", track="0", frames=30, **options):
    """A person of a made-up file, written as the button does."""
    from mvlift_blender.lifting.present import show_result

    written = write_lifted(bpy.context, WritePlan(WriteOptions(**options)), [(Walker(name, track=track), walk(frames))])
    show_result(bpy.context, written)
    return written[0]


def test_the_result_is_selected_and_active():
    cube = bpy.data.objects.new("Cube", None)
    bpy.context.scene.collection.objects.link(cube)
    cube.select_set(True)
    ready()
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    layer = bpy.context.view_layer
    assert layer.objects.active == bpy.context.scene.mvlift.result
    assert [o.name for o in layer.objects if o.select_get()] == ["walk"]


def test_somebody_who_poses_meanwhile_is_not_disturbed():
    armature = lifted().armature
    bpy.ops.object.mode_set(mode="POSE")
    lifted("Ben", "1")
    assert bpy.context.mode == "POSE"
    assert bpy.context.view_layer.objects.active == armature
    bpy.ops.object.mode_set(mode="OBJECT")


def test_remove_lift_takes_all_of_it_and_nothing_else():
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(cube)
    bpy.context.scene.frame_set(3)

    def state():
        blocks = ("objects", "meshes", "armatures", "actions", "cameras", "collections", "materials", "images")
        return {name: sorted(b.name for b in getattr(bpy.data, name)) for name in blocks}

    before = state()
    other = lifted("Ben", "1")
    with_one = state()
    first = lifted("Ada", "0")
    bpy.context.view_layer.objects.active = first.armature
    assert bpy.ops.mvlift.smooth() == {"FINISHED"}  # a cleaned Action beside the lifted one
    assert bpy.ops.mvlift.remove_lift() == {"FINISHED"}
    assert state() == with_one
    bpy.context.view_layer.objects.active = other.armature
    assert bpy.ops.mvlift.remove_lift() == {"FINISHED"}
    assert state() == before
    assert not bpy.ops.mvlift.remove_lift.poll()


def test_the_scene_can_be_matched_afterwards():
    data = bpy.data.cameras.new("Shot")
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Shot", data))
    written = lifted(frames=70)
    scene = bpy.context.scene
    rate = scene.render.fps
    assert scene.camera is None
    assert bpy.ops.mvlift.match_scene(frames=False, size=False) == {"FINISHED"}
    assert (scene.camera, scene.frame_end) == (written.camera, 250)
    assert bpy.ops.mvlift.match_scene() == {"FINISHED"}
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1280, 720)
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, int(1 + 69 * 24 / 30), rate)


def test_esc_that_stops_playback_does_not_cancel():
    from mvlift_blender.operators.engine import EngineOperator

    ready()
    job = started_job()
    operator = SimpleNamespace(_job=job)
    escape = SimpleNamespace(type="ESC", value="PRESS")
    playing = SimpleNamespace(screen=SimpleNamespace(is_animation_playing=True))
    context = SimpleNamespace(window_manager=SimpleNamespace(windows=[playing]))
    assert EngineOperator.modal(operator, context, escape) == {"PASS_THROUGH"}
    assert not bpy.context.window_manager.mvlift_job.cancel
    playing.screen.is_animation_playing = False
    assert EngineOperator.modal(operator, context, escape) == {"RUNNING_MODAL"}
    assert bpy.context.window_manager.mvlift_job.cancel
    job.abandon()


def test_a_file_of_version_0_1_keeps_its_video_and_rate(tmp_path):
    from mvlift_blender.settings.old_files import bring_up_to_date

    settings = bpy.context.scene.mvlift
    person = settings.people.add()
    person.name, person.source, person.track, person.first, person.last = "walk", str(WALK), "0", 0, 149
    if hasattr(settings, "bl_system_properties_get"):
        old = settings.bl_system_properties_get(do_create=True)
    else:
        old = settings
    old["fps"], old["image_width"], old["image_height"], old["stature"], old["thing_known"] = "25", 640, 360, 1.9, 1
    old["subject"] = 0
    bring_up_to_date(settings)
    assert (settings.clip_fps(person), settings.clip_size(person)) == (25, (640, 360))
    assert (round(settings.height_metres, 3), settings.rigid_object_known, person.subject) == (1.9, True, "human")
    assert facts()["rate"] == (24, 1.0)


def test_each_file_has_its_own_video_size_and_rate(tmp_path):
    from people_files import openpose_folder, two_people

    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    settings.fps, settings.image_width, settings.image_height = "25", 640, 360
    bpy.ops.mvlift.import_keypoints(filepath=str(two_people(tmp_path / "pair.csv")))
    bpy.ops.mvlift.import_keypoints(filepath=str(openpose_folder(tmp_path / "clip")))
    first, pair, _, last = settings.people
    assert [settings.clip_fps(p) for p in (first, pair, last)] == [25, 30, 30]
    assert [settings.clip_size(p) for p in (first, pair)] == [(640, 360), (1280, 720)]
    settings.active = 3
    settings.fps = "50"
    assert (settings.clip_fps(last), settings.clip_fps(first)) == (50, 25)
    bpy.ops.mvlift.forget_people()
    assert len(settings.sources) == 2


def test_a_finding_is_mended_by_its_button():
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    assert not len(settings.sources[0].findings)
    assert not bpy.ops.mvlift.mend_source.poll()
    settings.image_width, settings.image_height = 640, 360
    findings = settings.sources[0].findings
    assert "outside the picture of 640 x 360" in findings[0].text
    assert bpy.ops.mvlift.mend_source(index=0) == {"FINISHED"}
    assert settings.clip_size(settings.person()) == (1280, 720)
    assert not len(settings.sources[0].findings)


def test_the_subject_follows_what_was_recognised(tmp_path):
    settings = bpy.context.scene.mvlift
    examples = WALK.parent
    for name in ("dog.csv", "horse.csv", "walk.zip", "box.zip"):
        bpy.ops.mvlift.import_keypoints(filepath=str(examples / name))
    subjects = {p.source.rpartition("/")[2]: p.subject for p in settings.people if p.chosen}
    assert subjects == {
        "dog.csv": "quadruped17", "horse.csv": "ungulate16", "walk.zip": "human", "box.zip": "human+box",
    }  # fmt: skip
    dog = settings.people[0]
    assert dog.subject_choice == "quadruped17"
    with pytest.raises(TypeError, match="not found"):
        dog.subject_choice = "human"


def test_a_box_without_keypoints_of_it_is_not_lifted():
    from mvlift_blender.importing.people import why_not

    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    settings.person().subject_choice = "human+box"
    assert "no keypoints of a box" in why_not(settings)
    assert not bpy.ops.mvlift.lift.poll()
    settings.rigid_object_source = str(WALK.with_name("box.zip"))
    assert why_not(settings) == ""


def test_from_and_to_are_filled_when_they_are_obvious():
    from mvlift_blender.lifting.present import fill_retarget

    retarget = bpy.context.scene.mvlift_retarget
    first = lifted().armature
    fill_retarget(bpy.context, first)
    assert (retarget.source, retarget.target) == (first, None)
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    second = lifted("Ben", "1").armature
    fill_retarget(bpy.context, second)
    assert (retarget.source, retarget.target) == (second, rig)
    retarget.source, retarget.target = rig, first  # the user's own choice
    fill_retarget(bpy.context, second)
    assert (retarget.source, retarget.target) == (rig, first)


def test_a_pushed_down_action_edit_mode_and_tweak_mode_are_said():
    from mvlift_blender.scene.selected import why_no_record

    armature = lifted().armature
    assert why_no_record(bpy.context) == ""
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Edit Mode" in why_no_record(bpy.context)
    bpy.ops.object.mode_set(mode="OBJECT")
    animation, action = armature.animation_data, armature.animation_data.action
    slot = getattr(animation, "action_slot", None)
    strip = animation.nla_tracks.new().strips.new("lifted", 1, action)
    animation.action = None
    assert "pushed down" in why_no_record(bpy.context)
    assert not bpy.ops.mvlift.smooth.poll()
    animation.nla_tracks[0].select = strip.select = True
    animation.use_tweak_mode = True
    if animation.use_tweak_mode:
        assert "tweak mode" in why_no_record(bpy.context)
        animation.use_tweak_mode = False
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    assert why_no_record(bpy.context) == ""
    assert bpy.ops.mvlift.smooth() == {"FINISHED"}  # beside the strip


def test_clean_up_works_in_rest_position_and_under_a_solo_track():
    armature = lifted().armature
    armature.data.pose_position = "REST"
    track = armature.animation_data.nla_tracks.new()
    track.is_solo = True
    before = armature.animation_data.action
    assert bpy.ops.mvlift.smooth() == {"FINISHED"}
    assert armature.animation_data.action != before
    assert (armature.data.pose_position, track.is_solo) == ("REST", True)
