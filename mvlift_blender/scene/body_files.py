"""The body's mesh for a motion: the mannequin that comes with MVLift, or the user's model file."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mvlift.errors import BodyFileError, MvliftError
from mvlift.motion import LiftedMotion

from .body import BodyMesh

__all__ = ["body_mesh", "describe_body_file"]

_KINDS = {"smpl": "SMPL", "smplh": "SMPL-H", "smplx": "SMPL-X", "smal": "SMAL"}


def body_mesh(motion: LiftedMotion, file: Path | None = None) -> BodyMesh | None:
    """The unposed body at a motion's shape, or None when there is none with the motion's joints.

    Args:
        motion: body kind, joint names and betas are used.
        file: the user's model file; None takes the default body of the motion's kind.

    Raises:
        BodyFileError: the user's file cannot be used.
    """
    from mvlift.bodies.loading import load_body

    try:
        default = "quadruped" if motion.body == "smal" else "human"
        full_model = load_body(str(file) if file else None, default)
    except BodyFileError:
        if file is not None:
            raise
        return None
    names = tuple(motion.joint_names)
    model = next((m for m in (full_model.reduced(fingers=True), full_model.reduced()) if m.joint_names == names), None)
    if model is None:
        return None
    vertices, joints = model.shaped(np.asarray(motion.betas, np.float64))
    # a lift scales its body through the shape; what is left is the file's own rounding
    vertices = vertices + (motion.rest_joints[0] - joints[0])
    return BodyMesh(vertices, model.faces, np.asarray(model.weights, dtype=np.float64), model.texture)


def describe_body_file(path: str) -> tuple[bool, str]:
    """Whether a file is a body that MVLift can lift to, and what it is or why not; ("", True) for no file."""
    from mvlift.bodies.loading import load_body

    if not path:
        return True, ""
    file = Path(bpy.path.abspath(path))
    try:
        model = load_body(str(file))
    except MvliftError as error:
        return False, str(error)
    kind = _KINDS.get(model.kind, model.kind)
    shapes = model.shape_directions.shape[2]
    text = f"{kind}: {len(model.template)} vertices, {len(model.joint_names)} joints, {shapes} shape coefficients"
    if model.kind == "smal":
        return True, f"{text}\nThis is an animal's body: it is used for animals only"
    if model.has_fingers:
        text += "\nFingers move if the clip has hand keypoints"
    return True, text
