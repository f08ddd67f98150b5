"""From layout to layout by name: sides, derived points, families, what is missing stays missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift.keypoints.layouts import get_layout, layout_names
from mvlift.keypoints.mapping import map_clip
from scenes import still_clip

HUMAN = [n for n in layout_names() if get_layout(n).family == "human"]


@pytest.mark.parametrize("source", HUMAN)
@pytest.mark.parametrize("target", ["openpose24", "body25", "coco17"])
def test_a_keypoint_of_both_layouts_keeps_its_name_and_place(source: str, target: str) -> None:
    clip = still_clip(source, 2)
    mapped = map_clip(clip, target)
    assert mapped.layout == get_layout(target)
    derived = {**clip.layout.derived, **mapped.layout.derived}
    shared = [n for n in mapped.layout.names if n in clip.layout.names and n not in derived]
    assert len(shared) >= 3
    for name in shared:
        a, b = mapped.layout.index(name), clip.layout.index(name)
        np.testing.assert_array_equal(mapped.points[:, a], clip.points[:, b])
        np.testing.assert_array_equal(mapped.confidence[:, a], clip.confidence[:, b])


@pytest.mark.parametrize("name", layout_names())
def test_layouts_have_sides_in_pairs(name: str) -> None:
    layout = get_layout(name)
    assert len(set(layout.names)) == len(layout.names)
    lefts = {n[2:] for n in layout.names if n.startswith("l_")}
    assert lefts == {n[2:] for n in layout.names if n.startswith("r_")}
    partner = layout.mirrored()
    np.testing.assert_array_equal(partner[partner], np.arange(len(layout.names)))
    assert (partner != np.arange(len(layout.names))).sum() == 2 * (len(lefts) + len(layout.mirror))
    assert {n for bone in layout.bones for n in bone} <= set(layout.names) | set(layout.derived)


def test_the_order_of_coco_and_openpose_differs_and_left_stays_left() -> None:
    clip = still_clip("coco17", 1)
    mapped = map_clip(clip, "body25")
    # the published orders: COCO 5 is the left shoulder, BODY_25 5 too; COCO 6 is the right one, BODY_25's is 2
    assert clip.layout.names[5] == mapped.layout.names[5] == "l_shoulder"
    assert (clip.layout.names[6], mapped.layout.names[2]) == ("r_shoulder", "r_shoulder")
    assert (clip.layout.names[15], mapped.layout.names[14]) == ("l_ankle", "l_ankle")
    np.testing.assert_array_equal(mapped.points[0, 2], clip.points[0, 6])
    np.testing.assert_array_equal(mapped.points[0, 14], clip.points[0, 15])


def test_the_neck_is_the_middle_of_the_shoulders_with_the_lesser_confidence() -> None:
    clip = still_clip("coco17", 2)
    left, right = (clip.layout.index(n) for n in ("l_shoulder", "r_shoulder"))
    confidence = clip.confidence.copy()
    confidence[0, left], confidence[1, right] = 0.3, 0.0
    mapped = map_clip(replace(clip, confidence=confidence), "openpose24")
    neck = mapped.layout.index("neck")
    np.testing.assert_allclose(mapped.points[0, neck], clip.points[0, [left, right]].mean(0))
    assert mapped.confidence[0, neck] == pytest.approx(0.3)
    assert mapped.confidence[1, neck] == 0


def test_the_files_own_neck_serves_where_a_shoulder_is_missing() -> None:
    clip = still_clip("body25", 1)
    confidence = clip.confidence.copy()
    confidence[0, clip.layout.index("l_shoulder")] = 0
    mapped = map_clip(replace(clip, confidence=confidence), "openpose24")
    neck = mapped.layout.index("neck")
    np.testing.assert_array_equal(mapped.points[0, neck], clip.points[0, clip.layout.index("neck")])


def test_what_the_clip_lacks_is_missing() -> None:
    mapped = map_clip(still_clip("coco17", 3), "openpose24")
    for name in ("l_heel", "r_big_toe", "l_small_toe"):
        column = mapped.layout.index(name)
        assert (mapped.confidence[:, column] == 0).all()
        assert (mapped.points[:, column] == 0).all()


def test_facts_of_the_clip_are_kept() -> None:
    clip = still_clip("body25", 4, first_frame=9, track_id="x", assumptions=("a",))
    mapped = map_clip(clip, "coco17")
    assert (mapped.first_frame, mapped.track_id, mapped.assumptions, mapped.fps) == (9, "x", ("a",), clip.fps)


def test_other_families_are_refused() -> None:
    with pytest.raises(KeypointError, match="quadruped"):
        map_clip(still_clip("ap10k17", 2), "openpose24")


def test_a_layout_with_nothing_in_common_is_refused() -> None:
    from mvlift.keypoints.layouts import Layout

    with pytest.raises(KeypointError, match="shares almost no keypoint") as caught:
        map_clip(still_clip(Layout("odd", ("a", "b", "c", "d")), 2), "openpose24")
    assert "nose" in caught.value.remedy


def test_unknown_layouts_and_keypoints_are_named() -> None:
    with pytest.raises(KeypointError, match="body26"):
        get_layout("body26")
    with pytest.raises(KeypointError, match="tail"):
        get_layout("coco17").index("tail")
