"""A lifted armature's animation as arrays, and back: what clean-up works on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..motion.curves import MotionCurves
from ..motion.skeleton import RestSkeleton
from ..motion.thinning import Thinned
from .animation import Curves, current_curves, curves_of, duplicate_action
from .armature import rest_axes, rest_heads
from .kept_keys import remember_keys
from .keyframes import location_path, rotation_path

__all__ = [
    "FULL",
    "LIFTED",
    "editable_curves",
    "read_bone_curves",
    "rest_skeleton",
    "write_bone_curves",
    "write_thinned",
]

_CLEANED = "mvlift_cleaned"
LIFTED = "mvlift_lifted"
"""Of a cleaned Action: name of the one as it was lifted."""
FULL = "mvlift_full"
"""Of an Action mixed of lifted and cleaned: name of the cleaned one."""


def rest_skeleton(armature: Any) -> RestSkeleton:
    """The bones of an armature, parents before children."""
    bones = list(armature.data.bones)
    ordered = sorted(bones, key=lambda bone: len(bone.parent_recursive))
    names = tuple(bone.name for bone in ordered)
    parents = tuple(names.index(bone.parent.name) if bone.parent else -1 for bone in ordered)
    return RestSkeleton(names, parents, rest_axes(armature, names), rest_heads(armature, names))


def read_bone_curves(armature: Any, action: Any | None = None) -> MotionCurves | None:
    """The armature's present Action as keys of its bones on all key frames, or None when it has none.

    Keys that were thinned out are filled in at whole frames.
    """
    curves = current_curves(armature) if action is None else next(iter(curves_of(action)), None)
    if curves is None:
        return None
    skeleton = rest_skeleton(armature)
    keys = [curves.key_frames(rotation_path(name)) for name in skeleton.names]
    keys.append(curves.key_frames(location_path(skeleton.root)))
    frames = np.unique(np.concatenate(keys).round(4))
    if not len(frames):
        return None
    full_frames = np.arange(np.ceil(frames[0]), np.floor(frames[-1]) + 1)
    frames = np.unique(np.concatenate([frames, full_frames]))
    rotations = np.zeros((len(frames), len(skeleton.names), 4))
    rotations[..., 0] = 1.0
    for j, name in enumerate(skeleton.names):
        values = curves.read(rotation_path(name), 4, frames)
        if values is not None:
            rotations[:, j] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    locations = curves.read(location_path(skeleton.root), 3, frames)
    return MotionCurves(skeleton, frames, rotations, np.zeros((len(frames), 3)) if locations is None else locations)


def editable_curves(armature: Any, what: str) -> Curves:
    """Curves that may be changed: those of the present Action, or of a copy when it is as it was lifted.

    The Action as it was lifted stays in the file under its name.
    """
    curves = current_curves(armature)
    assert curves is not None  # the caller has read it
    if curves.action.get(_CLEANED):
        if FULL in curves.action:  # what was mixed is the beginning of another clean-up
            del curves.action[FULL]
            if hasattr(curves.action, "mvlift_strength"):
                curves.action.property_unset("mvlift_strength")
        return curves
    curves.action.use_fake_user = True
    copy = duplicate_action(armature, f"{armature.name} {what}")
    copy.action[_CLEANED] = True
    copy.action[LIFTED] = curves.action.name
    return copy


def write_bone_curves(armature: Any, motion: MotionCurves, what: str) -> Any:
    """Key a changed motion on the bones themselves; returns the Action.

    Args:
        armature: the object.
        motion: on its frames.
        what: was done, for the name of a new Action.
    """
    curves = editable_curves(armature, what)
    root = motion.skeleton.root
    curves.write(location_path(root), motion.frames, motion.locations, group=root)
    for j, name in enumerate(motion.skeleton.names):
        curves.write(rotation_path(name), motion.frames, motion.rotations[:, j], group=name)
    remember_keys(armature, motion.skeleton)
    return curves.action


def write_thinned(armature: Any, motion: MotionCurves, thinned: Thinned, what: str, unit: float = 1.0) -> Any:
    """Key what is left of a lifted armature's motion as smooth curves; returns the Action.

    Args:
        armature: the object.
        motion: that was thinned out, in metres.
        thinned: what is left.
        what: was done, for the name of a new Action.
        unit: metres of the scene's unit.
    """
    curves = editable_curves(armature, what)
    root, frames, place = motion.skeleton.root, motion.frames, thinned.location
    curves.write(location_path(root), frames[place.rows], place.values / unit, group=root, slopes=place.slopes / unit)
    for name, kept in zip(motion.skeleton.names, thinned.rotations, strict=True):
        curves.write(rotation_path(name), frames[kept.rows], kept.values, group=name, slopes=kept.slopes)
    remember_keys(armature, motion.skeleton)
    return curves.action
