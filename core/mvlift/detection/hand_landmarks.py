"""Hands: a palm detector looks near a body's wrist, a landmark network finds 21 points in a crop of the hand.

Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.crops import Crop, sample
from mvlift.detection.models import Network
from mvlift.detection.ssd import anchors, decode, merge
from mvlift.typing import F64

__all__ = ["HAND_POINTS", "Hand", "HandLandmarks", "Wrist"]

U8 = NDArray[np.uint8]
HAND_POINTS: Final = 21
_STRIDES: Final = (8, 16, 16, 16)
_LEAST_SCORE: Final = 0.5
_LEAST_PRESENCE: Final = 0.5
_SEARCHED: Final = 5.0
"""Side of the square in which a palm is searched, in lengths from the wrist to the knuckles."""
_PALM_ROOM, _PALM_SHIFT = 2.6, 0.5
"""A hand's crop in sides of its palm's box, and how far it lies towards the fingers."""
_HAND_ROOM, _HAND_SHIFT = 2.0, 0.1
_WRIST_SLIP: Final = 1.5
"""A hand's wrist lies no further from the body's than this, in lengths from the wrist to the knuckles."""
_WRIST, _INDEX, _MIDDLE, _RING = 0, 6, 10, 14
_PARTIAL: Final = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Landmarks whose box gives the next crop: the hand without the fingers' ends."""


@dataclass(frozen=True, eq=False)
class Wrist:
    """Where a body's pose has a hand.

    Attributes:
        wrist, knuckles: (2,) pixels.
        length: between both where the hand is seen from the front, pixels.
    """

    wrist: F64
    knuckles: F64
    length: float


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand.

    Attributes:
        points: (21, 2) pixels: wrist, then thumb, index, middle, ring, little finger from base to tip.
        presence: that there is a hand, in [0, 1].
        following: the crop for the next frame.
    """

    points: F64
    presence: float
    following: Crop


class HandLandmarks:
    """Finds the 21 points of a hand near a wrist.

    Args:
        threads: of the networks.
    """

    def __init__(self, threads: int = 1) -> None:
        self._palms = Network("palm_detection_full", (0, 1), threads)
        self._anchors = anchors(self._palms.size, _STRIDES)
        self._network = Network("hand_landmark_full", (0, 1), threads)

    def find(self, image: U8, wrist: Wrist, last: Crop | None) -> Hand | None:
        """The hand at a wrist, or None.

        Args:
            image: (H, W, 4).
            wrist: of the body in this picture.
            last: crop that the picture before asked for.
        """
        if wrist.length < 2:
            return None
        for crop in (last, self._palm(image, wrist)) if last is not None else (self._palm(image, wrist),):
            hand = None if crop is None else self._landmarks(image, crop)
            if hand is not None and self._fits(hand, wrist):
                return hand
        return None

    def _fits(self, hand: Hand, wrist: Wrist) -> bool:
        slip = float(np.linalg.norm(hand.points[_WRIST] - wrist.wrist))
        return hand.presence >= _LEAST_PRESENCE and slip < _WRIST_SLIP * wrist.length

    def _palm(self, image: U8, wrist: Wrist) -> Crop | None:
        """The crop of the hand whose palm is nearest to where the body has it."""
        side, middle = self._palms.size, (wrist.wrist + wrist.knuckles) / 2
        view = Crop(float(middle[0]), float(middle[1]), _SEARCHED * wrist.length)
        raw, logits = self._palms(sample(image, view, side, outside_black=True))
        boxes = merge(decode(raw, logits, self._anchors, side, _LEAST_SCORE))
        if not len(boxes.score):
            return None
        points = view.to_picture(boxes.points)  # (N, 7, 2): wrist, knuckles of index, middle, ring, little finger, ...
        best = int(np.linalg.norm(points[:, 0] - wrist.wrist, axis=-1).argmin())
        low, high = view.to_picture(boxes.corners[best].reshape(2, 2))
        angle = Crop.between(points[best, 0], points[best, 2], 1.0).angle
        return _towards_fingers((low + high) / 2, float((high - low).max()), angle, _PALM_ROOM, _PALM_SHIFT)

    def _landmarks(self, image: U8, crop: Crop) -> Hand:
        side = self._network.size
        flat, flag = self._network(sample(image, crop, side))
        points = crop.to_picture(flat.reshape(-1, 3)[:, :2].astype(np.float64) / side)
        return Hand(points, float(flag[0]), _next_crop(points))


def _towards_fingers(middle: F64, size: float, angle: float, room: float, shift: float) -> Crop:
    x, y = middle - shift * size * Crop(0, 0, 1, angle).axes[1]
    return Crop(float(x), float(y), room * size, angle)


def _next_crop(points: F64) -> Crop:
    """The square round a hand (21, 2), upright by its fingers."""
    fingers = (points[_INDEX] + points[_RING]) / 4 + points[_MIDDLE] / 2
    axes = Crop.between(points[_WRIST], fingers, 1.0)
    local = points[list(_PARTIAL)] @ axes.axes.T
    low, high = local.min(0), local.max(0)
    middle = (low + high) / 2 @ axes.axes
    return _towards_fingers(middle, float((high - low).max()), axes.angle, _HAND_ROOM, _HAND_SHIFT)
