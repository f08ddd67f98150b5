"""Hands through a whole lift: modes, bodies with and without fingers, MediaPipe's three points, and the other wrist."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import mvlift
import numpy as np
import pytest
from hand_scenes import angles_of
from mvlift.bodies.hands.model import HandModel, hand_model
from mvlift.bodies.hands.tables import SIDES
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.cli import main
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import save_clip
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.lifting.hand_detections import hand_detections, hand_frames
from mvlift.motion import LiftedMotion
from mvlift.typing import F64
from scenes import WALK

MANNEQUIN = Path(mvlift.__file__).parent / "bodies" / "data" / "mannequin.npz"
FRAMES = 40


@pytest.fixture(scope="module")
def plain() -> KeypointClip:
    return replace(mvlift.read_keypoints(WALK, fps=30)[0].restricted(20, 20 + FRAMES - 1), hands=None)


@pytest.fixture(scope="module")
def resting(plain: KeypointClip) -> LiftedMotion:
    return mvlift.lift(plain, preset="fast", hands="relaxed")


def hands_of(motion: LiftedMotion) -> list[HandModel]:
    skeleton = default_human_skeleton_with_fingers()
    return [hand_model(skeleton, side, motion.betas.astype(np.float64)) for side in SIDES]


def seen_hands(motion: LiftedMotion, pose: str) -> F64:
    """(T, 2, 21, 2) pixels of both hands in a pose, on the wrists of a lifted motion."""
    world, joints = forward_kinematics(
        motion.parents,
        motion.rest_joints.astype(np.float64),
        exp_map(motion.rotations.astype(np.float64)),
        motion.translation.astype(np.float64) + motion.rest_joints[0],
    )
    sides = []
    for hand in hands_of(motion):
        points = hand.points(angles_of(hand, pose)) @ world[:, hand.wrist].transpose(0, 2, 1)
        sides.append(motion.camera.project((joints[:, hand.wrist, None] + points).astype(np.float32)))
    return np.stack(sides, 1).astype(np.float64)


@pytest.fixture(scope="module")
def fists(plain: KeypointClip, resting: LiftedMotion) -> KeypointClip:
    points = seen_hands(resting, "fist").astype(np.float32)
    return replace(plain, hands=HandKeypoints(points, np.full(points.shape[:3], 0.9, np.float32)))


def test_without_hands_nothing_changes(plain: KeypointClip) -> None:
    off, auto = (mvlift.lift(plain, preset="fast", hands=mode) for mode in ("off", "auto"))
    assert len(auto.joint_names) == 24
    assert np.array_equal(off.rotations, auto.rotations)
    assert auto.metadata["hands"] == {"mode": "auto", "left": 0, "right": 0}


def test_relaxed_hands_rest(resting: LiftedMotion) -> None:
    assert len(resting.joint_names) == 52
    assert not resting.rotations[:, 20:].any()
    assert resting.body == "smpl"


def test_fists_are_lifted(fists: KeypointClip, resting: LiftedMotion) -> None:
    motion = mvlift.lift(fists, preset="fast")
    assert motion.joint_names == resting.joint_names
    assert motion.metadata["hands"] == {"mode": "auto", "left": FRAMES, "right": FRAMES}
    for hand in hands_of(motion):
        truth = hand.rotations(angles_of(hand, "fist"))
        lifted = exp_map(motion.rotations[:, hand.joints].astype(np.float64))
        error = np.degrees(np.linalg.norm(log_map(lifted.swapaxes(-1, -2) @ truth), axis=-1))
        assert error.mean() < 15
        assert motion.joint_confidence is not None
        assert motion.joint_confidence[:, hand.joints].min() > 0.5
    body = slice(0, 16)  # the body but for the arms is the same; they were where the hands are seen
    assert np.abs(motion.rotations[:, body] - resting.rotations[:, body]).max() < 1e-5
    assert np.abs(motion.rotations[:, 16:18] - resting.rotations[:, 16:18]).max() < 0.02
    off = mvlift.lift(fists, preset="fast", hands="off")
    assert len(off.joint_names) == 24


def test_wrists_go_to_where_the_hands_are_seen(fists: KeypointClip, resting: LiftedMotion) -> None:
    """Hands that a detector sees four centimetres beside the body's wrists are met by the arms, at the same depth."""
    assert fists.hands is not None
    names = [resting.joint_names.index(f"{side}_wrist") for side in SIDES]
    _, joints = forward_kinematics(
        resting.parents,
        resting.rest_joints.astype(np.float64),
        exp_map(resting.rotations.astype(np.float64)),
        resting.translation.astype(np.float64) + resting.rest_joints[0],
    )
    up = np.array([0, 0, 0.04])
    before, wanted = (resting.camera.project((joints[:, names] + step).astype(np.float32)) for step in (0 * up, up))
    moved = fists.hands.points + (wanted - before)[:, :, None]
    clip = replace(fists, hands=HandKeypoints(moved.astype(np.float32), fists.hands.confidence))
    motion = mvlift.lift(clip, preset="fast")
    _, joints = forward_kinematics(
        motion.parents,
        motion.rest_joints.astype(np.float64),
        exp_map(motion.rotations.astype(np.float64)),
        motion.translation.astype(np.float64) + motion.rest_joints[0],
    )
    shown = motion.camera.project(joints[:, names].astype(np.float32))
    off = np.linalg.norm(shown - moved[:, :, 0], axis=-1)
    assert np.linalg.norm(wanted - before, axis=-1).mean() > 5
    assert off.mean() < 1.5


