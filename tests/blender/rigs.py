"""Builds the test rigs: each program's names and hierarchy with its own rest pose, rolls, units and bone directions."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix
from rig_shapes import STYLES, UP, Style, _unit, landmarks, table_bones


def build(name: str, style: Style | None = None):
    """The armature object of a table's rig, linked to the scene."""
    style = style or STYLES[name]
    rows = table_bones(name)
    points = {1: landmarks(style, 1), -1: landmarks(style, -1)}
    heads = {bone: points[side][landmark] for bone, _, landmark, side in rows}
    children: dict[str, list[str]] = {}
    for bone, parent, _, _ in rows:
        children.setdefault(parent, []).append(bone)
    to_bones = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) if style.y_up else np.eye(3)
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(armature)
    layer = bpy.context.view_layer
    before = layer.objects.active
    layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, parent, _, side in rows:
        edit = data.edit_bones.new(bone)
        head = heads[bone]
        child_heads = [heads[c] for c in children.get(bone, []) if np.linalg.norm(heads[c] - head) > 0.01]
        tail = child_heads[0] if child_heads else head + 0.06 * np.array([0.5 * np.sign(round(head[0], 3)), -0.6, 0.6])
        if style.tails == "up":
            tail = head + 0.08 * UP
        if style.tails == "x":
            along = _unit(tail - head)
            tail = head + 0.1 * _unit(np.cross(along, [0.3, 0.9, 0.1]))
        edit.head, edit.tail = to_bones @ head / style.scale, to_bones @ tail / style.scale
        edit.roll = style.roll * side
        if parent:
            edit.parent = data.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = before
    turn = Matrix.Rotation(np.radians(style.turned), 4, "Z")
    if style.y_up:
        turn = turn @ Matrix.Rotation(np.pi / 2, 4, "X")
    armature.matrix_world = turn @ Matrix.Scale(style.scale, 4)
    layer.update()
    return armature
