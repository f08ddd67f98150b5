"""The body's mesh, bound to the armature with the body model's own weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import bpy
import numpy as np
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from numpy.typing import NDArray

from ..motion.rig_data import rig_data

__all__ = ["BodyMesh", "new_body"]


_SKIN: Final = (0.46, 0.55, 0.66, 1.0)
_LEAST_WEIGHT: Final = 1e-3


@dataclass(frozen=True, eq=False)
class BodyMesh:
    """An unposed body in its own axes.

    Attributes:
        vertices: (V, 3) at the motion's shape, in its units.
        faces: (F, 3) vertex numbers.
        weights: (V, J) skinning weights in the motion's joint order.
        texture: (F, 3, 2) texture coordinates of the faces' corners, or None.
    """

    vertices: F64
    faces: NDArray[np.int64]
    weights: F64
    texture: F64 | None = None

    def lowest(self, body: str) -> float:
        """Height of the lowest vertex in the body's own axes."""
        return float((self.vertices @ rig_data(body).to_armature[2]).min())

    def scaled(self, factor: float) -> BodyMesh:
        """The same in other units of length."""
        return self if factor == 1.0 else replace(self, vertices=self.vertices * factor)


def new_body(mesh: BodyMesh, motion: LiftedMotion, armature: Any, name: str, collection: Any, lift: float) -> Any:
    """A mesh object skinned to the armature.

    Args:
        mesh: the body at the motion's shape.
        motion: for joint names.
        armature: made by ``new_armature`` with the same ``lift``.
        name: of the object and its data.
        collection: that it is linked to.
        lift: units by which the rest body is raised.
    """
    data = bpy.data.meshes.new(name)
    vertices = mesh.vertices @ rig_data(motion.body).to_armature.T + np.array([0.0, 0.0, lift])
    _fill(data, vertices, mesh.faces)
    if mesh.texture is not None:
        layer = data.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", np.ascontiguousarray(mesh.texture, dtype=np.float32).ravel())
    data.materials.append(_material())
    target = bpy.data.objects.new(name, data)
    collection.objects.link(target)
    target.parent = armature
    _weigh(target, mesh.weights, motion.joint_names)
    modifier = target.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    return target


def _fill(data: Any, vertices: F64, faces: NDArray[np.int64]) -> None:
    count = len(faces)
    data.vertices.add(len(vertices))
    data.vertices.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
    data.loops.add(3 * count)
    data.loops.foreach_set("vertex_index", np.ascontiguousarray(faces, dtype=np.int32).ravel())
    data.polygons.add(count)
    data.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(count, dtype=bool))
    data.update(calc_edges=True)
    data.validate()


def _weigh(target: Any, weights: F64, names: tuple[str, ...]) -> None:
    for j, name in enumerate(names):
        group = target.vertex_groups.new(name=name)
        rows = np.flatnonzero(weights[:, j] > _LEAST_WEIGHT)
        values, order = np.unique(np.round(weights[rows, j], 4), return_inverse=True)
        # one call for each distinct weight: most vertices of a limb weigh exactly 1
        starts = np.argsort(order, kind="stable")
        for value, members in zip(values, np.split(rows[starts], np.cumsum(np.bincount(order))[:-1]), strict=True):
            group.add(members.tolist(), float(value), "REPLACE")


def _material() -> Any:
    material = bpy.data.materials.get("MVLift Body")
    if material is None:
        material = bpy.data.materials.new("MVLift Body")
        material.diffuse_color = _SKIN
        material.use_nodes = True
        shader = material.node_tree.nodes.get("Principled BSDF")
        if shader is not None:
            shader.inputs["Base Color"].default_value = _SKIN
            shader.inputs["Roughness"].default_value = 0.55
    return material
