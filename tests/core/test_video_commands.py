"""`mvlift detect` and `mvlift lift VIDEO`: files, exit codes, what is kept."""

from __future__ import annotations

from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.cli import main
from mvlift.detection.options import DetectionOptions
from mvlift.detection.poses import FramePoses, PoseDetector
from mvlift.detection.registry import DetectorEntry, register_detector
from mvlift.detection.video import Frame
from mvlift.keypoints import read_keypoints
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout
from mvlift.typing import F64
from videos import DotDetector, picture, write_video


def run(*arguments: str | Path) -> int:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


class WalkDetector:
    """Delivers the bundled walk, frame by frame, whatever the picture shows."""

    calls = 0

    def __init__(self, walk: KeypointClip) -> None:
        self._walk = walk

    @property
    def layout(self) -> Layout:
        """Of the walk."""
        return self._walk.layout

    def detect(self, frame: Frame) -> FramePoses:
        """The walker in a frame."""
        WalkDetector.calls += 1
        row = slice(frame.number, frame.number + 1)
        points = self._walk.points[row].astype(np.float64) * frame.scale
        return FramePoses(points, self._walk.confidence[row].astype(np.float64))

    def reset(self) -> None:
        """Nothing is carried."""

    def state(self) -> dict[str, F64]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, F64]) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def _detectors(walk: KeypointClip) -> None:
    def dots(options: DetectionOptions, threads: int) -> PoseDetector:
        return DotDetector()

    def walker(options: DetectionOptions, threads: int) -> PoseDetector:
        return WalkDetector(walk)

    register_detector(DetectorEntry("dots", "white squares", dots, False))
    register_detector(DetectorEntry("walker", "the walk", walker, False))
    WalkDetector.calls = 0


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", [picture(t) for t in range(12)])


@pytest.mark.parametrize("suffix", ["npz", "csv", "json", "zip"])
def test_detect_writes_keypoints_and_a_preview(
    video: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output, preview = tmp_path / f"people.{suffix}", tmp_path / "preview.mp4"
    assert run("detect", video, "-o", output, "--detector", "dots", "--preview", preview) == 0
    clips = read_keypoints(output)
    assert [len(c) for c in clips] == [12]
    assert preview.stat().st_size > 1000
    assert "1 person in 12 frames" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*"))


def test_several_videos_go_into_a_folder_and_one_failure_stops_no_other(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"x" * 100)
    assert run("detect", video, broken, "-o", tmp_path / "out", "--detector", "dots", "--extension", "csv") == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["clip.csv"]
    assert "broken.mp4: " in capsys.readouterr().err
    assert run("detect", video, "-o", tmp_path / "x.npz", "--detector", "abacus") == 1
    assert not (tmp_path / "x.npz").exists()


def test_lift_takes_a_video_and_keeps_its_keypoints(tmp_path: Path, tiny_subject: str) -> None:
    frames = [np.full((72, 128, 3), 90, np.uint8) for _ in range(24)]
    film = write_video(tmp_path / "film.mp4", [np.repeat(np.repeat(f, 10, 0), 10, 1) for f in frames])
    options = ["--subject", tiny_subject, "--preset", "fast", "--device", "cpu", "--detector", "walker"]
    assert run("lift", film, "-o", tmp_path / "a.npz", *options) == 0
    motion = mvlift.load_motion(tmp_path / "a.npz")
    assert (len(motion), motion.camera.image_size, float(motion.fps)) == (24, (1280, 720), 25.0)
    assert (tmp_path / "film.keypoints.npz").exists()
    assert WalkDetector.calls == 24
    assert run("lift", film, "-o", tmp_path / "b.npz", *options) == 0
    assert WalkDetector.calls == 24  # the keypoints were there
    np.testing.assert_array_equal(mvlift.load_motion(tmp_path / "b.npz").rotations, motion.rotations)


def test_inspect_and_convert_say_what_to_do_with_a_video(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", video) == 1
    assert "mvlift detect" in capsys.readouterr().err
    assert run("convert", video, "-o", tmp_path / "a.csv") == 1
