"""Costs of the tracker and the cleaning of tracks: formulas against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.filters import whittaker_smoother
from mvlift.keypoints import cleaning
from mvlift.keypoints.tracking import joining
from mvlift.keypoints.tracking.distance import distances, sizes_of
from mvlift.keypoints.tracking.state import TrackedPeople
from mvlift.typing import F64

SQUARE = np.array([[0.0, 0.0], [60.0, 0.0], [60.0, 80.0], [0.0, 80.0]])  # 100 pixels from corner to corner


def at(x: float) -> F64:
    """The square so many pixels to the right."""
    return np.asarray(SQUARE + np.array([x, 0.0]))


def test_a_distance_is_weighted_by_both_confidences_and_clipped() -> None:
    moved = SQUARE + np.array([[30.0, 40.0], [0.0, 0.0], [0.0, 0.0], [300.0, 400.0]])
    a, b = np.array([0.25, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 1.0])
    plain = distances(SQUARE[None], a[None], moved[None], b[None], np.array([100.0]))
    assert plain[0] == pytest.approx((0.5 * 0.5 + 1.0 * 5.0) / (0.5 + 1 + 1))  # weights are sqrt(a b): 0.5, 1, 0, 1
    clipped = distances(SQUARE[None], a[None], moved[None], b[None], np.array([100.0]), 0.8)
    assert clipped[0] == pytest.approx((0.5 * 0.5 + 0.8) / 2.5)
    alone = distances(SQUARE[None], np.array([[1.0, 0, 0, 0]]), moved[None], b[None], np.array([100.0]))
    assert np.isinf(alone[0])  # one keypoint in common is too few
    assert sizes_of(SQUARE[None], np.ones((1, 4)))[0] == pytest.approx(100)


def state(velocity: tuple[float, float] = (0.0, 0.0), count: int = 1) -> TrackedPeople:
    """One person who was seen at the square in frame 10."""
    first = np.zeros(1, np.int64)
    begun = TrackedPeople.begin(first, first, first + 10, SQUARE[None], np.ones((1, 4)), np.full(1, 100.0))
    begun.velocity[:] = velocity
    begun.count[:] = count
    return begun


def cost(person: TrackedPeople, frame: int, points: F64, size: float = 100.0) -> float:
    rows = np.zeros(1, np.int64)
    return float(person.costs(rows, rows + frame, points[None], np.ones((1, 4)), np.full(1, size))[0])


def test_a_match_costs_its_distance_and_a_change_of_size() -> None:
    assert cost(state(), 11, at(20.0)) == pytest.approx(0.2)
    assert np.isinf(cost(state(), 11, at(51.0)))  # the gate is half a body
    assert cost(state(), 12, at(51.0)) == pytest.approx(0.51)  # and 0.03 wider for each frame of a gap
    larger = 100 * np.exp(0.45)
    scale = np.sqrt(100 * larger)
    assert cost(state(), 11, at(20.0), larger) == pytest.approx(20 / scale + 0.35 * (0.45 - 0.25))
    assert cost(state(), 11, SQUARE, 100 * np.exp(-0.2)) == pytest.approx(0)


def test_a_lost_person_is_expected_where_their_decaying_velocity_leads() -> None:
    walking = state((5.0, 0.0))
    assert cost(walking, 11, at(5.0)) == pytest.approx(0)
    reach = 5 * (1 + 0.93 + 0.93**2)
    assert cost(walking, 13, at(reach)) == pytest.approx(0, abs=1e-9)
    expected = 5 * (1 - 0.93**8) / 0.07
    assert cost(walking, 18, at(expected)) == pytest.approx(0, abs=1e-9)
    assert cost(walking, 18, SQUARE) == pytest.approx(0.1)  # after more than six frames they may have stopped
    assert cost(walking, 16, SQUARE) == pytest.approx(5 * (1 - 0.93**6) / 0.07 / 100)


def test_velocity_is_a_running_mean_of_median_steps() -> None:
    person, rows = state((4.0, 0.0), count=10), np.zeros(1, np.int64)
    moved = SQUARE + np.array([[10.0, 0], [10.0, 0], [10.0, 0], [90.0, 0]])
    weight = np.array([[1.0, 1.0, 1.0, 0.0]])
    person.update(rows, rows + 11, moved[None], weight, np.full(1, 150.0))
    assert person.velocity[0] == pytest.approx([4 + 0.2 * (10 - 4), 0])  # share of a new step: a fifth
    assert person.size[0] == pytest.approx(0.8 * 100 + 0.2 * 150)
    assert person.points[0, 3] == pytest.approx(at(5.2)[3])  # unseen: carried along
    assert person.weight[0] == pytest.approx([1, 1, 1, 0.7])
    new = state(count=2)
    new.update(rows, rows + 12, (at(8.0))[None], np.ones((1, 4)), np.full(1, 100.0))
    assert new.velocity[0] == pytest.approx([0.5 * 4, 0])  # a short track takes its mean


def side(place: tuple[float, float], speed: tuple[float, float], frame: int, size: float = 100.0) -> joining._Side:
    return joining._Side(frame, np.array(place), np.array(speed), size, np.zeros((2, 2)), True)


def test_a_link_costs_the_gap_that_motion_leaves() -> None:
    still = side((0.0, 0.0), (0.0, 0.0), 0)
    end = joining._Piece([0], None, still, side((0.0, 0.0), (2.0, 0.0), 10))

    def link(start: joining._Side) -> float:
        pieces = [end, joining._Piece([1], None, start, start)]
        return float(joining._link_costs(pieces, np.array([0]), np.array([1]))[0])

    assert link(side((20.0, 0.0), (2.0, 0.0), 20)) == pytest.approx(0.004 * 10)  # just where it leads
    assert link(side((30.0, 0.0), (2.0, 0.0), 20)) == pytest.approx(0.1 + 0.04)
    assert link(side((20.0, 10.0), (2.0, 0.0), 20)) == pytest.approx(0.15 + 0.04)  # rows count one and a half times
    larger = 100 * np.exp(0.2)
    assert link(side((20.0, 0.0), (2.0, 0.0), 20, larger)) == pytest.approx(0.5 * 0.2 + 0.04)
    turned = side((15.0, 0.0), (1.0, 0.0), 20)
    assert link(turned) == pytest.approx(0.2 * (1.0 * 10 / 100) + 0.04)
    assert np.isinf(link(side((90.0, 0.0), (2.0, 0.0), 20)))


def test_the_smoother_minimises_its_sum_of_squares() -> None:
    """Against the dense normal equations of sum w (x - v)^2 + s sum (x[t+1] - 2 x[t] + x[t-1])^2."""
    random = np.random.default_rng(2)
    values, weight = random.normal(size=(12, 2)), random.uniform(0.1, 1, 12)
    bend = np.diff(np.eye(12), 2, axis=0)
    dense = np.linalg.solve(np.diag(weight) + 3.0 * bend.T @ bend, weight[:, None] * values)
    assert whittaker_smoother(values[:, None], weight[:, None], 3.0)[:, 0] == pytest.approx(dense, abs=1e-6)


def test_gaps_up_to_a_fifth_of_a_second_are_short() -> None:
    seen = np.ones(30, bool)
    seen[5:11] = False
    seen[15:22] = False
    assert np.flatnonzero(cleaning._short_gaps(seen, 6)).tolist() == [5, 6, 7, 8, 9, 10]
    seen[:2] = False
    assert not cleaning._short_gaps(seen, 6)[:2].any()
