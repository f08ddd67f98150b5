"""Retargeting to the rigs of other programs, measured on what Blender makes of the keys."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mvlift.errors import MvliftError
from mvlift.kinematics.quaternions import from_vector, multiply, to_vector
from retarget_checks import (
    SEGMENTS,
    action_print,
    fingerprint,
    grounded_walk,
    path_of,
    sampled,
    slide,
    source_armature,
    worst_direction,
)  # fmt: skip
from rig_tables import TABLES
from rigs import STYLES, Style, build

from mvlift_blender.retargeting.batch import actions_of, retarget_many
from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.rig import detect_rig, shape_of
from mvlift_blender.retargeting.roles import SIDES, key
from mvlift_blender.retargeting.solve import SolveOptions
from mvlift_blender.scene.animation import new_curves

ROWS = np.arange(0, 60, 7)
FEW = ("mixamo", "unreal5", "makehuman", "daz3_8", "vroid", "smpl_fbx", "unknown")


def options(**changes):
    return RetargetOptions(SolveOptions(**{"feet": False, **changes}))


@pytest.mark.parametrize("name", TABLES)
def test_rig_is_recognised_and_limbs_point_as_the_source(name):
    source, target = source_armature(), build(name)
    rig = detect_rig(target)
    assert rig.name == ("" if name == "unknown" else name)
    assert rig.confidence > (0.5 if name == "unknown" else 0.85)
    motion = sampled(source)
    result = retarget(bpy.context, source, target, options())
    assert worst_direction(result, motion, ROWS) < 0.1
    hips = path_of(target, [result.rig.geometry_bone("hips")], motion.frames[ROWS])[:, 0]
    steps = np.diff(hips, axis=0)
    np.testing.assert_allclose(steps, result.scale * np.diff(motion.place("hips")[ROWS], axis=0), atol=1e-4)


@pytest.mark.parametrize("name", FEW)
def test_feet_stay_where_they_are_put(name):
    source, target = source_armature(), build(name)
    motion = sampled(source)
    result = retarget(bpy.context, source, target, options(feet=True))
    ends = [k for s in SIDES for k in (key("foot", s), key("toe", s)) if k in result.rig.bones]
    heads = path_of(target, [result.rig.geometry_bone(k) for k in ends], motion.frames)
    for i, name_ in enumerate(ends):
        theirs = motion.place(name_)
        low = theirs[:, 2] < theirs[:, 2].min() + 0.01
        assert low.sum() > 10
        assert slide(heads[:, i], low) < slide(theirs, low) + 0.002
        assert heads[:, i, 2].min() > -0.002
    # hips of another width, thighs and shins of another proportion: the body gives way, not the legs
    assert worst_direction(result, motion, ROWS) < 3
    hips = path_of(target, [result.rig.geometry_bone("hips")], motion.frames[ROWS])[:, 0]
    steps = result.scale * np.diff(motion.place("hips")[ROWS], axis=0)
    np.testing.assert_allclose(np.diff(hips, axis=0), steps, atol=0.012)


@pytest.mark.parametrize("style", [Style(arm=0), Style(arm=60), Style(arm=-40, stance=15), Style(turned=140, roll=2.5),
                                   Style(bent=60, tails="x", scale=0.01, y_up=True)])  # fmt: skip
def test_any_rest_pose_and_roll(style):
    source, target = source_armature(), build("unity", style)
    result = retarget(bpy.context, source, target, options())
    assert worst_direction(result, sampled(source), ROWS) < 0.1


def test_all_bones_can_be_matched():
    source, target = source_armature(), build("mixamo")
    motion = sampled(source)
    result = retarget(bpy.context, source, target, options(directions="ALL"))
    heads = path_of(
        target, [result.rig.geometry_bone(k) for k in ("spine.0", "spine.1", "spine.2", "neck.0", "head")], [20]
    )[0]
    row = int(np.flatnonzero(motion.frames == 20)[0])
    theirs = np.array([motion.place(k)[row] for k in ("spine.0", "spine.1", "spine.2", "neck.0", "head")])
    ours, theirs = np.diff(heads, axis=0), np.diff(theirs, axis=0)
    cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.1


def _turning():
    """The walking person, whose pelvis turns, leans and sways."""
    motion = grounded_walk()
    t = np.arange(60) / 60 * 2 * np.pi
    sway = np.stack([0.3 * np.sin(2 * t), 0.2 * np.cos(t), 1.2 * np.sin(t)], -1)
    turned = multiply(from_vector(sway), from_vector(motion.rotations[:, 0].astype(float)))
    motion.rotations[:, 0] = to_vector(turned)
    return motion


@pytest.mark.parametrize("name", ["unreal5", "mixamo", "daz9"])
def test_legs_begin_where_the_sources_do_however_the_pelvis_turns(name):
    source, target = source_armature(_turning()), build(name)
    motion = sampled(source)
    result = retarget(bpy.context, source, target, options())
    both = [key("upper_leg", side) for side in SIDES]
    ours = path_of(target, [result.rig.geometry_bone(k) for k in both], motion.frames[ROWS]).mean(1)
    theirs = np.mean([motion.place(k)[ROWS] for k in both], axis=0)
    np.testing.assert_allclose(np.diff(ours, axis=0), result.scale * np.diff(theirs, axis=0), atol=1e-4)


def test_root_bone_carries_the_path_and_in_place_takes_it_away():
    source, target = source_armature(), build("unreal5")
    motion = sampled(source)
    free = retarget(bpy.context, source, target, options())
    bones = ["root", "pelvis", "head", "hand_l"]
    by_hips = path_of(target, bones, motion.frames[ROWS])
    assert np.ptp(by_hips[:, 0], axis=0).max() < 1e-6
    retarget(bpy.context, source, target, options(root="ROOT"))
    rooted = path_of(target, bones, motion.frames[ROWS])
    np.testing.assert_allclose(rooted[:, 1:], by_hips[:, 1:], atol=2e-4)
    np.testing.assert_allclose(np.diff(rooted[:, 0, :2], axis=0), np.diff(by_hips[:, 1, :2], axis=0), atol=0.02)
    assert np.ptp(rooted[:, 0, 2]) < 1e-5
    retarget(bpy.context, source, target, options(root="IN_PLACE"))
    still = path_of(target, bones, motion.frames[ROWS])
    assert np.ptp(still[:, 1, :2], axis=0).max() < 1e-4
    assert free.scale == pytest.approx(1.06, abs=0.1)


def test_nothing_else_changes_and_fingers_stay():
    source, target = source_armature(), build("mixamo")
    index = target.pose.bones["mixamorig:LeftHandIndex1"]
    index.rotation_quaternion = (0.9, 0.3, 0.1, 0.2)
    old = new_curves(target, "Old")
    old.write('pose.bones["mixamorig:Hips"].location', np.array([1.0, 9.0]), np.array([[0, 0, 0], [1, 2, 3.0]]))
    other = bpy.data.objects.new("Other", None)
    bpy.context.scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    other.select_set(True)
    before, curves = fingerprint(target), action_print(old.action)
    finger = tuple(index.rotation_quaternion)
    result = retarget(bpy.context, source, target, options(feet=True))
    assert fingerprint(target) == before
    assert action_print(old.action) == curves
    assert tuple(index.rotation_quaternion) == finger
    assert bpy.context.view_layer.objects.active == other
    assert other.select_get()
    assert not target.select_get()
    assert result.action != old.action
    assert target.animation_data.action == result.action
    assert not any("Index" in c[0] or "Thumb" in c[0] for c in action_print(result.action))
    assert bpy.data.actions["Old"].users > 0


def test_failure_leaves_everything(monkeypatch):
    source, target = source_armature(), build("unreal4")
    old = new_curves(target, "Old")
    old.write('pose.bones["pelvis"].location', np.array([1.0, 9.0]), np.array([[0, 0, 0], [1, 2, 3.0]]))
    bpy.context.scene.frame_set(5)
    before, actions = fingerprint(target), sorted(a.name for a in bpy.data.actions)
    pose = [tuple(map(tuple, p.matrix_basis)) for p in target.pose.bones]
    for place in ("bake", "motion_channels", "solve", "measure_response"):
        with monkeypatch.context() as patch:
            patch.setattr(f"mvlift_blender.retargeting.retarget.{place}", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                retarget(bpy.context, source, target, options())
        assert fingerprint(target) == before
        assert sorted(a.name for a in bpy.data.actions) == actions
        assert target.animation_data.action == old.action
        assert [tuple(map(tuple, p.matrix_basis)) for p in target.pose.bones] == pose
    target.hide_set(True)
    with pytest.raises(MvliftError, match="hidden"):
        retarget(bpy.context, source, target, options())


def test_nla_strip_leaves_the_active_action():
    source, target = source_armature(), build("mixamo")
    motion = sampled(source)
    retarget(bpy.context, source, target, options())
    expected = path_of(target, ["mixamorig:LeftHand"], motion.frames[ROWS])
    target.animation_data.action = None
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False), result="NLA"))
    assert target.animation_data.action is None
    assert [s.action for t in target.animation_data.nla_tracks for s in t.strips] == [result.action]
    np.testing.assert_allclose(path_of(target, ["mixamorig:LeftHand"], motion.frames[ROWS]), expected, atol=1e-4)


def test_euler_and_axis_angle_bones_keep_their_mode():
    source, target = source_armature(), build("mixamo")
    for i, bone in enumerate(target.pose.bones):
        bone.rotation_mode = ("XYZ", "ZXY", "YXZ", "AXIS_ANGLE", "XZY", "YZX", "ZYX", "QUATERNION")[i % 8]
    modes = [bone.rotation_mode for bone in target.pose.bones]
    result = retarget(bpy.context, source, target, options())
    assert worst_direction(result, sampled(source), ROWS) < 0.1
    assert [bone.rotation_mode for bone in target.pose.bones] == modes


def test_batch_and_names():
    source = source_armature()
    targets = [build("mixamo"), build("vrm1", STYLES["vrm1"])]
    empty = bpy.data.objects.new("Bones", bpy.data.armatures.new("Bones"))
    bpy.context.scene.collection.objects.link(empty)
    made, failed = retarget_many(bpy.context, source, [*targets, empty], [], options())
    assert [m.armature for m in made] == targets
    assert len(failed) == 1
    assert "Bones" in failed[0]


def test_linked_rig_is_overridden(tmp_path):
    build("mixamo")
    path = tmp_path / "rig.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    source = source_armature()
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = ["mixamo"]
    linked = wanted.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.update()
    result = retarget(bpy.context, source, linked, options())
    assert result.armature.override_library is not None
    assert worst_direction(result, sampled(source), ROWS) < 0.1
    again = retarget(bpy.context, source, result.armature, options())
    assert again.armature == result.armature


def test_detection_needs_no_prefix_and_sees_swapped_sides():
    mixamo = build("mixamo")
    for bone in mixamo.data.bones:
        bone.name = bone.name.removeprefix("mixamorig:")
    assert detect_rig(mixamo).name == "mixamo"
    assert SEGMENTS
    shape = shape_of(build("unity"))
    assert shape.height > 1


def test_every_lifted_action_of_a_source_is_retargeted():
    source, target = source_armature(), build("mixamo")
    first = source.animation_data.action
    first.use_fake_user = True
    second = first.copy()
    second.name = "Second take"
    actions = actions_of(source, bpy.data.actions)
    assert {a.name for a in actions} == {first.name, "Second take"}
    made, failed = retarget_many(bpy.context, source, [target], actions, options())
    assert not failed
    assert sorted(m.action.name for m in made) == sorted(f"mixamo {a.name}" for a in actions)
    assert source.animation_data.action == first
