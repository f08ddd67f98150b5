"""Who is who: crossings, occlusions, duplicates and a detector's own mistakes, scored by identity F1."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.keypoints.tracking import associate, following
from mvlift.typing import F64
from numpy.typing import NDArray
from scenes import detections, id_f1, walking_people

FRAMES = 120


def crossing_paths(people: int) -> tuple[F64, tuple[float, ...]]:
    """People who walk at different heights of the picture (depths) through one middle, from alternating sides."""
    t = np.linspace(-1, 1, FRAMES)
    paths = np.stack(
        [np.stack([960 + (-1) ** p * (500 + 90 * p) * t, np.full(FRAMES, 500.0 + 45 * p)], 1) for p in range(people)]
    )
    return paths, tuple(260.0 + 45 * p for p in range(people))


def scored(rows_of_people: dict[str, NDArray[np.generic]], ids: NDArray[np.str_] | None = None) -> tuple[float, int]:
    people = associate(rows_of_people["frame"], rows_of_people["points"], rows_of_people["confidence"], ids)  # type: ignore[arg-type]
    for _, rows in people:
        frames = rows_of_people["frame"][rows]
        assert (np.diff(frames) > 0).all()  # type: ignore[operator]
    return id_f1(people, rows_of_people["truth"]), len(people)  # type: ignore[arg-type]


@pytest.mark.parametrize("people", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_crossings(people: int, seed: int) -> None:
    paths, heights = crossing_paths(people)
    seen = np.ones((people, FRAMES), dtype=np.bool_)
    f1, track_count = scored(detections(walking_people(paths, heights, seed), seen, seed))
    assert f1 > 0.99
    assert track_count == people


@pytest.mark.parametrize("people", [2, 3])
def test_the_one_behind_is_not_detected_while_they_cross(people: int) -> None:
    paths, heights = crossing_paths(people)
    seen = np.ones((people, FRAMES), dtype=np.bool_)
    for behind in range(people - 1):
        seen[behind] = np.abs(paths[behind, :, 0] - paths[behind + 1, :, 0]) > 110  # the next one is nearer
    assert (~seen[:-1]).sum(1).min() >= 10
    f1, track_count = scored(detections(walking_people(paths, heights), seen))
    assert f1 > 0.98
    assert track_count == people


@pytest.mark.parametrize("gap", [5, 20, 45])
def test_gaps(gap: int) -> None:
    """Somebody who stands is not seen for a while and is taken for the same person afterwards."""
    paths = np.tile(np.array([[[400.0, 500.0]], [[1300.0, 520.0]]]), (1, FRAMES, 1))
    seen = np.ones((2, FRAMES), dtype=np.bool_)
    seen[0, 30 : 30 + gap] = False
    f1, track_count = scored(detections(walking_people(paths, (300.0, 320.0)), seen))
    assert (f1, track_count) == (1.0, 2)


@pytest.mark.parametrize("pause", [5, 12, 20])
def test_somebody_else_at_another_place_is_somebody_else(pause: int) -> None:
    paths = np.tile(np.array([[[300.0, 500.0]], [[1500.0, 500.0]]]), (1, FRAMES, 1))
    seen = np.zeros((2, FRAMES), dtype=np.bool_)
    seen[0, :50], seen[1, 50 + pause :] = True, True
    f1, track_count = scored(detections(walking_people(paths, (300.0, 300.0)), seen))
    assert (f1, track_count) == (1.0, 2)


def test_who_stops_while_unseen_is_found_there() -> None:
    """A runner stops in front of the picture's edge; somebody else stands where the run would have led to."""
    t = np.arange(FRAMES)
    run = np.stack([100 + 30.0 * np.minimum(t, 41), np.full(FRAMES, 500.0)], 1)
    other = np.tile([1720.0, 500.0], (FRAMES, 1))
    seen = np.ones((2, FRAMES), dtype=np.bool_)
    seen[0, 41:53], seen[1, :53] = False, False
    f1, track_count = scored(detections(walking_people(np.stack([run, other]), (300.0, 300.0)), seen))
    assert (f1, track_count) == (1.0, 2)


def test_a_person_detected_twice_is_one_person() -> None:
    paths, heights = crossing_paths(2)
    people = walking_people(paths, heights)
    single = detections(people, np.ones((2, FRAMES), dtype=np.bool_))
    random = np.random.default_rng(3)
    again = random.random(len(single["frame"])) < 0.3
    doubles = {k: v[again].copy() for k, v in single.items()}
    doubles["points"] = doubles["points"] + random.normal(size=doubles["points"].shape) * 3
    doubles["confidence"] = doubles["confidence"] * 0.5
    doubles["truth"][:] = -1
    both = {k: np.concatenate([single[k], doubles[k]]) for k in single}
    f1, count = scored(both)
    assert count == 2
    assert f1 > 0.99


