"""People corrected by hand: split, joined, exchanged, and named by pieces of tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mvlift.commands.shared import chosen_people
from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints import KeypointClip, join_clips, split_clip, swap_clips
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.people import Piece, find_person, track_text


def clip(name: str, first: int, count: int, value: float) -> KeypointClip:
    """Somebody whose keypoints lie at (value, frame)."""
    points = np.full((count, 17, 2), value, dtype=np.float32)
    points[..., 1] = np.arange(first, first + count)[:, None]
    return KeypointClip(points, np.full((count, 17), 0.9), get_layout("coco17"), first_frame=first, track_id=name)


def places(one: KeypointClip) -> dict[int, float]:
    """Frame -> x of the nose, for frames with keypoints."""
    return {int(f): float(p[0, 0]) for f, p, c in zip(one.frames, one.points, one.seen, strict=True) if c.any()}


def test_split() -> None:
    before, after = split_clip(clip("a", 10, 20, 1), 15)
    assert (before.first_frame, len(before), before.track_id) == (10, 5, "a")
    assert (after.first_frame, len(after), after.track_id) == (15, 15, "a from 15")
    np.testing.assert_array_equal(after.points[:, 0, 1], np.arange(15, 30))


@pytest.mark.parametrize("frame", [10, 30, 99, -5])
def test_split_outside(frame: int) -> None:
    with pytest.raises(KeypointError, match="outside the clip"):
        split_clip(clip("a", 10, 20, 1), frame)


def test_split_and_joined_is_as_before() -> None:
    original = clip("a", 10, 20, 1)
    for pair in (split_clip(original, 17), split_clip(original, 17)[::-1]):
        again = join_clips(*pair)
        np.testing.assert_array_equal(again.points, original.points)
        np.testing.assert_array_equal(again.confidence, original.confidence)
        assert again.first_frame == 10


def test_join_keeps_the_first_ones_frames_and_the_gap() -> None:
    joined = join_clips(clip("a", 10, 5, 1), clip("b", 13, 5, 2))
    assert places(joined) == {**dict.fromkeys(range(10, 15), 1.0), 15: 2.0, 16: 2.0, 17: 2.0}
    apart = join_clips(clip("b", 20, 3, 2), clip("a", 10, 5, 1))
    assert apart.gaps() == [(15, 19)]
    assert apart.track_id == "b"


def test_swap() -> None:
    a, b = swap_clips(clip("a", 10, 10, 1), clip("b", 12, 10, 2), 16)
    assert places(a) == {**dict.fromkeys(range(10, 16), 1.0), **dict.fromkeys(range(16, 22), 2.0)}
    assert places(b) == {**dict.fromkeys(range(12, 16), 2.0), **dict.fromkeys(range(16, 20), 1.0)}
    assert (a.track_id, b.track_id) == ("a", "b")
    back = swap_clips(a, b, 16)
    assert [places(c) for c in back] == [places(clip("a", 10, 10, 1)), places(clip("b", 12, 10, 2))]


def test_nobody_is_left() -> None:
    with pytest.raises(KeypointError, match="No frames remain"):
        swap_clips(clip("a", 20, 5, 1), clip("b", 10, 5, 2), 18)


def test_different_keypoints_are_not_joined() -> None:
    other = clip("b", 20, 5, 2)
    other = replace(
        other, layout=get_layout("body25"), points=np.ones((5, 25, 2)), confidence=np.ones((5, 25))
    )  # fmt: skip
    with pytest.raises(KeypointError, match="different keypoints"):
        join_clips(clip("a", 10, 5, 1), other)


def test_a_person_named_by_pieces() -> None:
    clips = (clip("1", 0, 50, 1), clip("2", 0, 90, 2))
    text = track_text([Piece(41, 90, "2"), Piece(0, 40, "1")])
    assert text == '[["1", 0, 40], ["2", 41, 90]]'
    (one,) = chosen_people(clips, text)
    assert places(one) == {**dict.fromkeys(range(41), 1.0), **dict.fromkeys(range(41, 90), 2.0)}
    assert find_person(clips, '[["7", 0, 3]]') is None
    with pytest.raises(MvliftError, match="no person"):
        chosen_people(clips, "nobody")
