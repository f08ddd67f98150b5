"""Reading where bones of a rig are, by Blender's own evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mvlift.kinematics.quaternions import from_matrix, multiply
from numpy.typing import NDArray

from .rig import world_matrix

__all__ = ["PoseSampler"]

Array = NDArray[np.float64]


class PoseSampler:
    """Reads where named bones are in the world."""

    def __init__(self, context: Any, armature: Any, names: Sequence[str]) -> None:
        self._context, self._armature = context, armature
        order = {bone.name: i for i, bone in enumerate(armature.pose.bones)}
        self._rows = [order[n] for n in names]
        matrix = world_matrix(armature)
        self._scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
        self._world, self._matrix = from_matrix(matrix[:3, :3] / self._scale), matrix

    def sample(self) -> tuple[Array, Array]:
        """Orientations (B, 4) and heads (B, 3)."""
        self._context.view_layer.update()
        posed = self._armature.evaluated_get(self._context.evaluated_depsgraph_get())
        flat = np.empty(16 * len(posed.pose.bones), dtype=np.float32)
        posed.pose.bones.foreach_get("matrix", flat)
        # Blender stores matrices by columns
        matrices = flat.reshape(-1, 4, 4).swapaxes(1, 2)[self._rows].astype(np.float64)
        axes = matrices[:, :3, :3] / np.maximum(np.linalg.norm(matrices[:, :3, :3], axis=1, keepdims=True), 1e-12)
        heads = matrices[:, :3, 3] @ self._matrix[:3, :3].T + self._matrix[:3, 3]
        return multiply(self._world, from_matrix(axes)), heads
