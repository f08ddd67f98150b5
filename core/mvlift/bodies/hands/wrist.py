"""The wrist's turn from the palm: both orientations of a plane that look alike, selected by anatomy and continuity."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.model import HandModel
from mvlift.bodies.hands.tables import hand_tables
from mvlift.bodies.hands.view import PALM, PALM_SHARE, THUMB_KNUCKLE, HandView, depth_cost, palm_maps
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F64

__all__ = ["WRIST_LIMITS", "WRIST_SPREAD", "best_path", "palm_candidates", "wrist_angles", "wrist_cost"]


_WRIST: Final = hand_tables()["wrist"]
WRIST_LIMITS: Final = np.radians(np.array([_WRIST["twist"], _WRIST["flexion"], _WRIST["spread"]], np.float64))
"""(3, 2) radians: twist of the forearm, flexion towards the palm, spread towards the thumb."""
WRIST_SPREAD: Final = np.radians([55.0, 40.0, 18.0])
"""Standard deviations about the hand that is in line with the forearm."""
LIMIT_SIGMA: Final = np.radians(8.0)
STEP: Final = np.radians(13.0)
"""Turn from one frame to the next at 30 fps,"""
STEP_CAP: Final = 12.0
"""and the cost beyond which it is a flip or a cut."""
REFINE: Final = 3


def wrist_angles(local: F64, hand: HandModel) -> F64:
    """(..., 3) twist, flexion and spread of wrist rotations (..., 3, 3) relative to the forearm.

    The twist about the forearm comes first: local = exp(twist) exp(swing).
    """
    sign = 1.0 if hand.side == "left" else -1.0
    distal, dorsal, radial = hand.axes
    twist = twist_about(local, distal)
    swing = log_map(exp_map(-twist[..., None] * distal) @ local)
    return np.stack([twist * sign, swing @ (-sign * radial), swing @ (-sign * dorsal)], -1)


def twist_about(rotations: F64, axis: F64) -> F64:
    """(...) angles of the twist about a unit axis (3,) in rotations (..., 3, 3)."""
    skew = np.stack(
        [
            rotations[..., 2, 1] - rotations[..., 1, 2],
            rotations[..., 0, 2] - rotations[..., 2, 0],
            rotations[..., 1, 0] - rotations[..., 0, 1],
        ],
        -1,
    )
    # quaternion (w, v): v = skew / 4w, w^2 = (1 + trace) / 4
    return np.asarray(2 * np.arctan2(skew @ axis, 1 + np.trace(rotations, axis1=-2, axis2=-1)))


def palm_candidates(view: HandView, hand: HandModel) -> F64:
    """(T, 2, 3, 3) wrist rotations in the view's axes that show the palm as it is seen.

    With A = U diag(1, c) V^T the map of the palm's plane, the third row is +-sqrt(1 - c^2) v_2: seen from one side, a
    plane leans towards the camera or away from it.
    """
    maps, _ = palm_maps(view.points, view.weight, hand)
    u, s, vt = np.linalg.svd(maps)
    squeeze = np.clip(s[:, 1] / np.maximum(s[:, 0], 1e-9), 0, 1)
    plane = u @ (np.stack([np.ones_like(squeeze), squeeze], 1)[:, :, None] * vt)  # (T, 2, 2)
    lean = np.sqrt(1 - squeeze**2)[:, None] * vt[:, 1]  # (T, 2)
    sign = 1.0 if hand.side == "left" else -1.0
    both = []
    for side in (1.0, -1.0):
        columns = np.concatenate([plane, side * lean[:, None]], 1)  # (T, 3, 2)
        distal, radial = columns[..., 0], columns[..., 1]
        dorsal = sign * np.cross(radial, distal)
        both.append(np.stack([distal, dorsal, radial], -1) @ hand.axes)
    return _refined(np.stack(both, 1), view, hand)


def _refined(candidates: F64, view: HandView, hand: HandModel) -> F64:
    """Gauss-Newton on the palm's points with perspective: (T, 2, 3, 3)."""
    rest, weight = _palm(view, hand)
    out = candidates
    for _ in range(REFINE):
        residual, arm, scale = _residual(out, rest, weight, view)
        # d(x / s) = (dx - (x / s) dz / Z) / s, with dX = delta x arm
        zero = np.zeros_like(arm[..., 0])
        x, y, z = np.moveaxis(arm, -1, 0)
        moves = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).reshape(*arm.shape[:-1], 3, 3)
        seen = arm[..., :2] / scale[..., None]
        depth = moves[..., 2, :] / view.distance[:, None, None, None]
        slope = (moves[..., :2, :] - seen[..., None] * depth[..., None, :]) / scale[..., None, None]
        slope = slope - np.einsum("tk,tckab->tcab", weight, slope)[:, :, None]
        normal = np.einsum("tk,tckxa,tckxb->tcab", weight, slope, slope) + 1e-6 * np.eye(3)
        right = np.einsum("tk,tckxa,tckx->tca", weight, slope, residual)
        step = -np.linalg.solve(normal, right[..., None])[..., 0]
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        out = exp_map(step * np.minimum(1, 0.3 / np.maximum(length, 1e-9))) @ out
    return out


