"""What the table's columns measure: values worked out by hand, and what must not change them."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from mvlift_training.evaluation.alignment import align, procrustes
from mvlift_training.evaluation.data import Sequence
from mvlift_training.evaluation.metrics import Prediction, measure
from walkers import NAMES, SIZE, camera, seen, walker

HUMAN = get_subject("human")
ROOT = [NAMES.index(n) for n in HUMAN.root]
SCORED = [NAMES.index(n) for n in HUMAN.score_keypoints]
FEET = [NAMES.index(n) for n in ("l_ankle", "r_ankle")]


def sequence(truth: F64) -> Sequence:
    """A motion before a camera, seen without errors."""
    view = camera(1)
    xy = seen(truth, *view)
    return Sequence("walk#0", "walk", xy, xy, np.ones(xy.shape[:2]), truth, *view, SIZE, NAMES, Fraction(30))


def errors(points: F64, truth: F64, pixels: F64 | None = None) -> dict[str, float]:
    return measure(Prediction(points, pixels), sequence(truth), HUMAN)


def yaw(angle: float) -> F64:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def turned(seed: int) -> F64:
    """A rotation about any axis."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(q * np.linalg.det(q))


@pytest.fixture
def walk() -> F64:
    return walker(3, 32)


@pytest.fixture
def wrong(walk: F64) -> F64:
    """The walk with every keypoint about 5 cm off."""
    return walk + np.random.default_rng(0).normal(0, 0.05, walk.shape)


def test_alignment_finds_turn_scale_and_place(walk: F64) -> None:
    moved = 1.7 * walk @ yaw(0.8).T + [3.0, -2.0, 0.4]
    alignment = align(moved, walk, ROOT, SCORED)
    assert alignment.scale == pytest.approx(1 / 1.7)
    np.testing.assert_allclose(alignment.rotation, yaw(-0.8), atol=1e-9)
    np.testing.assert_allclose(alignment.apply(moved), walk, atol=1e-9)
    kept = align(moved, walk, ROOT, SCORED, scale=False)
    assert kept.scale == 1.0
    np.testing.assert_allclose(kept.apply(moved)[0, ROOT].mean(0), walk[0, ROOT].mean(0), atol=1e-9)


def test_no_other_turn_or_scale_is_better(walk: F64, wrong: F64) -> None:
    """Least squares of root-centred joints about their minimum."""

    def cost(scale: float, turn: F64) -> float:
        local = [p[:, SCORED] - p[:, ROOT].mean(1, keepdims=True) for p in (wrong, walk)]
        return float(((scale * local[0] @ turn.T - local[1]) ** 2).sum())

    alignment = align(wrong, walk, ROOT, SCORED)
    best = cost(alignment.scale, alignment.rotation)
    for angle in (-0.02, 0.02):
        assert cost(alignment.scale, alignment.rotation @ yaw(angle)) > best
    for factor in (0.98, 1.02):
        assert cost(factor * alignment.scale, alignment.rotation) > best


def test_alignment_does_not_tip_the_floor(walk: F64) -> None:
    """Only the vertical is free: a body that leans stays wrong."""
    c, s = math.cos(0.2), math.sin(0.2)
    leaning = walk @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T
    alignment = align(leaning, walk, ROOT, SCORED)
    np.testing.assert_array_equal(alignment.rotation[2], [0, 0, 1])
    assert errors(leaning, walk)["mpjpe"] > 50
    assert errors(leaning, walk)["pa_mpjpe"] == pytest.approx(0, abs=1e-6)


def test_the_alignment_is_the_same_for_every_method(walk: F64, wrong: F64) -> None:
    """Where a method puts its world's origin, north and unit says nothing about how good it is."""
    moved = 0.4 * wrong @ yaw(2.0).T + [5.0, 1.0, -3.0]
    here, there = errors(wrong, walk), errors(moved, walk)
    for key in ("t_root", "t_root_axis", "mpjpe", "pa_mpjpe", "pa_mpjpe_clip", "acceleration", "mirrored"):
        assert there[key] == pytest.approx(here[key], rel=1e-6), key
    assert there["mpjpe_metric"] > here["mpjpe_metric"] + 50
    assert here["mpjpe"] > 30


