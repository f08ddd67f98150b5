"""Big keypoint files such as detectors write of long footage: people walk, cross and hide each other for hours.

python tools/big_keypoints.py coco-results big.json --megabytes 300
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))

from crowds import SCENARIOS, detect, make_crowd

__all__ = ["KINDS", "write_big"]

Frame = tuple[int, list[list[float]]]
_SHOT: Final = 300
"""Frames between two cuts of the footage."""


def footage() -> Iterator[Frame]:
    """(frame, people as x, y, confidence, ...) without end: shots of two to six people who cross."""
    shots = []
    for number, scenario in enumerate(cycle(SCENARIOS)):
        if number == 3 * len(SCENARIOS):
            break
        seen = detect(make_crowd(scenario, 2 + number % 5, number, _SHOT), number)
        person_number = np.where(seen.truth < 0, len(seen.truth), seen.truth)
        order = np.lexsort(
            (person_number, seen.frame)
        )  # the same person first in each frame, for files that hold only one
        shots.append((seen.frame[order], np.concatenate([seen.points, seen.confidence[..., None]], -1)[order]))
    random, start = np.random.default_rng(0), 0
    for frame, values in cycle(shots):
        trembling = values + random.normal(0, 0.3, values.shape) * (1, 1, 0.01) * (values[..., 2:] > 0)
        flat = trembling.reshape(len(values), -1).tolist()
        people: list[list[list[float]]] = [[] for _ in range(_SHOT)]
        for at, person in zip(frame.tolist(), flat, strict=True):
            people[at].append(person)
        yield from ((start + at, frame_people) for at, frame_people in enumerate(people))
        start += _SHOT


def _box(person: list[float]) -> list[float]:
    x, y = person[0::3], person[1::3]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _coco(frame: int, people: list[list[float]]) -> list[str]:
    rows = [{"image_id": frame, "category_id": 1, "keypoints": p, "score": 0.93, "bbox": _box(p)} for p in people]
    return [json.dumps(row) for row in rows]


def _alphapose(frame: int, people: list[list[float]]) -> list[str]:
    rows = [
        {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": p, "score": 2.97, "box": _box(p), "idx": [0.0]}
        for p in people
    ]
    return [json.dumps(row) for row in rows]


def _mmpose(frame: int, people: list[list[float]]) -> list[str]:
    instances: list[dict[str, Any]] = [
        {
            "keypoints": [p[i : i + 2] for i in range(0, len(p), 3)],
            "keypoint_scores": p[2::3],
            "bbox": [_box(p)],
            "bbox_score": 0.9,
        }
        for p in people
    ]
    return [json.dumps({"frame_id": frame, "instances": instances})]


def _aggregated(frame: int, people: list[list[float]]) -> list[str]:
    """One person with the neck between the shoulders; the order of the numbers matters not for the time it takes."""
    person = people[0] if people else [0.0] * 51
    neck = [(a + b) / 2 for a, b in zip(person[15:18], person[18:21], strict=True)]
    return [f'"clip_{frame:012d}_keypoints": {json.dumps(person[:3] + neck + person[3:])}']


Kind = tuple[str, Callable[[int, list[list[float]]], list[str]], str]
KINDS: Final[dict[str, Kind]] = {
    "coco-results": ("[", _coco, "]"),
    "alphapose": ("[", _alphapose, "]"),
    "mmpose": ("[", _mmpose, "]"),
    "openpose-aggregate": ("{", _aggregated, "}"),
}


def write_big(kind: str, path: Path, megabytes: float) -> int:
    """Writes a file of a kind; returns the number of frames in it."""
    start, write, end = KINDS[kind]
    frame = -1
    with path.open("w", encoding="utf-8") as file:
        file.write(start)
        first = True
        for frame, people in footage():
            for row in write(frame, people):
                file.write(row if first else ", " + row)
                first = False
            if file.tell() > megabytes * 1e6:
                break
        file.write(end)
    return frame + 1


def main() -> None:
    """Writes one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("path", type=Path)
    parser.add_argument("--megabytes", type=float, default=300)
    arguments = parser.parse_args()
    print(write_big(arguments.kind, arguments.path, arguments.megabytes), "frames")


if __name__ == "__main__":
    main()
