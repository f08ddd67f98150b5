"""Poses of keypoints: limbs that reach for a point, a torso that bends down to low targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from mvlift.kinematics.chains import two_bone_positions
from mvlift.typing import F64

__all__ = ["Body", "bend", "bend_needed", "reach"]

MAX_STRETCH: Final = 0.985
"""Share of a limb's length beyond which it does not stretch."""


def reach(start: F64, middle: F64, end: F64, target: F64, pole: F64) -> tuple[F64, F64]:
    """``two_bone_positions`` of a limb whose bones' lengths are those between its keypoints (T, 3)."""
    upper = np.linalg.norm(middle - start, axis=-1, keepdims=True)
    lower = np.linalg.norm(end - middle, axis=-1, keepdims=True)
    return two_bone_positions(start, target, upper, lower, pole, max_reach=MAX_STRETCH)


@dataclass(frozen=True)
class Body:
    """Columns of a person's keypoints.

    Attributes:
        names: keypoint names in order.
    """

    names: tuple[str, ...]

    def at(self, *names: str) -> list[int]:
        """Columns of keypoints."""
        return [self.names.index(n) for n in names]

    @property
    def upper(self) -> list[int]:
        """Columns of all that moves when the torso bends at the hips."""
        legs = ("hip", "knee", "ankle", "heel", "toe")
        return [i for i, n in enumerate(self.names) if not any(part in n for part in legs)]


def _turned(points: F64, centre: F64, axis: F64, angle: F64) -> F64:
    """Points (T, K, 3) turned about an axis (T, 3) through a centre (T, 3) by angles (T,) (Rodrigues)."""
    v, k = points - centre[:, None], axis[:, None]
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = (v * k).sum(-1, keepdims=True) * k
    return np.asarray(centre[:, None] + c * v + s * np.cross(np.broadcast_to(k, v.shape), v) + (1 - c) * along)


def bend(points: F64, body: Body, amount: F64, forward: F64, pitch: float, drop: float) -> F64:
    """A person who bends and crouches, feet where they were.

    Args:
        points: (T, K, 3) z up.
        body: columns.
        amount: (T,) in [0, 1].
        forward: (T, 3) horizontal direction that the person faces.
        pitch: radians of the torso at amount 1.
        drop: metres by which the pelvis sinks at amount 1.
    """
    out = points.copy()
    down = np.zeros((len(points), 3))
    down[:, 2] = -drop * amount
    down -= forward * (0.45 * drop + 0.12 * np.sin(pitch)) * amount[:, None]
    hips, upper = body.at("l_hip", "r_hip"), body.upper
    left = np.cross(np.array([0.0, 0.0, 1.0]), forward)
    centre = points[:, hips].mean(1)
    out[:, upper] = _turned(points[:, upper], centre, left, pitch * amount) + down[:, None]
    out[:, hips] = points[:, hips] + down[:, None]
    for side in "lr":
        hip, knee, ankle = body.at(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        pole = points[:, knee] - 0.5 * (points[:, hip] + points[:, ankle]) + 0.15 * forward
        knees, ankles = reach(out[:, hip], points[:, knee], points[:, ankle], points[:, ankle], pole)
        keep = (amount > 1e-3)[:, None]
        moved = np.where(keep, ankles - points[:, ankle], 0.0)
        out[:, knee] = np.where(keep, knees, points[:, knee])
        feet = [i for i, n in enumerate(body.names) if n.startswith(f"{side}_") and ("heel" in n or "toe" in n)]
        for i in (ankle, *feet):
            out[:, i] = points[:, i] + moved
    return out


def bend_needed(points: F64, body: Body, targets: F64, forward: F64, pitch: float, drop: float) -> F64:
    """(T,) smallest amount of ``bend`` at which both shoulders reach their targets (T, 2, 3), left and right; NaN
    targets are ignored."""
    arm = sum(
        np.linalg.norm(points[:, a] - points[:, b], axis=-1)
        for a, b in (body.at("l_shoulder", "l_elbow"), body.at("l_elbow", "l_wrist"))
    )
    shoulders = body.at("l_shoulder", "r_shoulder")
    needed = np.ones(len(points))
    for amount in np.linspace(1, 0, 9):
        bent = bend(points, body, np.full(len(points), amount), forward, pitch, drop)
        distance = np.nan_to_num(np.linalg.norm(bent[:, shoulders] - targets, axis=-1), nan=0.0).max(1)
        needed = np.where(distance < 0.93 * arm, amount, needed)
    return needed