def test_a_perfect_prediction_has_no_error(walk: F64) -> None:
    scores = errors(walk, walk, sequence(walk).clean)
    for key in ("t_root", "mpjpe", "pa_mpjpe", "pa_mpjpe_clip", "t_root_metric", "mpjpe_metric", "acceleration",
                "j2d", "j2d_c", "mirrored"):  # fmt: skip
        assert scores[key] == pytest.approx(0, abs=1e-6), key


def test_pa_mpjpe_is_unchanged_by_a_similarity_of_every_frame(walk: F64, wrong: F64) -> None:
    """Per frame any turn, size and place; per clip only one of them."""
    moved = np.stack([(0.5 + 0.1 * t) * p @ turned(t).T + [t, 0, -t] for t, p in enumerate(wrong)])
    assert errors(moved, walk)["pa_mpjpe"] == pytest.approx(errors(wrong, walk)["pa_mpjpe"], rel=1e-6)
    assert errors(moved, walk)["pa_mpjpe_clip"] > 100
    transformed = 3.0 * wrong @ turned(9).T + [1.0, 2.0, 3.0]
    assert errors(transformed, walk)["pa_mpjpe_clip"] == pytest.approx(errors(wrong, walk)["pa_mpjpe_clip"], rel=1e-6)


def test_procrustes_turns_but_does_not_mirror(walk: F64) -> None:
    """A similarity is undone exactly; a mirror image keeps its error, because no turn makes a left hand a right one."""
    moved = 2.5 * walk @ turned(4).T + [1.0, -1.0, 2.0]
    np.testing.assert_allclose(procrustes(moved, walk), walk, atol=1e-9)
    mirrored = walk * [-1.0, 1.0, 1.0]
    aligned = procrustes(mirrored, walk)
    assert np.linalg.norm(aligned - walk, axis=-1).mean() > 0.02
    hand = [np.sign(np.linalg.det(p[:, [4, 7, 10]] - p[:, :1])) for p in (aligned, mirrored, walk)]
    np.testing.assert_array_equal(hand[0], hand[1])
    np.testing.assert_array_equal(hand[0], -hand[2])


def test_procrustes_of_one_point_off_by_hand() -> None:
    """The corners of a square, one of them lifted symmetrically: what is left over is what no similarity explains."""
    square = np.array([[[1.0, 1, 0], [1, -1, 0], [-1, -1, 0], [-1, 1, 0]]])
    bent = square + np.array([[[0, 0, 0.3], [0, 0, -0.3], [0, 0, 0.3], [0, 0, -0.3]]])
    scale = 8 / (8 + 4 * 0.3**2)  # tr(aᵀb) / |a|², the best turn being none
    np.testing.assert_allclose(procrustes(bent, square), scale * bent, atol=1e-12)


def test_mpjpe_by_hand(walk: F64) -> None:
    """One wrist 13 cm up, which no turn about the vertical helps: 10 mm in the mean of 13 joints, unless scaled."""
    off = walk.copy()
    off[:, NAMES.index("l_wrist"), 2] += 0.13
    assert len(SCORED) == 13
    scores = errors(off, walk)
    assert scores["mpjpe_metric"] == pytest.approx(10)
    assert scores["mpjpe"] != pytest.approx(10, abs=0.1)
    other = off.copy()
    other[:, NAMES.index("nose")] += 5.0  # not scored
    assert errors(other, walk)["mpjpe"] == pytest.approx(scores["mpjpe"])


def test_t_root_by_hand(walk: F64) -> None:
    """A path that drifts (3, 4, 0) mm a frame from the first frame on, under a body that is right."""
    frames = np.arange(len(walk))
    drift = walk + frames[:, None, None] * [0.003, 0.004, 0.0]
    scores = errors(drift, walk)
    assert scores["t_root"] == pytest.approx(5 * frames.mean(), rel=1e-6)
    assert scores["t_root_axis"] == pytest.approx((3 + 4) / 3 * frames.mean(), rel=1e-6)
    assert scores["mpjpe"] == pytest.approx(0, abs=1e-6)


