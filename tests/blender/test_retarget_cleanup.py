"""Clean-up works on a retargeted rig as on the lifted armature."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from arp_rig import auto_rig_pro
from mvlift.amass import save_amass
from mvlift.errors import LiftError
from retarget_checks import grounded_walk, path_of, slide, source_armature
from rigify_rigs import generated
from rigs import build

from mvlift_blender.cleanup import cleaning, contacts
from mvlift_blender.cleanup.curves import read_motion_curves, write_motion_curves
from mvlift_blender.exchange.importing import import_motion
from mvlift_blender.motion.feet import FootOptions
from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.rig_cleanup import rig_joints, rig_record
from mvlift_blender.retargeting.solve import SolveOptions
from mvlift_blender.scene.animation import current_curves, select_bones
from mvlift_blender.scene.selected import record_of


def _motion(shake=0.0):
    motion = grounded_walk()
    noise = shake * np.random.default_rng(0).normal(size=motion.rotations[:, 1:].shape)
    motion.rotations[:, 1:] += noise.astype(np.float32)
    low = np.stack([(np.arange(60) / 36 + shift) % 1 < 0.5 for shift in (0, 0.5)], -1)
    object.__setattr__(motion, "contacts", np.repeat(low, 2, 1).astype(np.float32))
    object.__setattr__(motion, "contact_names", ("l_heel", "l_big_toe", "r_heel", "r_big_toe"))
    return motion


RIGS = {
    "mixamo": lambda: build("mixamo"),
    "unreal5": lambda: build("unreal5"),
    "vroid": lambda: build("vroid"),
    "euler": lambda: _euler(build("mixamo")),
    "rigify": lambda: generated("rigify_basic"),
    "auto_rig_pro": auto_rig_pro,
}


def _euler(armature):
    for i, bone in enumerate(armature.pose.bones):
        bone.rotation_mode = ("XYZ", "ZXY", "AXIS_ANGLE", "YXZ", "QUATERNION")[i % 5]
    return armature


@pytest.fixture(
    params=[
        ("mixamo", "HIPS", "FK"),
        ("euler", "HIPS", "FK"),
        ("unreal5", "ROOT", "FK"),
        ("vroid", "HIPS", "FK"),
        ("rigify", "HIPS", "FK"),
        ("rigify", "ROOT", "IK"),
        ("rigify", "HIPS", "IK"),
        ("auto_rig_pro", "HIPS", "IK"),
    ],
    ids=lambda p: "-".join(p).lower(),
)
def rig(request):
    name, root, bake = request.param
    source, target = source_armature(_motion(0.02)), RIGS[name]()
    options = RetargetOptions(SolveOptions(root=root, feet=False), bake=bake)
    return retarget(bpy.context, source, target, options)


def _path(result, names, frames=None):
    keys = [n for n in names if n in result.rig.bones]
    frames = np.arange(1, 61) if frames is None else frames
    return path_of(result.armature, [result.rig.geometry_bone(k) for k in keys], frames)


def test_what_is_read_is_written_back(rig):
    names = ["hips", "head", "hand.L", "foot.R"]
    before = _path(rig, names)
    motion = read_motion_curves(rig.armature)
    places, _ = motion.skeleton.forward(motion.rotations, motion.locations)
    hand = motion.skeleton.names.index(rig.rig.bones["hand.L"])
    np.testing.assert_allclose(places[:, hand], before[:, 2], atol=1e-3)
    write_motion_curves(rig.armature, motion, "cleaned")
    np.testing.assert_allclose(_path(rig, names), before, atol=1e-3)


def test_smoothing_and_feet(rig):
    name = rig.action.name
    before = _path(rig, ["hand.L", "foot.L"])
    cleaning.smooth(rig.armature, 2.0, keep_feet=False)
    after = _path(rig, ["hand.L", "foot.L"])
    shake = [np.abs(np.diff(p[:, 0], n=3, axis=0)).mean() for p in (before, after)]
    assert shake[1] < 0.3 * shake[0]
    text = contacts.clean_feet(rig.armature, FootOptions(mode="ALWAYS"))
    slips = [float(word) for word in text.replace(",", "").split() if word.replace(".", "").isdigit()]
    assert slips[1] < 0.5 * slips[0]
    assert rig.armature.animation_data.action.name != name
    assert name in bpy.data.actions


def test_few_keys_within_the_bound(rig):
    cleaning.smooth(rig.armature, 2.0, keep_feet=False)
    names = [k for k in rig.rig.keys if k != "root"]
    before, count = _path(rig, names), _keys(rig.armature)
    text = cleaning.reduce_keys(rig.armature, 0.005)
    off = np.linalg.norm(_path(rig, names) - before, axis=-1).max()
    assert off < 0.0052, text
    assert _keys(rig.armature) < 0.6 * count
    # thinned curves can be cleaned again
    cleaning.smooth(rig.armature, 0.0, keep_feet=False)
    np.testing.assert_allclose(_path(rig, names), before, atol=0.0052)


def _keys(armature):
    return sum(len(curve.keyframe_points) for curve in current_curves(armature))


def test_held_and_locked(rig):
    key = "hand.R"
    ik = rig.rig.ik.get(("arm", "R"))
    control = ik.control if ik is not None and _ik(rig) else rig.rig.bones[key]
    assert control in rig_joints(rig.armature)
    rows = np.arange(19, 22)
    before = _path(rig, [key], rows)[:, 0]
    assert np.ptp(before, axis=0).max() > 0.02
    cleaning.lock_joint(rig.armature, control, 20, (19, 21), 4)
    np.testing.assert_allclose(_path(rig, [key], rows)[:, 0], np.tile(before[1], (3, 1)), atol=1e-3)
    cleaning.hold_joints(rig.armature, [control, rig.rig.bones["head"]], 20, (19, 21), 4)
    # the hand's IK control holds in the world, a bone on what it hangs on
    turns, above = (_turns(rig, [k], rows)[:, 0] for k in (key, "lower_arm.R"))
    held = turns if _ik(rig) else np.swapaxes(above, -1, -2) @ turns
    assert np.abs(held - held[1]).max() < 2e-3
    with pytest.raises(LiftError, match="not a bone of the lifted motion"):
        cleaning.hold_joints(rig.armature, ["nobody"], 20, (19, 21), 4)


def _ik(result):
    return rig_record(result.armature).bake == "IK"


def _turns(result, keys, frames):
    """(T, K, 3, 3) orientations of bones in the world."""
    turns = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        posed = result.armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        world = [posed.matrix_world @ posed.pose.bones[result.rig.geometry_bone(k)].matrix for k in keys]
        turns.append([np.array(m.to_3x3().normalized()) for m in world])
    return np.array(turns)


def test_motion_that_no_lift_made():
    source, target = source_armature(_motion()), build("mixamo")
    del source.animation_data.action["mvlift"]
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False)))
    assert record_of(target).summary == f"Retargeted from {source.name}"
    feet = path_of(target, [result.rig.geometry_bone("foot.L")], np.arange(1, 61))[:, 0]
    text = contacts.clean_feet(target, FootOptions(mode="ALWAYS"))
    slips = [float(word) for word in text.replace(",", "").split() if word.replace(".", "").isdigit()]
    assert slips[1] < 0.5 * slips[0], text
    cleaned = path_of(target, [result.rig.geometry_bone("foot.L")], np.arange(1, 61))[:, 0]
    low = feet[:, 2] < feet[:, 2].min() + 0.005
    assert slide(cleaned, low) < slide(feet, low)


def test_feet_of_an_import_are_cleaned(tmp_path):
    path = save_amass(_motion(), tmp_path / "walk.npz", "smplh")
    armature = import_motion(bpy.context, path, body=False).armature
    before = np.array(path_of(armature, ["left_ankle", "right_ankle"], np.arange(1, 61)))
    text = contacts.clean_feet(armature, FootOptions(mode="ALWAYS"))
    slips = [float(word) for word in text.replace(",", "").split() if word.replace(".", "").isdigit()]
    assert slips[1] <= slips[0]
    assert np.abs(path_of(armature, ["left_ankle", "right_ankle"], np.arange(1, 61)) - before).max() < 0.1


@pytest.mark.usefixtures("extension")
def test_buttons_take_the_rigs_own_controls():
    source, target = source_armature(_motion()), auto_rig_pro()
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False), bake="IK"))
    bpy.context.view_layer.objects.active = target
    before = _path(result, ["foot.L"], [20])
    assert bpy.ops.mvlift.lock_joint(joint="c_foot_ik.l", at=20, first=19, last=20) == {"FINISHED"}
    assert bpy.ops.mvlift.hold_joints(joint="c_head.x", at=20, first=19, last=21) == {"FINISHED"}
    select_bones(target, ["c_hand_ik.r"])
    assert bpy.ops.mvlift.smooth(only_selected=True, path=False, keep_feet=False) == {"FINISHED"}
    np.testing.assert_allclose(_path(result, ["foot.L"], [19, 20])[:, 0], np.tile(before[0, 0], (2, 1)), atol=2e-3)
    select_bones(target, [])
    with pytest.raises(RuntimeError, match="No bone is selected"):
        bpy.ops.mvlift.smooth(only_selected=True)
