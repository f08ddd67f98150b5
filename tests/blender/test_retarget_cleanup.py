"""Clean-up works on a retargeted rig as on the lifted armature."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from retarget_checks import grounded_walk, path_of, source_armature
from rigs import build

from mvlift_blender import cleaning
from mvlift_blender.cleanup.feet import FootOptions
from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.solve import SolveOptions
from mvlift_blender.scene.motion_curves import read_motion_curves, write_motion_curves


def _motion(shake=0.0):
    motion = grounded_walk()
    noise = shake * np.random.default_rng(0).normal(size=motion.rotations[:, 1:].shape)
    motion.rotations[:, 1:] += noise.astype(np.float32)
    low = np.stack([(np.arange(60) / 36 + shift) % 1 < 0.5 for shift in (0, 0.5)], -1)
    object.__setattr__(motion, "contacts", np.repeat(low, 2, 1).astype(np.float32))
    object.__setattr__(motion, "contact_names", ("l_heel", "l_big_toe", "r_heel", "r_big_toe"))
    return motion


@pytest.fixture(params=[("mixamo", "HIPS"), ("unreal5", "HIPS"), ("unreal5", "ROOT"), ("vroid", "HIPS")])
def rig(request):
    name, root = request.param
    source, target = source_armature(_motion(0.02)), build(name)
    options = RetargetOptions(SolveOptions(root=root, feet=False))
    return retarget(bpy.context, source, target, options)


def _path(result, names):
    keys = [n for n in names if n in result.rig.bones]
    return path_of(result.armature, [result.rig.bones[k] for k in keys], np.arange(1, 61))


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
    text = cleaning.clean_feet(rig.armature, FootOptions(mode="ALWAYS"))
    slips = [float(word) for word in text.replace(",", "").split() if word.replace(".", "").isdigit()]
    assert slips[1] < 0.5 * slips[0]
    assert rig.armature.animation_data.action.name != name
    assert name in bpy.data.actions
