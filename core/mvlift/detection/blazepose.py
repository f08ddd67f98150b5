"""BlazePose: a person detector finds bodies, a landmark network finds 33 points in a crop of each.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020. The networks are the published files; the
steps around them (anchors, crops, refinement by heat maps) follow the paper and the model cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.crops import Crop, letterbox, sample
from mvlift.detection.models import Network
from mvlift.detection.ssd import Boxes, anchors, decode, merge
from mvlift.typing import F32, F64

__all__ = ["BodyPose", "PersonFinder", "PoseLandmarks", "crops_agree", "search_views"]

U8 = NDArray[np.uint8]
_STRIDES: Final = (8, 16, 32, 32, 32)
_LEAST_SCORE: Final = 0.5
_ROOM: Final = 1.25
"""Side of a crop in diameters of the circle round a body."""
_BODY_POINTS: Final = 33
_MIDDLE, _RADIUS = 33, 34
"""Auxiliary landmarks: the middle of the hips, and a point on the circle round the body, above the head."""
_KERNEL: Final = 3
"""Cells to each side of a landmark in its heat map that refine it."""
_LEAST_HEAT: Final = 0.5
_LONG_PICTURE: Final = 1.5
"""Longer side over shorter side from which on a picture is also searched in squares."""
_WHOLE: Final = 0.7
"""Share of the radius of a body's circle that must lie inside a square that is searched."""


@dataclass(frozen=True, eq=False)
class BodyPose:
    """A body in a crop.

    Attributes:
        points: (33, 2) pixels.
        confidence: (33,) in [0, 1].
        presence: that there is a body.
        following: the crop for the next frame.
    """

    points: F64
    confidence: F64
    presence: float
    following: Crop


class PersonFinder:
    """Finds bodies anywhere in a picture.

    A long picture is searched as a whole and in overlapping squares, in which people are larger.

    Args:
        threads: of the network.
    """

    def __init__(self, threads: int = 1) -> None:
        self._network = Network("pose_detection", (0, 1), threads)
        self._anchors = anchors(self._network.size, _STRIDES)

    def find(self, overview: U8, view_numbers: list[int]) -> list[Crop]:
        """Crops round the bodies in some of the views of a picture, without repeats.

        Args:
            overview: (H, W, 4).
            view_numbers: counted round and round through the views.
        """
        views = search_views(overview.shape[1], overview.shape[0])
        crops: list[Crop] = []
        for number in sorted({n % len(views) for n in view_numbers}):
            for crop in self._in_view(overview, views[number]):
                if not any(crops_agree(crop, other) for other in crops):
                    crops.append(crop)
        return crops

    def _in_view(self, overview: U8, view: Crop) -> list[Crop]:
        side = self._network.size
        picture = 2 * sample(overview, view, side, outside_black=True) - 1
        raw, logits = self._network(picture)
        boxes: Boxes = merge(decode(raw, logits, self._anchors, side, _LEAST_SCORE))
        points = view.to_picture(boxes.points)  # (N, 4, 2): hips, circle of the body, shoulders, circle of the trunk
        crops = [Crop.between(p[0], p[1], _ROOM) for p in points]
        return [c for c in crops if _lies_within(c, view, overview.shape[1], overview.shape[0])]


def _lies_within(crop: Crop, view: Crop, width: int, height: int) -> bool:
    """False for a body that is cut off by a border of the view inside the picture: only a part of a person."""
    radius = _WHOLE * crop.size / 2 / _ROOM
    for at, middle, extent in ((crop.x, view.x, width), (crop.y, view.y, height)):
        low, high = middle - view.size / 2, middle + view.size / 2
        if (low > 0.5 and at - radius < low) or (high < extent - 0.5 and at + radius > high):
            return False
    return True


def search_views(width: int, height: int) -> list[Crop]:
    """The whole picture, then squares along it where it is long."""
    views = [letterbox(width, height)]
    long, short = max(width, height), min(width, height)
    if long < _LONG_PICTURE * short:
        return views
    for at in np.linspace(short / 2, long - short / 2, 3):
        x, y = (at, height / 2) if width > height else (width / 2, at)
        views.append(Crop(float(x), float(y), float(short)))
    return views


def crops_agree(a: Crop, b: Crop) -> bool:
    """True for crops of nearly the same place and size."""
    apart, larger = np.hypot(a.x - b.x, a.y - b.y), max(a.size, b.size)
    return bool(apart < 0.2 * larger and larger < 1.6 * min(a.size, b.size))


class PoseLandmarks:
    """Finds the 33 points of the body in a crop.

    Args:
        name: of the network in the lock.
        threads: of the network.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._network = Network(name, (0, 1, 3), threads)

    def find(self, image: U8, crop: Crop) -> BodyPose:
        """The body in a crop of a picture (H, W, 4)."""
        side = self._network.size
        flat, flag, heat = self._network(sample(image, crop, side))
        table = flat.reshape(-1, 5).astype(np.float64)  # x, y, z in the crop's pixels, visibility, presence
        local = _refined(table[:, :2] / side, heat)
        points = crop.to_picture(local)
        scores = 1 / (1 + np.exp(-np.clip(table[:, 3:], -50, 50)))
        return BodyPose(
            points=points[:_BODY_POINTS],
            confidence=scores[:_BODY_POINTS].min(1),
            presence=float(flag[0]),
            following=Crop.between(points[_MIDDLE], points[_RADIUS], _ROOM),
        )


def _refined(local: F64, heat: F32) -> F64:
    """Landmarks moved to the centre of the heat about them, where there is any.

    Args:
        local: (L, 2) in [0, 1].
        heat: (h, w, L) logits.
    """
    height, width, landmarks = heat.shape
    column, row = (np.floor(local[:, a] * n).astype(np.int64) for a, n in ((0, width), (1, height)))
    steps = np.arange(-_KERNEL, _KERNEL + 1)
    x, y = column[:, None] + steps, row[:, None] + steps  # (L, 7)
    inside = ((x >= 0) & (x < width))[:, None, :] & ((y >= 0) & (y < height))[:, :, None]
    logits = heat[np.clip(y, 0, height - 1)[:, :, None], np.clip(x, 0, width - 1)[:, None, :],
                  np.arange(landmarks)[:, None, None]]  # fmt: skip
    warmth = np.where(inside, 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -50, 50))), 0.0)  # (L, 7, 7)
    total = np.maximum(warmth.sum((1, 2)), 1e-12)
    centre = np.stack([(warmth.sum(1) * x).sum(1) / width, (warmth.sum(2) * y).sum(1) / height], -1) / total[:, None]
    here = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where((here & (warmth.max((1, 2)) >= _LEAST_HEAT))[:, None], centre, local)
