"""Files out and in again, compared by where the joints are."""

from __future__ import annotations

import json
import struct

import bpy
import numpy as np
import pytest
from mvlift.amass import load_amass, read_any_motion, save_amass
from mvlift.motion_files import MotionFileError
from retarget_checks import grounded_walk, path_of, source_armature
from rigify_rigs import generated
from rigs import build
from synthetic_motion import forward, walk

from mvlift_blender.exchange.export import export_rig
from mvlift_blender.exchange.importing import import_motion
from mvlift_blender.exchange.motion_of import motion_of
from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.solve import SolveOptions

FRAMES = [1, 14, 30]
JOINTS = ["pelvis", "head", "left_wrist", "right_ankle", "left_foot"]


def _exported(tmp_path, form):
    armature = source_armature(walk(30))
    expected = path_of(armature, JOINTS, FRAMES)
    names = sorted(o.name for o in bpy.data.objects)
    path = export_rig(bpy.context, armature, tmp_path / "walk", form)
    assert sorted(o.name for o in bpy.data.objects) == names
    assert path.stat().st_size > 1000
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return path, expected


def _armature():
    return next(o for o in bpy.data.objects if o.type == "ARMATURE")


def _needs(form):
    if form == "USD" and not bpy.app.build_options.usd:
        pytest.skip("this Blender is built without USD")


def _imported(path, form):
    bpy.context.scene.render.fps = 30
    if form.startswith("FBX"):
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0)
    elif form == "GLB":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif form == "USD":
        bpy.ops.wm.usd_import(filepath=str(path))
    else:
        bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    return _armature()


@pytest.mark.parametrize(
    ("name", "root", "form"),
    [
        ("mixamo", "HIPS", "FBX_UNITY"),
        ("mixamo", "HIPS", "USD"),
        ("mixamo", "HIPS", "BVH"),
        ("unreal5", "ROOT", "FBX_UNREAL"),
        ("unreal5", "ROOT", "GLB"),
        ("rigify", "HIPS", "BVH"),
    ],
)
def test_retargeted_rigs_come_back(name, root, form, tmp_path):
    _needs(form)
    source, target = source_armature(walk(30)), generated("rigify_basic") if name == "rigify" else build(name)
    rig = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(root=root))).rig
    bones = [
        rig.geometry_bone(k) for k in ("head", "hand.L", "lower_leg.R", "foot.L", *(["root"] if root == "ROOT" else []))
    ]
    expected = path_of(target, bones, FRAMES)
    path = export_rig(bpy.context, target, tmp_path / "rig", form)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    armature = _imported(path, form)
    first = armature.animation_data.action.frame_range[0]
    names = {bone.name for bone in armature.data.bones}
    bones = [b if b in names else b.replace(":", "_") for b in bones]
    got = path_of(armature, bones, [first + f - 1 for f in FRAMES])
    assert np.abs(got - expected).max() < 0.003


@pytest.mark.parametrize("form", ["FBX_UNREAL", "FBX_UNITY", "FBX_MAYA", "GLB", "USD", "BVH"])
def test_round_trip(form, tmp_path):
    _needs(form)
    path, expected = _exported(tmp_path, form)
    armature = _imported(path, form)
    curves = armature.animation_data.action.frame_range
    got = path_of(armature, JOINTS, [curves[0] + f - 1 for f in FRAMES])
    assert np.abs(got - expected).max() < (0.006 if form == "GLB" else 0.003)
    if form != "BVH":
        assert any(o.type == "CAMERA" for o in bpy.data.objects)
    if form == "FBX_UNREAL":
        roots = path_of(armature, ["root"], [curves[0], curves[0] + 29])[:, 0]
        assert np.linalg.norm(roots[1, :2] - roots[0, :2]) > 0.5
        assert abs(roots[:, 2]).max() < 0.01


