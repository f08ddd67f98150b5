"""Lifts with poses, pins and keypoints of a person's own: they are met, and the rest follows the video."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mvlift.errors import LiftError
from mvlift.keypoints import map_clip, read_keypoints
from mvlift.keypoints.corrections import Corrections, corrected
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.body_of import body_of
from mvlift.lifting.constrained import apply_constraints, constraint_errors
from mvlift.lifting.constraints import (
    Constraints,
    PinConstraint,
    PoseConstraint,
)
from mvlift.lifting.pipeline import lift
from mvlift.lifting.subjects import get_subject
from scenes import WALK

TURN = np.array([0.0, -1.0, 0.0])


@pytest.fixture(scope="module")
def walk():
    """The bundled walk, lifted, with its keypoints and its body."""
    clip = read_keypoints(WALK, fps=30)[0]
    motion = lift(clip, preset="fast", image_size=(1280, 720), device="cpu")
    subject = get_subject("human")
    return clip, motion, map_clip(clip, subject.layout), body_of(subject)[:2]


def turns(before, after):
    """(T, J) degrees between two motions."""
    both = [exp_map(m.rotations.astype(np.float64)) for m in (before, after)]
    return np.degrees(np.linalg.norm(log_map(both[1] @ both[0].transpose(0, 1, 3, 2)), axis=-1))


def bent(motion, frame, joint, turn=TURN):
    """A pose of one joint, turned from where it is."""
    now = exp_map(motion.rotations[frame, motion.joint_names.index(joint)].astype(np.float64))
    return PoseConstraint(frame + motion.first_frame, (joint,), log_map(exp_map(turn) @ now)[None])


def joints_of(motion):
    root = motion.translation + motion.rest_joints[0]
    return forward_kinematics(motion.parents, motion.rest_joints, exp_map(motion.rotations.astype(float)), root)[1]


def test_a_posed_elbow_is_met_and_the_rest_follows_the_video(walk) -> None:
    _, motion, clip, body = walk
    constraints = Constraints((bent(motion, 60, "left_elbow"),))
    changed = apply_constraints(motion, clip, constraints, *body)
    assert constraint_errors(motion, constraints)["degrees"] == pytest.approx(57.3, abs=0.1)
    assert constraint_errors(changed, constraints)["degrees"] < 0.5
    angles = turns(motion, changed)
    beyond = np.abs(np.arange(len(motion)) - 60) > 45
    assert (angles[beyond] == 0).all()  # exactly as it was
    assert angles[np.abs(np.arange(len(motion)) - 60) > 30].max() < 1.0
    elbow = angles[:, motion.joint_names.index("left_elbow")]
    assert elbow[59:62].min() > 30  # a pose does not pop
    assert np.abs(np.diff(elbow)).max() < 20
    legs = [motion.joint_names.index(n) for n in ("left_hip", "right_hip", "left_knee", "right_knee")]
    assert angles[:, legs].max() < 8
    trunk = [motion.joint_names.index(n) for n in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")]
    assert angles[:, trunk].max() < 5  # an arm is corrected by the arm
    names = motion.keypoint_names
    body_keypoints = [k for k, n in enumerate(names) if "wrist" not in n and "hand" not in n]
    before, after = (np.nanmedian(m.reprojection_error[50:70][:, body_keypoints]) for m in (motion, changed))
    assert after < before + 3  # pixels


def test_a_pin_is_met_over_its_range(walk) -> None:
    _, motion, clip, body = walk
    wrist = motion.joint_names.index("left_wrist")
    path = joints_of(motion)[40:50, wrist] + [0.0, 0.06, 0.08]
    constraints = Constraints((), (PinConstraint("left_wrist", 40, path),))
    changed = apply_constraints(motion, clip, constraints, *body)
    assert np.linalg.norm(joints_of(changed)[40:50, wrist] - path, axis=-1).max() < 0.01
    assert constraint_errors(changed, constraints)["metres"] < 0.01
    angles = turns(motion, changed)
    assert angles[85:].max() < 1.0
    speed = np.linalg.norm(np.diff(joints_of(changed)[:, wrist], axis=0), axis=-1)
    before = np.linalg.norm(np.diff(joints_of(motion)[:, wrist], axis=0), axis=-1)
    assert speed.max() < before.max() + 0.05  # it comes and goes without a jump


def test_keypoints_corrected_by_hand_are_where_they_were_put(walk) -> None:
    """A wrist dragged in five frames: the body's keypoint is there, and beyond reach nothing has changed."""
    clip, _, mapped, _ = walk
    corrections = Corrections()
    wanted = {}
    for frame in range(40, 45):
        x, y = mapped.points[frame, mapped.layout.index("l_wrist")] + [10.0, -60.0]
        corrections = corrections.with_point(frame, "l_wrist", (float(x), float(y)))
        wanted[frame] = (x, y)
    again = lift(corrected(clip, corrections), preset="fast", image_size=(1280, 720), device="cpu")
    column = again.keypoint_names.index("l_wrist")
    seen = again.camera.project(again.keypoints)[:, column]
    off = [float(np.linalg.norm(seen[f] - place)) for f, place in wanted.items()]
    assert max(off) < 5  # pixels, of 61
    assert again.metadata["constraints"]["keypoints"] == 5  # type: ignore[index]


