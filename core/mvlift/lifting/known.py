"""What a first lift knows that the first look at the picture did not: how far away the root is, and which way is up.

Apparent size is first measured over seconds (``normalise``), so whoever walks away from the camera seems to shrink, and
the networks, who only know people of one size, let them lean. A fitted body has one size. Its distance and its gravity
make a second look at the same keypoints a better one, and looks go on until they agree with what they lead to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.lifting.subjects import Subject

__all__ = ["KnownView", "known_view"]

FloatArray = NDArray[np.float64]
NEAREST: Final = 0.3
"""Metres in front of the camera that a root may come."""
DRIFT: Final = 12**0.5
"""Range of an even drift over its standard deviation, which a few odd frames of a long clip do not decide."""
OTHER_SIZE: Final = 0.2
"""Change of apparent size over the clip (its logarithm) that the first look missed,"""
OTHER_TILT: Final = 0.1
"""and radians of gravity, beyond which a second look is better than the first; below, it only draws again."""
SETTLED_SIZE: Final = 0.05
"""The same for a look after the second,"""
SETTLED_TILT: Final = 0.015
"""whose gravity is near enough to the one that its lift leads to."""


@dataclass(frozen=True, eq=False)
class KnownView:
    """How the camera sees the body.

    Attributes:
        depth: (T,) metres of the root in front of the camera, were the body of average size.
        up: (3,) against gravity, camera axes.
    """

    depth: FloatArray
    up: FloatArray

    def differs(self, depth: FloatArray, up: FloatArray, *, first: bool) -> bool:
        """Whether a look is worth repeating.

        Args:
            depth: (T,) metres that it took the root's distance to be.
            up: (3,) what it took for up.
            first: it knew no more than the picture.
        """
        size = DRIFT * float(np.std(np.log(self.depth / depth)))
        turn = np.arccos(np.clip(self.up @ up / np.linalg.norm(up), -1, 1))
        if first:
            return bool(size > OTHER_SIZE or turn > OTHER_TILT)
        return bool(size > SETTLED_SIZE or turn > SETTLED_TILT)


def known_view(points: FloatArray, names: tuple[str, ...], up: FloatArray, subject: Subject) -> KnownView:
    """From a fitted body.

    Args:
        points: (T, K, 3) its keypoints, metres, camera axes.
        names: of the keypoints.
        up: (3,) unit vector against gravity.
        subject: whose bones measure size.
    """
    at = {name: points[:, i] for i, name in enumerate(names)}
    at["root"] = np.mean([at[name] for name in subject.root], axis=0)
    bones = [*subject.scale_bones, *subject.scale_fallback_bones]
    own = sum(float(np.median(np.linalg.norm(at[a] - at[b], axis=1))) for a, b, _ in bones)
    average = sum(metres for _, _, metres in bones)
    return KnownView(np.maximum(at["root"][:, 2], NEAREST) * average / max(own, 1e-6), up)
