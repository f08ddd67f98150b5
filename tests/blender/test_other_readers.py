"""Exported files as programs other than Blender read them: joints within 0.1 mm, fingers too, and exact times."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np
import pytest
from retarget_checks import path_of, source_armature
from rigs import build
from test_retarget_fingers import handed

from mvlift_blender.exchange.export import export_rig
from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.scene.frame_rate import scene_fps, set_scene_fps

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from readers import read_back  # noqa: E402  the path comes first

FRAMES = 12
RATE = Fraction(30000, 1001)
MOST = 1e-4


@pytest.fixture
def lifted():
    """A lifted person with fingers, in a scene of a fractional rate; where its joints are."""
    armature = source_armature(handed(FRAMES))
    set_scene_fps(bpy.context.scene, RATE)
    _dress(armature)
    names = [bone.name for bone in armature.data.bones]
    return armature, names, _expected(armature, names)


def _dress(armature):
    """A triangle that the hips carry: formats that have skins want one."""
    mesh = bpy.data.meshes.new("Body")
    mesh.from_pydata([(0, 0, 1), (0.1, 0, 1), (0, 0.1, 1)], [], [(0, 1, 2)])
    body = bpy.data.objects.new("Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.parent = armature
    body.vertex_groups.new(name=armature.data.bones[0].name).add([0, 1, 2], 1.0, "REPLACE")
    body.modifiers.new("Armature", "ARMATURE").object = armature


def _expected(armature, names):
    first = int(armature.animation_data.action.frame_range[0])
    return path_of(armature, names, range(first, first + FRAMES))


def _needs(what):
    reason = read_back.missing(what)
    if reason:
        pytest.skip(reason)


def _check(joints, names, expected, scale):
    assert len(joints.positions) == len(expected)
    at = {name.replace(".", "").replace(":", "").replace("_", ""): i for i, name in enumerate(joints.names)}
    columns = [at[name.replace(".", "").replace(":", "").replace("_", "")] for name in names]
    measured, error = read_back.compared(expected, joints.positions[:, columns])
    assert error < MOST
    assert measured == pytest.approx(scale, rel=1e-4)


def _times(joints):
    np.testing.assert_allclose(joints.times, np.arange(FRAMES) / float(RATE), atol=2e-6)


# Unity's and Maya's files are in metres and say so; Unreal's importer takes every number for centimetres
@pytest.mark.parametrize(("form", "scale"), [("FBX_UNREAL", 100.0), ("FBX_UNITY", 1.0), ("FBX_MAYA", 1.0)])
def test_fbx_by_three(form, scale, lifted, tmp_path):
    _needs("node")
    armature, names, expected = lifted
    path = export_rig(bpy.context, armature, tmp_path / "hero", form)
    joints = read_back.read_fbx(path, np.arange(FRAMES) / float(RATE))
    _check(joints, names, expected, scale)
    _times(joints)


def test_fbx_by_assimp(lifted, tmp_path):
    _needs("assimp")
    armature, names, expected = lifted
    path = export_rig(bpy.context, armature, tmp_path / "hero", "FBX_UNITY")
    joints = read_back.read_assimp(path, tmp_path)
    _check(joints, names, expected, 1.0)


def test_gltf_is_valid_and_right(lifted, tmp_path):
    _needs("node")
    armature, names, expected = lifted
    path = export_rig(bpy.context, armature, tmp_path / "hero", "GLB")
    assert read_back.validate_glb(path) == []
    joints = read_back.read_glb(path)
    _check(joints, names, expected, 1.0)
    _times(joints)


def test_usd_by_pixars_library(lifted, tmp_path):
    _needs("usd")
    armature, names, expected = lifted
    joints = read_back.read_usd(export_rig(bpy.context, armature, tmp_path / "hero", "USD"))
    _check(joints, names, expected, 1.0)
    _times(joints)


def test_bvh_as_it_stands(lifted, tmp_path):
    armature, names, expected = lifted
    joints = read_back.read_bvh(export_rig(bpy.context, armature, tmp_path / "hero", "BVH"))
    _check(joints, names, expected, 100.0)
    _times(joints)


def test_a_retargeted_rig_by_three(tmp_path):
    _needs("node")
    source, target = source_armature(handed(FRAMES)), build("mixamo")
    retarget(bpy.context, source, target, RetargetOptions())
    names = [bone.name for bone in target.data.bones]
    expected = _expected(target, names)
    path = export_rig(bpy.context, target, tmp_path / "hero", "FBX_UNITY")
    joints = read_back.read_fbx(path, np.arange(FRAMES) / float(scene_fps(bpy.context.scene)))
    _check(joints, names, expected, 1.0)
