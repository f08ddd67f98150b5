"""A lift into an animator's own shot: what it leaves alone, what it sets up, in which units, and what it says."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from lift_steps import ready
from synthetic_motion import forward, walk
from test_scene import box_body, posed

from mvlift_blender.lifting.write import WritePlan, write_lifted
from mvlift_blender.scene.record import LiftNames
from mvlift_blender.scene.write import WriteOptions, write_motion

pytestmark = pytest.mark.usefixtures("extension")


class Walker:
    """A person as a request names them."""

    def __init__(self, name="Ada", source="walk.json", track="0"):
        self.name, self.source, self.track, self.subject = name, source, track, "human"


def facts():
    """What an animator has set up in a scene."""
    scene, render = bpy.context.scene, bpy.context.scene.render
    return {
        "rate": (render.fps, render.fps_base),
        "range": (scene.frame_start, scene.frame_end),
        "preview": (scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end),
        "size": (render.resolution_x, render.resolution_y, render.resolution_percentage),
        "aspect": (render.pixel_aspect_x, render.pixel_aspect_y),
        "camera": scene.camera.name if scene.camera else None,
        "frame": (scene.frame_current, scene.frame_subframe),
        "markers": [(m.name, m.frame) for m in scene.timeline_markers],
        "objects": {o.name: tuple(np.ravel(o.matrix_world)) for o in bpy.data.objects},
        "actions": sorted(a.name for a in bpy.data.actions),
        "units": (scene.unit_settings.system, scene.unit_settings.scale_length),
    }


def shot(kind):
    """A scene that somebody works in, for one reason."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = (1, 250) if kind != "range" else (1001, 1100)
    if kind == "keys":
        cube = bpy.data.objects.new("Prop", None)
        scene.collection.objects.link(cube)
        cube.location.x = 1
        cube.keyframe_insert("location", frame=5)
    elif kind == "camera":
        data = bpy.data.cameras.new("Shot")
        camera = bpy.data.objects.new("Shot", data)
        scene.collection.objects.link(camera)
        scene.camera = camera
    elif kind == "rate":
        scene.render.fps = 25
    elif kind == "marker":
        scene.timeline_markers.new("cut", frame=40)
    elif kind == "material":
        mesh = bpy.data.objects.new("Shaded", bpy.data.meshes.new("Shaded"))
        scene.collection.objects.link(mesh)
        mesh.data.materials.append(bpy.data.materials.new("Paint"))
        mesh.shape_key_add(name="Basis")
        mesh.data.shape_keys.keyframe_insert("eval_time", frame=3)
    scene.frame_set(17)


@pytest.mark.parametrize("kind", ["keys", "camera", "rate", "range", "marker", "material", "saved"])
def test_a_shot_is_the_same_but_for_what_was_added(kind, tmp_path):
    shot(kind)
    if kind == "saved":
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    before, had = facts(), {o.name for o in bpy.data.objects}
    motion = walk(60)
    written = write_lifted(bpy.context, WritePlan(WriteOptions()), [(Walker(), motion)])
    after = facts()
    added = set(after["objects"]) - had
    assert added == {"Ada", "Ada Body", "Ada Camera"}
    after["objects"] = {name: m for name, m in after["objects"].items() if name in had}
    assert set(after.pop("actions")) >= set(before.pop("actions"))
    assert after == before
    start = bpy.context.scene.frame_start
    keys = written[0].curves.key_frames('pose.bones["pelvis"].location')
    fps = bpy.context.scene.render.fps
    assert keys[0] == start
    assert (keys[-1] - keys[0]) / fps == pytest.approx(59 / 30, abs=1e-4)
    assert bpy.context.scene.mvlift.said.startswith(f"Scene unchanged: {fps} fps")


def test_a_new_empty_file_is_set_up_and_said_and_undone():
    bpy.ops.ed.undo_push(message="empty")
    before = facts()
    settings = ready()
    assert bpy.ops.mvlift.lift("EXEC_DEFAULT", True) == {"FINISHED"}
    scene = bpy.context.scene
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (30, 1, 48)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1280, 720)
    assert scene.camera.name == "walk Camera"
    said = "Scene set to 30 fps, frames 1-48, 1280 x 720, with the video's camera"
    assert settings.said == said
    bpy.ops.ed.undo()
    assert facts() == before


