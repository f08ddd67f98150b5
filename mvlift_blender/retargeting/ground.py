"""Where the soles of a rig's meshes are at rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

__all__ = ["ground_under"]

_WEIGHT: Final = 0.3
"""A vertex belongs to a foot from this weight on."""


def ground_under(armature: Any, feet: Sequence[str]) -> float | None:
    """Height in the world of the lowest vertex that a rig's feet carry at rest, None where no mesh says it.

    Args:
        armature: whose meshes are looked at, unposed.
        feet: bones of feet and toes.
    """
    bones = armature.data.bones
    names = {n for foot in feet if foot in bones for n in (foot, *(b.name for b in bones[foot].children_recursive))}
    lowest = [
        low for mesh in armature.users_scene[0].objects if _moved_by(mesh, armature)
        if (low := _lowest(mesh, names)) is not None
    ] if armature.users_scene else []  # fmt: skip
    return min(lowest, default=None)


def _moved_by(mesh: Any, armature: Any) -> bool:
    return mesh.type == "MESH" and any(m.type == "ARMATURE" and m.object == armature for m in mesh.modifiers)


def _lowest(mesh: Any, names: set[str]) -> float | None:
    groups = {g.index for g in mesh.vertex_groups if g.name in names}
    if not groups:
        return None
    rows = [v.index for v in mesh.data.vertices if any(g.group in groups and g.weight > _WEIGHT for g in v.groups)]
    if not rows:
        return None
    flat = np.empty(3 * len(mesh.data.vertices), dtype=np.float32)
    mesh.data.vertices.foreach_get("co", flat)
    matrix = np.array(mesh.matrix_world, dtype=np.float64)
    points = flat.reshape(-1, 3)[rows] @ matrix[:3, :3].T + matrix[:3, 3]
    return float(points[:, 2].min())
