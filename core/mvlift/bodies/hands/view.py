"""A hand as its camera sees it: detections about the wrist's ray, in metres at the hand's own distance.

The distance comes from the hand's apparent size: the largest singular value of the affine map from the palm's plane to
the picture is its scale, whichever way the palm is turned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.model import HandModel
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.rotations import looking_at
from mvlift.typing import F64

__all__ = ["HandView", "depth_cost", "palm_maps", "view_hand"]


PALM: Final = np.array([0, 1, 5, 9, 13, 17])
"""Keypoints that do not move in the palm: wrist, base of the thumb, knuckles."""
PALM_SHARE: Final = np.array([1.0, 0.5, 1.0, 1.0, 1.0, 1.0])
"""Their weights: the base of the thumb is not a precise point."""
THUMB_KNUCKLE: Final = 2
"""Stands in for the base of the thumb where only a body detector's three hand points are given."""
POINT_SIGMA: Final = 0.005
"""Metres at the hand: how well a sure keypoint is known at best,"""
PIXEL_SIGMA: Final = 0.8
"""and pixels."""
SCALE_SECONDS: Final = 0.25
"""Time over which apparent size is averaged."""
SCALE_SIGMA: Final = 0.10
"""How far the logarithm of a hand's distance may be off the body's, beside a constant factor of the clip."""
DEPTH_SIGMA: Final = 0.035
"""Metres by which a detector's guess of a keypoint's depth is off,"""
DEPTH_CAP: Final = 1.5
"""and the most that one keypoint's counts."""
SMALL_PALM: Final = (6.0, 16.0)
"""Pixels from wrist to knuckles: the fingers' weight is 0 below the first and 1 above the second."""
DOUBTFUL: Final = (0.15, 0.45)
"""The same for the mean confidence of a hand's keypoints."""


@dataclass(frozen=True, eq=False)
class HandView:
    """Detections of one hand, turned so that its wrist lies on the optical axis.

    Attributes:
        points: (T, 21, 2) metres from the wrist at the wrist's distance, x right, y down; 0 where missing.
        weight: (T, 21) confidence / variance (1 / square metre), 0 where missing.
        turn: (T, 3, 3) from the camera's axes to the view's.
        distance: (T,) metres to a wrist of the model's size.
        quality: (T,) in [0, 1] weight of the finger detections.
        seen: (T,) the palm's orientation can be determined.
        depth: (T, 21) metres behind the wrist as the detector guesses them, NaN where it does not; a weak hint.
    """

    points: F64
    weight: F64
    turn: F64
    distance: F64
    quality: F64
    seen: NDArray[np.bool_]
    depth: F64

    def rows(self, rows: NDArray[np.int64]) -> HandView:
        """Some of the frames."""
        return HandView(
            self.points[rows],
            self.weight[rows],
            self.turn[rows],
            self.distance[rows],
            self.quality[rows],
            self.seen[rows],
            self.depth[rows],
        )

    def project(self, points: F64) -> F64:
        """(T, ..., 2) metres at the wrist's distance of points (T, ..., 3) from the wrist in the view's axes."""
        distance = self.distance.reshape(-1, *[1] * (points.ndim - 2))
        return np.asarray(points[..., :2] / np.maximum(1 + points[..., 2] / distance, 0.2)[..., None])


def depth_cost(depth: F64, hint: F64) -> F64:
    """(..., K) cost of depths (..., K) against a detector's guesses, 0 where there are none."""
    cost = np.minimum(((depth - hint) / DEPTH_SIGMA) ** 2, DEPTH_CAP)
    return np.where(np.isfinite(cost), cost, 0.0)


def palm_maps(points: F64, weight: F64, hand: HandModel) -> tuple[F64, F64]:
    """Affine maps from the palm's plane to the picture.

    Args:
        points: (T, 21, 2).
        weight: (T, 21).
        hand: whose palm.

    Returns:
        (T, 2, 2) columns: images of the distal and the radial axis; and (T,) how well it is determined: the smallest
        spread of the palm's seen points, square metres.
    """
    rest = hand.points(np.zeros((5, 5)))
    plane = rest @ hand.axes[[0, 2]].T
    share = np.zeros(len(rest))
    share[PALM] = PALM_SHARE
    used = weight * share
    bare = used[:, 1] == 0
    used[:, THUMB_KNUCKLE] = np.where(bare, 0.3 * weight[:, THUMB_KNUCKLE], 0.0)
    total = np.maximum(used.sum(1), 1e-12)
    used = used / total[:, None]
    flat = plane[None] - np.einsum("tk,ka->ta", used, plane)[:, None]
    seen = points - np.einsum("tk,tka->ta", used, points)[:, None]
    moment = np.einsum("tk,tka,tkb->tab", used, flat, flat)
    cross = np.einsum("tk,tka,tkb->tab", used, seen, flat)
    spread = np.linalg.eigvalsh(moment)[:, 0]
    return cross @ np.linalg.inv(moment + 1e-9 * np.eye(2)), spread


