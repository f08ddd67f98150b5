"""Keys: joint rotations and the root's path, in a new Action."""

from __future__ import annotations

from typing import Any

import numpy as np
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

from ..motion.rig_data import bone_rotations
from ..motion.timing import Timing, resample_rotations, resample_values
from .animation import Curves, new_curves
from .armature import rest_axes, rest_heads

__all__ = ["key_motion", "location_path", "root_locations", "rotation_path"]


def rotation_path(bone: str) -> str:
    """Data path of a pose bone's quaternion."""
    return f'pose.bones["{bone}"].rotation_quaternion'


def location_path(bone: str) -> str:
    """Data path of a pose bone's location."""
    return f'pose.bones["{bone}"].location'


def root_locations(positions: F64, head: F64, axes: F64) -> F64:
    """Pose-bone locations (T, 3) that bring a root bone to world positions (T, 3): B_0^T (p - head)."""
    return (positions - head) @ axes


def key_motion(armature: Any, motion: LiftedMotion, timing: Timing, name: str) -> Curves:
    """Key every joint's rotation and the root's location; returns the new Action's curves."""
    names = motion.joint_names
    axes, heads = rest_axes(armature, names), rest_heads(armature, names)
    root = motion.parents.index(-1)
    samples, frames = timing.samples, timing.frames
    quaternions = resample_rotations(bone_rotations(motion, axes), samples)
    positions = np.asarray(motion.translation + motion.rest_joints[root], dtype=np.float64)
    locations = resample_values(root_locations(positions, heads[root], axes[root]), samples)
    curves = new_curves(armature, name)
    root_name = names[root]
    curves.write(location_path(root_name), frames, locations, group=root_name)
    for j, bone in enumerate(names):
        curves.write(rotation_path(bone), frames, quaternions[:, j], group=bone)
    return curves
