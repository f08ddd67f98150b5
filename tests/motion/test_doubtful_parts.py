"""Which parts of a motion are to be looked at, on a motion with faults put into it by hand."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "blender"))

from synthetic_motion import walk

from mvlift_blender.motion.doubts import find_doubts, merged_runs


def doubts_of(motion):
    return [(d.kind, d.first, d.last, d.worst, d.joint) for d in find_doubts(motion, 0.25, 29.0)]


@pytest.fixture
def motion():
    made = walk(120)
    return replace(made, keypoints=made.keypoints.copy(), rotations=made.rotations.copy())


def test_a_plain_walk_is_not_doubted(motion):
    assert doubts_of(motion) == []


def test_low_confidence_and_misses(motion):
    motion.keypoint_confidence[20:30] = 0.1
    motion.keypoint_confidence[24] = 0.05
    motion.reprojection_error[50:] = 300
    assert doubts_of(motion) == [("CONFIDENCE", 20, 29, 24, ""), ("ERROR", 50, 119, 50, "")]
    assert find_doubts(motion, 0.25, 29.0)[0].value == pytest.approx(0.05)


def test_a_hand_that_jumps_for_a_frame(motion):
    hand = motion.keypoint_names.index("left_wrist")
    motion.keypoints[40, hand] += [0.2, 0, 0]
    assert doubts_of(motion) == [("JUMP", 39, 41, 40, "left_wrist")]


def test_a_joint_that_flips(motion):
    elbow = motion.joint_names.index("left_elbow")
    motion.rotations[70:, elbow] += [2.0, 0, 0]
    assert doubts_of(motion) == [("JUMP", 70, 70, 70, "left_elbow")]


def test_feet_below_the_floor(motion):
    foot = motion.keypoint_names.index("right_foot")
    motion.keypoints[90:100, foot, 2] = -0.06
    motion.keypoints[95, foot, 2] = -0.09
    kinds = [row for row in doubts_of(motion) if row[0] == "FLOOR"]
    assert kinds == [("FLOOR", 90, 99, 95, "right_foot")]


def test_a_faster_camera_sees_the_same_jump():
    from fractions import Fraction

    made = walk(240, Fraction(120))
    assert doubts_of(made) == []


def test_runs_near_each_other_are_one():
    mask = np.zeros(20, bool)
    mask[[2, 3, 6, 12]] = True
    assert merged_runs(mask) == [(2, 6), (12, 12)]
    assert merged_runs(mask, 0) == [(2, 3), (6, 6), (12, 12)]
