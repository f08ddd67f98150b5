"""After a lift: the result is selected, active and in view, so that its keys are in the timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import bpy

from ..scene.scene_setup import PART
from ..scene.write import WrittenMotion

__all__ = ["fill_retarget", "frame_selected", "is_playing", "show_result"]


def show_result(context: Any, written: Sequence[WrittenMotion]) -> None:
    """Select the lifted armatures, make the first active and bring them into view; only where nothing is in the way.

    In another mode than Object Mode, and where the result lies in another scene than the one that is open, everything
    stays as it is.
    """
    layer = context.view_layer
    armatures = [w.armature for w in written]
    if context.mode != "OBJECT" or any(a.name not in layer.objects for a in armatures):
        return
    for other in layer.objects:
        other.select_set(other in armatures)
    layer.objects.active = armatures[0]
    frame_selected(context)


def fill_retarget(context: Any, armature: Any) -> None:
    """Fill in from and to which armature to retarget, where it is obvious: the lift, and the only other rig.

    What the user has chosen stays; a source that is gone or that was lifted before gives way to the new lift.
    """
    settings = getattr(context.scene, "mvlift_retarget", None)
    if settings is None:
        return
    source = settings.source
    if source is None or source.name not in context.scene.objects or (source != armature and PART in source):
        settings.source = armature
    rigs = [o for o in context.scene.objects if o.type == "ARMATURE" and PART not in o and o.visible_get()]
    if settings.target is None and len(rigs) == 1:
        settings.target = rigs[0]


def frame_selected(context: Any) -> None:
    """Bring what is selected into view in every 3D viewport that does not look through a camera."""
    for window, area, region in _viewports(context):
        if area.spaces.active.region_3d.view_perspective != "CAMERA":
            with context.temp_override(window=window, area=area, region=region):
                bpy.ops.view3d.view_selected()


def _viewports(context: Any) -> Iterator[tuple[Any, Any, Any]]:
    if bpy.app.background:
        return
    for window in context.window_manager.windows:
        if window.scene != context.scene:
            continue
        for area in window.screen.areas:
            region = next((r for r in area.regions if r.type == "WINDOW"), None)
            if area.type == "VIEW_3D" and region is not None:
                yield window, area, region


def is_playing(context: Any) -> bool:
    """Whether an animation plays in any window: Esc stops that first."""
    return any(window.screen.is_animation_playing for window in context.window_manager.windows)