def test_a_users_body_keeps_its_fingers_or_has_none(fists: KeypointClip, tmp_path: Path) -> None:
    motion = mvlift.lift(fists, preset="fast", body=str(MANNEQUIN))
    assert motion.joint_names == default_human_skeleton_with_fingers().joint_names
    with np.load(MANNEQUIN) as data:
        arrays = dict(data)
    folded = arrays["weights"][:, :24].copy()
    folded[:, 22], folded[:, 23] = arrays["weights"][:, 22:37].sum(1), arrays["weights"][:, 37:].sum(1)
    arrays |= {
        "weights": folded,
        "J_regressor": np.concatenate([arrays["J_regressor"][:22], arrays["J_regressor"][[25, 40]]]),
        "kintree_table": np.concatenate(
            [arrays["kintree_table"][:, :22], np.array([[20, 21], [22, 23]], arrays["kintree_table"].dtype)], 1
        ),
    }
    file = tmp_path / "smpl.npz"
    np.savez(file, **arrays)
    bare = mvlift.lift(fists, preset="fast", body=str(file))
    assert len(bare.joint_names) == 24
    assert np.abs(bare.rotations[:, [20, 21]]).max() < 1.0


def test_hands_on_each_others_wrists_change_places(plain: KeypointClip, fists: KeypointClip) -> None:
    assert fists.hands is not None
    swapped = replace(fists, hands=HandKeypoints(fists.hands.points[:, ::-1], fists.hands.confidence[:, ::-1]))
    right, wrong = hand_detections(fists), hand_detections(swapped)
    assert right is not None
    assert wrong is not None
    wrists = [plain.points[:, plain.layout.index(n)] for n in ("l_wrist", "r_wrist")]
    apart = np.linalg.norm(wrists[0] - wrists[1], axis=-1) > 60
    assert apart.any()
    assert np.allclose(right.points[apart], wrong.points[apart])


def test_frames_with_hands_are_counted(fists: KeypointClip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fists.hands is not None
    confidence = fists.hands.confidence.copy()
    confidence[:10, 0] = 0
    clip = replace(fists, hands=HandKeypoints(fists.hands.points, confidence))
    assert hand_frames(clip) == (FRAMES - 10, FRAMES)
    save_clip(clip, tmp_path / "hands.npz")
    with pytest.raises(SystemExit) as left:
        main(["inspect", "--json", str(tmp_path / "hands.npz")])
    assert left.value.code == 0
    people = json.loads(capsys.readouterr().out)["people"]
    assert people[0]["hands"] == {"left": FRAMES - 10, "right": FRAMES}


def test_another_mode_is_refused(plain: KeypointClip) -> None:
    with pytest.raises(LiftError, match="hands"):
        mvlift.lift(plain, preset="fast", hands="clenched")  # type: ignore[arg-type]