def test_what_a_lift_set_up_may_be_set_up_again_until_somebody_changes_it():
    write_lifted(bpy.context, WritePlan(WriteOptions()), [(Walker("One"), walk(30))])
    assert bpy.context.scene.frame_end == 30
    write_lifted(bpy.context, WritePlan(WriteOptions()), [(Walker("Two"), walk(60))])
    assert bpy.context.scene.frame_end == 60
    bpy.context.scene.frame_end = 50
    write_lifted(bpy.context, WritePlan(WriteOptions()), [(Walker("Three"), walk(90))])
    assert bpy.context.scene.frame_end == 50
    assert "the motion ends at frame 90" in bpy.context.scene.mvlift.said


def test_the_scene_is_matched_to_the_video_where_that_is_asked_for():
    shot("camera")
    write_lifted(bpy.context, WritePlan(WriteOptions(setup="MATCH", start=11)), [(Walker(), walk(60))])
    scene = bpy.context.scene
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (30, 11, 70)
    assert scene.camera.name == "Ada Camera"


def test_the_first_frame_goes_where_it_is_wanted(tmp_path):
    from mvlift_blender.lifting.plan import plan_lift

    shot("range")
    settings = ready()
    bpy.context.scene.frame_set(1040)
    assert plan_lift(bpy.context).write.write.start is None
    settings.start_at = "PLAYHEAD"
    assert plan_lift(bpy.context).write.write.start == 1040
    settings.start = 7
    assert (settings.start_at, plan_lift(bpy.context).write.write.start) == ("FRAME", 7)


UNITS = [("METRIC", 1.0, 1.0), ("METRIC", 0.01, 0.01), ("METRIC", 1000.0, 1000.0), ("IMPERIAL", 0.3048, 0.3048),
         ("NONE", 0.01, 1.0)]  # fmt: skip


@pytest.mark.parametrize(("system", "scale", "metres"), UNITS)
def test_lengths_are_right_in_every_unit(system, scale, metres):
    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = system, scale
    motion = walk(40)
    written = write_motion(bpy.context, motion, WriteOptions(), box_body(motion))
    joints, _ = forward(motion)
    scene.frame_set(20)
    shown = metres * posed(written.armature, motion.joint_names)
    np.testing.assert_allclose(shown, joints[19], atol=2e-4)
    mesh = written.body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    vertices = metres * np.array([written.body.matrix_world @ v.co for v in mesh.vertices])
    assert np.abs(vertices.reshape(24, 4, 3)[:, 0] - joints[19]).max() < 2e-3
    pixels = motion.camera.project(joints[19])
    seen = [in_view(written.camera, p / metres, motion.camera.image_size) for p in joints[19]]
    np.testing.assert_allclose(seen, pixels, atol=0.05)
    clip_start, clip_end = (metres * v for v in (written.camera.data.clip_start, written.camera.data.clip_end))
    assert (clip_start, clip_end) == (pytest.approx(0.05), pytest.approx(1000))
    assert all(bone.length * metres > 0.015 for bone in written.armature.data.bones)


def in_view(camera, point, size):
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    view = world_to_camera_view(bpy.context.scene, camera, Vector(point))
    return view[0] * size[0], (1 - view[1]) * size[1]


@pytest.mark.parametrize(("system", "scale", "metres"), UNITS)
def test_clean_up_counts_in_metres(system, scale, metres):
    from mvlift_blender.cleanup import cleaning, contacts

    said = []
    for unit in ((system, scale), ("METRIC", 1.0)):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        settings = bpy.context.scene.unit_settings
        settings.system, settings.scale_length = unit
        armature = write_motion(bpy.context, walk(40)).armature
        said.append((contacts.snap_floor(armature, False, 1.0), cleaning.smooth(armature, 1.0, keep_feet=False),
                     cleaning.reduce_keys(armature, 0.004)))  # fmt: skip
    assert said[0] == said[1]


