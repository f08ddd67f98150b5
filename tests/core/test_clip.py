"""KeypointClip: what it accepts, what it refuses, gaps and ranges."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout

LAYOUT = get_layout("openpose24")


def clip(frames: int = 6, **changes: object) -> KeypointClip:
    points = np.ones((frames, 24, 2)) * 100
    confidence = np.full((frames, 24), 0.5)
    return KeypointClip(**{"points": points, "confidence": confidence, "layout": LAYOUT, **changes})


def test_missing_points_become_zero_and_confidence_is_clamped() -> None:
    points = np.ones((1, 24, 2))
    points[0, 3] = np.nan
    confidence = np.full((1, 24), 1.7)
    confidence[0, 4] = -1
    made = clip(1, points=points, confidence=confidence)
    assert made.confidence[0, 3] == 0
    assert made.confidence[0, 4] == 0
    assert made.points[0, 3].tolist() == [0, 0]
    assert made.confidence.max() == 1


def test_gaps_are_frame_numbers_of_the_video() -> None:
    confidence = np.ones((7, 24))
    confidence[[0, 3, 4]] = 0
    assert clip(7, confidence=confidence, first_frame=100).gaps() == [(100, 100), (103, 104)]


def test_a_range_keeps_frame_numbers() -> None:
    part = clip(10, first_frame=5).restricted(7, 9)
    assert (part.first_frame, len(part)) == (7, 3)
    with pytest.raises(KeypointError, match="5 to 14"):
        clip(10, first_frame=5).restricted(20, 30)


@pytest.mark.parametrize(
    "changes",
    [
        {"points": np.ones((6, 17, 2))},
        {"confidence": np.ones((6, 2))},
        {"fps": Fraction(0)},
        {"image_size": (0, 10)},
    ],
)
def test_wrong_shapes_and_values_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(KeypointError):
        clip(6, **changes)
