"""Correct the 3D: kept poses, keys of the user's own and pins are met by lifting again; the rest stays."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Quaternion, Vector

from mvlift_blender.cleanup.curves import read_motion_curves
from mvlift_blender.lifting.correct import plan_correction
from mvlift_blender.scene.animation import current_curves, select_bones
from mvlift_blender.scene.kept_keys import changed_keys
from mvlift_blender.scene.pins import pins_of

pytestmark = pytest.mark.usefixtures("extension")
BEND = Quaternion((0.0, 0.0, 1.0), 0.7)


@pytest.fixture
def armature(lifted_file):
    """The lifted armature, in the file as it was saved."""
    bpy.ops.wm.open_mainfile(filepath=str(lifted_file))
    made = bpy.context.scene.mvlift.result
    bpy.context.view_layer.objects.active = made
    return made


def bend(armature, frame, bone="left_elbow", turn=BEND):
    """Turn a bone in a frame, without a key; what it then is."""
    bpy.context.scene.frame_set(frame)
    pose = armature.pose.bones[bone]
    pose.rotation_quaternion = pose.rotation_quaternion @ turn
    return pose.rotation_quaternion.copy()


def angle(armature, frame, bone, wanted):
    """Degrees between a bone in a frame and a rotation."""
    bpy.context.scene.frame_set(frame)
    turn = armature.pose.bones[bone].rotation_quaternion.rotation_difference(wanted).angle
    return np.degrees(min(turn, 2 * np.pi - turn))


def turns(before, after):
    """(T, J) degrees between two motions."""
    cosine = np.abs((before.rotations * after.rotations).sum(-1)).clip(0, 1)
    return np.degrees(2 * np.arccos(cosine))


def head(armature, frame, bone):
    bpy.context.scene.frame_set(frame)
    return armature.matrix_world @ armature.pose.bones[bone].head


def test_a_kept_pose_is_met_and_frames_far_from_it_stay(armature):
    before = read_motion_curves(armature)
    lifted = current_curves(armature).action
    wanted = bend(armature, 10)
    assert bpy.ops.mvlift.keep_pose() == {"FINISHED"}
    action = current_curves(armature).action
    assert action != lifted  # the Action as it was lifted is in the file
    assert lifted.use_fake_user
    assert [(r.frame, r.bones, r.place) for r in action.mvlift_poses] == [(10.0, "left_elbow", False)]
    assert bpy.ops.mvlift.lift_with_poses() == {"FINISHED"}
    after = read_motion_curves(armature)
    assert angle(armature, 10, "left_elbow", wanted) < 2
    difference = turns(before, after)
    assert difference[42:].max() < 1.0
    elbow = difference[:, after.skeleton.names.index("left_elbow")]
    assert elbow[9] == pytest.approx(np.degrees(0.7), abs=2)
    assert elbow[[8, 10]].min() > 20  # no pop
    assert np.abs(np.diff(elbow)).max() < 20


def test_keys_of_the_users_own_count_as_poses(armature):
    wanted = bend(armature, 12, "right_knee", Quaternion((1.0, 0.0, 0.0), 0.4))
    armature.pose.bones["right_knee"].keyframe_insert("rotation_quaternion", frame=12)
    changed = changed_keys(armature, read_motion_curves(armature).skeleton)
    assert changed.frames.tolist() == [12.0]
    assert [n for n, flag in zip(changed.bones, changed.rotations[0], strict=True) if flag] == ["right_knee"]
    assert not changed.place.any()
    assert bpy.ops.mvlift.lift_with_poses() == {"FINISHED"}
    assert angle(armature, 12, "right_knee", wanted) < 2
    assert [r.frame for r in current_curves(armature).action.mvlift_poses] == [12.0]
    assert len(changed_keys(armature, read_motion_curves(armature).skeleton).frames) == 0
    again = read_motion_curves(armature)
    assert bpy.ops.mvlift.lift_with_poses() == {"FINISHED"}  # the pose stays a constraint: nothing changes any more
    assert turns(again, read_motion_curves(armature)).max() < 0.5


def test_a_pin_is_met_over_its_range(armature):
    bpy.context.scene.frame_set(20)
    assert bpy.ops.mvlift.pin_here(joint="left_wrist", first=18, last=22) == {"FINISHED"}
    (pin,) = pins_of(bpy.context.scene, armature)
    assert pin.users_collection[0] == armature.users_collection[0]
    assert (pin.matrix_world.translation - head(armature, 20, "left_wrist")).length < 1e-5
    pin.location = pin.location + Vector((0.0, 0.0, 0.1))
    assert bpy.ops.mvlift.lift_with_poses() == {"FINISHED"}
    for frame in range(18, 23):
        assert (head(armature, frame, "left_wrist") - pin.location).length < 0.01
    assert bpy.ops.mvlift.remove_pin(pin=pin.name) == {"FINISHED"}
    assert pins_of(bpy.context.scene, armature) == []


def test_poses_and_pins_in_another_unit_rate_and_place(armature):
    """The armature was moved by the user, and the pin moves: it is followed in the armature's space."""
    armature.location, armature.rotation_euler = (1.0, 2.0, 0.0), (0.0, 0.0, 0.5)
    bpy.context.view_layer.update()
    bpy.context.scene.frame_set(20)
    bpy.ops.mvlift.pin_here(joint="right_wrist", first=20, last=24)
    (pin,) = pins_of(bpy.context.scene, armature)
    start = pin.location.copy()
    pin.keyframe_insert("location", frame=20)
    pin.location = start + Vector((0.04, 0.0, 0.04))
    pin.keyframe_insert("location", frame=24)
    assert bpy.ops.mvlift.lift_with_poses() == {"FINISHED"}
    for frame in (20, 22, 24):
        place = head(armature, frame, "right_wrist")
        assert (place - pin.matrix_world.translation).length < 0.01


