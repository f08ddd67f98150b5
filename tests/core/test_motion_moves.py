"""Motions moved, scaled and seen by other cameras: pictures that must not change, and those that must."""

from dataclasses import replace

import numpy as np
import pytest
from mvlift.kinematics.rotations import exp_map
from mvlift.motion import Camera
from scenes import small_motion
from scipy.spatial.transform import Rotation


def test_a_motion_moved_with_its_camera_gives_the_same_picture() -> None:
    motion = small_motion()
    A, b = exp_map(np.array([0.3, -0.2, 1.1])), np.array([1.0, -2.0, 0.5])
    moved = motion.transformed(A, b)
    before, after = motion.camera.project(motion.keypoints), moved.camera.project(moved.keypoints)
    assert np.abs(before - after).max() < 0.02
    joint = motion.translation + motion.rest_joints[0]
    assert moved.translation + motion.rest_joints[0] == pytest.approx(joint @ A.T + b, abs=1e-5)
    root_turn = Rotation.from_rotvec(motion.rotations[:, 0]).as_matrix()
    assert Rotation.from_rotvec(moved.rotations[:, 0]).as_matrix() == pytest.approx(A @ root_turn, abs=1e-5)
    assert moved.rotations[:, 1:] == pytest.approx(motion.rotations[:, 1:], abs=1e-6)


def test_a_scaled_motion_gives_the_same_picture_from_further_away() -> None:
    motion = small_motion()
    larger = motion.scaled(1.5)
    assert larger.keypoints == pytest.approx(1.5 * motion.keypoints)
    assert larger.camera.t == pytest.approx(1.5 * motion.camera.t)
    assert np.abs(motion.camera.project(motion.keypoints) - larger.camera.project(larger.keypoints)).max() < 0.02


def test_another_camera_adds_the_way_that_keypoints_move_to_their_error() -> None:
    motion = small_motion()
    K = motion.camera.K.copy()
    K[0, 2] += 3.0  # every keypoint three pixels to the right
    other = motion.with_camera(replace(motion.camera, K=K))
    assert other.reprojection_error == pytest.approx(np.hypot(motion.reprojection_error, 3.0), abs=0.01, nan_ok=True)


def test_a_camera_that_moves_projects_each_frame_by_its_own_pose() -> None:
    motion = small_motion()
    still, frames = motion.camera, len(motion)
    R = np.repeat(still.R[None], frames, 0)
    R[1] = (exp_map(np.array([0.0, 0.2, 0.0])) @ still.R).astype(np.float32)
    t = np.repeat(still.t[None], frames, 0)
    t[2] += np.array([0.1, 0, 0], np.float32)
    moving = Camera(still.K, R, t, still.image_size)
    assert moving.moves
    assert not still.moves
    pixels = moving.project(motion.keypoints)
    for frame in range(3):
        frame_camera = Camera(still.K, R[frame], t[frame], still.image_size)
        assert pixels[frame] == pytest.approx(frame_camera.project(motion.keypoints[frame]), abs=1e-2)
    lenses = Camera(np.repeat(still.K[None], frames, 0), R, t, still.image_size)
    assert lenses.project(motion.keypoints) == pytest.approx(pixels, abs=1e-2)
