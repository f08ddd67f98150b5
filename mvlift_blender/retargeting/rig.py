"""Reading rigs of the scene: bones at rest as arrays, and which map fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .detect import recognise
from .rest import Parts
from .rig_map import MapFile, RigMap
from .shape import RigShape

__all__ = ["detect_rig", "ordered_bones", "rest_parts", "shape_of", "world_matrix"]

Array = NDArray[np.float64]


def ordered_bones(armature: Any) -> list[Any]:
    """The bones of an armature, parents before children."""
    ordered: list[Any] = []
    todo = [bone for bone in armature.data.bones if bone.parent is None]
    while todo:
        bone = todo.pop()
        ordered.append(bone)
        todo.extend(bone.children)
    return ordered


def world_matrix(armature: Any) -> Array:
    """(4, 4) armature space to world."""
    return np.array(armature.matrix_world, dtype=np.float64)


def shape_of(armature: Any) -> RigShape:
    """The bones of an armature at rest, in the world's axes."""
    bones = ordered_bones(armature)
    number = {bone.name: i for i, bone in enumerate(bones)}
    matrix = world_matrix(armature)
    heads = np.array([bone.head_local for bone in bones], dtype=np.float64).reshape(-1, 3)
    tails = np.array([bone.tail_local for bone in bones], dtype=np.float64).reshape(-1, 3)
    return RigShape(
        tuple(bone.name for bone in bones),
        tuple(number[bone.parent.name] if bone.parent else -1 for bone in bones),
        heads @ matrix[:3, :3].T + matrix[:3, 3],
        tails @ matrix[:3, :3].T + matrix[:3, 3],
    )


def detect_rig(armature: Any, files: Iterable[MapFile] | None = None) -> RigMap:
    """The bone map of an armature.

    Raises:
        NotRecognisedError: why it cannot be animated, or that it looks like neither a person nor an animal.
    """
    return recognise(shape_of(armature), files)


def rest_parts(armature: Any, rig: RigMap, keys: Sequence[str]) -> Parts:
    """Where the parts of an armature are at rest, in the world."""
    bones, matrix = armature.data.bones, world_matrix(armature)
    heads = np.array([bones[rig.geometry_bone(k)].head_local for k in keys], dtype=np.float64).reshape(-1, 3)
    return Parts(rig.body, tuple(keys), heads @ matrix[:3, :3].T + matrix[:3, 3], matrix[:3, 3])
