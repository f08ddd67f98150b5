"""Cleaning: outliers go, short gaps are filled, long ones are not, sides are put right, confidence is believed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from mvlift.keypoints.cleaning import clean_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64
from scenes import walking_people

LAYOUT = get_layout("coco17")
FRAMES = 90


def truth(frames: int = FRAMES, fps: int = 30) -> F64:
    path = np.stack([np.linspace(400, 900, frames), np.full(frames, 500.0)], 1)
    return walking_people(path[None], (300.0,), fps=fps)[0]


def clip_of(points: F64, confidence: F64 | None = None, fps: Fraction | int = 30) -> KeypointClip:
    sure = np.full(points.shape[:2], 0.9) if confidence is None else confidence
    return KeypointClip(points, sure, LAYOUT, fps=Fraction(fps))  # type: ignore[arg-type]


def counts(clip: KeypointClip) -> dict[str, int]:
    return dict(clip.metadata["cleaned"])  # type: ignore[call-overload]


def test_outliers_lose_their_confidence_and_their_pull() -> None:
    points = truth()
    wrist = LAYOUT.index("l_wrist")
    bad = np.array([10, 11, 40, 70])
    wild = points.copy()
    wild[bad, wrist] += [180, -120]
    clean = clean_clip(clip_of(wild))
    assert np.linalg.norm(clean.points[bad, wrist] - points[bad, wrist], axis=1).max() < 15
    assert (clean.confidence[bad, wrist] < 0.45).all()
    assert counts(clean)["outliers"] == 4
    others = np.delete(np.arange(17), wrist)
    assert (clean.confidence[:, others] > 0.8).all()


def test_confidence_decides_between_two_stories() -> None:
    """The same displaced detections are followed when sure and passed over when hardly seen."""
    points = truth()
    knee = LAYOUT.index("r_knee")
    moved = points.copy()
    moved[40:44, knee] += [25, 0]
    errors = []
    for sure in (0.95, 0.05):
        confidence = np.full((FRAMES, 17), 0.9)
        confidence[40:44, knee] = sure
        clean = clean_clip(clip_of(moved, confidence))
        errors.append(np.linalg.norm(clean.points[41:43, knee] - moved[41:43, knee], axis=1).mean())
    assert errors[0] < 9
    assert errors[1] > 1.7 * errors[0]


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_short_gaps_are_filled_with_less_confidence_and_long_ones_stay(fps: int) -> None:
    points = truth(fps * 3, fps)
    ankle = LAYOUT.index("l_ankle")
    confidence = np.full(points.shape[:2], 0.9)
    short, long = fps // 6, fps // 2
    confidence[20 : 20 + short, ankle] = 0
    confidence[fps * 2 : fps * 2 + long, ankle] = 0
    clean = clean_clip(clip_of(points, confidence, fps))
    filled = clean.confidence[20 : 20 + short, ankle]
    assert filled == pytest.approx(np.full(short, 0.4 * 0.9), abs=0.05)
    assert np.linalg.norm(clean.points[20 : 20 + short, ankle] - points[20 : 20 + short, ankle], axis=1).max() < 15
    assert (clean.confidence[fps * 2 : fps * 2 + long, ankle] == 0).all()
    assert counts(clean)["filled"] == short


def test_gaps_at_the_ends_are_not_invented() -> None:
    points = truth()
    confidence = np.full((FRAMES, 17), 0.9)
    confidence[:3] = confidence[-3:] = 0
    clean = clean_clip(clip_of(points, confidence))
    assert (clean.confidence[[0, 1, 2, -3, -2, -1]] == 0).all()


def test_a_keypoint_that_is_never_seen_stays_missing() -> None:
    confidence = np.full((FRAMES, 17), 0.9)
    confidence[:, LAYOUT.index("nose")] = 0
    clean = clean_clip(clip_of(truth(), confidence))
    assert (clean.confidence[:, LAYOUT.index("nose")] == 0).all()


def test_smoothing_takes_tremble_and_leaves_the_path() -> None:
    points = truth()
    calm = clip_of(points)
    noisy = clip_of(points + np.random.default_rng(1).normal(size=points.shape) * 6)

    def tremble(clip: KeypointClip) -> float:
        return float(np.abs(np.diff(clip.points, n=2, axis=0)).mean())

    def error(clip: KeypointClip) -> float:
        return float(np.linalg.norm(clip.points - calm.points, axis=-1).mean())

    off, usual, strong = (clean_clip(noisy, smoothing=s) for s in (0.0, 1.0, 10.0))
    assert tremble(off) > 2 * tremble(usual) > 2.5 * tremble(strong)
    assert error(usual) < 0.75 * error(off)
    middle = slice(10, -10)
    assert np.abs((strong.points - calm.points)[middle].mean(0)).max() < 5


@pytest.mark.parametrize(("first", "last"), [(20, 24), (0, 10), (60, 70)])
def test_exchanged_sides_are_put_right(first: int, last: int) -> None:
    points = truth()
    points[:, [LAYOUT.index(n) for n in LAYOUT.names if n.startswith("l_")], 0] += 40  # a person in half profile
    swapped = points.copy()
    partner = LAYOUT.mirrored()
    swapped[first:last] = points[first:last][:, partner]
    clean = clean_clip(clip_of(swapped))
    assert np.linalg.norm(clean.points - points, axis=-1).mean() < 4
    assert counts(clean)["swapped"] >= last - first
    untouched = clean_clip(clip_of(points))
    assert counts(untouched)["swapped"] == 0


def test_legs_that_cross_are_not_exchanged() -> None:
    """A walk seen from the side: left and right pass each other twice a cycle and stay themselves."""
    points = truth()
    assert counts(clean_clip(clip_of(points)))["swapped"] == 0


def test_the_input_is_left_alone_and_facts_are_kept() -> None:
    clip = replace(clip_of(truth()), first_frame=33, track_id="me", metadata={"a": 1})
    before = clip.points.copy()
    clean = clean_clip(clip)
    np.testing.assert_array_equal(clip.points, before)
    assert (clean.first_frame, clean.track_id, clean.metadata["a"], clean.fps) == (33, "me", 1, clip.fps)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_short_clips(frames: int) -> None:
    points = truth(90)[:frames]
    clean = clean_clip(clip_of(points))
    assert clean.points.shape == points.shape
    assert np.linalg.norm(clean.points - points, axis=-1).max() < 12


def test_nobody_to_clean() -> None:
    empty = clip_of(truth(), np.zeros((FRAMES, 17)))
    assert (clean_clip(empty).confidence == 0).all()


def test_the_same_motion_at_twice_the_rate_is_smoothed_alike() -> None:
    """Stiffness follows the frame rate: what is left of a 4 Hz tremble does not depend on the rate."""
    left = []
    for fps in (30, 60):
        t = np.arange(3 * fps) / fps
        points = np.zeros((len(t), 17, 2)) + np.arange(17)[:, None] * [10.0, 17.0] + 300
        points[:, 5, 0] += 8 * np.sin(2 * np.pi * 4 * t)
        clean = clean_clip(clip_of(points, fps=fps))
        left.append(clean.points[fps:-fps, 5, 0].std())
    assert left[1] == pytest.approx(left[0], rel=0.25)
