"""`mvlift convert`: what is written and read back is the same, to the last bit of the 32 that a clip holds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from keypoint_files import SIZE, people_of
from mvlift.errors import KeypointError
from mvlift.keypoints import read_keypoints, write_keypoints
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout, layout_names

FRAMES = 24


def people(layout: str, kind: str = "human", count: int = 2) -> list[KeypointClip]:
    """Walkers with unround numbers, missing keypoints and a gap, who begin at frames 7 and 9 of the video."""
    random = np.random.default_rng(4)
    clips = []
    for number, walk in enumerate(people_of(layout, count, frames=FRAMES, kind=kind)):
        confidence = random.uniform(0.1, 0.99, walk.shape[:2])
        confidence[random.random(confidence.shape) < 0.1] = 0
        confidence[10:12] = 0
        points = walk + random.normal(size=walk.shape) / 3
        start = 2 * number
        clips.append(
            KeypointClip(
                points=points[start:],
                confidence=confidence[start:],
                layout=get_layout(layout),
                fps=Fraction(30000, 1001),
                image_size=SIZE,
                first_frame=7 + start,
                track_id=str(number),
            )
        )
    return clips


def by_place(clips: list[KeypointClip]) -> list[KeypointClip]:
    return sorted(clips, key=lambda c: float(c.points[c.seen][:, 0].mean()))


def assert_same(reread: list[KeypointClip], written: list[KeypointClip], layout: str = "") -> None:
    assert len(reread) == len(written)
    for a, b in zip(by_place(reread), by_place(written), strict=True):
        assert a.layout.names == (get_layout(layout) if layout else b.layout).names
        assert (a.first_frame, len(a)) == (b.first_frame, len(b))
        np.testing.assert_array_equal(a.confidence, b.confidence)
        np.testing.assert_array_equal(a.points, b.points)


@pytest.mark.parametrize("layout", layout_names())
def test_csv_loses_nothing(tmp_path: Path, layout: str) -> None:
    kind = get_layout(layout).family
    clips = people(layout, "human" if kind == "human" else "quadruped")
    reread = read_keypoints(write_keypoints(clips, tmp_path / "a.csv"))
    assert_same(reread, clips)
    assert {(c.fps, c.image_size) for c in reread} == {(Fraction(30000, 1001), SIZE)}
    assert {c.track_id for c in reread} == {"0", "1"}


@pytest.mark.parametrize("layout", layout_names())
def test_coco_loses_nothing(tmp_path: Path, layout: str) -> None:
    kind = get_layout(layout).family
    clips = people(layout, "human" if kind == "human" else "quadruped")
    reread = read_keypoints(write_keypoints(clips, tmp_path / "a.json"))
    assert_same(reread, clips)
    assert {(c.fps, c.image_size) for c in reread} == {(Fraction(30000, 1001), SIZE)}
    assert {c.track_id for c in reread} == {"0", "1"}


@pytest.mark.parametrize("layout", ["body25", "openpose18", "halpe26", "body25b", "mpi15"])
@pytest.mark.parametrize("name", ["a.zip", "folder"])
def test_openpose_loses_no_keypoint(tmp_path: Path, layout: str, name: str) -> None:
    clips = people(layout)
    assert_same(read_keypoints(write_keypoints(clips, tmp_path / name)), clips)


def test_a_single_person_stays_one(tmp_path: Path) -> None:
    clips = people("coco17", count=1)
    for name in ("a.csv", "a.json"):
        assert_same(read_keypoints(write_keypoints(clips, tmp_path / name)), clips)


def test_layouts_that_openpose_has_not_become_body25(tmp_path: Path) -> None:
    clips = people("coco17")
    reread = read_keypoints(write_keypoints(clips, tmp_path / "a.zip"))
    assert {c.layout.name for c in reread} == {"body25"}
    for a, b in zip(by_place(reread), by_place(clips), strict=True):
        wrist = (a.layout.index("l_wrist"), b.layout.index("l_wrist"))
        np.testing.assert_array_equal(a.points[:, wrist[0]], b.points[:, wrist[1]])


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    clips = people("coco17")
    with pytest.raises(KeypointError, match="cannot be written as a keypoint file"):
        write_keypoints(clips, tmp_path / "a.xyz")
    with pytest.raises(KeypointError, match="No people selected"):
        write_keypoints([], tmp_path / "a.csv")
    with pytest.raises(KeypointError, match="different keypoint layouts"):
        write_keypoints([clips[0], *people("body25", count=1)], tmp_path / "a.csv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(KeypointError, match="there already"):
        write_keypoints(clips, tmp_path / "full")
    assert not list(tmp_path.glob(".*part*"))


def test_without_rate_and_size_nothing_is_invented(tmp_path: Path) -> None:
    clips = [replace(c, fps=None, image_size=None) for c in people("coco17")]
    for name in ("a.csv", "a.json", "a.zip"):
        reread = read_keypoints(write_keypoints(clips, tmp_path / name))
        assert {(c.fps, c.image_size) for c in reread} == {(None, None)}


def test_animals_are_not_written_as_openpose(tmp_path: Path) -> None:
    with pytest.raises(KeypointError, match="for people") as caught:
        write_keypoints(people("ap10k17", "quadruped"), tmp_path / "dog.zip")
    assert caught.value.remedy == "Write .csv or .json."
    assert not list(tmp_path.iterdir())


def test_coco_keeps_names_of_people(tmp_path: Path) -> None:
    named = zip(people("coco17", count=3), ("person_1", "person_0", "7"), strict=True)
    clips = [replace(clip, track_id=name) for clip, name in named]
    reread = read_keypoints(write_keypoints(clips, tmp_path / "clip.json"))
    assert {c.track_id for c in reread} == {"person_1", "person_0", "7"}
