"""Direct the result: parts of the body, foot contacts by hand, presets, manual links, light and ground."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
import numpy as np
import pytest
from lift_steps import ready
from synthetic_motion import walk

import mvlift_blender
from mvlift_blender.cleanup.curves import read_motion_curves
from mvlift_blender.interface.manual import manual_map
from mvlift_blender.lifting.relift import plan_relift
from mvlift_blender.motion.limbs_mask import limb_bones
from mvlift_blender.scene.lift_parts import parts_of
from mvlift_blender.scene.motion_curves import rest_skeleton
from mvlift_blender.scene.record import read_record
from mvlift_blender.scene.write import WriteOptions, write_motion

pytestmark = pytest.mark.usefixtures("extension")
GUIDE = Path(__file__).parents[2] / "docs" / "blender.md"


@pytest.fixture
def armature():
    made = write_motion(bpy.context, walk(60), WriteOptions(start=1)).armature
    bpy.context.view_layer.objects.active = made
    return made


def changed_bones(before, after):
    moved = np.abs(after.rotations - before.rotations).max((0, 2)) > 1e-6
    return set(np.array(before.skeleton.names)[moved].tolist())


def test_parts_are_what_hangs_on_their_first_bones(armature):
    skeleton = rest_skeleton(armature)
    assert set(limb_bones(skeleton, ["LEFT_LEG"])) == {"left_hip", "left_knee", "left_ankle", "left_foot"}
    upper, lower = set(limb_bones(skeleton, ["UPPER"])), set(limb_bones(skeleton, ["LOWER"]))
    assert upper | lower == set(skeleton.names)
    assert not upper & lower
    assert "pelvis" in lower
    assert {"head", "left_wrist", "right_wrist"} <= upper
    assert set(limb_bones(skeleton, [])) == set(skeleton.names)


def test_only_the_chosen_parts_are_smoothed(armature):
    before = read_motion_curves(armature)
    assert bpy.ops.mvlift.smooth(strength=3, limbs={"LEFT_ARM"}, keep_feet=False) == {"FINISHED"}
    after = read_motion_curves(armature)
    assert changed_bones(before, after)
    assert changed_bones(before, after) <= set(limb_bones(before.skeleton, ["LEFT_ARM"]))
    np.testing.assert_allclose(after.locations, before.locations, atol=1e-7)


def test_the_upper_body_alone_is_lifted_over_an_action():
    settings = ready()
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    armature = settings.result
    before = read_motion_curves(armature)
    plan = plan_relift(bpy.context, armature, (15, 30), 4, 7, 1.0, {"UPPER"})
    assert plan.limbs == {"UPPER"}
    assert bpy.ops.mvlift.relift_range(first=15, last=30, blend=4, seed=7, limbs={"UPPER"}) == {"FINISHED"}
    after = read_motion_curves(armature)
    assert changed_bones(before, after)
    assert changed_bones(before, after) <= set(limb_bones(before.skeleton, ["UPPER"]))
    np.testing.assert_allclose(after.locations, before.locations, atol=1e-6)


def test_contacts_are_edited_over_a_range_with_a_fade(armature):
    def contacts():
        record = read_record(armature.animation_data.action)
        return record.contacts, record.contact_names

    before, names = contacts()
    left = [c for c, n in enumerate(names) if n.startswith("l_")]
    assert left
    assert bpy.ops.mvlift.set_contact(
        foot="left_ankle", rests=True, first=20, last=25, fade=2, clean=False
    ) == {"FINISHED"}  # fmt: skip
    after, _ = contacts()
    np.testing.assert_allclose(after[19:25, left], 1.0)
    rows = np.r_[0:16, 29:60]
    np.testing.assert_array_equal(after[rows], before[rows])
    fading = after[17, left] - before[17, left]
    assert ((fading >= 0) & (after[17, left] <= 1)).all()
    right = [c for c in range(len(names)) if c not in left]
    np.testing.assert_array_equal(after[:, right], before[:, right])
    bpy.ops.mvlift.set_contact(foot="left_ankle", rests=False, first=20, last=25, fade=0, clean=False)
    np.testing.assert_allclose(contacts()[0][19:25, left], 0.0)
    with pytest.raises(RuntimeError, match="outside the lift"):
        bpy.ops.mvlift.set_contact(foot="left_ankle", first=300, last=310)


def test_settings_are_kept_as_a_preset_and_come_back(armature):
    settings = bpy.context.scene.mvlift
    settings.preset, settings.seed, settings.use_stature = "fast", 5, True
    assert bpy.ops.mvlift.lift_preset_add(name="My Shot") == {"FINISHED"}
    settings.preset, settings.seed, settings.use_stature = "paper", 0, False
    (folder,) = bpy.utils.preset_paths("mvlift/lift")[:1]
    (file,) = Path(folder).glob("my_shot.py") if (Path(folder) / "my_shot.py").exists() else Path(folder).glob("*.py")
    file.write_text(file.read_text().replace("'fast'", "'quality'"))  # a method of an earlier version
    assert bpy.ops.mvlift.lift_preset_apply(filepath=str(file), menu_idname="MVLIFT_MT_lift_presets") == {"FINISHED"}
    assert (settings.preset, settings.seed, settings.use_stature) == ("fast", 5, True)
    bpy.types.MVLIFT_MT_lift_presets.bl_label = "Lift Presets"  # Blender shows the preset's name there


def test_every_operator_has_a_place_in_the_guide():
    address, rows = manual_map()
    assert address.startswith("https://")
    text = GUIDE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^a-z0-9 -]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"(?m)^#+ (.*)", text)
    }
    for _, end in rows:
        assert end.removeprefix("#") in headings
    for cls in mvlift_blender.classes():
        if issubclass(cls, bpy.types.Operator):
            assert any(re.match(pattern, f"bpy.ops.{cls.bl_idname}") for pattern, _ in rows)


def test_light_and_ground_belong_to_the_lift(armature):
    blocks = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "lights", "meshes")}
    assert bpy.ops.mvlift.add_ground() == {"FINISHED"}
    made = {o.get("mvlift_part"): o for o in parts_of(armature) if o.type in ("LIGHT", "MESH")}
    ground, sun = made["ground"], made["light"]
    assert ground.is_shadow_catcher
    assert sun.data.type == "SUN"
    corners = np.array([ground.matrix_world @ v.co for v in ground.data.vertices])
    motion = read_motion_curves(armature)
    path = motion.skeleton.forward(motion.rotations, motion.locations)[0][:, motion.skeleton.root_index]
    assert (corners[:, :2].min(0) < path[:, :2].min(0) - 2.9).all()
    assert (corners[:, 2] == 0).all()
    assert bpy.ops.mvlift.add_ground() == {"FINISHED"}  # once is enough
    assert len(bpy.data.objects) == blocks["objects"] + 2
    assert bpy.ops.mvlift.remove_lift() == {"FINISHED"}
    assert ground_gone()


def ground_gone():
    return not [o for o in bpy.data.objects if o.get("mvlift_part") in ("ground", "light")]
