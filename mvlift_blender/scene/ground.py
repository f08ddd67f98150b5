"""A sun and a ground for a lifted person, as parts of the lift: they go with it."""

from __future__ import annotations

from typing import Any, Final

import bpy
import numpy as np

from .lift_parts import LIFT, mark, parts_of
from .motion_curves import read_bone_curves
from .scene_setup import PART
from .units import metres_per_unit

__all__ = ["add_ground"]

_MARGIN: Final = 3.0
"""Metres of ground around the path."""
_SUN: Final = (0.6, 0.15, 0.9)
"""Radians: from above, a little from the side."""


def add_ground(scene: Any, armature: Any, light: bool, ground: bool, catcher: bool) -> list[Any]:
    """Add what is missing to a lift's collection; the new objects.

    Args:
        scene: whose unit counts.
        armature: lifted.
        light: a sun.
        ground: a plane at the height of the floor, as large as the path needs.
        catcher: Cycles shows nothing of the plane but shadows.
    """
    metre, lift = 1 / metres_per_unit(scene), armature.get(LIFT, "")
    present = {o.get(PART) for o in parts_of(armature)}
    collection = armature.users_collection[0]
    made = []
    if light and "light" not in present:
        lamp = bpy.data.lights.new(f"{armature.name} Sun", "SUN")
        lamp.energy, lamp.angle = 3.0, 0.05
        sun = bpy.data.objects.new(lamp.name, lamp)
        sun.location, sun.rotation_euler = (0.0, 0.0, 4 * metre), _SUN
        made.append((sun, "light"))
    if ground and "ground" not in present:
        plane = _plane(armature, metre)
        plane.is_shadow_catcher = catcher
        made.append((plane, "ground"))
    for part, kind in made:
        mark(part, kind, lift)
        collection.objects.link(part)
        part.matrix_world = armature.matrix_world @ part.matrix_world
    return [part for part, _ in made]


def _plane(armature: Any, metre: float) -> Any:
    """A square under the whole path, in the armature's space."""
    curves = read_bone_curves(armature)
    points = np.zeros((1, 3))
    if curves is not None:
        points = curves.skeleton.forward(curves.rotations, curves.locations)[0][:, curves.skeleton.root_index]
    low, high = points[:, :2].min(0) - _MARGIN * metre, points[:, :2].max(0) + _MARGIN * metre
    corners = [(low[0], low[1], 0), (high[0], low[1], 0), (high[0], high[1], 0), (low[0], high[1], 0)]
    mesh = bpy.data.meshes.new(f"{armature.name} Ground")
    mesh.from_pydata([tuple(float(v) for v in corner) for corner in corners], [], [(0, 1, 2, 3)])
    return bpy.data.objects.new(mesh.name, mesh)
