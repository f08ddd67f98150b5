"""Which lifted armature the buttons work on."""

from __future__ import annotations

from typing import Any

import bpy
from mvlift.errors import LiftError

from .animation import current_curves
from .record import LiftRecord, read_record

__all__ = ["lifted_armature", "pushed_down", "record_of", "still_there", "why_no_record"]


def record_of(armature: Any) -> LiftRecord | None:
    """What the armature's present Action remembers of its lift, or None."""
    if armature is None or armature.type != "ARMATURE":
        return None
    curves = current_curves(armature)
    return read_record(curves.action) if curves is not None else None


def lifted_armature(context: Any) -> Any | None:
    """The active object's armature when it was lifted, else the latest lift's, else None."""
    active = context.view_layer.objects.active
    if active is not None and active.type == "MESH":
        active = active.find_armature()
    if record_of(active) is not None:
        return active
    result = context.scene.mvlift.result
    return result if result is not None and result.name in context.scene.objects and record_of(result) else None


def pushed_down(armature: Any) -> bool:
    """Whether a lifted Action of an armature lies in its NLA and none is active."""
    if armature is None or armature.type != "ARMATURE" or armature.animation_data is None:
        return False
    animation = armature.animation_data
    if animation.action is not None:
        return False
    return any(read_record(strip.action) is not None for track in animation.nla_tracks for strip in track.strips)


def why_no_record(context: Any, with_source: bool = False) -> str:
    """Why there is nothing lifted to work on, or "".

    Args:
        context: of Blender.
        with_source: the keypoints that it came from must be known too.
    """
    active = context.view_layer.objects.active
    if pushed_down(active):
        return f"The Action of {active.name} was pushed down to the NLA: make it the active Action again"
    armature = lifted_armature(context)
    if armature is None:
        return "Lift a person first, or select a lifted armature"
    if armature.library is not None:
        return "The armature is linked from another file: make it a library override first"
    if armature.mode == "EDIT":
        return f"{armature.name} is in Edit Mode: leave it first"
    if armature.animation_data.use_tweak_mode:
        return f"{armature.name} is in the NLA's tweak mode: press Tab there to leave it first"
    record = record_of(armature)
    if with_source and (record is None or not record.source):
        return "The Action does not record which keypoints it was lifted from"
    return ""


def still_there(name: str) -> Any:
    """The object of a name that was kept while the engine worked: an undo meanwhile makes other objects of all.

    Raises:
        LiftError: there is none any more.
    """
    target = bpy.data.objects.get(name)
    if target is None:
        raise LiftError(f"{name} was removed while the engine worked.", "Undo the removal, and lift again.")
    return target
