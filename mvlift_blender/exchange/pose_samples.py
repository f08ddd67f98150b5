"""Evaluated bone matrices of an armature, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mvlift.errors import MvliftError
from mvlift.typing import F64

from ..scene.animation import current_curves

__all__ = ["PoseSamples", "motion_name", "sample_pose"]


@dataclass(frozen=True, eq=False)
class PoseSamples:
    """An armature over time.

    Attributes:
        name: of the motion.
        names: (B,) bones, as in the pose.
        frames: (T,) scene frames.
        matrices: (T, B, 4, 4) bones in the world.
        size: scale of the object: length of the axes of an unscaled bone.
        camera: (T, 4, 4) of the scene's camera without its scale; empty without one.
    """

    name: str
    names: tuple[str, ...]
    frames: F64
    matrices: F64
    size: float
    camera: F64


def motion_name(armature: Any) -> str:
    """What an armature's motion is called: its Action's name, else its own."""
    curves = current_curves(armature)
    return str(curves.action.name if curves is not None else armature.name)


def sample_pose(context: Any, armature: Any) -> PoseSamples:
    """Step through the keyed frames of an armature, or the scene's frames where its Action says none.

    Raises:
        MvliftError: the object is scaled otherwise along its axes: no exporter writes that right.
    """
    scene = context.scene
    curves = current_curves(armature)
    keyed = curves.action.frame_range if curves is not None and len(list(curves)) else None
    first, last = (keyed[0], keyed[1]) if keyed is not None else (scene.frame_start, scene.frame_end)
    frames = np.arange(np.ceil(first - 1e-4), np.floor(last + 1e-4) + 1)
    frames = frames if len(frames) else np.array([float(round(first))])
    lengths = np.linalg.norm(np.array(armature.matrix_world)[:3, :3], axis=0)
    if np.ptp(lengths) > 1e-3 * lengths.max():
        raise MvliftError(f"{armature.name} is scaled differently along its axes.", "Apply its scale (Ctrl A).")
    bones = armature.pose.bones
    matrices = np.empty((len(frames), len(bones), 4, 4))
    camera = np.empty((len(frames) if scene.camera is not None else 0, 4, 4))
    flat = np.empty(16 * len(bones), dtype=np.float32)
    before = (scene.frame_current, scene.frame_subframe)
    try:
        for t, frame in enumerate(frames):
            scene.frame_set(int(frame))
            graph = context.evaluated_depsgraph_get()
            posed = armature.evaluated_get(graph)
            posed.pose.bones.foreach_get("matrix", flat)
            # Blender stores matrices by columns
            matrices[t] = np.array(posed.matrix_world) @ flat.reshape(-1, 4, 4).swapaxes(1, 2)
            if len(camera):
                camera[t] = scene.camera.evaluated_get(graph).matrix_world.normalized()
    finally:
        scene.frame_set(before[0], subframe=before[1])
    names = tuple(bone.name for bone in bones)
    return PoseSamples(motion_name(armature), names, frames, matrices, float(lengths.mean()), camera)