def view_hand(
    hand: HandModel,
    points: F64,
    confidence: F64,
    wrist: F64,
    K: F64,
    fps: float,
    depth: F64 | None = None,
) -> HandView:
    """Prepare the detections of one hand.

    Args:
        hand: the body's hand.
        points: (T, 21, 2) pixels.
        confidence: (T, 21) in [0, 1], 0 = missing.
        wrist: (T, 3) the body's wrist in the camera's axes, metres.
        K: (3, 3) intrinsics.
        fps: frames a second.
        depth: (T, 21) pixels behind the wrist, NaN where not known; or None.
    """
    focal, centre = float(K[0, 0]), K[:2, 2]
    there = confidence > 0
    rays = np.concatenate([(points - centre) / focal, np.ones((*points.shape[:2], 1))], -1)
    body = wrist / np.maximum(wrist[:, 2:], 0.1)
    turn = looking_at(np.where(there[:, :1], rays[:, 0], body))
    local = np.einsum("tab,tkb->tka", turn, rays)
    flat = np.where(there[..., None], local[..., :2] / np.maximum(local[..., 2:], 0.1), 0.0)
    maps, spread = palm_maps(flat, confidence, hand)
    seen = (spread > 1e-4) & (there[:, PALM].sum(1) + there[:, THUMB_KNUCKLE] >= 3)
    usual = np.maximum(np.linalg.norm(wrist, axis=1), 0.1)
    scale = np.asarray(np.linalg.svd(maps, compute_uv=False)[:, 0], np.float64)
    distance = _distances(scale, seen, confidence, usual, focal, fps)
    sigma = np.hypot(POINT_SIGMA, PIXEL_SIGMA * distance / focal)
    length = float(np.linalg.norm(hand.knuckles[2])) * focal / distance
    sure = confidence.sum(1) / np.maximum(there.sum(1), 1)
    quality = _ramp(length, *SMALL_PALM) * _ramp(sure, *DOUBTFUL) * (there[:, 1:].sum(1) >= 8)
    return HandView(
        points=flat * distance[:, None, None],
        weight=confidence / sigma[:, None] ** 2,
        turn=turn,
        distance=distance,
        quality=np.clip(gaussian_filter1d(quality.astype(np.float64), 0.04 * fps), 0, 1),
        seen=seen & (_ramp(length, 0.5 * SMALL_PALM[0], SMALL_PALM[0]) > 0),
        depth=np.full(points.shape[:2], np.nan) if depth is None else depth * (distance / focal)[:, None],
    )


def _ramp(values: F64, low: float, high: float) -> F64:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def _distances(scale: F64, seen: NDArray[np.bool_], confidence: F64, usual: F64, focal: float, fps: float) -> F64:
    """(T,) metres to the wrist, from apparent size where the palm is seen, near the body's distance times a factor."""
    if not seen.any():
        return usual
    measured = -np.log(np.maximum(scale, 1e-6))
    offset = np.where(seen, measured - np.log(usual), 0.0)
    common = float(np.clip(np.median(offset[seen]), -0.6, 0.6))
    # the largest of two noisy singular values is biased upwards by about the noise, which matters for small palms
    weight = np.where(seen, confidence[:, PALM].mean(1), 0.0) / 0.07**2
    deviation = (offset - common) / SCALE_SIGMA
    weight = weight / (1 + (deviation / 2) ** 2) ** 2
    width = SCALE_SECONDS * fps
    top = gaussian_filter1d(weight * (offset - common), width)
    bottom = gaussian_filter1d(weight, width) + 1 / SCALE_SIGMA**2
    return np.asarray(usual * np.exp(common + top / bottom))
