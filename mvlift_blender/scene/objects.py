"""Objects that move with a person: keyed boxes of the object's size with its keypoints as an empty's children."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mvlift.motion import ObjectMotion

from .animation import new_curves
from .rotations import continuous
from .timing import Timing, resample_rotations, resample_values

__all__ = ["new_object"]


def new_object(motion: ObjectMotion, timing: Timing, collection: Any) -> Any:
    """An empty of the object's size, keyed along its path. Parent your own model to it.

    Args:
        motion: positions (T, 3), rotations (T, 4) in the world.
        timing: where the samples lie in the scene.
        collection: that it is linked to.
    """
    target = bpy.data.objects.new(motion.name, None)
    target.empty_display_type = "CUBE"
    target.empty_display_size = 0.5 * float(np.max(motion.size))
    target.rotation_mode = "QUATERNION"
    collection.objects.link(target)
    curves = new_curves(target, f"{motion.name} lifted")
    positions = resample_values(np.asarray(motion.position, dtype=np.float64), timing.samples)
    rotations = resample_rotations(continuous(np.asarray(motion.rotation, dtype=np.float64)), timing.samples)
    curves.write("location", timing.frames, positions, group="Object Transforms")
    curves.write("rotation_quaternion", timing.frames, rotations, group="Object Transforms")
    for name, point in zip(motion.point_names, motion.points, strict=True):
        child = bpy.data.objects.new(f"{motion.name} {name}", None)
        child.empty_display_type, child.empty_display_size = "SPHERE", 0.02
        child.parent, child.location = target, point.tolist()
        collection.objects.link(child)
    return target
