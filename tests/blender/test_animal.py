"""An animal through the button and the command: SMAL's joints, keyed like a person's; its mesh stands on the floor."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import bpy
import mvlift
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from mvlift.keypoints.reading import read_keypoints
from mvlift.motion import LiftedMotion
from test_scene import posed

from mvlift_blender.motion.rig_data import bone_rotations
from mvlift_blender.scene.animation import current_curves
from mvlift_blender.scene.armature import rest_axes, rest_heads
from mvlift_blender.scene.keyframes import location_path, rotation_path

DOG = Path(__file__).resolve().parents[2] / "examples" / "dog.csv"
COUNT = 40
pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture(scope="module")
def motion() -> LiftedMotion:
    """What `mvlift.lift` makes of the beginning of the dog."""
    for package in ("torch", "safetensors"):
        pytest.importorskip(package, reason=f"this Blender's Python has no {package} to compare with")
    clip = read_keypoints(DOG)[0].restricted(0, COUNT - 1)
    return mvlift.lift(clip, subject="quadruped17", preset="fast", device="cpu")


@pytest.fixture
def armature(extension):
    """The dog, lifted with the button."""
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(DOG))
    settings.subject = "quadruped17"
    settings.preset, settings.device = "fast", "cpu"
    settings.use_range, settings.range_first, settings.range_last = True, 0, COUNT - 1
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    return settings.result


def test_the_armature_is_smal_and_keyed_like_the_motion(armature, motion):
    assert motion.body == "smal"
    assert {bone.name for bone in armature.data.bones} == set(motion.joint_names)
    assert len(motion.joint_names) == 35
    curves, frames = current_curves(armature), 1 + np.arange(COUNT, dtype=float)
    axes, heads = rest_axes(armature, motion.joint_names), rest_heads(armature, motion.joint_names)
    expected = bone_rotations(motion, axes)
    for j, name in enumerate(motion.joint_names):
        np.testing.assert_allclose(curves.read(rotation_path(name), 4, frames), expected[:, j], atol=1e-6)
    root = motion.joint_names[0]
    places = (motion.translation + motion.rest_joints[0]).astype(float)
    np.testing.assert_allclose(curves.read(location_path(root), 3, frames), (places - heads[0]) @ axes[0], atol=1e-6)
    assert bpy.context.scene.render.fps == Fraction(30)


def test_its_mesh_stands_on_the_floor_on_four_legs(armature):
    body = next(o for o in bpy.data.objects if o.type == "MESH")
    assert {m.type for m in body.modifiers} == {"ARMATURE"}
    lowest = []
    for frame in (1, 12, 25, COUNT):
        bpy.context.scene.frame_set(frame)
        mesh = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        vertices = np.array([body.matrix_world @ v.co for v in mesh.vertices])
        lowest.append(vertices[:, 2].min())
        spine, paws = (
            posed(armature, ["pelvis", "spine3"]),
            posed(armature, ["LFoot", "RFoot", "LFootBack", "RFootBack"]),
        )
        assert spine[:, 2].min() > paws[:, 2].max()
    assert np.abs(np.median(lowest)) < 0.06


def test_the_lifted_keypoints_cover_the_given_ones_in_the_written_camera(armature, motion):
    """Joints lie inside the body and are keyed like the motion (above); its keypoints are what detectors see."""
    clip, scene = read_keypoints(DOG)[0], bpy.context.scene
    assert np.allclose(np.array(armature.matrix_world), np.eye(4))
    pixel_errors, reported = [], []
    for row in range(0, COUNT, 5):
        scene.frame_set(1 + row)
        points = [Vector(p) for p in motion.keypoints[row].astype(float)]
        view = np.array([world_to_camera_view(scene, scene.camera, p) for p in points])
        pixels = np.stack([view[:, 0] * 1280, (1 - view[:, 1]) * 720], -1)
        pixel_errors.append(np.linalg.norm(pixels - clip.points[row], axis=-1))
        reported.append(motion.reprojection_error[row])
    np.testing.assert_allclose(np.concatenate(pixel_errors), np.concatenate(reported), atol=0.5)


def test_the_paws_of_a_dog_are_planted(armature):
    from mvlift_blender.cleanup import cleaning, contacts
    from mvlift_blender.cleanup.curves import read_motion_curves
    from mvlift_blender.motion.feet import FootOptions

    before = read_motion_curves(armature)
    said = contacts.clean_feet(armature, FootOptions("ALWAYS"))
    assert said.endswith("now 0.0 mm")
    after = read_motion_curves(armature)
    paw = after.skeleton.names.index("LFootBack")
    heights = [curves.skeleton.forward(curves.rotations, curves.locations)[0][:, paw, 2] for curves in (before, after)]
    assert np.abs(heights[1] - heights[0]).max() < 0.15
    spine = after.skeleton.names.index("spine")
    np.testing.assert_allclose(after.rotations[:, spine], before.rotations[:, spine], atol=1e-9)
    assert cleaning.smooth(armature, 1.0).startswith("Joints moved")
    assert "of the keys are left" in cleaning.reduce_keys(armature, 0.01)


def test_headless_the_same_dog_becomes_a_blend(motion, tmp_path):
    from mvlift.cli import main

    out = tmp_path / "dog.blend"
    options = ["--subject", "quadruped17", "--preset", "fast", "--device", "cpu"]
    with pytest.raises(SystemExit) as ended:
        main(["lift", str(DOG), "-o", str(out), *options])
    assert ended.value.code == 0
    bpy.ops.wm.open_mainfile(filepath=str(out))
    dog = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    assert {bone.name for bone in dog.data.bones} == set(motion.joint_names)
    assert len(current_curves(dog).read(location_path(motion.joint_names[0]), 3, np.array([1.0, 90.0]))) == 2
