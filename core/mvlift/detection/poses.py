"""Poses of a frame: what detectors deliver, and which of them show the same person twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.video import Frame
from mvlift.keypoints.layouts import Layout
from mvlift.typing import F64

__all__ = ["FramePoses", "PoseDetector", "distinct_poses", "pose_sizes"]

State = dict[str, F64]
SAME_POSE: Final = 0.14
"""Mean distance of keypoints, in diagonals of the larger pose, below which two poses are one person's."""
PART_SIZE: Final = 0.65
"""A pose may be a part of another that is larger by more than one over this."""
PART_REACH: Final = 0.08
"""Distance from the larger pose's bones, in its diagonals."""


@dataclass(frozen=True, eq=False)
class FramePoses:
    """The people of one frame.

    Attributes:
        points: (P, J, 2) pixels of ``Frame.image``.
        confidence: (P, J) in [0, 1], 0 = missing.
    """

    points: F64
    confidence: F64

    def __len__(self) -> int:
        return len(self.points)


class PoseDetector(Protocol):
    """Finds the people of a frame. Frames come in order; a detector may follow people from one to the next."""

    @property
    def layout(self) -> Layout:
        """Which keypoint each column is."""
        ...

    def detect(self, frame: Frame) -> FramePoses:
        """The people of a frame."""
        ...

    def reset(self) -> None:
        """Forget the tracked people: the next frame shows another scene."""
        ...

    def state(self) -> State:
        """What is carried from frame to frame, as arrays, for going on later."""
        ...

    def restore(self, state: State) -> None:
        """Go on from what ``state`` gave."""
        ...


def pose_sizes(points: F64, confidence: F64, least: float = 0.3) -> F64:
    """(P,) diagonals of the boxes of the keypoints (P, J, 2) that have at least a confidence; pixels."""
    if not len(points):
        return np.zeros(0)
    seen = (confidence >= np.minimum(least, confidence.max(1, keepdims=True)))[..., None]
    low, high = np.where(seen, points, np.inf).min(1), np.where(seen, points, -np.inf).max(1)
    return np.maximum(np.hypot(*(high - low).T), 1e-6)


def distinct_poses(
    points: F64, confidence: F64, score: F64, layout: Layout
) -> NDArray[np.int64]:  # fmt: skip
    """Non-maximum suppression on poses: numbers of those that are kept, best score first.

    A pose goes when it is close to a better one, left and right exchanged or not. Where the keypoints of a small pose
    lie along the bones of a larger one, the worse of the two goes: the legs of a person detected as another person, or
    a giant stretched over a person.

    Args:
        points: (P, J, 2).
        confidence: (P, J).
        score: (P,).
        layout: of the J keypoints.
    """
    bones = np.array([[layout.index(a), layout.index(b)] for a, b in layout.bones], dtype=np.int64).reshape(-1, 2)
    mirror = layout.mirrored()
    size = pose_sizes(points, confidence)
    kept: list[int] = []
    for i in np.argsort(-score, kind="stable"):
        others = np.array(kept, dtype=np.int64)
        both = points[others], points[others][:, mirror]  # (kept, J, 2)
        weight = np.sqrt(confidence[i] * confidence[others])  # (kept, J)
        apart = [(weight * np.linalg.norm(points[i] - p, axis=-1)).sum(-1) for p in both]
        mean = np.minimum(*apart) / np.maximum(weight.sum(-1), 1e-9)
        if not (mean < SAME_POSE * np.maximum(size[i], size[others])).any():
            kept.append(int(i))
    pairs = [(i, j) for i in kept for j in kept if _is_part(i, j, points, confidence, size, bones)]
    worse = {small if score[small] < score[large] else large for small, large in pairs}
    return np.array([i for i in kept if i not in worse], dtype=np.int64)


def _is_part(
    small: int, large: int, points: F64, confidence: F64, size: F64, bones: NDArray[np.int64]
) -> bool:  # fmt: skip
    """True where a pose lies along the bones of a much larger one."""
    if size[small] > PART_SIZE * size[large]:
        return False
    sure = confidence[large] > 0.3
    visible_bones = bones[sure[bones].all(1)]
    small_points = points[small][confidence[small] > 0.3]
    if not len(visible_bones) or not len(small_points):
        return False
    start, along = (
        points[large][visible_bones[:, 0]],
        points[large][visible_bones[:, 1]] - points[large][visible_bones[:, 0]],
    )
    offset = small_points[:, None] - start  # (own, bones, 2)
    share = np.clip((offset * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9), 0, 1)
    distance = np.linalg.norm(offset - share[..., None] * along, axis=-1).min(1)
    return bool((distance < PART_REACH * size[large]).mean() > 0.8)
