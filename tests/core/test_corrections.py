"""Keypoints corrected by hand: what changes, what stays, and that nothing is lost on the way to text and back."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift.keypoints.cleaning import clean_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.corrections import Corrections, corrected
from mvlift.keypoints.layouts import get_layout


def clip(frames: int = 20, first: int = 100) -> KeypointClip:
    """Keypoint j of frame t at (10 j + t, 5 j)."""
    layout = get_layout("coco17")
    t, j = np.meshgrid(np.arange(frames), np.arange(17), indexing="ij")
    points = np.stack([10.0 * j + t, 5.0 * j], -1).astype(np.float32)
    return KeypointClip(points, np.full((frames, 17), 0.5, np.float32), layout, first_frame=first)


def test_a_corrected_keypoint_has_full_weight_and_the_others_stay() -> None:
    detected = clip()
    got = corrected(detected, Corrections().with_point(105, "l_knee", (300.0, 200.0)).with_point(106, "nose", None))
    knee, nose = detected.layout.index("l_knee"), detected.layout.index("nose")
    np.testing.assert_array_equal(got.points[5, knee], [300, 200])
    assert (got.confidence[5, knee], got.confidence[6, nose]) == (1.0, 0.0)
    changed = np.zeros_like(detected.confidence, bool)
    changed[5, knee] = changed[6, nose] = True
    np.testing.assert_array_equal(got.points[~changed], detected.points[~changed])
    np.testing.assert_array_equal(got.confidence[~changed], detected.confidence[~changed])


def test_sides_are_exchanged_in_the_frames_and_twice_is_not_at_all() -> None:
    detected = clip()
    swap = Corrections().with_swap(103, 104)
    got = corrected(detected, swap)
    left, right = detected.layout.index("l_ankle"), detected.layout.index("r_ankle")
    np.testing.assert_array_equal(got.points[3:5, left], detected.points[3:5, right])
    np.testing.assert_array_equal(got.points[3:5, right], detected.points[3:5, left])
    np.testing.assert_array_equal(got.points[[2, 5]], detected.points[[2, 5]])
    np.testing.assert_array_equal(got.points[:, 0], detected.points[:, 0])
    assert not swap.with_swap(103, 104)


def test_tracking_follows_the_detector_between_two_corrections() -> None:
    detected = clip()
    knee = detected.layout.index("l_knee")
    begin, end = detected.points[2, knee] + [4, 0], detected.points[10, knee] + [0, 8]
    fixed = Corrections().with_point(102, "l_knee", tuple(begin.tolist()))
    fixed = fixed.with_point(110, "l_knee", tuple(end.tolist())).tracked(detected, "l_knee", 102, 110)
    got = corrected(detected, fixed)
    middle = detected.points[6, knee] + [2, 4]
    np.testing.assert_allclose(got.points[6, knee], middle, atol=1e-4)
    assert fixed.frames == tuple(range(102, 111))
    with pytest.raises(KeypointError, match="not corrected in frames 102 and 111"):
        fixed.tracked(detected, "l_knee", 102, 111)


def test_where_the_detector_lost_it_the_way_is_straight() -> None:
    detected = clip()
    knee = detected.layout.index("l_knee")
    confidence = detected.confidence.copy()
    confidence[2:11, knee] = 0
    lost = KeypointClip(detected.points, confidence, detected.layout, first_frame=100)
    fixed = Corrections().with_point(102, "l_knee", (0.0, 0.0)).with_point(106, "l_knee", (8.0, 4.0))
    got = corrected(lost, fixed.tracked(lost, "l_knee", 102, 106))
    np.testing.assert_allclose(got.points[2:7, knee], [[0, 0], [2, 1], [4, 2], [6, 3], [8, 4]])


def test_cleaning_leaves_what_was_corrected_where_it_is() -> None:
    detected = clip(60)
    knee = detected.layout.index("l_knee")
    place = tuple((detected.points[30, knee] + [400, 0]).tolist())
    fixed = corrected(detected, Corrections().with_point(130, "l_knee", place))
    plain = KeypointClip(fixed.points, fixed.confidence, fixed.layout, first_frame=100)
    assert clean_clip(plain).confidence[30, knee] < 0.3  # an outlier, if nobody had put it there
    clean = clean_clip(fixed)
    np.testing.assert_allclose(clean.points[30, knee], place)
    assert clean.confidence[30, knee] == 1.0


def test_text_and_back_forgetting_and_extent() -> None:
    made = Corrections().with_point(105, "nose", (1.25, 2.5)).with_point(120, "nose", None).with_swap(3, 9)
    assert Corrections.from_json(made.to_json()) == made
    assert Corrections.from_json("") == Corrections()
    assert made.extent() == (3, 120)
    assert made.without(100, 110).frames == (120,)
    assert made.without(5, 6).swaps == ()
    for wrong in ("[", "{}", '{"points": [[1]], "swaps": []}'):
        with pytest.raises(KeypointError, match="cannot be read"):
            Corrections.from_json(wrong)
    with pytest.raises(KeypointError, match="no keypoint 'tail'"):
        corrected(clip(), Corrections().with_point(105, "tail", None))
