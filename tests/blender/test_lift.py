"""Lift through the engine process, from the button's operator to keys, camera, files and errors."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import bpy
import mvlift
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from lift_steps import COUNT, ready
from mathutils import Vector
from mvlift.motion import LiftedMotion
from people_files import SIZE, WALK, two_people, walker
from test_scene import posed, snapshot

from mvlift_blender.motion.rig_data import bone_rotations
from mvlift_blender.scene.animation import current_curves
from mvlift_blender.scene.armature import rest_axes, rest_heads
from mvlift_blender.scene.keyframes import location_path, rotation_path
from mvlift_blender.scene.record import read_record

CORE = Path(mvlift.__file__).parents[1]
pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture(scope="module")
def motion() -> LiftedMotion:
    """What `mvlift.lift` makes of the beginning of the bundled clip."""
    for package in ("torch", "safetensors"):
        pytest.importorskip(package, reason=f"this Blender's Python has no {package} to compare with")
    return mvlift.lift(walker(COUNT), preset="fast", device="cpu")


@pytest.fixture
def settings():
    return ready()


@pytest.fixture
def lifted(lifted_file):
    """The settings of that file, opened again."""
    bpy.ops.wm.open_mainfile(filepath=str(lifted_file))
    return bpy.context.scene.mvlift


def keys(armature, frames=COUNT, start=1):
    """(T, J, 4) quaternions and (T, 3) locations of an armature on its frames."""
    curves, at = current_curves(armature), start + np.arange(frames, dtype=float)
    names = [bone.name for bone in armature.data.bones]
    return (
        {name: curves.read(rotation_path(name), 4, at) for name in names},
        curves.read(location_path(names[0]), 3, at),
    )


def test_a_lift_comes_into_the_scene_that_it_was_started_in(settings):
    """Another scene is opened while the engine works, with another frame rate."""
    from mvlift_blender.lifting.plan import plan_lift
    from mvlift_blender.lifting.write import write_lifted
    from mvlift_blender.scene.selected import record_of

    first, other = bpy.context.scene, bpy.data.scenes.new("Other")
    first.name, other.render.fps = "First", 60
    plan = plan_lift(bpy.context)
    request = plan.requests[0]
    lifted = [(request, mvlift_motion(request))]
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        write_lifted(bpy.context, plan.write, lifted)
        assert bpy.context.scene == other
    assert not list(other.objects)
    assert {o.name for o in first.objects} == {"walk", "walk Body", "walk Camera"}
    assert other.mvlift.result is None
    assert record_of(first.mvlift.result) is not None
    bpy.data.scenes.remove(first)
    with pytest.raises(mvlift.MvliftError, match="scene was removed"):
        write_lifted(bpy.context, plan.write, lifted)
    assert not list(other.objects)


def mvlift_motion(request):
    """What the engine makes of one request."""
    from mvlift_blender.engine.process import shared_client
    from mvlift_blender.engine.queue import EngineQueue
    from mvlift_blender.settings.preferences import engine_source

    ((_, motion),) = EngineQueue(shared_client(engine_source(bpy.context)), [request]).run()
    return motion


def test_one_click_lifts(lifted, motion):
    armature, scene = lifted.result, bpy.context.scene
    assert {o.name for o in bpy.data.objects} == {"walk", "walk Body", "walk Camera"}
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, COUNT, 30)
    quaternions, path = keys(armature)
    names = motion.joint_names
    axes, heads = rest_axes(armature, names), rest_heads(armature, names)
    expected = bone_rotations(motion, axes)
    for j, name in enumerate(names):
        np.testing.assert_allclose(quaternions[name], expected[:, j], atol=1e-6)
    places = (motion.translation + motion.rest_joints[0]).astype(float)
    np.testing.assert_allclose(path, (places - heads[0]) @ axes[0], atol=1e-6)
    record = read_record(current_curves(armature).action)
    assert (Path(record.source), record.track, record.timing.fps) == (WALK, motion.metadata["track"], Fraction(30))
    np.testing.assert_allclose(record.contacts, motion.contacts)


def test_button_function_and_command_give_equal_arrays(lifted, motion, tmp_path):
    out = tmp_path / "walk.npz"
    arguments = ["--fps", "30", "--image-size", "1280x720", "--preset", "fast", "--device", "cpu"]
    arguments += ["--frames", f"0-{COUNT - 1}"]
    program = "import sys; from mvlift.cli import main; sys.exit(main())"
    subprocess.run(
        [sys.executable, "-c", program, "lift", str(WALK), "-o", str(out), *arguments],
        check=True, env={**os.environ, "PYTHONPATH": str(CORE)},
    )  # fmt: skip
    command = LiftedMotion.load(out)
    from mvlift_blender.scene.body_files import body_mesh
    from mvlift_blender.scene.write import WriteOptions, write_motion

    written = write_motion(bpy.context, command, WriteOptions(name="from the command"), body_mesh(command))
    ours, theirs = keys(lifted.result), keys(written.armature)
    # the engine is another process: sums may round in another order there
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5)
    for name in command.joint_names:
        np.testing.assert_allclose(ours[0][name], theirs[0][name], atol=1e-5)
    for field in ("rotations", "translation", "keypoints", "contacts", "betas"):
        np.testing.assert_allclose(getattr(command, field), getattr(motion, field), atol=1e-5)


def test_the_skeleton_covers_the_keypoints_in_the_written_camera(lifted, motion):
    from mvlift.lifting.subjects import get_subject

    clip, scene = walker(COUNT), bpy.context.scene
    pairs = {k: j for k, j in get_subject("human").body_keypoints.items() if j in motion.joint_names and "hip" not in k}
    columns = [clip.layout.names.index(k) for k in pairs if k in clip.layout.names]
    bones = [pairs[clip.layout.names[c]] for c in columns]
    reported = [motion.keypoint_names.index(clip.layout.names[c]) for c in columns]
    pixel_errors, stated = [], []
    for row in range(0, COUNT, 5):
        scene.frame_set(1 + row)
        heads = posed(lifted.result, bones)
        camera = scene.camera
        view = np.array([world_to_camera_view(scene, camera, Vector(p)) for p in heads])
        pixels = np.stack([view[:, 0] * SIZE[0], (1 - view[:, 1]) * SIZE[1]], -1)
        seen = clip.seen[row, columns]
        pixel_errors.append(np.linalg.norm(pixels - clip.points[row, columns], axis=-1)[seen])
        stated.append(motion.reprojection_error[row, reported][seen])
    distance, report = np.median(np.concatenate(pixel_errors)), np.nanmedian(np.concatenate(stated))
    assert abs(distance - report) < 2.0, (distance, report)


def test_the_body_stands_on_the_floor_in_front_of_the_camera(lifted):
    scene, body = bpy.context.scene, bpy.data.objects["walk Body"]
    lowest = []
    for frame in (1, 16, 32, COUNT):
        scene.frame_set(frame)
        mesh = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        vertices = np.array([body.matrix_world @ v.co for v in mesh.vertices])
        assert np.isfinite(vertices).all()
        lowest.append(vertices[:, 2].min())
        view = np.array([world_to_camera_view(scene, scene.camera, body.matrix_world @ v.co) for v in mesh.vertices])
        assert ((view[:, 2] > 0) & (np.abs(view[:, :2] - 0.5) < 0.6).all(1)).all()
        assert 1.3 < np.ptp(vertices[:, 2]) < 2.1
    assert np.abs(lowest).max() < 0.25


def test_two_people_share_one_world_and_one_camera(settings, tmp_path):
    bpy.ops.mvlift.import_keypoints(filepath=str(two_people(tmp_path / "pair.csv", 40)), replace=True)
    settings.use_range = False
    bpy.ops.mvlift.choose_people()
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    scene = bpy.context.scene
    assert {o.name for o in bpy.data.objects} == {"pair a", "pair a Body", "pair a Camera", "pair b", "pair b Body"}
    assert (scene.frame_start, scene.frame_end) == (1, 50)
    columns = [walker().layout.names.index(k) for k in ("l_knee", "r_knee", "l_ankle", "r_ankle")]
    bones = ["left_knee", "right_knee", "left_ankle", "right_ankle"]
    for name, track in (("pair a", 0), ("pair b", 1)):
        clip = mvlift.read_keypoints(tmp_path / "pair.csv")[track]
        pixel_errors = []
        for row in range(0, 40, 6):
            scene.frame_set(1 + clip.first_frame + row)
            view = [world_to_camera_view(scene, scene.camera, Vector(p)) for p in posed(bpy.data.objects[name], bones)]
            pixels = np.array([(v[0] * SIZE[0], (1 - v[1]) * SIZE[1]) for v in view])
            pixel_errors.append(np.linalg.norm(pixels - clip.points[row, columns], axis=-1)[clip.seen[row, columns]])
        assert np.median(np.concatenate(pixel_errors)) < 8


def test_range_start_and_rate_of_the_scene(settings):
    settings.range_first, settings.range_last = 30, 69
    settings.start, settings.rate = 101, "SCENE"
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    curves = current_curves(settings.result)
    at = curves.key_frames(rotation_path("pelvis"))
    assert (at[-1] - at[0]) / 24 == pytest.approx(39 / 30, abs=1e-6)
    assert (scene.render.fps, at[0]) == (24, 101)
    assert read_record(curves.action).first_frame == 30


def test_saved_and_opened_again(lifted, tmp_path):
    before = keys(lifted.result)
    assert lifted.result.name == "walk"
    assert bpy.ops.mvlift.smooth.poll()
    assert bpy.ops.mvlift.relift.poll()
    assert bpy.data.objects["walk Body"].modifiers[0].object == lifted.result
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "again.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "again.blend"))
    after = keys(bpy.context.scene.mvlift.result)
    np.testing.assert_array_equal(after[1], before[1])
    assert all(np.array_equal(after[0][name], before[0][name]) for name in before[0])


def test_a_lift_is_one_undo_step(settings):
    bpy.ops.ed.undo_push(message="before")
    before = snapshot()[:6]
    assert bpy.ops.mvlift.lift("EXEC_DEFAULT", True) == {"FINISHED"}
    assert snapshot()[:6] != before
    bpy.ops.ed.undo()
    assert snapshot()[:6] == before
    assert len(bpy.context.scene.mvlift.people) == 1


def test_a_range_lifted_again_leaves_the_rest(lifted):
    armature = lifted.result
    first, old = current_curves(armature).action, keys(armature)
    assert bpy.ops.mvlift.relift(first=20, last=30, blend=4, seed=5) == {"FINISHED"}
    new = keys(armature)
    assert current_curves(armature).action != first
    changed = np.abs(new[0]["left_knee"] - old[0]["left_knee"]).max(1) > 1e-6
    assert not changed[:14].any()
    assert not changed[35:].any()
    assert changed[19:30].all()
    for values, before in zip((*new[0].values(), new[1]), (*old[0].values(), old[1]), strict=True):
        # no jump where old and new meet
        assert np.linalg.norm(np.diff(values, axis=0), axis=-1).max() < 0.15 + 2 * np.abs(np.diff(before, axis=0)).max()
    with pytest.raises(RuntimeError, match="outside the lift"):
        bpy.ops.mvlift.relift(first=400, last=450)


def test_failing_input_leaves_the_scene_equal(settings):
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(cube)
    settings.range_first, settings.range_last = 500, 600
    before = snapshot()
    with pytest.raises(RuntimeError, match="outside the clip"):
        bpy.ops.mvlift.lift()
    assert snapshot() == before
    settings.range_first, settings.range_last = 0, COUNT - 1
    settings.device = "mps"  # whatever this runs on, it is no Apple computer
    with pytest.raises(RuntimeError, match=r"mps.*(cannot be used|needs torch)"):
        bpy.ops.mvlift.lift()
    assert snapshot() == before


def test_a_failure_while_writing_leaves_the_scene_equal(settings, monkeypatch):
    from mvlift.errors import LiftError

    import mvlift_blender.scene.write as write

    before = snapshot()

    def fails(*_):
        raise LiftError("The disk is full.")

    monkeypatch.setattr(write, "new_body", fails)
    with pytest.raises(RuntimeError, match="The disk is full"):
        bpy.ops.mvlift.lift()
    assert snapshot() == before