@pytest.mark.parametrize(("system", "scale", "metres"), UNITS)
def test_a_typed_height_is_a_height_in_the_scenes_units(system, scale, metres):
    from mvlift_blender.lifting.plan import lift_options

    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = system, scale
    settings = scene.mvlift
    assert settings.stature * metres == pytest.approx(1.7)
    settings.use_stature, settings.stature = True, 1.82 / metres
    assert lift_options(settings, "human", (1280, 720), None).height == pytest.approx(1.82)
    settings.rigid_object_size = (0.5 / metres, 0.2 / metres, 0.1 / metres)
    np.testing.assert_allclose(settings.rigid_object_metres, (0.5, 0.2, 0.1), rtol=1e-6)


def test_a_video_of_another_rate_stays_in_step_with_the_motion(tmp_path):
    from test_video import pictures

    scene = bpy.context.scene
    scene.render.fps = 24
    motion = walk(6)  # frames 5 to 10 of a video of 30 frames a second
    written = write_motion(bpy.context, motion, WriteOptions(video=pictures(tmp_path / "shot"), start=21, rate="SCENE"))
    for frame in (21, 22, 23, 24, 25):
        scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        user = written.camera.evaluated_get(graph).data.background_images[0].image_user
        shown = frame - user.frame_start + 1 + user.frame_offset
        assert shown == 7 + motion.first_frame + round((frame - 21) * 30 / 24), frame


def test_a_camera_that_moves_is_keyed_and_remembered():
    from dataclasses import replace

    from mvlift_blender.scene.record import read_record

    motion = walk(30)
    still, angle = motion.camera, np.radians(np.linspace(0, 20, 30))
    yaw = np.stack([np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1), np.tile([0.0, 1, 0], (30, 1)),
                    np.stack([-np.sin(angle), 0 * angle, np.cos(angle)], -1)], -2)  # fmt: skip
    K = np.repeat(still.K[None], 30, 0)
    K[:, 0, 0] = K[:, 1, 1] = np.linspace(1100, 1300, 30)
    R = (yaw @ still.R).astype(np.float32)
    moving = replace(still, K=K.astype(np.float32), R=R, t=np.tile(still.t, (30, 1)).astype(np.float32))
    motion = replace(motion, camera=moving)
    written = write_motion(bpy.context, motion)
    joints, _ = forward(motion)
    pixels = moving.project(joints.astype(np.float32))
    for row in (0, 11, 29):
        bpy.context.scene.frame_set(1 + row)
        seen = [in_view(written.camera, p, still.image_size) for p in joints[row]]
        np.testing.assert_allclose(seen, pixels[row], atol=0.1)
    kept = read_record(written.curves.action).camera
    for name in ("K", "R", "t"):
        np.testing.assert_allclose(getattr(kept, name), getattr(moving, name))


def test_replace_previous_takes_the_place_and_what_points_to_it():
    names = LiftNames("walk.json", "0")
    first = write_lifted(bpy.context, WritePlan(WriteOptions()), [(Walker(), walk(30))])[0]
    prop = bpy.data.objects.new("Hat", None)
    bpy.context.scene.collection.objects.link(prop)
    prop.parent, prop.parent_type, prop.parent_bone = first.armature, "BONE", "head"
    first.collection.objects.link(bpy.data.objects.new("Own", None))
    plan = WritePlan(WriteOptions(), previous="REPLACE")
    second = write_lifted(bpy.context, plan, [(Walker(), walk(40))])[0]
    assert {o.name for o in bpy.data.objects} == {"Ada", "Ada Body", "Ada Camera", "Hat", "Own"}
    assert (prop.parent, prop.parent_bone) == (second.armature, "head")
    assert [a.name for a in bpy.data.actions] == ["Ada lifted"]
    assert [c.name for c in bpy.data.collections] == ["Ada"]
    assert bpy.context.scene.camera == second.camera
    assert "Own" in bpy.context.scene.collection.objects
    assert names.track == "0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvlift_blender.lifting.write.write_motion", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_lifted(bpy.context, plan, [(Walker(), walk(40))])
    assert {o.name for o in bpy.data.objects} == {"Ada", "Ada Body", "Ada Camera", "Hat", "Own"}
    keep = write_lifted(bpy.context, WritePlan(WriteOptions()), [(Walker(), walk(40))])[0]
    assert keep.armature.name == "Ada.001"