@pytest.mark.parametrize("form", ["NPZ", "NPZ_SMPL", "NPZ_SMPLH", "NPZ_SMPLX"])
def test_motion_files_come_back(form, tmp_path):
    path, expected = _exported(tmp_path, form)
    written = import_motion(bpy.context, path, body=False)
    got = path_of(written.armature, JOINTS, FRAMES)
    # AMASS files carry no bone lengths: the default body's are the walk's
    assert np.abs(got - expected).max() < 1e-3


def test_armature_to_motion_is_exact():
    motion = grounded_walk(20)
    armature = source_armature(motion)
    back = motion_of(bpy.context, armature)
    np.testing.assert_allclose(forward(back)[0], forward(motion)[0], atol=1e-5)
    assert back.fps == motion.fps


@pytest.mark.parametrize(("variant", "columns"), [("smpl", 72), ("smplh", 156), ("smplx", 165)])
def test_amass_variants(variant, columns, tmp_path):
    motion = walk(10)
    path = save_amass(motion, tmp_path / "walk.npz", variant)
    arrays = dict(np.load(path))
    assert arrays["poses"].shape == (10, columns)
    assert float(arrays["mocap_framerate"]) == 30.0
    if variant == "smplx":
        np.testing.assert_array_equal(arrays["pose_body"], arrays["poses"][:, 3:66])
    back = load_amass(path)
    np.testing.assert_allclose(back.rotations[:, :22], motion.rotations[:, :22], atol=1e-6)
    np.testing.assert_allclose(back.translation, motion.translation, atol=1e-5)


def test_bad_amass_files_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    for arrays, text in (
        ({"trans": np.zeros((3, 3))}, "neither poses"),
        ({"poses": np.zeros((3, 10)), "trans": np.zeros((3, 3)), "mocap_framerate": 30.0}, "10 columns"),
        ({"poses": np.zeros((3, 72)), "trans": np.zeros((3, 3))}, "frame rate"),
        ({"poses": np.zeros((3, 72)), "trans": np.zeros((2, 3)), "mocap_framerate": 30.0}, "damaged"),
        ({"poses": np.full((3, 72), np.nan), "trans": np.zeros((3, 3)), "mocap_framerate": 30.0}, "damaged"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(MotionFileError, match=text):
            read_any_motion(path)


def _glb_document(path):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + size])


def test_gltf_times_are_exact_at_a_fractional_rate_and_the_clip_has_the_motions_name(tmp_path):
    armature = source_armature(walk(30))
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.001
    document = _glb_document(export_rig(bpy.context, armature, tmp_path / "walk", "GLB"))
    (animation,) = document["animations"]
    assert animation["name"] == armature.animation_data.action.name
    for sampler in animation["samplers"]:
        accessor = document["accessors"][sampler["input"]]
        assert accessor["min"] == [0.0]
        if accessor["count"] > 2:
            assert abs(accessor["max"][0] - 29 * 1.001 / 30) < 1e-6
    assert not [n["name"] for n in document["nodes"] if n.get("name", "").endswith(".001")]


def test_unreal_gets_its_own_hierarchy_at_scale_one_from_time_zero(tmp_path):
    from io_scene_fbx import parse_fbx

    source, target = source_armature(walk(30)), build("mixamo")
    result = retarget(bpy.context, source, target, RetargetOptions())
    path = export_rig(bpy.context, target, tmp_path / "hero", "FBX_UNREAL")
    objects = next(e for e in parse_fbx.parse(str(path))[0].elems if e.id == b"Objects")
    nodes, takes, times = {}, [], []
    for element in objects.elems:
        name = element.props[1].split(b"\0")[0].decode() if len(element.props) > 1 else ""
        if element.id == b"Model" and element.props[2] in (b"Null", b"LimbNode"):
            scale = [p.props[4:7] for q in element.elems for p in q.elems if p.props[:1] == [b"Lcl Scaling"]]
            nodes[name] = scale[0] if scale else (1.0, 1.0, 1.0)
        if element.id == b"AnimationStack":
            takes.append(name)
        times += [q.props[0][0] for q in element.elems if q.id == b"KeyTime"]
    assert {"Armature", "root", "mixamorig:Hips"} <= nodes.keys()
    assert all(abs(v - 1) < 1e-4 for scale in nodes.values() for v in scale)
    assert takes == [result.action.name]
    assert min(times) == 0
    # the copy is gone, and nothing of the scene has another name
    assert target.name == "mixamo"
    assert not [o.name for o in bpy.data.objects if o.name.endswith(".001")]


