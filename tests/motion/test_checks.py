"""What the panel says about keypoints that do not fit their video."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout

from mvlift_blender.importing.checks import VideoFacts, compare, suggested_size


def clip(low=(100, 80), high=(1200, 700), frames=150):
    """A clip whose keypoints fill a box of pixels."""
    layout = get_layout("coco17")
    rng = np.random.default_rng(0)
    points = rng.uniform(low, high, (frames, len(layout.names), 2)).astype(np.float32)
    return KeypointClip(points, np.ones(points.shape[:2], np.float32), layout)


HD = VideoFacts((1280, 720), Fraction(30), 150)


def test_what_fits_is_not_talked_about():
    assert compare([clip()], (1280, 720), Fraction(30), HD) == []
    assert compare([clip()], (1280, 720), Fraction(30)) == []


def test_keypoints_outside_the_picture_and_the_size_that_holds_them():
    (finding,) = compare([clip(high=(1900, 1050))], (1280, 720), Fraction(30))
    assert "outside the picture of 1280 x 720" in finding.text
    assert (finding.fix, finding.size) == ("Use 1920 x 1080", (1920, 1080))
    (finding,) = compare([clip(high=(1900, 1050))], (1280, 720), None, VideoFacts((1920, 1080), None, 1))[:1]
    assert finding.size == (1920, 1080)


def test_keypoints_in_a_corner_come_from_a_smaller_copy():
    (finding,) = compare(
        [clip(low=(20, 20), high=(900, 500))], (1920, 1080), Fraction(30), VideoFacts((1920, 1080), Fraction(30), 150)
    )
    assert "smaller copy" in finding.text
    assert finding.size == (960, 540)


@pytest.mark.parametrize(("size", "fix"), [((960, 720), (1280, 720)), ((720, 1280), (1280, 720))])
def test_another_shape_than_the_videos(size, fix):
    finding = compare([clip(high=(700, 700))], size, Fraction(30), HD)
    assert any(f.size == fix and "video is 1280 x 720" in f.text for f in finding), finding


@pytest.mark.parametrize(
    ("frames", "stated", "video", "rate", "says"),
    [
        (150, 30, 300, Fraction(15), "one frame in 2 was detected"),
        (300, 30, 150, Fraction(60), "the video has 150 frames"),
        (150, 25, 150, Fraction(30), "The video has 30 frames a second, the keypoints 25"),
    ],
)
def test_counts_and_rates_that_differ(frames, stated, video, rate, says):
    (finding,) = compare(
        [clip(frames=frames)], (1280, 720), Fraction(stated), VideoFacts((1280, 720), Fraction(30), video)
    )
    assert says in finding.text
    assert finding.fps == rate


def test_a_short_tail_is_said_without_a_button():
    (finding,) = compare([clip(frames=100)], (1280, 720), Fraction(30), HD)
    assert (finding.fix, "end with frame 99 of 150" in finding.text) == ("", True)


def test_a_variable_rate_with_other_counts_suggests_the_mean_rate():
    video = VideoFacts((1280, 720), Fraction(30), 58, True)
    findings = compare([clip(frames=30)], (1280, 720), Fraction(30), video)
    assert any("variable frame rate" in f.text for f in findings)
    (finding,) = [f for f in findings if "58 frames, the keypoints 30" in f.text]
    assert "varies" in finding.text
    assert float(finding.fps) == pytest.approx(15.517, abs=1e-3)


def test_a_variable_rate_is_said():
    (finding,) = compare([clip()], (1280, 720), Fraction(30), VideoFacts((1280, 720), Fraction(30), 150, True))
    assert "variable frame rate" in finding.text


@pytest.mark.parametrize(
    ("high", "size"),
    [((1200, 700), (1280, 720)), ((700, 1200), (720, 1280)), ((1900, 1000), (1920, 1080)), ((500, 300), (640, 360))],
)
def test_the_suggested_size_is_the_smallest_usual_one(high, size):
    assert suggested_size([clip(high=high)], True) == size
    assert suggested_size([clip(high=high)], False) == (1920, 1080)
