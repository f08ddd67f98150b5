"""The bundled detector on the bundled video, whose truth is known: the walk of examples/make_walk.py, rendered."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mvlift.detection import DetectionOptions, detect_keypoints
from mvlift.detection.models import model_path
from mvlift.detection.video import open_frames
from mvlift.errors import DetectionError
from mvlift.keypoints.clip import KeypointClip
from mvlift.typing import F64
from scenes import ROOT

sys.path.insert(0, str(ROOT / "examples"))
import make_walk

VIDEO = ROOT / "examples" / "walk.mp4"
FRAMES = 120


def _missing() -> str:
    try:
        model_path("pose_landmark_full")
    except DetectionError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(_missing()), reason=_missing() or "the detector's files are there")


@pytest.fixture(scope="module")
def clips() -> list[KeypointClip]:
    return detect_keypoints(VIDEO, DetectionOptions(hands=True, threads=1))


def truth() -> tuple[F64, tuple[str, ...]]:
    """(T, K, 2) pixels of the walk through the camera of examples/make_video.py, and their names."""
    from mvlift.bodies import default_human_skeleton

    pitch = np.radians(-4.0)
    local = make_walk.world_points()[:FRAMES] - [0.1, -6.3, 1.35]
    depth = np.cos(pitch) * local[..., 1] + np.sin(pitch) * local[..., 2]
    up = -np.sin(pitch) * local[..., 1] + np.cos(pitch) * local[..., 2]
    x, y = 320 + 740 * local[..., 0] / depth, 180 - 740 * up / depth
    return np.stack([x, y], -1), default_human_skeleton().keypoint_names


def test_one_person_where_the_mannequin_walks(clips: list[KeypointClip]) -> None:
    assert [(len(c), c.first_frame, c.image_size) for c in clips] == [(FRAMES, 0, (640, 360))]
    points, names = truth()
    shared = [n for n in names if n in clips[0].layout.names and n.split("_")[-1] in
              ("shoulder", "elbow", "wrist", "knee", "ankle", "heel")]  # fmt: skip
    detected = clips[0].points[:, [clips[0].layout.index(n) for n in shared]]
    wanted = points[:, [names.index(n) for n in shared]]
    height = np.ptp(wanted[..., 1], axis=1).mean()
    error = np.linalg.norm(detected - wanted, axis=-1) / height
    assert np.median(error) < 0.025  # joints of the body are not quite the detector's
    assert np.percentile(error, 95) < 0.1
    swapped = np.linalg.norm(detected - wanted[:, [shared.index(_other(n)) for n in shared]], axis=-1) / height
    assert (error.mean(1) < swapped.mean(1)).mean() > 0.95


def _other(name: str) -> str:
    return ("r_" if name.startswith("l_") else "l_") + name[2:]


def test_hands_hang_on_the_wrists(clips: list[KeypointClip]) -> None:
    hands = clips[0].hands
    assert hands is not None
    for k, side in enumerate("lr"):
        seen = hands.confidence[:, k, 0] > 0
        wrist = clips[0].points[:, clips[0].layout.index(f"{side}_wrist")]
        wrist_gap = np.linalg.norm(hands.points[seen, k, 0] - wrist[seen], axis=-1)
        assert not seen.any() or np.median(wrist_gap) < 12


def test_a_run_that_was_stopped_gives_the_same(tmp_path: Path) -> None:
    options = DetectionOptions(frames=(0, 19), threads=1)
    uninterrupted = detect_keypoints(VIDEO, options)[0]
    began, kept = time.monotonic(), tmp_path / ".kept.npz"
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 9

    with pytest.raises(DetectionError, match="cancelled"):
        detect_keypoints(VIDEO, options, resume_file=kept, cancelled=stop)
    again = detect_keypoints(VIDEO, options, resume_file=kept)[0]
    assert time.monotonic() > began
    np.testing.assert_array_equal(again.points, uninterrupted.points)
    np.testing.assert_array_equal(again.confidence, uninterrupted.confidence)


REFERENCE = ROOT.parent / "shared" / "data" / "real" / "mediapipe33_three_videos.npz"
FOOTAGE = ROOT.parent / "shared" / "videos" / "mmhuman3d_single_person_demo.mp4"


@pytest.mark.skipif(not (REFERENCE.is_file() and FOOTAGE.is_file()), reason="../shared with real footage is not there")
def test_points_are_mediapipes_own() -> None:
    """Median distance under 1 % of the person's height on real footage, against a run of MediaPipe itself."""
    with np.load(REFERENCE) as data:
        row = next(i for i, name in enumerate(data["clip"]) if str(name).startswith(FOOTAGE.stem))
        rows = slice(int(data["start"][row]), int(data["start"][row] + data["length"][row]))
        theirs, confidence = data["xy"][rows], data["confidence"][rows]
    detected = detect_keypoints(FOOTAGE, DetectionOptions(threads=1))
    assert len(detected) == 1
    sure = (confidence > 0.5) & np.isfinite(theirs).all(-1)
    height = np.nanmax(theirs[..., 1], axis=1) - np.nanmin(theirs[..., 1], axis=1)
    error = np.linalg.norm(detected[0].points - theirs, axis=-1) / height[:, None]
    assert np.median(error[sure]) < 0.01


def test_points_are_those_of_mediapipe_run_here() -> None:
    """The same bound on the bundled video, where MediaPipe's own package can be installed."""
    pose = pytest.importorskip("mediapipe.python.solutions.pose", reason="mediapipe 0.10.21 is not installed")
    frames = [frame.image[..., :3].copy() for frame in open_frames(VIDEO)]
    height, width = frames[0].shape[:2]
    with pose.Pose(model_complexity=1, smooth_landmarks=False) as reference:
        found = [reference.process(image).pose_landmarks for image in frames]
    theirs = np.array([[[p.x * width, p.y * height, p.visibility] for p in one.landmark] for one in found])
    detected = detect_keypoints(VIDEO, DetectionOptions(threads=1))[0]
    sure = (theirs[..., 2] > 0.5) & (detected.confidence > 0.5)
    error = np.linalg.norm(detected.points - theirs[..., :2], axis=-1) / np.ptp(theirs[..., 1], axis=1)[:, None]
    assert np.median(error[sure]) < 0.01
