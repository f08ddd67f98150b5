"""The list of doubtful parts: found, kept, gone to, lifted again, bridged and marked as good."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from lift_steps import ready
from synthetic_motion import walk

from mvlift_blender.cleanup.curves import read_motion_curves
from mvlift_blender.scene.animation import current_curves, selected_bones
from mvlift_blender.scene.write import WriteOptions, write_motion

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture
def armature():
    """A walk with a hand that jumps, a stretch of low confidence, and an elbow that flips."""
    motion = walk(90)
    motion = replace(motion, keypoints=motion.keypoints.copy(), rotations=motion.rotations.copy())
    motion.keypoints[20, motion.keypoint_names.index("left_wrist")] += [0.3, 0, 0]
    motion.keypoint_confidence[40:50] = 0.1
    motion.rotations[60:62, motion.joint_names.index("left_elbow")] += [2.2, 0, 0]
    made = write_motion(bpy.context, motion, WriteOptions(start=11)).armature
    bpy.context.view_layer.objects.active = made
    return made


def parts(armature):
    rows = current_curves(armature).action.mvlift_doubts
    return [(r.kind, round(r.first), round(r.last), round(r.worst), r.joint) for r in rows]


def test_parts_are_listed_with_scene_frames(armature):
    assert parts(armature) == [
        ("JUMP", 30, 32, 31, "left_wrist"),
        ("CONFIDENCE", 51, 60, 51, ""),
        ("JUMP", 71, 73, 71, "left_elbow"),
    ]


def test_going_from_part_to_part(armature):
    scene, action = bpy.context.scene, current_curves(armature).action
    assert bpy.ops.mvlift.doubt_jump(step="HERE") == {"FINISHED"}
    assert scene.frame_current == 31
    assert selected_bones(armature) == ["left_wrist"]
    bpy.ops.mvlift.doubt_jump(step="NEXT")
    assert (scene.frame_current, action.mvlift_doubt) == (51, 1)
    bpy.ops.mvlift.doubt_jump(step="PREVIOUS")
    bpy.ops.mvlift.doubt_jump(step="PREVIOUS")
    assert (scene.frame_current, action.mvlift_doubt) == (71, 2)


def test_a_part_is_bridged_and_leaves_the_list(armature):
    current_curves(armature).action.mvlift_doubt = 2
    before = read_motion_curves(armature)
    assert bpy.ops.mvlift.doubt_interpolate(margin=1) == {"FINISHED"}
    after = read_motion_curves(armature)
    rows = slice(59, 63)  # frames 70 to 73 and one on either side
    elbow = after.skeleton.names.index("left_elbow")
    outside = np.ones(len(after.frames), bool)
    outside[59:64] = False
    np.testing.assert_allclose(after.rotations[outside], before.rotations[outside], atol=1e-6)
    np.testing.assert_allclose(after.locations[outside], before.locations[outside], atol=1e-6)
    turn = 2 * np.arccos(np.abs((after.rotations[1:, elbow] * after.rotations[:-1, elbow]).sum(-1)).clip(0, 1))
    assert np.degrees(turn[rows]).max() < 10
    speed = np.linalg.norm(np.diff(after.locations, axis=0), axis=-1)
    assert speed[rows].max() < 1.3 * speed[outside[1:] & outside[:-1]].max()
    assert len(parts(armature)) == 2
    current_curves(armature).action.mvlift_doubt = 0
    with pytest.raises(RuntimeError, match="cannot be bridged"):
        bpy.ops.mvlift.doubt_interpolate(margin=60)


def test_good_parts_leave_the_list_and_undo_brings_them_back(armature):
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.mvlift.doubt_good("EXEC_DEFAULT", True) == {"FINISHED"}
    assert len(parts(bpy.context.view_layer.objects.active)) == 2
    bpy.ops.ed.undo()
    assert len(parts(bpy.context.view_layer.objects.active)) == 3
    for _ in range(3):
        bpy.ops.mvlift.doubt_good()
    assert not bpy.ops.mvlift.doubt_good.poll()
    assert not bpy.types.MVLIFT_PT_doubts.poll(bpy.context)


def test_a_part_is_lifted_again_with_another_seed():
    settings = ready()
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    armature = settings.result
    action = current_curves(armature).action
    row = action.mvlift_doubts.add()
    row.kind, row.first, row.last, row.worst = "JUMP", 20, 24, 22
    action.mvlift_doubt = len(action.mvlift_doubts) - 1
    old = read_motion_curves(armature).rotations
    assert bpy.ops.mvlift.doubt_relift() == {"FINISHED"}
    new = read_motion_curves(armature).rotations
    changed = np.abs(new - old).max((1, 2)) > 1e-6
    assert changed[19:24].all()
    assert not changed[:12].any()
    assert not changed[32:].any()
    now = current_curves(armature).action
    assert not [r for r in now.mvlift_doubts if (r.kind, round(r.worst)) == ("JUMP", 22)]
    assert now["mvlift_seed"] == settings.seed + 1
