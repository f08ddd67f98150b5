"""The toe joint's bend at push-off: toes that carry the weight lie flat while the heel rises.

A fit holds foot and toes rigid, so that a rising heel stands on the tips of the toes. Here, where the toes rest and the
heel does not, the toe joint bends until the toes lie along the floor, and the ankle turns so that their tip stays in
the direction in which it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mvlift.bodies.fit_problem import BodyFit
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.chains import world_rotations
from mvlift.kinematics.rotations import exp_map
from mvlift.typing import F64

__all__ = ["MAX_BEND", "bend_toes"]

MAX_BEND: Final = np.radians(55.0)
"""Extension of the toes at push-off goes no further."""
BLEND_SECONDS: Final = 0.06
_FEET: Final = (("left_ankle", "left_foot", "l"), ("right_ankle", "right_foot", "r"))
_ROUNDS: Final = 3


def bend_toes(fitted: BodyFit, skeleton: BodySkeleton, contacts: tuple[str, ...], fps: float) -> BodyFit:
    """The same motion with toes that bend.

    Args:
        fitted: in the camera's axes, with contact probabilities.
        skeleton: that was fitted, with SMPL's feet; another body stays as it is.
        contacts: names of the columns of ``fitted.contacts``.
        fps: frames a second.
    """
    rotations = fitted.rotations.copy()
    rest, points = skeleton.shaped(fitted.betas)
    moved = False
    for ankle_name, ball_name, side in _FEET:
        names = (f"{side}_big_toe", f"{side}_heel")
        if ball_name not in skeleton.joint_names or not set(names) <= {*contacts} & {*skeleton.keypoint_names}:
            continue
        ankle, ball = skeleton.joint_names.index(ankle_name), skeleton.joint_names.index(ball_name)
        tip = points[skeleton.keypoint_names.index(names[0])]
        toe, heel = (fitted.contacts[:, contacts.index(n)] for n in names)
        share = gaussian_filter1d(toe * (1 - heel), BLEND_SECONDS * fps)
        if share.max(initial=0) < 0.05:
            continue
        world = world_rotations(skeleton.parents, rotations)
        turn, bend = _bent(world[:, ankle], rest[ball] - rest[ankle], tip - rest[ball], fitted.up, share)
        above = world[:, skeleton.parents[ankle]]
        rotations[:, ankle] = above.transpose(0, 2, 1) @ turn @ world[:, ankle]
        rotations[:, ball] = exp_map(bend[:, None] * np.array([-1.0, 0.0, 0.0])) @ rotations[:, ball]
        moved = True
    if not moved:
        return fitted
    _, posed = skeleton.posed(fitted.betas, rotations, fitted.root - rest[0])
    return replace(fitted, rotations=rotations, points=posed)


def _bent(foot: F64, instep: F64, toes: F64, up: F64, share: F64) -> tuple[F64, F64]:
    """Turns (T, 3, 3) of the foot in the outer axes and bends (T,) of the toes against it, radians.

    Args:
        foot: (T, 3, 3) rotation from rest, in which soles are level (y up, z to the toes).
        instep: (3,) from the ankle to the ball, at rest.
        toes: (3,) from the ball to the tip, at rest.
        up: (3,) against gravity.
        share: (T,) in [0, 1] how far the toes carry and the heel does not.
    """
    lateral = foot[:, :, 0]
    before = foot @ (instep + toes)
    turn, bend = np.tile(np.eye(3), (len(foot), 1, 1)), np.zeros(len(foot))
    for _ in range(_ROUNDS):
        now = turn @ foot
        # positive: the heel is up, the sole's normal leans towards the toes
        pitch = -_angle(np.broadcast_to(up, lateral.shape), now[:, :, 1], lateral)
        bend = share * np.clip(-pitch, 0, MAX_BEND)
        tip = now @ instep + (now @ (exp_map(bend[:, None] * np.array([-1.0, 0.0, 0.0])) @ toes)[..., None])[..., 0]
        back = _angle(tip, before, lateral)
        turn = exp_map(back[:, None] * lateral) @ turn
    return turn, bend


def _angle(first: F64, second: F64, axis: F64) -> F64:
    """(T,) signed angles about unit axes (T, 3) from directions (T, 3) to others."""
    a = first - (first * axis).sum(-1, keepdims=True) * axis
    b = second - (second * axis).sum(-1, keepdims=True) * axis
    return np.asarray(np.arctan2((np.cross(a, b) * axis).sum(-1), (a * b).sum(-1)))
