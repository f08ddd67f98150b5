"""Objects in Blender: the panel's object is keyed along with the person, a box is made where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Quaternion
from mvlift.errors import LiftError
from mvlift.motion import LiftedMotion, ObjectMotion
from synthetic_motion import walk

from mvlift_blender.commands import cli, headless
from mvlift_blender.scene.objects import shape_of_object
from mvlift_blender.scene.write import WriteOptions, write_motion

BOX = Path(__file__).resolve().parents[2] / "examples" / "box.zip"
VIDEO = ["--fps", "30", "--image-size", "1280x720", "--preset", "fast", "--frames", "20-69"]
FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def crate(size: tuple[float, float, float] = (0.42, 0.30, 0.26), offset: float = 0.0) -> Any:
    """A box-shaped mesh whose origin need not be its middle."""
    corners = [[(i - 0.5) * size[0] + offset, (j - 0.5) * size[1], (k - 0.5) * size[2]]
               for i in (0, 1) for j in (0, 1) for k in (0, 1)]  # fmt: skip
    mesh = bpy.data.meshes.new("Crate")
    mesh.from_pydata(corners, [], FACES)
    target = bpy.data.objects.new("Crate", mesh)
    bpy.context.scene.collection.objects.link(target)
    bpy.context.view_layer.update()
    return target


def with_box(motion: LiftedMotion, points: np.ndarray, names: tuple[str, ...]) -> LiftedMotion:
    """A motion with an object that turns about the vertical once."""
    from dataclasses import replace

    angle = np.linspace(0, 2 * np.pi, len(motion))
    rotation = np.stack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)], 1).astype(np.float32)
    position = (motion.translation + np.array([0, 0.5, 0.2])).astype(np.float32)
    size = np.ptp(points, axis=0).astype(np.float32)
    rigid_object = ObjectMotion("crate", position, rotation, size, points.astype(np.float32), names)
    return replace(motion, objects=(rigid_object,))


def assert_follows(target: Any, rigid_object: ObjectMotion, first: int = 1) -> None:
    """Location and rotation of an object, frame by frame, are those of the motion."""
    scene = bpy.context.scene
    for row in range(0, len(rigid_object.position), 7):
        scene.frame_set(first + row)
        np.testing.assert_allclose(target.matrix_world.translation, rigid_object.position[row], atol=1e-5)
        turn = target.matrix_world.to_quaternion().rotation_difference(Quaternion(rigid_object.rotation[row].tolist()))
        assert abs(turn.angle) < 1e-3 or abs(turn.angle - 2 * np.pi) < 1e-3


def test_an_object_of_the_scene_is_keyed() -> None:
    target = crate(offset=0.1)
    target.scale = (2, 2, 2)
    target.keyframe_insert("location", frame=1)
    old = target.animation_data.action
    shape = shape_of_object(target)
    np.testing.assert_allclose(np.ptp(shape.points, axis=0), [0.84, 0.60, 0.52], rtol=1e-5)
    motion = with_box(walk(30), shape.points * 0.5, shape.names)
    objects = set(bpy.data.objects)
    written = write_motion(bpy.context, motion, WriteOptions(camera=False, rigid_object=target, rate="CLIP"))
    assert written.objects == (target,)
    assert set(bpy.data.objects) - objects == {written.armature}
    assert_follows(target, motion.objects[0])
    np.testing.assert_allclose(target.scale, [1, 1, 1], rtol=1e-5)
    assert target.animation_data.action is not old
    assert old.use_fake_user


def test_vertex_groups_name_the_keypoints() -> None:
    target = crate()
    for name, rows in {"Lid": (1, 3, 5, 7), "left_side": (0, 1), "right_side": (4, 5), "Bottom": (0, 2)}.items():
        target.vertex_groups.new(name=name).add(rows, 1.0, "REPLACE")
    shape = shape_of_object(target)
    assert (shape.name, shape.names) == ("Crate", ("lid", "l_side", "r_side", "bottom"))
    np.testing.assert_allclose(shape.points[0], [0, 0, 0.13], atol=1e-6)
    with pytest.raises(LiftError, match="vertex groups"):
        shape_of_object(target, ("a", "b", "c", "d"))
    target.parent = crate()
    with pytest.raises(LiftError, match="parent"):
        shape_of_object(target)


def test_a_failure_leaves_the_object_as_it_was() -> None:
    from dataclasses import replace

    target = crate()
    target.location = (1, 2, 3)
    shape = shape_of_object(target)
    motion = with_box(walk(12), shape.points, shape.names)
    broken = replace(motion.objects[0], rotation=motion.objects[0].rotation[:3])
    with pytest.raises(LiftError, match="3 rows"):
        write_motion(bpy.context, replace(motion, objects=(broken,)), WriteOptions(camera=False, rigid_object=target))
    assert target.animation_data is None or target.animation_data.action is None
    assert target.rotation_mode == "XYZ"
    np.testing.assert_allclose(target.location, [1, 2, 3])
    assert {o.name for o in bpy.data.objects} == {"Crate"}


def test_without_an_object_a_box_is_made() -> None:
    shape = shape_of_object(crate())
    motion = with_box(walk(20), shape.points, shape.names)
    written = write_motion(bpy.context, motion, WriteOptions(camera=False))
    (made,) = written.objects
    assert made.type == "MESH"
    np.testing.assert_allclose(made.dimensions, [0.42, 0.30, 0.26], rtol=1e-4)
    assert_follows(made, motion.objects[0])
    assert len([o for o in bpy.data.objects if o.parent is made]) == 8


def test_command_and_button_key_the_object_alike(extension: Any, tmp_path: Path) -> None:
    """A lift by the command into a .blend, and by the button in the same scene: equal keys, which are the motion's."""
    crate()
    scene = tmp_path / "scene.blend"
    bpy.context.scene.render.fps = 30
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    outputs = [str(tmp_path / "box.blend"), str(tmp_path / "box.npz")]
    target_options = ["--object", "Crate", "--scene", str(scene), "--subject", "human+box"]
    assert cli.run(["lift", str(BOX), "-o", *outputs, *VIDEO, *target_options]) == 0
    (rigid_object,) = LiftedMotion.load(outputs[1]).objects
    np.testing.assert_allclose(rigid_object.size, [0.42, 0.30, 0.26], rtol=1e-4)
    bpy.ops.wm.open_mainfile(filepath=outputs[0])
    assert_follows(bpy.data.objects["Crate"], rigid_object)
    bpy.ops.wm.open_mainfile(filepath=str(scene))
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(BOX))
    settings.fps, settings.image_width, settings.image_height, settings.preset = "30", 1280, 720, "fast"
    settings.use_range, settings.range_first, settings.range_last = True, 20, 69
    settings.subject, settings.rigid_object, settings.rigid_object_known = "human+box", bpy.data.objects["Crate"], True
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    assert_follows(bpy.data.objects["Crate"], rigid_object)
    assert settings.result.type == "ARMATURE"
    headless.new_scene()


def test_what_is_missing_is_said(extension: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["lift", str(BOX), "-o", str(tmp_path / "a.blend"), *VIDEO, "--subject", "human+box", "--object", "Crate"]
    assert cli.run(common) == 1
    assert "--scene" in " ".join(capsys.readouterr().err.split())
    scene = tmp_path / "empty.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    assert cli.run([*common, "--scene", str(scene)]) == 1
    assert "no object 'Crate'" in " ".join(capsys.readouterr().err.split())
    headless.new_scene()
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(BOX))
    settings.fps, settings.image_width, settings.image_height = "30", 1280, 720
    settings.subject = "human+object"
    from mvlift_blender.importing.people import why_not

    assert "object of the scene" in why_not(settings)
    settings.rigid_object = crate()
    assert why_not(settings) == ""