def test_a_pinned_foot_stays_and_the_other_leg_keeps_its_contacts(walk) -> None:
    _, motion, clip, body = walk
    ankle = motion.joint_names.index("left_ankle")
    place = joints_of(motion)[35, ankle] + [0.0, 0.0, 0.02]
    constraints = Constraints((), (PinConstraint("left_ankle", 32, np.tile(place, (8, 1))),))
    changed = apply_constraints(motion, clip, constraints, *body)
    assert np.linalg.norm(joints_of(changed)[32:40, ankle] - place, axis=-1).max() < 0.01
    other = motion.joint_names.index("right_ankle")
    slide = np.linalg.norm((joints_of(changed) - joints_of(motion))[:, other], axis=-1)
    assert slide.max() < 0.06


def test_a_lift_takes_constraints_from_a_file_and_starts_from_a_motion(walk, tmp_path: Path) -> None:
    clip, motion, mapped, body = walk
    constraints = Constraints((bent(motion, 60, "right_knee", np.array([0.4, 0, 0])),))
    file, saved = tmp_path / "poses.json", motion.save(tmp_path / "walk.npz")
    file.write_text(json.dumps(constraints.to_json()))
    again = lift(clip, start_from=str(saved), constraints=str(file))
    expected = apply_constraints(motion, mapped, constraints, *body)
    assert np.allclose(again.rotations, expected.rotations, atol=1e-5)
    said = again.metadata["constraints"]
    assert said["poses"] == 1  # type: ignore[index]
    assert said["degrees"] < 1  # type: ignore[index]
    at_once = lift(clip, preset="fast", image_size=(1280, 720), device="cpu", constraints=constraints)
    assert constraint_errors(at_once, constraints)["degrees"] < 1
    assert turns(motion, at_once)[120:].max() < 1e-3  # the same lift


def test_what_does_not_fit_is_refused(walk, tmp_path: Path) -> None:
    clip, motion, mapped, body = walk
    with pytest.raises(LiftError, match="no joint 'left_elbo'"):
        apply_constraints(motion, mapped, Constraints((PoseConstraint(1, ("left_elbo",), np.zeros((1, 3))),)), *body)
    pin = PinConstraint("left_wrist", 145, np.zeros((10, 3)))
    with pytest.raises(LiftError, match="Frame 154 has a pose or pin, but the motion has frames 0 to 149"):
        apply_constraints(motion, mapped, Constraints((), (pin,)), *body)
    with pytest.raises(LiftError, match="its keypoints 100 from 0"):
        apply_constraints(motion, mapped.restricted(0, 99), Constraints((bent(motion, 20, "left_elbow"),)), *body)
    saved = replace(motion, fps=motion.fps * 2).save(tmp_path / "fast.npz")
    with pytest.raises(LiftError, match="60 frames a second, its keypoints 30"):
        lift(clip, start_from=str(saved))