def _palm(view: HandView, hand: HandModel) -> tuple[F64, F64]:
    """Rest points (21, 3) and weights (T, 21) of what is rigid in the palm, of sum 1."""
    share = np.zeros(view.points.shape[1])
    share[PALM] = PALM_SHARE
    weight = view.weight * share
    bare = weight[:, 1] == 0
    weight[:, THUMB_KNUCKLE] = np.where(bare, 0.3 * view.weight[:, THUMB_KNUCKLE], 0.0)
    return hand.points(np.zeros((5, 5))), weight / np.maximum(weight.sum(1, keepdims=True), 1e-12)


def _residual(candidates: F64, rest: F64, weight: F64, view: HandView) -> tuple[F64, F64, F64]:
    """Residuals (T, C, 21, 2) about their mean, turned points (T, C, 21, 3) and their relative depths (T, C, 21)."""
    arm = np.einsum("tcab,kb->tcka", candidates, rest)
    scale = np.maximum(1 + arm[..., 2] / view.distance[:, None, None], 0.2)
    residual = arm[..., :2] / scale[..., None] - view.points[:, None]
    return residual - np.einsum("tk,tcka->tca", weight, residual)[:, :, None], arm, scale


def wrist_cost(candidates: F64, forearm: F64, bent: F64, view: HandView, hand: HandModel) -> F64:
    """(T, C) cost of wrist rotations: the palm's misfit and anatomy.

    Args:
        candidates: (T, C, 3, 3) in the view's axes.
        forearm: (T, 3, 3) in the view's axes, without twist.
        bent: (T,) in [0, 1]: how far the elbow tells the forearm's own turn.
        view, hand: the detections and the hand.
    """
    rest, weight = _palm(view, hand)
    residual, arm, _ = _residual(candidates, rest, weight, view)
    squared = np.minimum((residual**2).sum(-1) * view.weight[:, None], 16.0)
    squared = squared + depth_cost(arm[..., 2], view.depth[:, None])
    misfit = (squared * (weight > 0)[:, None]).sum(-1)
    angles = wrist_angles(forearm.transpose(0, 2, 1)[:, None] @ candidates, hand)
    beyond = angles - np.clip(angles, WRIST_LIMITS[:, 0], WRIST_LIMITS[:, 1])
    strain = (angles / WRIST_SPREAD) ** 2 + np.minimum((beyond / LIMIT_SIGMA) ** 2, 30.0)
    strain[..., 0] *= bent[:, None]
    return np.asarray(misfit + strain.sum(-1))


def best_path(cost: F64, candidates: F64, rows: NDArray[np.int64], fps: float) -> NDArray[np.int64]:
    """Viterbi: which candidate of each frame gives the least cost with the least turning in between.

    Args:
        cost: (N, C) of the frames.
        candidates: (N, C, 3, 3).
        rows: (N,) numbers of the frames; a gap allows more turning.
        fps: frames a second.

    Returns:
        (N,) numbers of candidates.
    """
    total, back = cost[0], []
    for n in range(1, len(cost)):
        turn = candidates[n - 1, :, None].transpose(0, 1, 3, 2) @ candidates[n, None]
        cosine = np.clip((np.trace(turn, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
        sigma = STEP * np.sqrt(float(rows[n] - rows[n - 1]) * 30 / fps)
        step = np.minimum((np.arccos(cosine) / sigma) ** 2, STEP_CAP)  # (C before, C after)
        through = total[:, None] + step
        back.append(through.argmin(0))
        total = through.min(0) + cost[n]
    path = [int(total.argmin())]
    for choice in reversed(back):
        path.append(int(choice[path[-1]]))
    return np.array(path[::-1], np.int64)