def test_what_was_kept_is_undone_saved_and_forgotten(armature, tmp_path):
    bend(armature, 10)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.mvlift.keep_pose("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "posed.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "posed.blend"))
    armature = bpy.context.scene.mvlift.result
    bpy.context.view_layer.objects.active = armature
    action = current_curves(armature).action
    assert len(action.mvlift_poses) == 1
    bpy.context.scene.frame_set(30)
    assert bpy.ops.mvlift.pose_jump() == {"FINISHED"}
    assert bpy.context.scene.frame_current == 10
    assert bpy.ops.mvlift.forget_pose() == {"FINISHED"}
    assert len(action.mvlift_poses) == 0
    assert not bpy.ops.mvlift.forget_pose.poll()


def test_with_nothing_moved_the_selected_bones_or_the_whole_pose_is_kept(armature):
    bpy.context.scene.frame_set(15)
    assert bpy.ops.mvlift.keep_pose() == {"FINISHED"}
    row = current_curves(armature).action.mvlift_poses[0]
    assert (row.frame, row.bones, row.place) == (15.0, "", True)
    bpy.ops.object.mode_set(mode="POSE")
    select_bones(armature, ("left_knee", "left_hip"))
    bpy.context.scene.frame_set(25)
    assert bpy.ops.mvlift.keep_pose() == {"FINISHED"}
    rows = current_curves(armature).action.mvlift_poses
    assert [(r.frame, set(r.bones.split("\n"))) for r in rows] == [(15.0, {""}), (25.0, {"left_hip", "left_knee"})]
    plan = plan_correction(bpy.context, armature)
    poses = plan.request.options.constraints.poses
    assert [len(p.joints) for p in poses] == [len(read_motion_curves(armature).skeleton.names), 2]
    assert poses[0].root is not None
    assert poses[1].root is None
    bpy.ops.object.mode_set(mode="OBJECT")


def test_the_file_of_the_command_line_holds_the_same(armature, tmp_path):
    """What Blender sends is what ``--constraints`` reads."""
    from mvlift.lifting.constraints import load_constraints

    bend(armature, 10)
    bpy.ops.mvlift.keep_pose()
    plan = plan_correction(bpy.context, armature)
    file = Path(tmp_path / "poses.json")
    file.write_text(json.dumps(plan.request.options.constraints.to_json()))
    assert load_constraints(file).to_json() == plan.request.options.constraints.to_json()


def test_what_cannot_be_done_is_said(armature):
    with pytest.raises(RuntimeError, match="Nothing is posed or pinned"):
        bpy.ops.mvlift.lift_with_poses()
    before = read_motion_curves(armature)
    bpy.context.scene.frame_set(900)
    with pytest.raises(RuntimeError, match="Frame 900 is outside the lift"):
        bpy.ops.mvlift.keep_pose()
    bpy.ops.mvlift.pin_here(joint="pelvis", first=900, last=910)
    with pytest.raises(RuntimeError, match="outside the lift"):
        bpy.ops.mvlift.lift_with_poses()
    with pytest.raises(RuntimeError, match="are no range"):
        bpy.ops.mvlift.pin_here(joint="pelvis", first=5, last=4)
    np.testing.assert_array_equal(read_motion_curves(armature).rotations, before.rotations)


def test_a_pin_out_of_reach_is_said(armature, capfd):
    bpy.context.scene.frame_set(20)
    bpy.ops.mvlift.pin_here(joint="left_wrist", first=20, last=20)
    (pin,) = pins_of(bpy.context.scene, armature)
    pin.location = pin.location + Vector((0.0, 0.0, 3.0))
    assert bpy.ops.mvlift.lift_with_poses() == {"FINISHED"}
    assert "out of reach" in capfd.readouterr().out
