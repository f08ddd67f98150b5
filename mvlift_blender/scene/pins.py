"""Pins: empties in the scene at which a joint of a lifted armature shall be over a range of frames."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mvlift.typing import F64

from .lift_parts import LIFT, mark

__all__ = ["joint_place", "new_pin", "pin_places", "pins_of"]

_SIZE = 0.08
"""Metres, of the empty."""


def joint_place(armature: Any, bone: str) -> Any:
    """Where a bone's head is now, in the world."""
    return armature.matrix_world @ armature.pose.bones[bone].head


def new_pin(armature: Any, bone: str, frames: tuple[int, int], metre: float) -> Any:
    """An empty where a bone's head is now, in the armature's collection.

    Args:
        armature: lifted.
        bone: whose head is pinned.
        frames: first and last scene frame.
        metre: in units of the scene.
    """
    pin = bpy.data.objects.new(f"{armature.name} Pin {bone}", None)
    pin.empty_display_type, pin.empty_display_size = "SPHERE", _SIZE * metre
    pin.location = joint_place(armature, bone)
    pin.mvlift_pin.armature, pin.mvlift_pin.bone = armature, bone
    pin.mvlift_pin.first, pin.mvlift_pin.last = frames
    mark(pin, "pin", armature.get(LIFT, ""))
    armature.users_collection[0].objects.link(pin)
    return pin


def pins_of(scene: Any, armature: Any) -> list[Any]:
    """The pins of an armature that are in a scene, by name."""
    return [o for o in scene.objects if o.type == "EMPTY" and o.mvlift_pin.armature == armature and o.mvlift_pin.bone]


def pin_places(scene: Any, pin: Any, armature: Any, frames: F64) -> F64:
    """(N, 3) where a pin is at scene frames, in the armature's space; a pin that is animated is followed."""
    still = pin.animation_data is None and pin.parent is None and not len(pin.constraints)
    moves = armature.animation_data is not None and (armature.parent is not None or len(armature.constraints))
    if still and not moves:
        place = armature.matrix_world.inverted() @ pin.matrix_world.translation
        return np.tile(np.array(place, dtype=np.float64), (len(frames), 1))
    now = scene.frame_current_final
    places = []
    try:
        for frame in frames:
            scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1))
            places.append(np.array(armature.matrix_world.inverted() @ pin.matrix_world.translation))
    finally:
        scene.frame_set(int(np.floor(now)), subframe=float(now % 1))
    return np.array(places, dtype=np.float64).reshape(-1, 3)
