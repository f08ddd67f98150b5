"""The size of a lifted body, which a picture does not show: that of the animal's file or a given height; rescaling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.errors import LiftError
from mvlift.motion import LiftedMotion

__all__ = ["apply_height", "rescale", "standing_height"]


def standing_height(
    rest_joints: NDArray[np.floating], joint_names: tuple[str, ...], kinematic_model: KinematicModel
) -> float:
    """Metres from the ground to an animal's withers in the rest pose; 0 for a body whose rig does not say how."""
    if kinematic_model.height is None:
        return 0.0
    joint, factor = kinematic_model.height
    return factor * float(rest_joints[joint_names.index(joint), 1] - rest_joints[:, 1].min())


def _rescale_shape(motion: LiftedMotion, factor: float, direction: int, step: float) -> LiftedMotion:
    """Scaled by a factor, where the rest body grows about its root through its own size coefficient.

    rest(b) = p + (r - p)(1 + c b_size) + sum_i d_i b_i; a factor s on what follows p asks for b_i' = s b_i and
    b_size' = (s (1 + c b_size) - 1) / c.
    """
    root = motion.rest_joints[0]
    scaled = motion.scaled(factor)
    betas = motion.betas * np.float32(factor)
    betas[direction] = (factor * (1 + step * float(motion.betas[direction])) - 1) / step
    place = motion.translation + root  # of the root joint in the world
    return replace(
        scaled,
        betas=betas.astype(np.float32),
        rest_joints=(root + factor * (motion.rest_joints - root)).astype(np.float32),
        translation=(factor * place - root).astype(np.float32),
    )


def apply_height(
    motion: LiftedMotion, skeleton: BodySkeleton, kinematic_model: KinematicModel, height: float | None
) -> LiftedMotion:
    """A motion of an enlarged body at the size of the animal.

    Args:
        motion: of the body as it was scaled for the fit, or of a person, which stays as it is.
        skeleton: that was fitted.
        kinematic_model: says which joint's height counts.
        height: of the withers in metres, or None for the size of the body's file.

    Raises:
        LiftError: a height for a body whose shape coefficients cannot take it.
    """
    if skeleton.fit_scale != 1:
        motion = motion.scaled(1 / skeleton.fit_scale)
    now = standing_height(motion.rest_joints, motion.joint_names, kinematic_model)
    if height is None or now == 0:
        return motion
    grows = skeleton.stature_direction()
    if grows is None:
        raise LiftError(
            "This body file has no shape coefficient for size, so a height cannot be given.",
            "Leave the height out, and scale the armature afterwards.",
        )
    return _rescale_shape(motion, height / now, grows[0], grows[1])


def rescale(motion: LiftedMotion, skeleton: BodySkeleton | None, factor: float) -> LiftedMotion:
    """The motion with everything that is a length times a factor: the same picture from so much further away.

    The body's shape takes the new size where its skeleton has a coefficient for it; else the rest joints alone do.
    """
    grows = skeleton.stature_direction() if skeleton is not None else None
    return _rescale_shape(motion, factor, *grows) if grows is not None else motion.scaled(factor)
