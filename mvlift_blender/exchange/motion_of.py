"""Motion of an armature with SMPL or SMAL bones, including edits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from mvlift.errors import MvliftError
from mvlift.kinematics.quaternions import conjugate, from_matrix, multiply, to_vector
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

from ..motion.curves import MotionCurves
from ..motion.rig_data import rig_data
from ..retargeting.detect import candidates
from ..retargeting.rig import shape_of
from ..scene.frame_rate import scene_fps
from ..scene.motion_curves import read_bone_curves
from ..scene.record import no_camera
from ..scene.selected import record_of
from ..scene.units import metres_per_unit

__all__ = ["motion_of"]

_SMPL_PELVIS = np.array([0.0, -0.223, 0.028])
"""Where SMPL's neutral pelvis is at rest, metres; an armature's rest stands on the floor instead."""


def motion_of(context: Any, armature: Any, curves: MotionCurves | None = None) -> LiftedMotion:
    """The motion of a lifted armature as it is keyed now.

    Args:
        context: of Blender.
        armature: with the bones of SMPL or SMAL.
        curves: the motion in metres, where it is not the armature's present one.

    Raises:
        MvliftError: it has no Action, or not the bones of SMPL or SMAL.
    """
    if curves is None:
        keyed = read_bone_curves(armature)
        if keyed is None:
            raise MvliftError(f"{armature.name} has no animation.", "Choose a lifted armature.")
        curves = keyed.scaled(metres_per_unit(context.scene))
    body = _body(armature)
    skeleton = curves.skeleton
    C = rig_data(body).to_armature
    root = skeleton.root_index
    rest = skeleton.heads @ C
    if body == "smpl":
        rest = rest - rest[root] + _SMPL_PELVIS
    turn = from_matrix(np.swapaxes(skeleton.axes, -1, -2) @ C)
    local = multiply(multiply(conjugate(turn), curves.rotations), turn)
    local[:, root] = multiply(multiply(skeleton.rest[root], curves.rotations[:, root]), turn[root])
    places = skeleton.heads[root] + curves.locations @ skeleton.axes[root].T
    frames = len(curves.frames)
    empty = np.zeros((frames, 0), np.float32)
    record = record_of(armature)
    camera = record.camera if record is not None else no_camera()
    return LiftedMotion(
        body=body,
        joint_names=skeleton.names,
        parents=skeleton.parents,
        rest_joints=rest.astype(np.float32),
        betas=np.zeros(10, np.float32),
        translation=(places - rest[root]).astype(np.float32),
        rotations=to_vector(local).astype(np.float32),
        keypoints=np.zeros((frames, 0, 3), np.float32),
        keypoint_names=(),
        keypoint_confidence=empty,
        reprojection_error=empty,
        contacts=empty,
        contact_names=(),
        camera=camera,
        fps=_rate(context, curves.frames),
        metadata={"source": record.source if record is not None else "", "edited": True},
    )


def _rate(context: Any, frames: F64) -> Fraction:
    """The scene's rate; keys between whole frames are at the clip's own ends only."""
    return scene_fps(context.scene)


def _body(armature: Any) -> str:
    best = candidates(shape_of(armature))[0].rig
    body = {"smpl": "smpl", "smplh": "smpl", "smal": "smal"}.get(best.name, "")
    if not body or best.confidence < 0.9:
        raise MvliftError(
            f"{armature.name} does not have the bones of SMPL or SMAL.",
            "Retarget its motion to a lifted armature first.",
        )
    return body
