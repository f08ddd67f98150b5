"""What the networks see of a clip, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mvlift.lifting.normalise import UNIT_METRES, VELOCITY_GAIN, intrinsics, normalise
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

HUMAN = get_subject("human")
NAMES = HUMAN.layout.names
SIZE, FOCAL = (1280, 720), 1000.0


def person(frames: int, metres_to_pixels: float = 200.0) -> F64:
    """(T, K, 2) somebody who stands upright in the middle of the picture, every scale bone at its full length."""
    at = {"l_hip": (0.1, 0.0), "r_hip": (-0.1, 0.0), "neck": (0.0, -0.5)}
    for a, b, metres in (*HUMAN.scale_bones, *HUMAN.scale_fallback_bones):
        for first, second in ((a, b), (b, a)):
            if first not in at and (second in at or second == "root"):
                x, y = at.get(second, (0.0, 0.0))
                up = -1 if first in ("neck", "nose", "l_shoulder", "r_shoulder") else 1
                at[first] = (x, y + up * metres)
    points = np.array([at.get(name, (0.0, -0.3)) for name in NAMES]) * metres_to_pixels + [640, 360]
    return np.tile(points, (frames, 1, 1))


def seen(frames: int) -> F64:
    return np.ones((frames, len(NAMES)))


def test_the_root_is_turned_into_the_middle_of_a_level_camera() -> None:
    """A homography H = K R K^-1, R without roll, brings the root's ray to the axis; x stays right, y stays down."""
    points = person(30) + np.array([400, -150])
    motion = normalise(points, seen(30), HUMAN, intrinsics(SIZE, FOCAL))
    hips = points[0, [NAMES.index("l_hip"), NAMES.index("r_hip")]].mean(0)
    ray = np.array([(hips[0] - 640) / FOCAL, (hips[1] - 360) / FOCAL, 1.0])
    yaw = np.arctan2(ray[0], ray[2])
    pitch = np.arctan2(ray[1], np.hypot(ray[0], ray[2]))
    turn = (Rotation.from_euler("x", pitch) * Rotation.from_euler("y", -yaw)).as_matrix()
    np.testing.assert_allclose(motion.turn[0], turn, atol=1e-12)
    np.testing.assert_allclose(motion.turn[0] @ ray, [0, 0, np.linalg.norm(ray)], atol=1e-12)
    elbow = NAMES.index("l_knee")
    local = turn @ np.array([(points[0, elbow, 0] - 640) / FOCAL, (points[0, elbow, 1] - 360) / FOCAL, 1.0])
    expected = FOCAL * local[:2] / local[2] / (motion.pixels_per_metre[0] * UNIT_METRES)
    np.testing.assert_allclose(motion.x[0, elbow], expected, atol=1e-9)
    assert motion.x[0, NAMES.index("l_knee"), 1] > 0.3  # below the root is positive
    assert motion.x[0, NAMES.index("l_hip"), 0] > 0 > motion.x[0, NAMES.index("r_hip"), 0]


def test_the_last_point_is_the_roots_velocity() -> None:
    """Units a frame times a gain: 3 pixels to the right and 1 up, at the scale of the body."""
    step = np.array([3.0, -1.0])
    points = person(40) + np.arange(40)[:, None, None] * step - 20 * step
    motion = normalise(points, seen(40), HUMAN, intrinsics(SIZE, FOCAL))
    expected = VELOCITY_GAIN * step / (motion.pixels_per_metre[20] * UNIT_METRES)
    np.testing.assert_allclose(motion.x[20, -1], expected, rtol=5e-3)
    np.testing.assert_allclose(motion.x[-1, -1], motion.x[-2, -1], rtol=1e-6)  # the last frame has no next one


def test_scale_is_that_of_bones_seen_in_full() -> None:
    """For most of the time thighs point at the camera; the scale stays that of the seconds when they do not."""
    points = person(120, 200.0)
    hidden = points.copy()
    for side in ("l_", "r_"):
        for low in ("knee", "ankle", "heel", "big_toe", "small_toe"):
            if side + low in NAMES:
                hip = points[:, NAMES.index(side + "hip")]
                hidden[:, NAMES.index(side + low)] = hip + 0.3 * (points[:, NAMES.index(side + low)] - hip)
    full = np.arange(120) % 6 == 0
    mixed = np.where(full[:, None, None], points, hidden)
    motion = normalise(mixed, seen(120), HUMAN, intrinsics(SIZE, FOCAL))
    assert motion.pixels_per_metre == pytest.approx(np.full(120, 200.0), rel=0.03)
    assert motion.depth == pytest.approx(FOCAL / motion.pixels_per_metre)


def test_a_hip_that_is_seen_alone_keeps_its_distance_to_the_root() -> None:
    points, confidence = person(30), seen(30)
    both_seen = normalise(points, confidence, HUMAN, intrinsics(SIZE, FOCAL)).root
    confidence[10:20, NAMES.index("l_hip")] = 0
    points[10:20, NAMES.index("l_hip")] = 0
    alone = normalise(points, confidence, HUMAN, intrinsics(SIZE, FOCAL)).root
    np.testing.assert_allclose(alone, both_seen, atol=1e-9)
    confidence[15, NAMES.index("r_hip")] = 0
    np.testing.assert_allclose(normalise(points, confidence, HUMAN, intrinsics(SIZE, FOCAL)).root, both_seen, atol=1e-9)
