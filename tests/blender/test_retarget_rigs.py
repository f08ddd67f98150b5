"""Rigs as people have them: constraints, connected hips, transforms, Rest Position, paws apart, any rest pose."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector
from retarget_checks import SEGMENTS, path_of, sampled, source_armature, worst_direction
from rigs import Style, build

from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.rig import detect_rig
from mvlift_blender.retargeting.solve import RetargetError, SolveOptions
from mvlift_blender.scene.animation import current_curves

ROWS = np.arange(0, 60, 11)


def _put(source, target, **solve):
    return retarget(bpy.context, source, target, RetargetOptions(SolveOptions(**{"feet": False, **solve})))


def _edit(armature, change) -> None:
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    change(armature.data.edit_bones)
    bpy.ops.object.mode_set(mode="OBJECT")


def _with_ik(armature):
    """Legs held by IK to free targets, and an elbow by a limit, as in simple rigs."""

    def add(bones):
        for side in ("Left", "Right"):
            target = bones.new(f"FootIK.{side[0]}")
            target.head, target.tail = bones[f"{side}Foot"].head, bones[f"{side}Foot"].tail

    _edit(armature, add)
    for side in ("Left", "Right"):
        held = armature.pose.bones[f"{side}LowerLeg"].constraints.new("IK")
        held.target, held.subtarget, held.chain_count = armature, f"FootIK.{side[0]}", 2
        limit = armature.pose.bones[f"{side}LowerArm"].constraints.new("LIMIT_ROTATION")
        limit.use_limit_x = limit.use_limit_y = limit.use_limit_z = True
        limit.owner_space = "LOCAL"
    bpy.context.view_layer.update()
    return armature


def test_constraints_on_keyed_bones_are_off_in_the_new_action():
    source, target = source_armature(), _with_ik(build("unity"))
    motion = sampled(source)
    result = _put(source, target)
    assert worst_direction(result, motion, ROWS) < 0.1
    assert any("LeftLowerLeg was controlled by the constraint 'IK'" in note for note in result.notes)
    bone = target.pose.bones["LeftLowerLeg"]
    assert current_curves(target).find('pose.bones["LeftLowerLeg"].constraints["IK"].influence') is not None
    assert not bone.constraints["IK"].mute
    target.animation_data.action = None
    bone.constraints["IK"].influence = 1.0
    # a second motion switches them off as well, although the first had done so
    again = _put(source, target)
    assert worst_direction(again, motion, ROWS) < 0.1


def test_drivers_on_keyed_bones_are_muted_and_named():
    source, target = source_armature(), build("unity")
    motion = sampled(source)
    target.pose.bones["LeftUpperArm"].rotation_mode = "XYZ"
    driver = target.driver_add('pose.bones["LeftUpperArm"].rotation_euler', 0)
    driver.driver.expression = "1.0"
    result = _put(source, target)
    assert worst_direction(result, motion, ROWS) < 0.1
    assert any("driver" in note and "LeftUpperArm" in note for note in result.notes)


def test_connected_hips_give_the_path_to_the_bone_above():
    source, target = source_armature(), build("makehuman_game")

    def connect(bones):
        top = bones["Root"]
        top.tail = bones["pelvis"].head
        bones["pelvis"].use_connect = True

    _edit(target, connect)
    motion = sampled(source)
    for root in ("HIPS", "ROOT"):
        result = _put(source, target, root=root)
        assert any("pelvis is a connected bone and cannot move: Root carries" in note for note in result.notes)
        heads = path_of(target, ["pelvis"], motion.frames[[0, 59]])[:, 0]
        moved = motion.place("hips")[[0, 59]]
        np.testing.assert_allclose(heads[1] - heads[0], result.scale * (moved[1] - moved[0]), atol=0.02)


def test_rest_position_is_left_with_a_note_and_put_back_on_failure(monkeypatch):
    from mvlift_blender.retargeting import retarget as module

    source, target = source_armature(), build("unity")
    target.data.pose_position = "REST"
    monkeypatch.setattr(module, "solve", lambda *_: (_ for _ in ()).throw(RetargetError("no", "no")))
    with pytest.raises(RetargetError):
        _put(source, target)
    assert target.data.pose_position == "REST"
    monkeypatch.undo()
    motion = sampled(source)
    result = _put(source, target)
    assert any("Rest Position" in note for note in result.notes)
    assert worst_direction(result, motion, ROWS) < 0.1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda o: setattr(o, "scale", (1, 1.4, 1)), "scaled differently along its axes"),
        (lambda o: setattr(o, "scale", (-1, 1, 1)), "mirrored"),
        (lambda o: _shear(o), "sheared by its parent"),
    ],
)
def test_transforms_that_cannot_be_right_are_refused_with_the_remedy(change, text):
    source, target = source_armature(), build("mixamo", Style())
    change(target)
    bpy.context.view_layer.update()
    with pytest.raises(RetargetError, match=text):
        _put(source, target)
    assert target.animation_data is None or target.animation_data.action is None


def _shear(armature) -> None:
    parent = bpy.data.objects.new("E", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.scale = (1, 2, 1)
    armature.parent = parent
    armature.rotation_euler = (0, 0, 0.6)


def test_a_rig_keeps_its_place_and_facing():
    source, target = source_armature(), build("unity")
    target.matrix_world = Matrix.Translation((3, -2, 0.5)) @ Matrix.Rotation(1.1, 4, "Z") @ target.matrix_world
    bpy.context.view_layer.update()
    rig = detect_rig(target)
    hips, feet = rig.bones["hips"], [rig.bones["foot.L"], rig.bones["foot.R"]]
    rest = [np.array(target.matrix_world @ target.data.bones[b].head_local) for b in (hips, *feet)]
    motion = sampled(source)
    result = _put(source, target, keep_place=True)
    heads = path_of(target, [hips, *feet], motion.frames)
    np.testing.assert_allclose(heads[0, 0, :2], rest[0][:2], atol=0.01)
    assert abs(heads[:, 1:, 2].min() - rest[1][2]) < 0.05
    # it walks the way that it faces: from the right foot to the left one is to the left of that way
    way, left = heads[-1, 0] - heads[0, 0], rest[1] - rest[2]
    assert abs(np.degrees(np.arctan2(way @ left / np.linalg.norm(left), np.cross(left, [0, 0, 1]) @ way))) < 8
    assert abs(np.linalg.norm(way[:2]) - result.scale * np.ptp(motion.place("hips")[:, :2], axis=0).max()) < 0.05


def test_any_rest_pose_even_all_along_one_axis():
    source, target = source_armature(), build("mixamo", Style())

    def lay(bones):
        spread = {"Spine": 0.1, "Spine1": 0.22, "Spine2": 0.34, "Neck": 0.5, "Head": 0.6}
        for bone in bones:
            bone.use_connect = False
        hips = bones["mixamorig:Hips"].head.copy()
        for i, name in enumerate(spread):
            bone = bones[f"mixamorig:{name}"]
            head = hips + Vector((0, 0, 0.1)) if i == 0 else Vector((spread[name], 0, hips.z + 0.1))
            bone.head, bone.tail = head, head + Vector((0.08, 0, 0))

    _edit(target, lay)
    motion = sampled(source)
    result = _put(source, target)
    assert worst_direction(result, motion, ROWS, SEGMENTS) < 0.1
    head = path_of(target, ["mixamorig:Head", "mixamorig:Hips"], motion.frames[ROWS])
    assert (head[:, 0, 2] > head[:, 1, 2] + 0.3).all()
