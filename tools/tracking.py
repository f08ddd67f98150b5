"""How well people are told apart: identity switches a minute and identity F1, as a table.

python tools/tracking.py [--samples FOLDER] [--seeds 3] [--first 0]

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

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

from crowds import SCENARIOS, detect, make_crowd
from identities import IdentityScore, score_identities
from mvlift.keypoints.missing import missing_as_zero
from mvlift.keypoints.opening import open_source
from mvlift.keypoints.readers import find_reader
from mvlift.keypoints.tracking import associate

TRACKED = {
    "alphapose_coco17/dance_2people_tracked.json": "two dancers (AlphaPose, its tracker's ids)",
    "annotation_v7_darwin/clip_tri_1_darwin2.json": "triathlon (annotated by people)",
    "annotation_v7_darwin/clip_10k_2_darwin1.json": "10 km run (annotated by people)",
    "mediapipe/E_frame_dict_person_dict_18named.json": "two people (MediaPipe, the script's ids)",
    "vitpose/long_csv_no_confidence.csv": "people passing (ViTPose, its tracker's ids)",
    "deeplabcut/MABe_3mice_multianimal.h5": "three mice (DeepLabCut)",
    "ultralytics_yolo/wide_csv_frame_person_index.csv": "mother and child (YOLO)",
}


def synthetic(seeds: range, associate: Callable[..., list[tuple[str, list[int]]]] = associate) -> list[IdentityScore]:
    """A score for each scenario, over two to six people and some seeds."""
    scores = []
    for scenario in SCENARIOS:
        parts = []
        for people in range(2, 7):
            for seed in seeds:
                crowd = make_crowd(scenario, people, seed)
                seen = detect(crowd, seed)
                tracks = associate(seen.frame, seen.points, seen.confidence)
                parts.append(score_identities(tracks, seen.truth, seen.frame, crowd.fps, scenario))
        scores.append(IdentityScore.together(scenario, parts))
    return scores


def real(samples: Path) -> list[IdentityScore]:
    """A score for each real file with identities, which are taken away first."""
    scores = []
    for name, title in TRACKED.items():
        path = samples / name
        if not path.exists():
            continue
        source = open_source(path)
        detected = find_reader(source)[0].read(source)
        if detected.person is None:
            continue
        points, confidence = missing_as_zero(detected.points, detected.confidence)
        _, truth = np.unique(detected.person, return_inverse=True)
        people = associate(detected.frame, points, confidence)
        scores.append(score_identities(people, truth.reshape(-1), detected.frame, float(detected.fps or 30), title))
    return scores


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed of the first crowds")
    parser.add_argument("--samples", type=Path, default=Path("data/samples"))
    arguments = parser.parse_args()
    began = time.perf_counter()
    print(IdentityScore.table(synthetic(range(arguments.first, arguments.first + arguments.seeds))))
    print()
    print(
        IdentityScore.table(real(arguments.samples))
        if arguments.samples.is_dir()
        else f"{arguments.samples} is not here"
    )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
