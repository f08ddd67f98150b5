"""Whole-body files deliver 21 keypoints of each hand, on the side and in the place where they were written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import FRAMES, SIZE, people_of
from mvlift.errors import KeypointError
from mvlift.keypoints import inspect_keypoints, join_clips, map_clip, split_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import load_clip, save_clip
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.naming import layout_of_names
from mvlift.typing import F64


def hands_of(body: F64, layout: str) -> F64:
    """(T, 2, 21, 2): fans of points about the wrists of (T, J, 2), different for each keypoint, hand and frame."""
    names = get_layout(layout).names
    wrists = body[:, [names.index("l_wrist"), names.index("r_wrist")]]
    fan = np.stack([3.0 * np.arange(21), 2.0 * (np.arange(21) % 4) ** 2], -1)
    moved = wrists[:, :, None] + fan * np.array([1.0, -1.0])[:, None, None] + np.arange(len(body))[:, None, None, None]
    return np.round(moved, 3)


def triples(points: F64, confidence: float = 0.8) -> list[float]:
    return [float(v) for x, y in points for v in (x, y, confidence)]


def read_hands(path: Path, **facts: Any) -> tuple[KeypointClip, HandKeypoints]:
    clip = inspect_keypoints(path, **facts).clips[0]
    assert clip.hands is not None
    return clip, clip.hands


def check(hands: HandKeypoints, expected: F64, tolerance: float = 0.02) -> None:
    assert hands.confidence.min() > 0.5
    np.testing.assert_allclose(hands.left, expected[:, 0], atol=tolerance)
    np.testing.assert_allclose(hands.right, expected[:, 1], atol=tolerance)


def test_openpose_hand_arrays(tmp_path: Path) -> None:
    body = people_of("body25", 1)[0]
    hands = hands_of(body, "body25")
    for t in range(FRAMES):
        person = {
            "pose_keypoints_2d": triples(body[t]),
            "hand_left_keypoints_2d": triples(hands[t, 0]),
            "hand_right_keypoints_2d": triples(hands[t, 1]) if t else [],
        }
        (tmp_path / f"v_{t:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))
    clip, read = read_hands(tmp_path)
    np.testing.assert_allclose(read.left, hands[:, 0], atol=0.01)
    np.testing.assert_allclose(read.right[1:], hands[1:, 1], atol=0.01)
    assert (read.right_confidence[0] == 0).all()
    assert np.allclose(read.left_confidence, 0.8)
    assert clip.layout.name == "body25"
    assert read.depth is None


@pytest.mark.parametrize("layout", ["coco133", "halpe136", "goliath308", "mhr70"])
def test_columns_of_whole_body_layouts(tmp_path: Path, layout: str) -> None:
    names = get_layout(layout).names
    body = people_of(layout, 1)[0]
    expected = hands_of(body, layout)
    for h, side in enumerate("lr"):
        for k in range(21):
            column = f"{side}_hand_{k}"
            if column in names:
                body[:, names.index(column)] = expected[:, h, k]
            else:
                expected[:, h, k] = body[:, names.index(f"{side}_wrist")]
    np.savez(tmp_path / "clip.npz", points=body, names=np.array(names), image_size=SIZE)
    clip, read = read_hands(tmp_path / "clip.npz")
    assert clip.layout.name == layout
    check(read, expected)


def test_names_of_finger_joints() -> None:
    """COCO-WholeBody counts from the palm; Goliath and Momentum name the tip and count from it."""
    spelled = {
        "left_hand_root": "l_hand_0",
        "left_thumb1": "l_hand_1",
        "left_thumb4": "l_hand_4",
        "left_forefinger3": "l_hand_7",
        "right_middle_finger2": "r_hand_10",
        "right_ring_finger_third_joint": "r_hand_13",
        "right_pinky_tip": "r_hand_20",
        "right_index_first_joint": "r_hand_7",
        "left_index": "l_index",
    }
    body = ["nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_wrist", "left_knee"]
    assert layout_of_names([*body, *spelled]).names[len(body) :] == tuple(spelled.values())


def test_dwpose_hands(tmp_path: Path) -> None:
    people = people_of("openpose18", 2, 1)[:, 0]
    hands = np.stack([hands_of(p[None], "openpose18")[0] for p in people])  # (P, 2, 21, 2)
    stacked = np.concatenate([hands[:, 0], hands[:, 1]]) / SIZE
    np.savez(
        tmp_path / "0.npz",
        bodies=people.reshape(-1, 2) / SIZE,
        body_scores=np.full((2, 18), 0.9),
        hands=stacked,
        hands_scores=np.full((4, 21), 0.7),
    )
    clips = inspect_keypoints(tmp_path / "0.npz", image_size=SIZE).clips
    assert len(clips) == 2
    for clip in clips:
        person = int(np.abs(people[:, 0] - clip.points[0, 0]).sum(1).argmin())
        assert clip.hands is not None
        check(clip.hands, hands[person][None], 0.01)


def test_holistic_hands_with_depth(tmp_path: Path) -> None:
    body = people_of("mediapipe33", 1)[0]
    hands = hands_of(body, "mediapipe33")

    def landmarks(points: F64, depth: float) -> list[dict[str, float]]:
        return [{"x": x, "y": y, "z": depth * i} for i, (x, y) in enumerate((points / SIZE).tolist())]

    frames = [
        {
            "frame": t,
            "pose_landmarks": landmarks(body[t], 0.0),
            "face_landmarks": landmarks(np.zeros((468, 2)), 0.0),
            "left_hand_landmarks": landmarks(hands[t, 0], -0.001),
            "right_hand_landmarks": landmarks(hands[t, 1], 0.002) if t != 3 else None,
        }
        for t in range(FRAMES)
    ]
    (tmp_path / "holistic.json").write_text(json.dumps(frames))
    clip, read = read_hands(tmp_path / "holistic.json", image_size=SIZE)
    assert clip.layout.name == "mediapipe33"
    np.testing.assert_allclose(read.left, hands[:, 0], atol=0.02)
    assert (read.right_confidence[3] == 0).all()
    assert read.depth is not None
    np.testing.assert_allclose(read.depth[0, 0], -0.001 * np.arange(21) * SIZE[0], atol=1e-3)
    np.testing.assert_allclose(read.depth[0, 1], 0.002 * np.arange(21) * SIZE[0], atol=1e-3)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["left first", "right first"])
def test_hands_behind_mediapipes_pose_go_to_the_nearer_wrist(tmp_path: Path, order: tuple[int, int]) -> None:
    body = people_of("mediapipe33", 1)[0]
    hands = hands_of(body, "mediapipe33")
    np.save(tmp_path / "clip.npy", np.concatenate([body, hands[:, order[0]], hands[:, order[1]]], 1))
    check(read_hands(tmp_path / "clip.npy")[1], hands)


def test_hands_stay_with_their_frames(tmp_path: Path) -> None:
    body = people_of("body25", 1)[0].astype(np.float32)
    hands = hands_of(body, "body25").astype(np.float32)
    all_frames = HandKeypoints(hands, np.full(hands.shape[:3], 0.5, np.float32), np.zeros(hands.shape[:3], np.float32))
    clip = KeypointClip(
        body, np.ones(body.shape[:2], np.float32), get_layout("body25"), first_frame=5, hands=all_frames
    )
    save_clip(clip, tmp_path / "clip.npz")
    again = load_clip(tmp_path / "clip.npz").hands
    assert again is not None
    assert again.depth is not None
    check(replace(again, confidence=again.confidence + 0.2), hands)
    cut = map_clip(clip.restricted(7, 9), "openpose24").hands
    assert cut is not None
    np.testing.assert_array_equal(cut.points, hands[2:5])
    joined = join_clips(*split_clip(clip, 9)).hands
    assert joined is not None
    np.testing.assert_array_equal(joined.points, hands)
    mirrored = all_frames.mirrored(SIZE[0])
    np.testing.assert_allclose(mirrored.left, np.stack([SIZE[0] - hands[:, 1, :, 0], hands[:, 1, :, 1]], -1))
    with pytest.raises(KeypointError, match="frames"):
        replace(clip, hands=all_frames.frames(slice(0, 2)))