def names(truth: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.array([f"p{i}" for i in truth], dtype=np.str_)


def test_right_ids_of_the_file_are_kept() -> None:
    paths, heights = crossing_paths(3)
    detected = detections(walking_people(paths, heights), np.ones((3, FRAMES), dtype=np.bool_))
    people = associate(detected["frame"], detected["points"], detected["confidence"], names(detected["truth"]))
    assert {n for n, _ in people} == {"p0", "p1", "p2"}
    assert id_f1(people, detected["truth"]) == 1.0


def test_exchanged_ids_of_a_detector_are_put_right() -> None:
    """Two people far apart whose ids the detector swaps half-way: the poses know better."""
    paths = np.tile(np.array([[[300.0, 500.0]], [[1500.0, 500.0]]]), (1, FRAMES, 1))
    detected = detections(walking_people(paths, (300.0, 330.0)), np.ones((2, FRAMES), dtype=np.bool_))
    swapped = detected["truth"].copy()
    late = detected["frame"] >= 60
    swapped[late] = 1 - swapped[late]
    wrong = [("p0", np.flatnonzero(swapped == 0).tolist()), ("p1", np.flatnonzero(swapped == 1).tolist())]
    assert id_f1(wrong, detected["truth"]) == 0.5
    people = associate(detected["frame"], detected["points"], detected["confidence"], names(swapped))
    assert id_f1(people, detected["truth"]) == 1.0


def test_ids_that_a_person_gave_are_taken_as_they_are() -> None:
    paths = np.tile(np.array([[[300.0, 500.0]], [[1500.0, 500.0]]]), (1, FRAMES, 1))
    detected = detections(walking_people(paths, (300.0, 330.0)), np.ones((2, FRAMES), dtype=np.bool_))
    swapped = np.where(detected["frame"] >= 60, 1 - detected["truth"], detected["truth"])
    people = associate(detected["frame"], detected["points"], detected["confidence"], names(swapped), certain=True)
    assert id_f1(people, swapped) == 1.0


def test_order_of_rows_does_not_matter() -> None:
    paths, heights = crossing_paths(3)
    detected = detections(walking_people(paths, heights), np.ones((3, FRAMES), dtype=np.bool_))
    order = np.random.default_rng(9).permutation(len(detected["frame"]))
    shuffled = {k: v[order] for k, v in detected.items()}
    assert scored(detected) == scored(shuffled)


def test_the_longest_largest_and_surest_person_is_first() -> None:
    paths = np.tile(np.array([[[300.0, 500.0]], [[1500.0, 500.0]]]), (1, FRAMES, 1))
    seen = np.ones((2, FRAMES), dtype=np.bool_)
    seen[0, 100:] = False
    detected = detections(walking_people(paths, (250.0, 400.0)), seen)
    people = associate(detected["frame"], detected["points"], detected["confidence"])
    assert [int(detected["truth"][rows[0]]) for _, rows in people] == [1, 0]


def test_nobody() -> None:
    empty = np.zeros((3, 17))
    assert associate(np.arange(3), np.zeros((3, 17, 2)), empty) == []
    assert associate(np.zeros(0, np.int64), np.zeros((0, 17, 2)), np.zeros((0, 17))) == []


def long_crossing(frames: int = 1300) -> dict[str, NDArray[np.generic]]:
    """Two people who walk to and fro through each other, just where footage is cut into parts, and one who stands."""
    to_and_fro = 960 + 400 * np.sin(np.arange(frames) * np.pi / 500)[None] * np.array([[1], [-1], [0]])
    paths = np.stack([to_and_fro, np.broadcast_to([[480.0], [520.0], [800.0]], to_and_fro.shape)], -1)
    seen = np.random.default_rng(5).random((3, frames)) > 0.05
    return detections(walking_people(paths, (280.0, 330.0, 300.0)), seen)


@pytest.mark.parametrize("with_ids", [False, True])
def test_long_footage_in_parts_is_followed_as_in_one(with_ids: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    detected = long_crossing()
    data = detected["frame"], detected["points"], detected["confidence"]
    ids = names(detected["truth"])  # type: ignore[arg-type]
    ids[(detected["frame"] > 700) & (detected["truth"] < 2)] = "0"  # one id for two people: it jumps
    ways = []
    for least in (500, 10_000):
        monkeypatch.setattr(following, "_PART", least)
        tracks = following.follow_ids(data[0], ids, *data[1:]) if with_ids else following.follow(*data)  # type: ignore[arg-type]
        ways.append(sorted(tuple(rows) for rows in tracks))
    assert ways[0] == ways[1]
    assert len(ways[0]) > 10 if with_ids else len(ways[0]) == 3


def test_long_footage() -> None:
    f1, people = scored(long_crossing())
    assert (f1, people) == (1.0, 3)
