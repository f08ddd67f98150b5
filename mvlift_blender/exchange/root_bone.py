"""A copy of a rig whose path through the world is on a root bone, for programs that expect one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import bpy

from ..retargeting.retarget import RetargetOptions, retarget
from ..retargeting.rig import detect_rig
from ..retargeting.solve import SolveOptions
from ..scene.preserve import active_only

__all__ = ["with_root_bone"]

_ROOT: Final = "root"


@contextmanager
def with_root_bone(context: Any, armature: Any, wanted: bool) -> Iterator[Any]:
    """The armature itself when it has a root bone (or none is wanted), else a copy that has one, for a while."""
    rig = detect_rig(armature) if wanted else None
    if rig is None or "root" in rig.bones or _ROOT in armature.data.bones:
        yield armature
        return
    made: list[Any] = []
    try:
        copy = _copy(context, armature, made)
        with active_only(context, copy):
            bpy.ops.object.mode_set(mode="EDIT")
            _add_root(copy.data, rig.bones["hips"])
            bpy.ops.object.mode_set(mode="OBJECT")
        target = replace(rig, bones={**rig.bones, "root": _ROOT})
        options = RetargetOptions(
            SolveOptions(root="ROOT", feet=False, directions="ALL", scale=1.0), name=armature.name
        )
        made.append(retarget(context, armature, copy, options, target, rig).action)
        yield copy
    finally:
        bpy.data.batch_remove(made)


def _copy(context: Any, armature: Any, made: list[Any]) -> Any:
    """The armature and its meshes again, in the same collection; meshes share their data."""
    copy = armature.copy()
    copy.data = armature.data.copy()
    copy.animation_data_clear()
    made += [copy, copy.data]
    (armature.users_collection or (context.scene.collection,))[0].objects.link(copy)
    for mesh in [o for o in context.view_layer.objects if o.type == "MESH" and o.find_armature() == armature]:
        twin = mesh.copy()
        made.append(twin)
        context.scene.collection.objects.link(twin)
        twin.parent = copy if mesh.parent == armature else mesh.parent
        for modifier in twin.modifiers:
            if modifier.type == "ARMATURE" and modifier.object == armature:
                modifier.object = copy
    context.view_layer.update()
    return copy


def _add_root(data: Any, hips: str) -> None:
    root = data.edit_bones.new(_ROOT)
    root.head, root.tail = (0, 0, 0), (0, 0.2, 0)
    bone = data.edit_bones[hips]
    while bone.parent is not None:
        bone = bone.parent
    bone.use_connect = False
    bone.parent = root