def test_bvh_is_y_up_in_centimetres_where_the_object_stands(tmp_path):
    armature = source_armature(grounded_walk(10))
    armature.location = (1, 2, 0.5)
    bpy.context.view_layer.update()
    expected = path_of(armature, ["pelvis"], [1, 10])[:, 0]
    text = export_rig(bpy.context, armature, tmp_path / "walk", "BVH").read_text()
    rows = [list(map(float, line.split())) for line in text.splitlines() if line[:1] in "-0123456789" and " " in line]
    for row, place in ((rows[0], expected[0]), (rows[-1], expected[1])):
        np.testing.assert_allclose(row[:3], [100 * place[0], 100 * place[2], -100 * place[1]], atol=1e-2)
    z_up = export_rig(bpy.context, armature, tmp_path / "walk", "BVH", bvh_up="Z").read_text()
    row = next(line for line in z_up.splitlines() if line[:1] in "-0123456789" and " " in line)
    np.testing.assert_allclose(list(map(float, row.split()))[:3], 100 * expected[0], atol=1e-2)


def _bvh_joints(text):
    """Places (T, 3) of every joint by name, by an own reader: rotations multiplied as they are written."""
    lines = text.split("MOTION")
    stack, joints, channels = [], {}, []
    name = ""
    for words in (line.split() for line in lines[0].splitlines()):
        if words[:1] in (["ROOT"], ["JOINT"], ["End"]):
            name = words[1] if words[0] != "End" else f"{stack[-1]} end"
            joints[name] = [stack[-1] if stack else "", None, []]
        elif words[:1] == ["{"]:
            stack.append(name)
        elif words[:1] == ["}"]:
            stack.pop()
        elif words[:1] == ["OFFSET"]:
            joints[name][1] = np.array(words[1:], float)
        elif words[:1] == ["CHANNELS"]:
            joints[name][2] = words[2:]
            channels += [(name, c) for c in words[2:]]
    rows = np.array([line.split() for line in lines[1].splitlines()[3:] if line.strip()], float)
    column = {c: i for i, c in enumerate(channels)}
    turns, places = {}, {}
    for joint, (parent, offset, channel_names) in joints.items():
        step, turn = np.tile(offset, (len(rows), 1)), np.tile(np.eye(3), (len(rows), 1, 1))
        for channel in channel_names:
            values = rows[:, column[joint, channel]]
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                step[:, axis] = values
                continue
            c, s = np.cos(np.radians(values)), np.sin(np.radians(values))
            one = np.tile(np.eye(3), (len(rows), 1, 1))
            a, b = (axis + 1) % 3, (axis + 2) % 3
            one[:, a, a], one[:, a, b], one[:, b, a], one[:, b, b] = c, -s, s, c
            turn = turn @ one
        above, at = (turns[parent], places[parent]) if parent else (np.eye(3)[None], np.zeros((1, 3)))
        turns[joint] = above @ turn
        places[joint] = at + (above @ step[..., None])[..., 0]
    return places


@pytest.mark.parametrize("root", ["HIPS", "ROOT"])
def test_bvh_joints_are_within_a_tenth_of_a_millimetre(root, tmp_path):
    source, target = source_armature(walk(12)), build("unreal5")
    rig = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(root=root))).rig
    bones = [rig.geometry_bone(k) for k in ("hips", "head", "hand.L", "lower_leg.R", "foot.L")]
    expected = path_of(target, bones, np.arange(1, 13))
    places = _bvh_joints(export_rig(bpy.context, target, tmp_path / "rig", "BVH").read_text())
    got = np.stack([places[b] for b in bones], 1)
    np.testing.assert_allclose(
        got, 100 * np.stack([expected[..., 0], expected[..., 2], -expected[..., 1]], -1), atol=0.01
    )
