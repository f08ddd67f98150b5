"""The retargeting panel: table, preview, operators."""

from __future__ import annotations

import json
import re

import bpy
import numpy as np
import pytest
from retarget_checks import fingerprint, path_of, source_armature
from rigs import build

from mvlift_blender.operators.retarget import why_not
from mvlift_blender.retargeting import table
from mvlift_blender.retargeting.bone_map import BoneMapError, load_map, parse_map, read_maps, save_map, shipped_maps
from mvlift_blender.retargeting.bone_map_file import prefix_length
from mvlift_blender.retargeting.rig_map import RigMap

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "user_folder", lambda: tmp_path)
    source, target = source_armature(), build("mixamo")
    retarget_settings = bpy.context.scene.mvlift_retarget
    retarget_settings.source, retarget_settings.target = source, target
    return retarget_settings


def row_of(settings, name):
    return next(i for i, row in enumerate(settings.rows) if row.key == name)


def test_choosing_a_rig_fills_the_table(settings):
    assert settings.recognition.startswith("Mixamo, confidence")
    assert settings.rows[row_of(settings, "hips")].bone == "mixamorig:Hips"
    assert settings.rows[row_of(settings, "root")].bone == ""
    assert settings.rows[row_of(settings, "upper_arm.L")].label == "Upper Arm L"
    assert table.map_of(settings).name == "mixamo"


def test_rows_are_changed_mirrored_saved_and_loaded(settings, tmp_path):
    i = row_of(settings, "upper_arm.L")
    settings.rows[i].bone = "mixamorig:LeftShoulder"
    settings.active = i
    assert bpy.ops.mvlift.map_mirror() == {"FINISHED"}
    assert settings.rows[row_of(settings, "upper_arm.R")].bone == "mixamorig:RightShoulder"
    settings.map_title = "My Rig"
    assert bpy.ops.mvlift.map_save() == {"FINISHED"}
    (path,) = tmp_path.glob("*.json")
    data = json.loads(path.read_text())
    assert (data["schema"], data["version"]) == ("mvlift-bone-map", 2)
    bpy.ops.mvlift.retarget_detect()
    assert settings.rows[i].bone == "mixamorig:LeftArm" or settings.recognition.startswith("My Rig")
    assert bpy.ops.mvlift.map_load(filepath=str(path)) == {"FINISHED"}
    assert settings.rows[i].bone == "mixamorig:LeftShoulder"
    assert {m.title for m in read_maps(tmp_path)} > {"My Rig", "Mixamo"}


def test_a_broken_map_of_the_users_is_left_out_with_a_note(settings, tmp_path):
    (tmp_path / "torn.json").write_text('{"schema": "mvlift-bone-map", "version": 1, "name": "torn"')
    (tmp_path / "other.json").write_text('{"schema": "mvlift-bone-map", "version": 1, "body": "human", "bones": 3}')
    bpy.ops.mvlift.retarget_detect()
    first, *notes = settings.recognition.splitlines()
    assert first.startswith("Mixamo, confidence")
    assert [n for n in notes if "left out: torn.json is not JSON" in n]
    assert [n for n in notes if "left out: other.json is not a complete bone map" in n]


def test_preview_shows_and_leaves_no_trace(settings):
    target = settings.target
    before, actions = fingerprint(target), sorted(a.name for a in bpy.data.actions)
    hand = path_of(target, ["mixamorig:LeftHand"], [20])
    assert bpy.ops.mvlift.retarget_preview() == {"FINISHED"}
    shown = path_of(target, ["mixamorig:LeftHand"], [20])
    assert np.abs(shown - hand).max() > 0.1
    settings.use_scale, settings.scale = True, 2.0
    assert np.abs(path_of(target, ["mixamorig:Hips"], [60]) - 0)[..., 0].max() > 2.5
    assert bpy.ops.mvlift.retarget_preview() == {"FINISHED"}
    assert np.abs(path_of(target, ["mixamorig:LeftHand"], [20]) - hand).max() < 1e-6
    assert sorted(a.name for a in bpy.data.actions) == actions
    assert fingerprint(target) == before


def test_the_button_makes_an_action(settings):
    settings.root = "IN_PLACE"
    assert bpy.ops.mvlift.retarget() == {"FINISHED"}
    hips = path_of(settings.target, ["mixamorig:Hips"], [1, 30, 60])
    assert np.ptp(hips[:, 0, :2], axis=0).max() < 1e-4
    assert settings.target.animation_data.action.name == "mixamo Person"
    settings.source = settings.target
    assert not bpy.ops.mvlift.retarget.poll()


def test_retargeting_is_one_undo_step(settings):
    target, actions = settings.target.name, sorted(a.name for a in bpy.data.actions)
    bpy.ops.ed.undo_push(message="chosen")
    assert bpy.ops.mvlift.retarget("EXEC_DEFAULT", True) == {"FINISHED"}
    assert bpy.data.objects[target].animation_data.action.name == f"{target} Person"
    bpy.ops.ed.undo()
    assert sorted(a.name for a in bpy.data.actions) == actions
    animation = bpy.data.objects[target].animation_data
    assert animation is None or animation.action is None


