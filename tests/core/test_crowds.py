"""People kept apart in synthetic crowds of known identity; the whole table is `tools/tracking.py`."""

from __future__ import annotations

import numpy as np
import pytest
from crowds import SCENARIOS, detect, make_crowd
from identities import IdentityScore, score_identities
from mvlift.keypoints.tracking import associate

LEAST = {"diagonal": 0.9, "group and one": 0.9}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_people_are_kept_apart(scenario: str) -> None:
    parts = []
    for people in (2, 3):
        crowd = make_crowd(scenario, people, 1, frames=200)
        seen = detect(crowd, 1)
        tracks = associate(seen.frame, seen.points, seen.confidence)
        for _, rows in tracks:
            assert (np.diff(seen.frame[rows]) > 0).all()
        parts.append(score_identities(tracks, seen.truth, seen.frame, crowd.fps))
    assert IdentityScore.together(scenario, parts).f1 > LEAST.get(scenario, 0.96)


def test_the_score_counts_switches() -> None:
    truth, frame = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2])
    right = score_identities([("a", [0, 2, 4]), ("b", [1, 3, 5])], truth, frame)
    wrong = score_identities([("a", [0, 3, 5]), ("b", [1, 2, 4])], truth, frame)
    assert (right.f1, right.switches) == (1.0, 0)
    assert (wrong.f1, wrong.switches) == (pytest.approx(2 / 3), 2)


def test_walkers_stand_on_the_floor_before_the_camera() -> None:
    crowd = make_crowd("cross", 3, 0, frames=60)
    assert 0.0 < crowd.points[..., 2].min() < 0.12
    assert 1.3 < crowd.points[..., 2].max() < 1.9
    assert (crowd.depth > 3).all()
