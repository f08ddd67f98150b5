"""Retargeting to the rigs that Rigify's own add-on generates, people and animals."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from animals import trot
from arp_rig import auto_rig_pro
from retarget_checks import (
    ANIMAL_SEGMENTS,
    action_print,
    fingerprint,
    path_of,
    sampled,
    slide,
    source_armature,
    worst_against_solve,
    worst_direction,
)
from rigify_rigs import generated, metarig

from mvlift_blender.cleanup import cleaning
from mvlift_blender.cleanup.curves import read_motion_curves, write_motion_curves
from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.rig import detect_rig
from mvlift_blender.retargeting.roles import limb_keys
from mvlift_blender.retargeting.solve import SolveOptions

ROWS = np.array([0, 11, 25])


def _lands(result, frames, tolerance):
    """Whether Blender's evaluation of the rig has every part where the solve has it."""
    keys = [k for k in result.rig.keys if k != "root"]
    heads = path_of(result.armature, [result.rig.geometry_bone(k) for k in keys], frames[ROWS])
    error = np.linalg.norm(heads - result.solved.heads[ROWS][:, -len(keys) :], axis=-1).max(0)
    assert error.max() < tolerance, {k: float(e) for k, e in zip(keys, error, strict=True) if e > tolerance}


@pytest.mark.parametrize("kind", ["metarig", "generated"])
def test_human(kind):
    source = source_armature()
    target = (metarig if kind == "metarig" else generated)("rigify_basic")
    assert detect_rig(target).name == {"metarig": "rigify_meta", "generated": "rigify"}[kind]
    before = fingerprint(target)
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False)))
    assert worst_direction(result, motion, ROWS) < 0.5
    _lands(result, motion.frames, 5e-4)
    assert fingerprint(target) == before


def test_whole_human_is_recognised():
    assert detect_rig(metarig("rigify")).name == "rigify_meta"
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    source, target = source_armature(), generated("rigify")
    assert detect_rig(target).name == "rigify"
    before, motion = fingerprint(target), sampled(source)
    for bake in ("FK", "IK"):
        result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False), bake=bake))
        assert worst_direction(result, motion, ROWS) < 1.0
    assert fingerprint(target) == before


def test_ik_controls_turn_limbs_as_the_source():
    source, target = source_armature(), generated("rigify_basic")
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False), bake="IK"))
    # all frames: straight legs and deep knees are among them
    assert worst_direction(result, motion, np.arange(len(motion.frames))) < 1.0


def test_ik_controls_put_limbs_there():
    source = source_armature()
    target = generated("rigify_basic")
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=True), bake="IK"))
    keys = [k for k in result.rig.keys if k.split(".")[0] in ("hand", "foot", "hips", "lower_leg", "lower_arm")]
    heads = path_of(target, [result.rig.geometry_bone(k) for k in keys], motion.frames[ROWS])
    order = [k for k in result.rig.keys if k != "root"]
    for i, name in enumerate(keys):
        error = np.linalg.norm(heads[:, i] - result.solved.heads[ROWS][:, order.index(name)], axis=-1).max()
        assert error < 0.002, (name, error)
    paths = {path for path, _, _ in action_print(result.action)}
    assert 'pose.bones["foot_ik.L"].location' in paths
    assert 'pose.bones["thigh_ik_target.L"].location' in paths
    assert not any("thigh_fk" in path or "forearm_fk" in path for path in paths)


@pytest.mark.parametrize("kind", ["metarig", "generated"])
@pytest.mark.parametrize("name", ["rigify_wolf", "rigify_cat", "rigify_horse", "rigify_quadruped"])
def test_animals(name, kind):
    source = source_armature(trot())
    target = (metarig if kind == "metarig" else generated)(name)
    assert detect_rig(target).name == name + ("_meta" if kind == "metarig" else "")
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False)))
    assert worst_direction(result, motion, ROWS, ANIMAL_SEGMENTS) < 1.0
    if kind == "generated":
        _check_paws_on_ik(source, target, motion)