def test_map_files_say_what_is_wrong(tmp_path):
    assert len({m.name for m in shipped_maps()}) == len(shipped_maps()) >= 35
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(BoneMapError, match=r"bad\.json is not JSON"):
        load_map(bad)
    for data, text in (
        ({}, "not an MVLift bone map"),
        ({"schema": "mvlift-bone-map", "version": 9}, "version 9"),
        ({"schema": "mvlift-bone-map", "version": 1, "body": "fish"}, "'fish'"),
        ({"schema": "mvlift-bone-map", "version": 1, "body": "human", "name": "x", "bones": {"wing": "W"}}, "'wing'"),
        ({"schema": "mvlift-bone-map", "version": 1, "body": "human", "name": "x"}, "complete"),
        (
            {"schema": "mvlift-bone-map", "version": 1, "body": "human", "name": "x", "bones": {}, "ik": {"wing": {}}},
            "'wing' is not a limb",
        ),
    ):
        with pytest.raises(BoneMapError, match=text):
            parse_map(data, "a file")


MAP = {"schema": "mvlift-bone-map", "version": 2, "body": "human", "name": "x", "bones": {"hips": "H"}}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"name": 3}, r"name"),
        ({"bones": []}, r"bones"),
        ({"bones": {"hips": {"L": {"x": 1}}}}, r"bones"),
        ({"prefixes": ["a" * 99]}, "prefix"),
        ({"prefixes": {"a": 1}}, "prefixes"),
        ({"evidence": [["a", 3]]}, r"evidence\[0\]\[1\]"),
        ({"ik": {"arm": {"L": {"pole": "x"}}}}, "control"),
        ({"ik": {"arm": []}}, "ik"),
        ({"settings": [{"bone": "b", "property": "p", "value": "x"}]}, r"settings\[0\]\.value"),
        ({"version": 1, "prefixes": "(a+)+"}, "prefix"),
        ({"version": 1, "prefixes": "[a"}, "prefix"),
    ],
)
def test_a_value_of_another_type_is_named(changed, text):
    with pytest.raises(BoneMapError, match=text) as caught:
        parse_map({**MAP, **changed}, "mine.json")
    assert caught.value.message.startswith("mine.json")
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("prefix", "name", "rest"),
    [
        ("mixamorig#:", "mixamorig12:Hips", "Hips"),
        ("mixamorig#:", "mixamorig:Hips", "Hips"),
        ("a*_", "a_b_Hips", "Hips"),
        ("J?_", "J1_Hips", "Hips"),
        ("J?_", "J_Hips", "J_Hips"),
        (".*", "Hips", "Hips"),  # no regular expression
        ("[Hh]ip", "Hips", "Hips"),
        ("*" * 40 + "#", "x" * 60, "x" * 60),
    ],
)
def test_a_prefix_is_plain_text_with_signs_for_digits_and_letters(prefix, name, rest):
    length = prefix_length(prefix, name)
    assert (name[length:] or name) == rest
    assert parse_map({**MAP, "prefixes": prefix}, "mine.json").prefixes == (prefix,)


@pytest.mark.parametrize(
    "pattern",
    [
        r"mixamorig\d*[:_]?",
        r"[Ss]keleton[ _]?\d*_",
        "[mf]_avg_",
        r"Character\d+_",
        r"^rig\.",
        "x.*_",
        r"\w+:",
    ],
)
def test_prefixes_of_old_files_take_what_they_took(pattern):
    names = [
        "mixamorig:Hips",
        "mixamorig7_Hips",
        "Skeleton 001_Hip",
        "skeleton_Hip",
        "f_avg_Pelvis",
        "Character12_Hips",
    ]
    names += ["rig.Hips", "rigHips", "x_y_Hips", "abc:Hips", "ABC_Hips", "Hips"]
    prefixes = parse_map({**MAP, "version": 1, "prefixes": [pattern]}, "old.json").prefixes
    for name in names:
        match = re.match(pattern, name)
        assert max(prefix_length(p, name) for p in prefixes) == (match.end() if match else 0), name


def test_command_retargets_to_a_rig_file(tmp_path):
    from mvlift_blender.commands.cli import run
    from mvlift_blender.exchange.export import export_rig

    export_rig(bpy.context, source_armature(), tmp_path / "walk.npz", "NPZ")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    build("unreal5")
    rig = tmp_path / "rig.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(rig), copy=True)
    before = rig.read_bytes()
    out = tmp_path / "out.blend"
    assert (
        run(["retarget", str(tmp_path / "walk.npz"), "--rig", f"{rig}:unreal5", "-o", str(out), "--root", "root"]) == 0
    )
    assert rig.read_bytes() == before
    bpy.ops.wm.open_mainfile(filepath=str(out))
    target = bpy.data.objects["unreal5"]
    assert [o.name for o in bpy.data.objects] == ["unreal5"]
    roots = path_of(target, ["root"], [1, 60])[:, 0]
    assert np.linalg.norm(roots[1] - roots[0]) > 1.0
    assert run(["retarget", str(tmp_path / "walk.npz"), "--rig", f"{rig}:nobody", "-o", str(out)]) == 1


def test_saved_maps_keep_the_ik_controls(tmp_path):
    for file in (f for f in shipped_maps() if f.ik):
        rig = RigMap(file.body, {k: n[0] for k, n in file.bones.items()}, {}, dict(file.ik), file.settings)
        save_map(rig, tmp_path / "own.json", "Own")
        assert load_map(tmp_path / "own.json").ik == file.ik, file.name


def test_edit_mode_and_low_confidence_make_the_button_grey(settings):
    assert not why_not(bpy.context)
    settings.confidence = 0.3
    assert "check its bone map" in why_not(bpy.context)
    settings.checked = True
    assert not why_not(bpy.context)
    bpy.context.view_layer.objects.active = settings.target
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Edit Mode" in why_not(bpy.context)
    bpy.ops.object.mode_set(mode="OBJECT")
