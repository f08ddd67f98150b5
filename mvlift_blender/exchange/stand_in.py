"""A copy of a rig for the exporters: every bone baked as it is seen, in the units and with the names of a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import bpy
import numpy as np
from mathutils import Matrix
from mvlift.kinematics.quaternions import continuous, from_matrix
from mvlift.typing import F64

from ..retargeting.detect import detect
from ..retargeting.rig import shape_of
from ..scene.animation import assign_action, current_curves, new_curves
from ..scene.preserve import active_only
from .pose_samples import PoseSamples, sample_pose
from .root_path import ROOT, root_path

__all__ = ["StandIn", "stand_in"]

_HIDDEN: Final = ".mvlift original "


@dataclass(frozen=True)
class StandIn:
    """Temporary objects of an export.

    Attributes:
        armature: the copy, at the world's origin, keyed from frame 0 on, with the motion's name.
        objects: the copy, its meshes and, where one was wanted, the camera.
        name: of the motion.
        frames: (T,) scene frames of it, from 0 on.
    """

    armature: Any
    objects: tuple[Any, ...]
    name: str
    frames: F64


@contextmanager
def stand_in(
    context: Any,
    armature: Any,
    *,
    scale: float = 1.0,
    root_bone: bool = False,
    name: str = "",
    camera: bool = True,
    strip: bool = True,
) -> Iterator[StandIn]:
    """A copy of an armature and of the meshes that it moves, for the time of an export.

    The copy has no constraints and no drivers: its bones are keyed on every frame as Blender shows the original's.
    While it is there it has the original's name, so that the file has it.

    Args:
        context: of Blender.
        armature: with an Action.
        scale: the file's units in a metre: rest pose, path and meshes are made that much larger.
        root_bone: a root bone on the floor carries the path, where the rig has none.
        name: of the copy, "" for the original's.
        camera: the scene's camera is copied too.
        strip: the keys are on an NLA strip; else in the copy's own Action.
    """
    samples = sample_pose(context, armature)
    samples = replace(samples, frames=samples.frames - samples.frames[0])  # a clip of a file begins at 0
    root = _needs_root(armature) if root_bone else ""
    meshes = [o for o in context.view_layer.objects if o.type == "MESH" and o.find_armature() == armature]
    made: list[Any] = []
    renamed: list[tuple[Any, str]] = []
    try:
        copy = _armature_copy(context, armature, scale, root, made)
        objects = [copy, *(_mesh_copy(context, mesh, armature, copy, scale, made) for mesh in meshes)]
        baked = _bake(copy, samples, scale, root, strip, made)
        if camera and context.scene.camera is not None:
            objects.append(_camera_copy(context, context.scene.camera, samples, scale, made))
        originals = [armature, *meshes, *([context.scene.camera] if len(objects) > len(meshes) + 1 else [])]
        for original, twin in zip(originals, objects, strict=True):
            wanted = name if name and twin == copy else original.name
            _take_name(original, twin, wanted, renamed)
            _take_name(original.data, twin.data, original.data.name, renamed)
        curves = current_curves(armature)
        if curves is not None:
            _take_name(curves.action, baked, curves.action.name, renamed)
        context.view_layer.update()
        yield StandIn(copy, tuple(objects), samples.name, samples.frames)
    finally:
        bpy.data.batch_remove(made)
        for block, before in renamed:
            block.name = before
        context.view_layer.update()


def _take_name(block: Any, twin: Any, name: str, renamed: list[tuple[Any, str]]) -> None:
    """Give the copy the original's name, and the original a temporary one."""
    if block != twin:
        renamed.append((block, block.name))
        block.name = _HIDDEN + block.name
        twin.name = name


def _needs_root(armature: Any) -> str:
    """Name of the hips of a rig that has no root bone; "" where it has one, or is not recognised."""
    rig = detect(shape_of(armature))
    if rig is None or "root" in rig.bones or ROOT in armature.data.bones:
        return ""
    return str(rig.geometry_bone("hips"))


def _armature_copy(context: Any, armature: Any, scale: float, hips: str, made: list[Any]) -> Any:
    copy = armature.copy()
    made.append(copy)
    copy.data = armature.data.copy()
    made.append(copy.data)
    copy.animation_data_clear()
    copy.data.animation_data_clear()
    copy.parent = None
    copy.constraints.clear()
    copy.data.pose_position = "POSE"
    context.scene.collection.objects.link(copy)
    copy.hide_viewport = False
    copy.hide_set(False)
    copy.data.transform(Matrix.Scale(scale, 4) @ armature.matrix_world)
    copy.matrix_world = Matrix.Identity(4)
    for bone in copy.pose.bones:
        while bone.constraints:
            bone.constraints.remove(bone.constraints[0])
        bone.rotation_mode = "QUATERNION"
    with active_only(context, copy):
        bpy.ops.object.mode_set(mode="EDIT")
        for edit in copy.data.edit_bones:
            edit.use_connect, edit.use_inherit_rotation, edit.use_local_location = False, True, True
            edit.inherit_scale = "FULL"
        if hips:
            _add_root(copy.data, scale)
        bpy.ops.object.mode_set(mode="OBJECT")
    if hips:
        copy.pose.bones[ROOT].rotation_mode = "QUATERNION"
    return copy