def test_a_body_twice_as_large_is_as_far_off_as_its_way_is_long(walk: F64) -> None:
    """Unscaled columns keep the metres that a method claims."""
    scores = errors(2 * walk, walk)
    way = np.linalg.norm(walk[:, ROOT].mean(1) - walk[0, ROOT].mean(0), axis=-1)
    assert scores["t_root"] == pytest.approx(0, abs=1e-6)
    assert scores["t_root_metric"] == pytest.approx(1000 * way.mean(), rel=1e-6)


def test_a_foot_that_slides_skates_at_its_speed(walk: F64) -> None:
    """The true feet stand; the predicted ones slide 7 mm a frame with the whole body."""
    stands = np.repeat(walk[:1], 20, 0)
    slides = stands + np.arange(20)[:, None, None] * [0.007, 0.0, 0.0]
    assert errors(stands, stands)["skating"] == pytest.approx(0, abs=1e-6)
    assert errors(slides, stands)["skating"] == pytest.approx(7, rel=1e-6)
    assert errors(2 * slides @ yaw(1.0).T, stands)["skating"] == pytest.approx(7, rel=1e-6)


def test_feet_in_the_air_or_in_motion_do_not_skate(walk: F64) -> None:
    """Frames in which no true foot rests do not count, and a clip without rest has no number."""
    stands = np.repeat(walk[:1], 20, 0)
    moves = stands + np.arange(20)[:, None, None] * [0.05, 0.0, 0.0]
    assert math.isnan(errors(moves, moves)["skating"])
    half = stands.copy()
    half[10:, FEET, 2] += 0.5  # lifted in the second half, where the prediction runs off
    half[10:, [i for i, n in enumerate(NAMES) if "heel" in n or "toe" in n], 2] += 0.5
    runs = half.copy()
    runs[10:] += np.arange(10)[:, None, None] * [0.1, 0.0, 0.0]
    assert errors(runs, half)["skating"] == pytest.approx(0, abs=1e-6)


def test_mirrored_in_depth_is_noticed(walk: F64) -> None:
    assert errors(walk * [1.0, -1.0, 1.0], walk)["mirrored"] == 1
    assert errors(walk, walk)["mirrored"] == 0


def test_acceleration_by_hand(walk: F64) -> None:
    """Every other frame 1 cm to the side: second differences of 2 cm, which no alignment takes away."""
    stands = np.repeat(walk[:1], 21, 0)
    shakes = stands + (np.arange(21) % 2)[:, None, None] * [0.01, 0.0, 0.0]
    assert errors(shakes, stands)["acceleration"] == pytest.approx(20, rel=1e-6)
    assert errors(stands + np.arange(21)[:, None, None] * [0.01, 0.0, 0.0], stands)["acceleration"] < 1e-6


def test_pixels_by_hand(walk: F64) -> None:
    """(3, 4) px off everywhere is 5 px, but 0 px about the root; joints outside the picture do not count."""
    film = sequence(walk)
    beside = film.clean + np.array([3.0, 4.0])
    scores = measure(Prediction(walk, beside), film, HUMAN)
    assert scores["j2d"] == pytest.approx(5)
    assert scores["j2d_c"] == pytest.approx(0, abs=1e-9)
    clean = film.clean.copy()
    clean[:, NAMES.index("l_wrist")] = np.nan
    beside[:, NAMES.index("l_wrist")] += 1000
    cut = measure(Prediction(walk, beside), replace(film, clean=clean), HUMAN)
    assert cut["j2d"] == pytest.approx(5)
    assert cut["j2d_c"] == pytest.approx(0, abs=1e-9)
    assert math.isnan(measure(Prediction(walk, None), film, HUMAN)["j2d"])


def test_pixels_are_compared_with_the_clean_ones(walk: F64) -> None:
    """Whoever copies a detector's noise is not praised for it."""
    film = sequence(walk)
    noisy = film.clean + np.random.default_rng(0).normal(0, 5, film.clean.shape)
    assert measure(Prediction(walk, noisy), replace(film, noisy=noisy), HUMAN)["j2d"] > 4
