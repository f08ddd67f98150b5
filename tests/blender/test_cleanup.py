"""Clean-up operators on a lifted armature: what they promise, measured on the bones that Blender poses."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from synthetic_motion import forward, walk
from test_scene import posed

from mvlift_blender.cleanup import cleaning
from mvlift_blender.cleanup.lifted import read_lifted
from mvlift_blender.motion.soles import resting, slide, sole_points
from mvlift_blender.scene.animation import current_curves, select_bones
from mvlift_blender.scene.keyframes import rotation_path
from mvlift_blender.scene.write import WriteOptions, write_motion

pytestmark = pytest.mark.usefixtures("extension")
COUNT = 90


def shaky(contacts=True):
    """A walk whose feet slide and sink: the path drifts and trembles."""
    motion = walk(COUNT)
    rng = np.random.default_rng(1)
    translation = motion.translation + rng.normal(scale=0.004, size=(COUNT, 3)).astype(np.float32)
    translation[:, 2] += 0.08
    rotations = motion.rotations + rng.normal(scale=0.01, size=motion.rotations.shape).astype(np.float32)
    names = ("l_heel", "l_big_toe", "r_heel", "r_big_toe") if contacts else ()
    # a foot rests while its sole is the lower one
    heights = forward(motion)[0][:, [motion.joint_names.index(n) for n in ("left_ankle", "right_ankle")], 2]
    low = np.stack([heights[:, 0] < heights[:, 1], heights[:, 1] <= heights[:, 0]], -1)
    kept_contacts = np.repeat(low, 2, axis=1).astype(np.float32)[:, : len(names)]
    return replace(motion, translation=translation, rotations=rotations, contacts=kept_contacts, contact_names=names)


@pytest.fixture
def armature():
    written = write_motion(bpy.context, shaky(), WriteOptions())
    bpy.context.scene.mvlift.result = written.armature
    return written.armature


def world(armature, names=None):
    """(T, J, 3) where Blender poses the bones."""
    names = names or [bone.name for bone in armature.data.bones]
    places = []
    for frame in range(1, COUNT + 1):
        bpy.context.scene.frame_set(frame)
        places.append(posed(armature, names))
    return np.array(places)


def soles(armature):
    """Sole points (T, L, 2, 3), and which of them the lift says rest."""
    lifted = read_lifted(armature)
    foot_soles = lifted.soles()
    record = lifted.record
    return sole_points(foot_soles, *lifted.pose), resting(foot_soles, record.contacts, record.contact_names, 0.5)


def test_the_skeletons_own_forward_kinematics_are_blenders(armature):
    lifted = read_lifted(armature)
    places = world(armature, lifted.curves.skeleton.names)
    np.testing.assert_allclose(lifted.pose[0], places, atol=2e-5)


def test_feet_that_rest_do_not_slip_and_stand_on_the_floor(armature):
    points, rests = soles(armature)
    assert slide(points, rests) > 0.004
    lifted_action = current_curves(armature).action
    assert bpy.ops.mvlift.clean_feet(mode="AUTO", most_travel=10.0) == {"FINISHED"}
    cleaned, _ = soles(armature)
    # a foot that rests on heel and ball lies still
    inner = rests.copy()
    inner[:-1] &= rests[1:]
    inner[1:] &= rests[:-1]
    assert slide(cleaned, inner) < 0.0005
    assert np.abs(cleaned[..., 2][inner]).max() < 0.01
    assert cleaned[..., 2].min() > -0.01
    assert current_curves(armature).action != lifted_action
    assert lifted_action.use_fake_user
    # Blender shows the same
    ankle = read_lifted(armature).pose[0][:, _bone(armature, "left_ankle")]
    np.testing.assert_allclose(world(armature, ["left_ankle"])[:, 0], ankle, atol=2e-5)


def _bone(armature, name):
    return read_lifted(armature).curves.skeleton.names.index(name)


def test_off_auto_and_always_differ(armature):
    before = world(armature)
    assert bpy.ops.mvlift.clean_feet(mode="OFF") == {"FINISHED"}
    np.testing.assert_array_equal(world(armature), before)
    # every stride travels further than that: automatic takes them for slides
    assert bpy.ops.mvlift.clean_feet(mode="AUTO", most_travel=0.0) == {"FINISHED"}
    np.testing.assert_array_equal(world(armature), before)
    assert bpy.ops.mvlift.clean_feet(mode="ALWAYS", most_travel=0.0) == {"FINISHED"}
    assert np.abs(world(armature) - before).max() > 0.01


def test_always_finds_resting_feet_without_contacts():
    motion = shaky(contacts=False)
    still = replace(
        motion,
        rotations=np.repeat(motion.rotations[:1], COUNT, axis=0),
        translation=motion.translation[:1] + np.linspace(0, [0.12, 0, 0], COUNT, dtype=np.float32),
    )
    low = forward(still)[0][:, :, 2].min()
    still = replace(still, translation=still.translation - np.array([0, 0, low], np.float32))
    written = write_motion(bpy.context, still, WriteOptions())
    bpy.context.scene.mvlift.result = written.armature
    toe = world(written.armature, ["left_foot", "right_foot"])
    bpy.ops.mvlift.clean_feet(mode="AUTO")
    np.testing.assert_array_equal(world(written.armature, ["left_foot", "right_foot"]), toe)
    bpy.ops.mvlift.clean_feet(mode="ALWAYS", on_floor=False)
    way = np.linalg.norm(np.ptp(world(written.armature, ["left_foot", "right_foot"])[..., :2], axis=0), axis=-1)
    assert np.linalg.norm(np.ptp(toe[..., :2], axis=0), axis=-1).min() > 0.1
    assert way.min() < 0.01


def test_snapping_brings_the_resting_feet_to_the_floor(armature):
    points, rests = soles(armature)
    before = float(np.median(np.where(rests, points[..., 2], np.inf).reshape(COUNT, -1).min(1)))
    assert abs(before) > 0.02
    root = world(armature, ["pelvis"])
    assert bpy.ops.mvlift.snap_floor() == {"FINISHED"}
    moved = world(armature, ["pelvis"]) - root
    np.testing.assert_allclose(moved[..., 2], -before, atol=1e-4)
    np.testing.assert_allclose(moved[..., :2], 0, atol=1e-5)
    bpy.ops.mvlift.snap_floor(drift=True, period=0.3)
    after, _ = soles(armature)
    height = np.where(rests, after[..., 2], np.inf).reshape(COUNT, -1).min(1)
    assert np.abs(height).mean() < 0.02


def acceleration(places):
    return float(np.abs(np.diff(places, 2, axis=0)).mean())


def test_smoothing_calms_by_its_strength_and_keeps_feet(armature):
    ankles = ["left_ankle", "right_ankle"]
    before, feet, rests = world(armature), world(armature, ankles), soles(armature)[1].any(2)
    assert bpy.ops.mvlift.smooth(strength=0.0, keep_feet=False) == {"FINISHED"}
    np.testing.assert_allclose(world(armature), before, atol=1e-6)
    assert bpy.ops.mvlift.smooth(strength=1.0) == {"FINISHED"}
    calm = world(armature)
    assert acceleration(calm) < 0.7 * acceleration(before)
    np.testing.assert_allclose(world(armature, ankles)[rests], feet[rests], atol=0.01)
    bpy.ops.mvlift.smooth(strength=3.0, keep_feet=False)
    assert acceleration(world(armature)) < 0.5 * acceleration(calm)


def test_smoothing_only_the_selected_bones(armature):
    select_bones(armature, ["left_elbow"])
    before = read_lifted(armature).curves
    assert bpy.ops.mvlift.smooth(strength=2.0, only_selected=True, path=False, keep_feet=False) == {"FINISHED"}
    after = read_lifted(armature).curves
    moved = np.abs(after.rotations - before.rotations).max((0, 2)) > 1e-5
    assert [name for name, m in zip(after.skeleton.names, moved, strict=True) if m] == ["left_elbow"]


@pytest.mark.parametrize("millimetres", [1.0, 5.0, 25.0])
def test_key_reduction_keeps_its_bound(armature, millimetres):
    bpy.ops.mvlift.smooth(strength=1.0)
    before = world(armature)
    assert bpy.ops.mvlift.reduce_keys(bound=millimetres) == {"FINISHED"}
    off = 1000 * np.linalg.norm(world(armature) - before, axis=-1).max()
    assert off <= millimetres + 0.05
    curves = current_curves(armature)
    names = [bone.name for bone in armature.data.bones]
    counts = [len(curves.key_frames(rotation_path(name))) for name in names]
    assert sum(counts) < {1.0: 0.75, 5.0: 0.4, 25.0: 0.25}[millimetres] * COUNT * len(names)
    assert all(
        np.array_equal(curves.key_frames(rotation_path(name), 0), curves.key_frames(rotation_path(name), 3))
        for name in names
    )


def test_thinned_curves_can_be_cleaned_again(armature):
    bpy.ops.mvlift.reduce_keys(bound=5.0)
    before = world(armature)
    bpy.ops.mvlift.smooth(strength=0.0, keep_feet=False)
    assert np.abs(world(armature) - before).max() < 2e-4


def test_a_held_joint_keeps_its_rotation(armature):
    before = read_lifted(armature).curves
    assert bpy.ops.mvlift.hold_joints(joint="right_elbow", at=40, first=30, last=60, blend=5) == {"FINISHED"}
    after, j = read_lifted(armature).curves, _bone(armature, "right_elbow")
    np.testing.assert_allclose(after.rotations[29:60, j], np.tile(before.rotations[39, j], (31, 1)), atol=1e-6)
    np.testing.assert_allclose(after.rotations[:23, j], before.rotations[:23, j], atol=1e-6)
    np.testing.assert_allclose(after.rotations[66:, j], before.rotations[66:, j], atol=1e-6)
    others = [i for i in range(24) if i != j]
    np.testing.assert_allclose(after.rotations[:, others], before.rotations[:, others], atol=1e-6)


def test_a_locked_hand_stays_in_the_world(armature):
    before = world(armature, ["left_wrist"])[:, 0]
    assert np.ptp(before[38:43], axis=0).max() > 0.05
    assert bpy.ops.mvlift.lock_joint(joint="left_wrist", at=40, first=39, last=43, blend=6) == {"FINISHED"}
    after = world(armature, ["left_wrist"])[:, 0]
    assert np.linalg.norm(after[38:43] - before[39], axis=-1).max() < 0.005
    np.testing.assert_allclose(after[:30], before[:30], atol=1e-5)
    with pytest.raises(RuntimeError, match="no two bones above"):
        bpy.ops.mvlift.lock_joint(joint="spine1", at=40, first=39, last=43)
    with pytest.raises(RuntimeError, match="No joint is selected"):
        bpy.ops.mvlift.hold_joints(joint="SELECTED", at=40, first=39, last=43)


def test_clean_up_needs_a_lifted_armature_and_is_one_undo_step(armature):
    action, before = current_curves(armature).action.name, len(bpy.data.actions)
    bpy.ops.ed.undo_push(message="lifted")
    bpy.ops.mvlift.smooth("EXEC_DEFAULT", True, strength=2.0)
    assert len(bpy.data.actions) == before + 1
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == before
    assert current_curves(bpy.context.scene.mvlift.result).action.name == action
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    for name in ("clean_feet", "snap_floor", "smooth", "reduce_keys", "hold_joints", "lock_joint", "relift"):
        assert not getattr(bpy.ops.mvlift, name).poll()


def test_a_share_of_the_clean_up_is_shown_and_any_other_afterwards():
    from mvlift_blender.cleanup.curves import read_motion_curves
    from mvlift_blender.cleanup.repair import can_mix, mix

    armature = write_motion(bpy.context, walk(40), WriteOptions()).armature
    lifted = read_motion_curves(armature)
    assert not can_mix(armature)
    cleaning.smooth(armature, 6.0, keep_feet=False)
    cleaned = read_motion_curves(armature)
    assert can_mix(armature)
    for share in (0.0, 0.5, 1.0):
        mix(armature, share)
        shown = read_motion_curves(armature)
        np.testing.assert_allclose(
            shown.locations, (1 - share) * lifted.locations + share * cleaned.locations, atol=2e-6
        )
        knee = shown.skeleton.names.index("left_knee")
        a, b = ((shown.rotations[:, knee] * other.rotations[:, knee]).sum(-1) for other in (lifted, cleaned))
        change, full_change = (
            np.arccos(np.abs(x).clip(0, 1)) for x in (a, (lifted.rotations * cleaned.rotations).sum(-1)[:, knee])
        )
        np.testing.assert_allclose(change, share * full_change, atol=2e-3)
        assert (np.abs(b) >= np.abs((lifted.rotations * cleaned.rotations).sum(-1)[:, knee]) - 1e-5).all()
    mix(armature, 0.5)
    cleaning.smooth(armature, 1.0, keep_feet=False)  # another clean-up goes on from the mixture
    again = read_motion_curves(armature)
    mix(armature, 1.0)
    np.testing.assert_allclose(read_motion_curves(armature).locations, again.locations, atol=2e-6)