def _add_root(data: Any, scale: float) -> None:
    tops = [bone for bone in data.edit_bones if bone.parent is None]
    root = data.edit_bones.new(ROOT)
    root.head, root.tail = (0, 0, 0), (0, 0.2 * scale, 0)
    for bone in tops:
        bone.parent = root


def _mesh_copy(context: Any, mesh: Any, armature: Any, copy: Any, scale: float, made: list[Any]) -> Any:
    twin = mesh.copy()
    made.append(twin)
    twin.data = mesh.data.copy()
    made.append(twin.data)
    context.scene.collection.objects.link(twin)
    twin.data.transform(Matrix.Scale(scale, 4) @ mesh.matrix_world, shape_keys=True)
    twin.parent = copy if mesh.parent == armature else None
    twin.matrix_parent_inverse = Matrix.Identity(4)
    twin.matrix_world = Matrix.Identity(4)
    for modifier in twin.modifiers:
        if modifier.type == "ARMATURE" and modifier.object == armature:
            modifier.object = copy
    return twin


def _camera_copy(context: Any, camera: Any, samples: PoseSamples, scale: float, made: list[Any]) -> Any:
    twin = camera.copy()
    made.append(twin)
    twin.animation_data_clear()
    twin.parent = None
    twin.constraints.clear()
    context.scene.collection.objects.link(twin)
    matrices = samples.camera
    twin.rotation_mode = "QUATERNION"
    twin.scale = (1, 1, 1)
    curves = new_curves(twin, f"{camera.name} path")
    made.append(curves.action)
    still = np.abs(matrices - matrices[:1]).max() < 1e-7
    rows = slice(0, 1) if still else slice(None)
    curves.write("location", samples.frames[rows], scale * matrices[rows, :3, 3])
    turns = continuous(from_matrix(matrices[:, :3, :3]))
    curves.write("rotation_quaternion", samples.frames[rows], turns[rows])
    return twin


def _bake(copy: Any, samples: PoseSamples, scale: float, hips: str, strip: bool, made: list[Any]) -> Any:
    """Key every bone of the copy, in an Action or on an NLA strip, called after the motion."""
    bones = list(copy.data.bones)
    number = {name: i for i, name in enumerate(samples.names)}
    rest = {b.name: np.array(b.matrix_local, dtype=np.float64) for b in bones}
    poses: dict[str, F64] = {}
    for bone in bones:
        if bone.name in number:
            poses[bone.name] = _scaled(samples.matrices[:, number[bone.name]], scale, samples.size)
    if hips:
        poses[ROOT] = root_path(poses[hips], rest[hips], rest[ROOT])
    curves = new_curves(copy, samples.name)
    made.append(curves.action)
    for bone in bones:
        above = rest[bone.name]
        if bone.parent is not None:
            above = poses[bone.parent.name] @ np.linalg.inv(rest[bone.parent.name]) @ rest[bone.name]
        basis = np.linalg.inv(above) @ poses[bone.name]
        size = np.linalg.norm(basis[:, :3, :3], axis=1)
        stem = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].'
        turns = continuous(from_matrix(basis[:, :3, :3] / np.maximum(size, 1e-12)[:, None]))
        curves.write(stem + "location", samples.frames, basis[:, :3, 3], group=bone.name)
        curves.write(stem + "rotation_quaternion", samples.frames, turns, group=bone.name)
        if np.abs(size - 1).max() > 1e-4:
            curves.write(stem + "scale", samples.frames, size, group=bone.name)
    if not strip:
        return curves.action
    animation = copy.animation_data
    action, first, last = curves.action, float(samples.frames[0]), float(samples.frames[-1])
    animation.action = None
    track = animation.nla_tracks.new()
    track.name = samples.name
    made_strip = track.strips.new(samples.name, round(first), action)
    assign_action(made_strip, action)
    made_strip.name = samples.name
    made_strip.action_frame_start, made_strip.action_frame_end = first, last
    made_strip.frame_start, made_strip.frame_end = first, last
    return action


def _scaled(matrices: F64, scale: float, size: float) -> F64:
    """(T, 4, 4) of a bone in the world to its pose in the copy: axes as long as the bone is scaled, metres to units."""
    scaled = matrices.copy()
    scaled[:, :3, :3] /= size
    scaled[:, :3, 3] *= scale
    return scaled
