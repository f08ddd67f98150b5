"""Fingers on rigs of several programs: their bones point as the source's do, whatever their rest pose and number."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Vector
from mvlift.bodies.hands.model import hand_model
from mvlift.bodies.hands.tables import SIDES as HANDS
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.kinematics.rotations import log_map
from retarget_checks import grounded_walk, path_of, sampled, source_armature
from rigify_rigs import generated
from rigs import build

from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
from mvlift_blender.retargeting.rig import detect_rig
from mvlift_blender.retargeting.roles import FINGERS, SIDES, key
from mvlift_blender.retargeting.solve import SolveOptions

CAPITAL = ("Thumb", "Index", "Middle", "Ring", "Pinky")
SMALL = ("thumb", "index", "middle", "ring", "pinky")
NAMES = {
    "mixamo": ("mixamorig:{side}Hand{finger}{joint}", ("Left", "Right"), CAPITAL, 3),
    "unreal5": ("{finger}_0{joint}_{side}", ("l", "r"), SMALL, 3),
    "daz9": ("{side}_{finger}{joint}", ("l", "r"), ("thumb", "index", "mid", "ring", "pinky"), 3),
    "makehuman": ("finger{finger}-{joint}.{side}", ("L", "R"), ("1", "2", "3", "4", "5"), 3),
    "optitrack": ("{side}{finger}{joint}", ("L", "R"), CAPITAL, 2),
}


def handed(frames: int = 30):
    """The walking person with SMPL-H's joints, whose fingers curl one after the other."""
    walk = grounded_walk(frames)
    skeleton = default_human_skeleton_with_fingers()
    rotations = np.zeros((frames, len(skeleton.joint_names), 3))
    rotations[:, :22] = walk.rotations[:, :22]
    for side in HANDS:
        hand = hand_model(skeleton, side)
        curl = 0.6 + 0.6 * np.sin(np.linspace(0, 6, frames)[:, None] + np.arange(5))
        angles = np.zeros((frames, 5, 5))
        angles[:, :, 0] = 0.15 * np.cos(np.linspace(0, 4, frames))[:, None]
        angles[:, :, 1:4] = curl[..., None] * np.array([0.8, 1.0, 0.7])
        rotations[:, hand.joints] = log_map(hand.rotations(angles))
    return replace(
        walk,
        joint_names=tuple(skeleton.joint_names),
        parents=tuple(skeleton.parents),
        rest_joints=np.asarray(skeleton.rest_joints, np.float32),
        rotations=rotations.astype(np.float32),
        betas=np.zeros(skeleton.shape_joints.shape[2], np.float32),
    )


def _add_fingers(armature, hands, pattern, sides, fingers, joints) -> None:
    """Fingers on a rig's hands, spread as no other rig's are, each rolled in its own way."""
    rng = np.random.default_rng(2)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for bone in [b for b in bones if any(h in (p.name for p in b.parent_recursive) for h in hands)]:
        bones.remove(bone)
    for hand, side in zip(hands, sides, strict=True):
        size = bones[hand].length
        for finger in fingers:
            parent, head = bones[hand], bones[hand].tail.copy()
            along = (bones[hand].tail - bones[hand].head).normalized()
            for joint in range(1, joints + 1):
                bone = bones.new(pattern.format(side=side, finger=finger, joint=joint))
                bone.parent, bone.head = parent, head
                bone.tail = head + 0.4 * size * (along + Vector(0.5 * rng.normal(size=3))).normalized()
                bone.roll = rng.normal()
                parent, head = bone, bone.tail.copy()
    bpy.ops.object.mode_set(mode="OBJECT")


def _worst(result, motion) -> float:
    """Largest angle in degrees between finger bones and the source's; of fewer bones, those from the tip on count."""
    worst = 0.0
    for finger in FINGERS:
        for side in SIDES:
            theirs = motion.rest.chain(finger, side)
            ours = [k for k in (key(finger, side, i) for i in range(3)) if k in result.rig.bones]
            assert len(ours) > 1, (finger, side)
            for i in range(len(ours) - 1):
                heads = path_of(result.armature, [result.rig.geometry_bone(k) for k in ours[i : i + 2]], motion.frames)
                j = i + len(theirs) - len(ours)
                one, other = heads[:, 1] - heads[:, 0], motion.place(theirs[j + 1]) - motion.place(theirs[j])
                cosine = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
                worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max()))
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_finger_bones_point_as_the_sources(name):
    source, target = source_armature(handed()), build(name)
    rig = detect_rig(target)
    _add_fingers(target, [rig.bones["hand.L"], rig.bones["hand.R"]], *NAMES[name])
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False)))
    assert _worst(result, motion) < 0.1


def test_fingers_of_a_rigify_rig_are_keyed_on_its_controls():
    source, target = source_armature(handed()), generated("rigify")
    motion = sampled(source)
    result = retarget(bpy.context, source, target, RetargetOptions(SolveOptions(feet=False)))
    assert result.rig.bones["index.L.1"] == "f_index.02.L"
    assert _worst(result, motion) < 1.0
