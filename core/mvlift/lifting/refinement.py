"""Refinement: the depth and gravity of a fitted body as the starting point of another sampling pass.

Apparent size is first measured over seconds (``normalise``), so a person who walks away from the camera seems to
shrink, and the networks, trained on bodies of one size, output a leaning
person. A fitted body has one size. Its depth and
gravity describe the same keypoints better, and passes repeat until they agree with the fit that they lead to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from mvlift.lifting.subjects import Subject
from mvlift.typing import F64

__all__ = ["RefinedView", "refined_view"]

NEAREST: Final = 0.3
"""Metres in front of the camera that a root may come."""
DRIFT: Final = 12**0.5
"""Range of a linear drift over its standard deviation, sqrt(12): estimates the range robustly against single frames."""
REPEAT_IF_SCALE_CHANGES: Final = 0.2
"""Change of apparent size over the clip (logarithm) that the first pass missed,"""
REPEAT_IF_TILT_CHANGES: Final = 0.1
"""and radians of gravity, beyond which a second pass is better than the first; below, it only adds sampling noise."""
CONVERGED_SCALE: Final = 0.05
"""The same two thresholds after a refinement pass: scale,"""
CONVERGED_TILT: Final = 0.015
"""and radians of gravity."""


@dataclass(frozen=True, eq=False)
class RefinedView:
    """The fitted body as seen by the camera.

    Attributes:
        depth: (T,) metres of the root in front of the camera, were the body of average size.
        up: (3,) against gravity, camera axes.
    """

    depth: F64
    up: F64

    def differs(self, depth: F64, up: F64, *, first: bool) -> bool:
        """Whether another pass is worth its time.

        Args:
            depth: (T,) metres, the root's depth that the pass started from.
            up: (3,) the up direction that the pass started from.
            first: the pass started from the picture alone.
        """
        size = DRIFT * float(np.std(np.log(self.depth / depth)))
        turn = np.arccos(np.clip(self.up @ up / np.linalg.norm(up), -1, 1))
        if first:
            return bool(size > REPEAT_IF_SCALE_CHANGES or turn > REPEAT_IF_TILT_CHANGES)
        return bool(size > CONVERGED_SCALE or turn > CONVERGED_TILT)


def refined_view(
    points: F64, names: tuple[str, ...], up: F64, subject: Subject, path: F64 | None = None
) -> RefinedView:
    """From a fitted body.

    Args:
        points: (T, K, 3) its keypoints, metres, camera axes.
        names: of the keypoints.
        up: (3,) unit vector against gravity.
        subject: whose bones measure size.
        path: (T, 3) places of a camera that moves, in the axes of ``points``; its depth is the distance to the root.
    """
    at = {name: points[:, i] for i, name in enumerate(names)}
    at["root"] = np.mean([at[name] for name in subject.root], axis=0)
    bones = [*subject.scale_bones, *subject.scale_fallback_bones]
    fitted_length = sum(float(np.median(np.linalg.norm(at[a] - at[b], axis=1))) for a, b, _ in bones)
    average = sum(metres for _, _, metres in bones)
    depth = at["root"][:, 2] if path is None else np.linalg.norm(at["root"] - path, axis=1)
    return RefinedView(np.maximum(depth, NEAREST) * average / max(fitted_length, 1e-6), up)
