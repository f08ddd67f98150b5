"""What a lift writes into the scene, against the motion's own numbers."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from mvlift.errors import LiftError
from synthetic_motion import forward, walk

from mvlift_blender.motion import timing
from mvlift_blender.scene import animation, body, frame_rate
from mvlift_blender.scene.keyframes import rotation_path
from mvlift_blender.scene.record import LiftNames, read_record
from mvlift_blender.scene.write import WriteOptions, write_motion

RATES = [Fraction(24000, 1001), *map(Fraction, (24, 25)), Fraction(30000, 1001), *map(Fraction, (30, 50)),
         Fraction(60000, 1001), Fraction(60), Fraction(120)]  # fmt: skip


def posed(armature, names):
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[n].head for n in names])


def box_body(motion):
    """Every joint a small tetrahedron that weighs wholly on it."""
    corners = np.array([[0, 0, 0], [0.03, 0, 0], [0, 0.03, 0], [0, 0, 0.03]])
    count = len(motion.joint_names)
    vertices = (motion.rest_joints[:, None] + corners).reshape(-1, 3).astype(float)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    faces = (faces + 4 * np.arange(count)[:, None, None]).reshape(-1, 3)
    return body.BodyMesh(vertices, faces, np.repeat(np.eye(count), 4, axis=0))


def snapshot():
    scene = bpy.context.scene
    blocks = {
        name: sorted(b.name for b in getattr(bpy.data, name))
        for name in ("objects", "meshes", "armatures", "actions", "cameras", "collections", "materials", "images")
    }
    return blocks, scene.render.fps, scene.render.fps_base, scene.frame_start, scene.frame_end, scene.frame_current, (
        scene.camera, scene.render.resolution_x, scene.render.resolution_y, bpy.context.view_layer.objects.active
    )  # fmt: skip


def test_joints_and_camera_are_the_motions():
    motion = walk(60)
    written = write_motion(bpy.context, motion, WriteOptions(start=11))
    joints, _ = forward(motion)
    scene = bpy.context.scene
    width, height = motion.camera.image_size
    for sample in (0, 17, 59):
        scene.frame_set(11 + sample)
        assert np.abs(posed(written.armature, motion.joint_names) - joints[sample]).max() < 2e-5
        view = np.array([world_to_camera_view(scene, written.camera, Vector(p)) for p in joints[sample].tolist()])
        pixels = np.stack([view[:, 0] * width, (1 - view[:, 1]) * height], -1)
        assert np.abs(pixels - motion.camera.project(joints[sample])).max() < 0.01
    assert (scene.render.resolution_x, scene.render.resolution_y) == (width, height)
    assert (scene.frame_start, scene.frame_end) == (11, 70)
    assert scene.camera == written.camera


def test_mesh_follows_the_body_models_skinning():
    motion = walk(30)
    mesh = box_body(motion)
    written = write_motion(bpy.context, motion, WriteOptions(), mesh)
    bpy.context.scene.frame_set(20)
    joints, G = forward(motion)
    local = mesh.vertices.reshape(24, 4, 3) - motion.rest_joints[:, None]
    expected = np.einsum("jab,jvb->jva", G[19], local) + joints[19][:, None]
    evaluated = written.body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    got = np.array([v.co for v in evaluated.vertices]).reshape(24, 4, 3)
    assert np.abs(got - expected).max() < 5e-5
    rest = np.array([v.co for v in written.body.data.vertices])
    assert abs(rest[:, 2].min()) < 1e-6


def test_bones_are_smpls_with_clean_axes():
    motion = walk(4)
    armature = write_motion(bpy.context, motion).armature
    bones = armature.data.bones
    assert len(bones) == 24
    assert {b.name: b.parent.name if b.parent else "" for b in bones} == {
        n: motion.joint_names[p] if p >= 0 else "" for n, p in zip(motion.joint_names, motion.parents, strict=True)
    }
    for side, sign in (("left", 1), ("right", -1)):
        # knees bend about X to the back, elbows about X to the front; sides mirror each other
        assert bones[f"{side}_knee"].matrix_local.to_3x3().col[0].x > 0.99
        assert bones[f"{side}_elbow"].matrix_local.to_3x3().col[0].z * sign < -0.99
    np.testing.assert_allclose(bones["pelvis"].matrix_local.to_3x3(), [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-6)


def test_quaternions_are_unit_and_continuous():
    motion = walk(200)
    curves = write_motion(bpy.context, motion).curves
    frames = np.arange(1, 201, dtype=float)
    for name in motion.joint_names:
        q = curves.read(rotation_path(name), 4, frames)
        np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1, atol=1e-5)
        assert ((q[1:] * q[:-1]).sum(1) > 0.9).all()


@pytest.mark.parametrize("clip", RATES)
@pytest.mark.parametrize("scene", RATES)
def test_duration_in_seconds_holds(clip, scene):
    place = timing.Timing(101, clip, scene, 1)
    seconds = (place.frames[-1] - place.frames[0]) / float(scene)
    assert seconds == pytest.approx(100 / float(clip), rel=1e-12)
    assert place.samples[-1] == pytest.approx(100, abs=1e-9)


def test_clip_rate_is_exact_and_scene_rate_resamples():
    motion = walk(50, Fraction(30000, 1001))
    scene = bpy.context.scene
    write_motion(bpy.context, motion)
    assert (scene.render.fps, scene.render.fps_base) == (30, pytest.approx(1.001))
    assert frame_rate.scene_fps(scene) == Fraction(30000, 1001)
    frame_rate.set_scene_fps(scene, Fraction(24))
    written = write_motion(bpy.context, motion, WriteOptions(rate="SCENE"))
    keys = written.curves.key_frames(rotation_path("pelvis"))
    assert (keys[-1] - keys[0]) / 24 == pytest.approx(49 * 1.001 / 30, abs=1e-5)
    scene.frame_set(25)
    joints, _ = forward(motion)
    place = 30 / 1.001
    lower = int(place)
    expected = joints[lower] * (1 - (place - lower)) + joints[lower + 1] * (place - lower)
    assert np.abs(posed(written.armature, motion.joint_names) - expected).max() < 2e-3


def test_doubtful_frames_are_marked_and_keyed():
    motion = walk(60)
    motion.keypoint_confidence[20:30] = 0.1
    motion.reprojection_error[50:] = 300
    written = write_motion(bpy.context, motion)
    assert written.doubtful == 2
    markers = {m.name: m.frame for m in written.curves.action.pose_markers}
    assert markers == {"check 1": 21, "ok 1": 31, "check 2": 51, "ok 2": 61}
    bpy.context.scene.frame_set(26)
    assert written.armature["mvlift_confidence"] == pytest.approx(0.1, abs=1e-6)


def test_each_lift_has_an_action_and_remembers_its_facts():
    motion = walk(12)
    first = write_motion(bpy.context, motion, WriteOptions(names=LiftNames("clip.json", "3")))
    second = write_motion(bpy.context, motion)
    assert first.curves.action != second.curves.action
    record = read_record(first.curves.action)
    assert (record.source, record.track, record.first_frame, record.timing.count) == ("clip.json", "3", 5, 12)
    np.testing.assert_allclose(record.contacts, motion.contacts)
    assert animation.current_curves(first.armature).action == first.curves.action


def test_failure_leaves_the_scene_as_it_was(monkeypatch):
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    bpy.context.scene.frame_set(7)
    before = snapshot()
    motion = walk(10)
    motion.translation[3] = np.nan
    with pytest.raises(LiftError, match="translation"):
        write_motion(bpy.context, motion)
    assert snapshot() == before
    for name in ("key_quality", "set_scene_up"):
        with monkeypatch.context() as patch:
            patch.setattr(f"mvlift_blender.scene.write.{name}", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                write_motion(bpy.context, walk(10))
        assert snapshot() == before


def test_selection_and_active_object_stay():
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    cube.select_set(True)
    written = write_motion(bpy.context, walk(5))
    assert bpy.context.view_layer.objects.active == cube
    assert cube.select_get()
    assert not written.armature.select_get()
