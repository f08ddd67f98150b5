"""Confidence of lifted keypoints: it falls with reach, misfit and disagreement, and nothing unseen has any."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mvlift
import numpy as np
import pytest
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting import keypoint_confidence as k
from mvlift.lifting.keypoint_confidence import (
    expected_error,
    fit_residual,
    keypoint_confidence,
    lifted_error,
    limb_reach,
)
from mvlift.lifting.sampling.lift_points import LiftedPoints
from mvlift.lifting.subjects import get_subject
from scenes import WALK

HUMAN = get_subject("human")


def test_reach_is_the_way_along_the_limbs() -> None:
    """A bent arm: the wrist is 0.5 m from the root, but 1.1 m away along the limbs."""
    points = np.array([[[0.0, 0, 0.5], [0.3, 0, 0.5], [0.3, 0.3, 0.5], [0.3, 0.0, 0.5]]])
    tree = {"neck": "root", "shoulder": "neck", "elbow": "shoulder", "wrist": "elbow"}
    reach = limb_reach(points, np.zeros((1, 3)), ("neck", "shoulder", "elbow", "wrist"), tree)
    np.testing.assert_allclose(reach, [[0.5, 0.8, 1.1, 1.4]])


def test_residual_is_what_scale_and_path_do_not_explain() -> None:
    random = np.random.default_rng(0)
    sampled = random.normal(size=(20, 5, 3))
    fitted = 1.3 * (sampled - sampled[:, :2].mean(1, keepdims=True)) + random.normal(size=(20, 1, 3))
    np.testing.assert_allclose(fit_residual(fitted, sampled, [0, 1]), 0, atol=1e-12)
    fitted[3, 4, 1] += 1e-3
    residual = fit_residual(fitted, sampled, [0, 1])
    assert residual[3, 4] == pytest.approx(1e-3, rel=0.05)
    assert residual[2].max() < 1e-4


def test_the_expected_error_follows_the_formula() -> None:
    reach = np.tile([0.0, 0.4, 0.9], (40, 1))
    residual = np.tile([0.02, 0.05, 0.11], (40, 1))
    disagreement = np.tile([0.01, 0.02, 0.04], (40, 1))
    computed = expected_error(reach, residual, disagreement, 30)[0]
    for i, (r, f, d) in enumerate(((0.0, 0.02, 0.01), (0.4, 0.05, 0.02), (0.9, 0.11, 0.04))):
        logarithm = k.REACH * np.log(r + 0.05) + k.RESIDUAL * np.log(f + 0.01) + k.DISAGREEMENT * np.log(d + 0.01)
        assert computed[i] == pytest.approx(k.SCALE * np.exp(logarithm) * 0.07**k.CLIP_RESIDUAL, rel=1e-9)


def test_a_moment_is_smoothed_over_the_same_time_at_any_rate() -> None:
    peaks = []
    for fps in (30, 60):
        residual = np.full((4 * fps, 1), 0.02)
        residual[2 * fps : 2 * fps + fps // 10] = 0.5
        peaks.append(expected_error(np.ones_like(residual), residual, None, fps).max())
    assert peaks[0] == pytest.approx(peaks[1], rel=0.02)
    single = np.full((1, 2), 0.1)
    assert np.isfinite(expected_error(single, single, single, 30)).all()


def test_confidence_falls_with_what_is_uncertain() -> None:
    one = np.ones((1, 1))
    half = keypoint_confidence(one, 0 * one, 0.1 * one)
    assert half[0, 0] == pytest.approx(0.5)
    assert keypoint_confidence(one, 0.25 * one, 0.1 * one)[0, 0] == pytest.approx(0.25)
    assert keypoint_confidence(0.3 * one, 0 * one, 0.1 * one)[0, 0] == pytest.approx(0.5 * 0.3**0.15)
    assert keypoint_confidence(0 * one, 0 * one, 0 * one)[0, 0] == 0


def test_an_arm_that_the_fit_moved_is_less_sure() -> None:
    names = HUMAN.layout.names
    random = np.random.default_rng(1)
    fitted = np.tile(random.normal(0, 0.3, (1, len(names), 3)), (30, 1, 1))
    lifted = LiftedPoints(fitted.copy(), np.ones((30, 24)), np.array([0.0, -1, 0]), np.ones(30), np.zeros((30, 3)))
    wrist = names.index("l_wrist")
    alike = lifted_error(fitted, lifted, HUMAN, 30)[:, wrist]
    lifted.points[:, wrist, 2] += 0.2
    assert lifted_error(fitted, lifted, HUMAN, 30)[:, wrist].min() > 1.5 * alike.max()
    views_apart = replace(lifted, disagreement=np.full((30, 24), 0.1))
    assert (lifted_error(fitted, views_apart, HUMAN, 30) > lifted_error(fitted, lifted, HUMAN, 30)).all()


def test_a_picture_that_makes_no_sense_is_lifted_with_less_confidence() -> None:
    """The bundled walk, and the same with its keypoints exchanged at random in every frame."""
    clip = mvlift.read_keypoints(WALK, fps=30, image_size=(1280, 720))[0].restricted(0, 48)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(clip.points.shape[1]), (len(clip), 1)), axis=1)
    mixed = KeypointClip(np.take_along_axis(clip.points, order[..., None], 1), clip.confidence, clip.layout,
                         fps=Fraction(30), image_size=(1280, 720))  # fmt: skip
    sure, unsure = (mvlift.lift(c, preset="fast", seed=0).keypoint_confidence for c in (clip, mixed))
    assert unsure.mean() < 0.6 * sure.mean()
