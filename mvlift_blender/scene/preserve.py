"""Restoring the scene after a failed operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import bpy

__all__ = ["active_only", "undone_on_failure"]

_COLLECTIONS: Final = (
    "objects", "meshes", "armatures", "cameras", "actions", "materials", "images", "movieclips", "collections", "texts",
)  # fmt: skip
_RENDER: Final = (
    "fps", "fps_base", "resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y",
)  # fmt: skip
_SCENE: Final = ("frame_start", "frame_end", "camera")


def _blocks() -> set[tuple[str, int]]:
    return {(name, block.as_pointer()) for name in _COLLECTIONS for block in getattr(bpy.data, name)}


@contextmanager
def active_only(context: Any, target: Any) -> Iterator[None]:
    """Inside, ``target`` is the only selected object and the active one, in object mode; afterwards as before."""
    layer = context.view_layer
    active, selected = layer.objects.active, [o for o in layer.objects if o.select_get()]
    mode: Any = active.mode if active is not None else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        for other in selected:
            other.select_set(False)
        layer.objects.active = target
        target.select_set(True)
        yield
    finally:
        if layer.objects.active is not None and layer.objects.active.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for other in layer.objects:
            other.select_set(other in selected)
        layer.objects.active = active
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)


@contextmanager
def undone_on_failure(context: Any) -> Iterator[None]:
    """When the block raises, remove every data-block made in it and put the scene's settings back, then raise on."""
    scene = context.scene
    before = _blocks()
    settings = {name: getattr(scene, name) for name in _SCENE}
    render = {name: getattr(scene.render, name) for name in _RENDER}
    frame = (scene.frame_current, scene.frame_subframe)
    try:
        yield
    except BaseException:
        made = [
            block
            for name in _COLLECTIONS
            for block in getattr(bpy.data, name)
            if (name, block.as_pointer()) not in before
        ]
        bpy.data.batch_remove(made)
        for name, value in settings.items():
            setattr(scene, name, value)
        for name, value in render.items():
            setattr(scene.render, name, value)
        scene.frame_set(frame[0], subframe=frame[1])
        raise