def _check_paws_on_ik(source, target, motion):
    rows = np.arange(len(motion.frames))
    before = fingerprint(target)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False), bake="IK"))
    assert worst_direction(result, motion, rows, ANIMAL_SEGMENTS) < 1.0
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=True), bake="IK"))
    assert worst_against_solve(result, motion.frames, rows, ANIMAL_SEGMENTS) < 1.0
    keys = [k for k in result.rig.keys if k != "root"]
    for name in (f"{leg}_toe.{side}" for leg in ("front", "hind") for side in "LR"):
        paws = path_of(target, [result.rig.geometry_bone(name)], motion.frames)[:, 0]
        solved = result.solved.heads[:, -len(keys) :][:, keys.index(name)]
        np.testing.assert_allclose(paws, solved, atol=5e-4, err_msg=name)
    bones = {path.split('"')[1] for path, _, _ in action_print(result.action)}
    assert len(result.rig.ik) == 4
    for limb, ik in result.rig.ik.items():
        assert {ik.control, ik.heel, ik.pole, ik.switch[0]} <= bones
        assert not bones & {result.rig.bones[k] for k in limb_keys("quadruped", limb)}
    assert fingerprint(target) == before


def test_paws_on_ik_are_cleaned():
    source, target = source_armature(trot()), generated("rigify_quadruped")
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(root="ROOT"), bake="IK"))
    keys = [k for k in result.rig.keys if k != "root"]
    frames = np.arange(1, 31)

    def places():
        return path_of(target, [result.rig.geometry_bone(k) for k in keys], frames)

    before = places()
    motion = read_motion_curves(target)
    read = motion.skeleton.forward(motion.rotations, motion.locations)[0]
    legs = [i for i, k in enumerate(keys) if k.startswith(("front_", "hind_"))]
    np.testing.assert_allclose(read[:, legs], before[:, legs], atol=5e-3)
    write_motion_curves(target, motion, "cleaned")
    np.testing.assert_allclose(places(), before, atol=5e-3)
    text = cleaning.reduce_keys(target, 0.01)
    assert int(text.split(" %")[0]) < 60, text
    assert np.linalg.norm(places() - before, axis=-1).max() < 0.015, text
    paw = keys.index("front_toe.L")
    before = places()[10:12, paw]
    assert np.linalg.norm(before[1] - before[0]) > 0.05
    cleaning.lock_joint(target, "front_foot_ik.L", 11, (11, 12), 1)
    # the leg is as good as straight in the second frame, and reaches to some millimetres
    np.testing.assert_allclose(places()[10:12, paw], before[[0, 0]], atol=4e-3)


@pytest.mark.parametrize("bake", ["FK", "IK"])
def test_auto_rig_pro_controls(bake):
    source, target = source_armature(), auto_rig_pro()
    assert detect_rig(target).name == "auto_rig_pro"
    before = fingerprint(target)
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=bake == "IK"), bake=bake))
    keys = [k for k in result.rig.keys if k != "root"]
    heads = path_of(target, [result.rig.geometry_bone(k) for k in keys], motion.frames[ROWS])
    error = np.linalg.norm(heads - result.solved.heads[ROWS][:, -len(keys) :], axis=-1).max(0)
    for name, distance in zip(keys, error, strict=True):
        assert distance < 0.002, (name, float(distance))
    assert fingerprint(target) == before


@pytest.mark.parametrize("name", ["rigify_wolf", "rigify_horse"])
def test_paws_stay_where_they_are_put(name):
    source, target = source_armature(trot()), metarig(name)
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=True)))
    ends = [f"{leg}_toe.{side}" for leg in ("front", "hind") for side in "LR"]
    heads = path_of(target, [result.rig.geometry_bone(k) for k in ends], motion.frames)
    for i, end in enumerate(ends):
        theirs = motion.place(end)
        low = theirs[:, 2] < theirs[:, 2].min() + 0.01
        assert slide(heads[:, i], low) < 1.03 * result.scale * slide(theirs, low) + 0.002, end
        assert heads[:, i, 2].min() > -0.002
