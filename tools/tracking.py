"""How well people are told apart: identity switches a minute and identity F1, as a table.

python tools/tracking.py [--samples ../shared/samples] [--seeds 3]

Synthetic crowds have known identities. Real files have those of their annotators or trackers, which are taken away and
found again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

from crowds import SCENARIOS, detect, make_crowd
from identities import IdentityScore, score_identities
from mvlift.keypoints.tracks import associate

Array = NDArray[np.float64]


def synthetic(seeds: int, associate: Callable[..., list[tuple[str, list[int]]]] = associate) -> list[IdentityScore]:
    """A score for each scenario, over two to six people and some seeds."""
    scores = []
    for scenario in SCENARIOS:
        parts = []
        for people in range(2, 7):
            for seed in range(seeds):
                crowd = make_crowd(scenario, people, seed)
                seen = detect(crowd, seed)
                found = associate(seen.frame, seen.points, seen.confidence)
                parts.append(score_identities(found, seen.truth, seen.frame, crowd.fps, scenario))
        scores.append(IdentityScore.together(scenario, parts))
    return scores


def by_people(seeds: int) -> list[IdentityScore]:
    """A score for each number of people, over all scenarios."""
    scores = []
    for people in range(2, 7):
        parts = []
        for scenario in SCENARIOS:
            for seed in range(seeds):
                crowd = make_crowd(scenario, people, seed)
                seen = detect(crowd, seed)
                found = associate(seen.frame, seen.points, seen.confidence)
                parts.append(score_identities(found, seen.truth, seen.frame, crowd.fps))
        scores.append(IdentityScore.together(f"{people} people", parts))
    return scores


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    began = time.perf_counter()
    print(IdentityScore.table(synthetic(given.seeds)))
    print()
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
