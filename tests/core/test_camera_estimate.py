"""The camera of a tripod from its video: pictures of a far textured wall, turned and zoomed by known amounts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mvlift.errors import CameraError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.lifting.moving_camera import track_of
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation
from videos import write_video

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (mvlift[camera])")

from mvlift.cameras.estimate import estimate_rotation  # noqa: E402

SIZE = (320, 180)
FRAMES = 31


def wall() -> NDArray[np.uint8]:
    """(1400, 2200) noise at several scales, as plaster or foliage."""
    random = np.random.default_rng(5)
    image = sum(ndimage.zoom(random.normal(size=(1400 // s + 1, 2200 // s + 1)), s, order=1)[:1400, :2200]
                for s in (4, 9, 25))  # fmt: skip
    low, high = np.percentile(image, [1, 99])
    return np.clip(255 * (image - low) / (high - low), 0, 255).astype(np.uint8)


def views(R: F64, focal: F64, walker: bool = False) -> list[NDArray[np.uint8]]:
    """Pictures of the wall, which is 1000 wall pixels away, by cameras at one place."""
    texture, frames = wall(), []
    to_wall = np.array([[1000.0, 0, 1100], [0, 1000, 700], [0, 0, 1]])
    for t in range(len(R)):
        K = np.array([[focal[t], 0, SIZE[0] / 2], [0, focal[t], SIZE[1] / 2], [0, 0, 1]])
        H = K @ R[t] @ np.linalg.inv(to_wall)  # wall pixel -> picture pixel
        grey = cv2.warpPerspective(texture, H, SIZE, flags=cv2.INTER_AREA)
        frames.append(np.repeat(grey[..., None], 3, 2))
    return frames


def degrees_apart(a: F64, b: F64) -> F64:
    """(T,) between rotations relative to the first frame's."""
    relative = (a @ a[0].T) @ (b @ b[0].T).transpose(0, 2, 1)
    return np.degrees(Rotation.from_matrix(relative).magnitude())


def test_a_pan_with_a_tilt(tmp_path: Path) -> None:
    turn = np.stack([np.linspace(0, 0.06, FRAMES), np.linspace(-0.25, 0.25, FRAMES), np.linspace(0, 0.03, FRAMES)], 1)
    R = Rotation.from_rotvec(turn).as_matrix()
    video = write_video(tmp_path / "pan.mp4", views(R, np.full(FRAMES, 300.0)))
    track, notes = estimate_rotation(video, [])
    assert track.scale == "none"
    assert track.K is not None
    assert not notes
    assert track.K[0, 0, 0] == pytest.approx(300, rel=0.04)
    np.testing.assert_array_equal(track.K, track.K[:1].repeat(FRAMES, 0))
    assert degrees_apart(track.R, R).max() < 1.2  # of 29 degrees


def test_a_zoom_with_a_pan(tmp_path: Path) -> None:
    R = Rotation.from_rotvec(np.linspace([0, -0.15, 0], [0, 0.15, 0], FRAMES)).as_matrix()
    focal = np.linspace(280, 420, FRAMES)
    video = write_video(tmp_path / "zoom.mp4", views(R, focal))
    track, notes = estimate_rotation(video, [])
    assert track.K is not None
    np.testing.assert_allclose(track.K[:, 0, 0] / track.K[0, 0, 0], focal / focal[0], rtol=0.02)
    assert any("zooms" in note for note in notes)


def test_a_still_camera_keeps_the_usual_focal_length(tmp_path: Path) -> None:
    video = write_video(tmp_path / "still.mp4", views(np.tile(np.eye(3), (12, 1, 1)), np.full(12, 300.0)))
    track, notes = estimate_rotation(video, [], focal=333.0)
    assert track.K is not None
    np.testing.assert_allclose(track.K[:, 0, 0], 333, rtol=0.01)
    assert degrees_apart(track.R, np.tile(np.eye(3), (12, 1, 1))).max() < 0.1
    assert any("too little" in note for note in notes)


def test_a_camera_that_travels_is_said(tmp_path: Path) -> None:
    """Two walls, one near and one far, which a travelling camera moves apart."""
    texture, frames = wall(), []
    for t in range(FRAMES):
        background = texture[100 + 2 * t : 280 + 2 * t, 300 : 300 + SIZE[0]]
        foreground = texture[700:880, 300 + 5 * t : 300 + SIZE[0] + 5 * t]
        mixed = np.where((np.arange(SIZE[0]) // 40 % 2 == 0)[None], background, foreground)
        frames.append(np.repeat(mixed[..., None], 3, 2))
    video = write_video(tmp_path / "travel.mp4", frames)
    with pytest.raises(CameraError, match="The camera travels"):
        estimate_rotation(video, [])


def test_an_empty_background_is_said(tmp_path: Path) -> None:
    video = write_video(tmp_path / "grey.mp4", [np.full((180, 320, 3), 90, np.uint8) for _ in range(5)])
    with pytest.raises(CameraError, match="too little to follow"):
        estimate_rotation(video, [])


def test_a_lift_estimates_from_the_video_that_its_clip_names(tmp_path: Path) -> None:
    turn = np.stack([np.zeros(FRAMES), np.linspace(-0.25, 0.25, FRAMES), np.zeros(FRAMES)], 1)
    R = Rotation.from_rotvec(turn).as_matrix()
    video = write_video(tmp_path / "pan.mp4", views(R, np.full(FRAMES, 300.0)))
    layout = get_layout("coco17")
    nobody = np.zeros((FRAMES, len(layout.names), 2), np.float32)
    clip = KeypointClip(points=nobody, confidence=nobody[..., 0], layout=layout, fps=Fraction(30), image_size=SIZE)
    with pytest.raises(CameraError, match="no picture"):
        track_of("estimate", clip, None)
    track = track_of("estimate", replace(clip, metadata={"video": str(video)}), None)
    assert track is not None
    assert degrees_apart(track.R, R).max() < 0.5
