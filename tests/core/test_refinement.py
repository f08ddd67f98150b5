"""Refinement passes: the depth and gravity of a fitted body."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import mvlift
import numpy as np
import pytest
import torch
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.normalise import intrinsics, normalise
from mvlift.lifting.presets import PRESETS
from mvlift.lifting.refinement import RefinedView, refined_view
from mvlift.lifting.sampling.in_loop import camera_tilt
from mvlift.lifting.sampling.lift_points import tilt_of
from mvlift.lifting.subjects import get_subject
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

SIZE = (1280, 720)


@pytest.mark.parametrize(("elevation", "roll"), [(0.0, 0.0), (0.4, -0.1), (-0.3, 0.2)])
def test_tilt_of_up_is_the_tilt_it_came_from(elevation: float, roll: float) -> None:
    up = -camera_tilt(torch.tensor([elevation, roll], dtype=torch.float64))[:, 1].numpy()
    np.testing.assert_allclose(tilt_of(3 * up), (elevation, roll), atol=1e-12)


def walking_away(walk: KeypointClip) -> tuple[F64, F64]:
    """(T, K, 3) of the example's walker in the axes of a camera that sees them go away, and (T,) the root's depth."""
    motion = mvlift.lift(walk, preset="fast")
    points = motion.keypoints.astype(np.float64)
    root = points[:, [motion.keypoint_names.index(n) for n in ("l_hip", "r_hip")]].mean(1)
    way = root[-1, :2] - root[0, :2]
    way /= np.linalg.norm(way)
    aside = np.array([way[1], -way[0]])
    ground = points[..., :2] - root[0, :2]
    seen = np.stack([ground @ aside, 1.0 - points[..., 2], ground @ way + 2.5], -1)
    return seen, (root[:, :2] - root[0, :2]) @ way + 2.5


def clip_of(points: F64, walk: KeypointClip) -> KeypointClip:
    K = intrinsics(SIZE)
    pixels = points[..., :2] / points[..., 2:] * K[0, 0] + K[:2, 2]
    layout = get_subject("human").layout
    confidence = np.ones(pixels.shape[:2])
    return replace(walk, points=pixels, confidence=confidence, layout=layout, fps=Fraction(30), image_size=SIZE)


def grown(motion: LiftedMotion) -> float:
    """Logarithm of how many times further away the root is at the end."""
    camera = motion.camera
    hips = [motion.keypoint_names.index(n) for n in ("l_hip", "r_hip")]
    depth = (motion.keypoints[:, hips].mean(1) @ camera.R.T + camera.t)[:, 2]
    return math.log(depth[-1] / depth[0])


def test_whoever_walks_away_is_not_taken_to_shrink(
    walk: KeypointClip, shipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shipped:
        pytest.skip("random weights know no people")
    points, depth = walking_away(walk)
    clip = clip_of(points, walk)
    true = math.log(depth[-1] / depth[0])
    assert true > 0.5  # else nobody walks away
    reports: list[tuple[str, float]] = []
    twice = mvlift.lift(clip, preset="fast", progress=lambda stage, share: reports.append((stage, share)))
    shares = [share for stage, share in reports if stage == "Refining depth and gravity"]
    assert shares
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    monkeypatch.setitem(PRESETS, "fast", replace(PRESETS["fast"], refinement_passes=0))
    once = mvlift.lift(clip, preset="fast")
    assert abs(grown(twice) - true) < max(abs(grown(once) - true), 0.02)
    assert grown(twice) == pytest.approx(true, rel=0.15)


def test_depth_is_that_of_a_body_of_average_size() -> None:
    """A body half as large at half the distance is the same picture, and so the same view."""
    subject = get_subject("human")
    names = subject.layout.names
    points = np.random.default_rng(0).normal(size=(5, len(names), 3)) * 0.3 + [0, 0, 4.0]
    up = np.array([0.0, -1.0, 0.0])
    full_size, half = refined_view(points, names, up, subject), refined_view(0.5 * points, names, up, subject)
    np.testing.assert_allclose(half.depth, full_size.depth)
    assert half.depth.shape == (5,)


def test_a_look_is_repeated_for_another_size_or_tilt_only() -> None:
    up = np.array([0.0, -1.0, 0.0])
    view = RefinedView(np.full(10, 4.0), up)
    # a constant factor is the body's size, which nobody knows
    assert not view.differs(np.full(10, 3.0), up, first=True)
    assert view.differs(np.linspace(3, 4.5, 10), up, first=True)
    little, much = ([0.0, -math.cos(turn), math.sin(turn)] for turn in (0.05, 0.2))
    assert not view.differs(np.full(10, 4.0), np.array(little), first=True)
    assert view.differs(np.full(10, 4.0), np.array(much), first=True)
    assert view.differs(np.full(10, 4.0), np.array(little), first=False)  # once begun, passes go on until they agree
    assert not view.differs(np.full(10, 4.0), up, first=False)


def test_normalisation_takes_a_known_scale() -> None:
    subject = get_subject("human")
    pixels = np.random.default_rng(1).uniform(200, 500, (6, len(subject.layout.names), 2))
    confidence = np.ones(pixels.shape[:2])
    scale = np.linspace(100.0, 200.0, 6)
    known = normalise(pixels, confidence, subject, intrinsics(SIZE), scale)
    np.testing.assert_array_equal(known.pixels_per_metre, scale)
    unit = normalise(pixels, confidence, subject, intrinsics(SIZE), np.full(6, 100.0))
    np.testing.assert_allclose(known.x[:, :-1] * (scale / 100)[:, None, None], unit.x[:, :-1], atol=1e-9)
