"""`mvlift.lift` on the bundled example: what comes out, whatever weights are there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mvlift
import numpy as np
import pytest
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.mapping import map_clip
from mvlift.lifting.sampling.resample import from_model_rate, to_model_rate
from mvlift.lifting.subjects import get_subject
from mvlift.motion import LiftedMotion
from numpy.typing import NDArray
from scenes import ROOT, world_joints

Lifter = Callable[..., LiftedMotion]
ARRAYS = ("translation", "rotations", "betas", "rest_joints", "keypoints", "contacts", "reprojection_error")


@pytest.fixture(scope="module")
def lift(subject: str) -> Lifter:
    def lifted(clip: KeypointClip, **options: Any) -> LiftedMotion:
        return mvlift.lift(clip, **{"subject": subject, "preset": "fast", "device": "cpu", **options})

    return lifted


@pytest.fixture(scope="module")
def motion(lift: Lifter, walk40: KeypointClip) -> LiftedMotion:
    return lift(walk40)


def mean_error(motion: LiftedMotion) -> float:
    return float(np.nanmean(motion.reprojection_error))


def assert_equal(a: LiftedMotion, b: LiftedMotion) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_it_lies_on_the_picture(motion: LiftedMotion, shipped: bool) -> None:
    """The person is 270 pixels tall and the detector trembles by about 2; a random network imagines odd depths."""
    assert mean_error(motion) < (3 if shipped else 4)
    assert np.nanmax(motion.reprojection_error) < (15 if shipped else 60)


def test_shapes_names_and_facts(motion: LiftedMotion, walk40: KeypointClip, lift: Lifter) -> None:
    frames, keys = 40, len(motion.keypoint_names)
    assert len(motion) == len(walk40) == frames
    assert motion.keypoint_names == get_subject("human").layout.names
    assert motion.rotations.shape == (frames, 24, 3)
    assert motion.keypoints.shape == (frames, keys, 3)
    assert motion.contacts.shape == (frames, len(motion.contact_names))
    assert (motion.joint_names[0], motion.parents[0]) == ("pelvis", -1)
    assert (motion.fps, motion.first_frame, motion.camera.image_size) == (Fraction(30), 0, (1280, 720))
    for name in ARRAYS[:-1]:
        assert np.isfinite(getattr(motion, name)).all(), name
    for name in ("contacts", "keypoint_confidence"):
        assert 0 <= getattr(motion, name).min() <= getattr(motion, name).max() <= 1, name
    assert set(motion.metadata["timings"]) == {"load", "prepare", "sample", "fit", "write"}  # type: ignore[call-overload]
    assert motion.metadata["seed"] == 0
    assert motion.metadata["preset"] == "fast"
    assert "walk.zip" in str(motion.metadata["source"])


def test_the_camera_reproduces_the_video(motion: LiftedMotion, walk40: KeypointClip) -> None:
    detected = map_clip(walk40, "openpose24")
    pixel_error = np.linalg.norm(motion.camera.project(motion.keypoints) - detected.points, axis=-1)
    np.testing.assert_allclose(pixel_error[detected.seen], motion.reprojection_error[detected.seen], atol=0.02)
    assert np.isnan(motion.reprojection_error[~detected.seen]).all()
    K, R = motion.camera.K, motion.camera.R
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(R) == pytest.approx(1, abs=1e-5)
    assert K[:2, 2].tolist() == [640, 360]
    assert K[0, 0] == K[1, 1] == pytest.approx(1.1 * 1280)
    depth = (motion.keypoints @ R.T + motion.camera.t)[..., 2]
    assert depth.min() > 1  # in front of it


def test_the_body_is_where_its_keypoints_are(motion: LiftedMotion) -> None:
    joints = world_joints(motion)
    for joint, keypoint in (("left_knee", "l_knee"), ("right_elbow", "r_elbow"), ("left_wrist", "l_wrist")):
        a = joints[:, motion.joint_names.index(joint)]
        b = motion.keypoints[:, motion.keypoint_names.index(keypoint)]
        assert np.linalg.norm(a - b, axis=-1).max() < 0.08, joint


def test_the_world_is_upright_on_a_floor(motion: LiftedMotion) -> None:
    names = motion.keypoint_names
    feet = motion.keypoints[
        :, [names.index(n) for n in motion.contact_names if n[2:] in ("heel", "big_toe", "small_toe")], 2
    ]
    assert abs(float(np.percentile(feet.min(1), 20))) < 0.08
    neck, hip = (motion.keypoints[:, names.index(n), 2].mean() for n in ("neck", "l_hip"))
    assert 0.3 < neck - hip < 0.7
    assert np.abs(motion.keypoints[0, :, :2].mean(0)).max() < 0.1  # the first frame stands above the origin


def test_the_same_seed_gives_equal_arrays(motion: LiftedMotion, lift: Lifter, walk40: KeypointClip) -> None:
    assert_equal(motion, lift(walk40))
    other = lift(walk40, seed=1)
    assert not np.array_equal(other.rotations, motion.rotations)
    assert np.abs(other.keypoints - motion.keypoints).max() > 1e-4


def stature(motion: LiftedMotion) -> float:
    """Metres from the lowest to the highest joint of the unposed body."""
    return float(np.ptp(motion.rest_joints[:, 1]))


def test_height_is_respected(lift: Lifter, walk40: KeypointClip) -> None:
    short, tall = lift(walk40, height=1.5), lift(walk40, height=1.9)
    assert stature(tall) / stature(short) == pytest.approx(1.9 / 1.5, rel=0.02)
    for motion, height in ((short, 1.5), (tall, 1.9)):
        assert 0.8 * height < stature(motion) < 0.95 * height  # crown and soles are beyond the joints
        assert mean_error(motion) < 5
    short_distance, tall_distance = (float(np.linalg.norm(m.camera.t)) for m in (short, tall))
    assert tall_distance / short_distance == pytest.approx(1.9 / 1.5, rel=0.1)


def test_portrait_and_landscape(lift: Lifter, walk40: KeypointClip) -> None:
    left = float(walk40.points[walk40.seen][:, 0].mean()) - 360
    points = walk40.points - np.array([left, -280], np.float32)
    portrait = lift(replace(walk40, points=points, image_size=(720, 1280)))
    assert portrait.camera.image_size == (720, 1280)
    assert portrait.camera.K[0, 0] == pytest.approx(1.1 * 1280)
    assert portrait.camera.K[:2, 2].tolist() == [360, 640]
    assert mean_error(portrait) < 4


def test_options_override_the_clip(lift: Lifter, walk40: KeypointClip) -> None:
    bare = replace(walk40, fps=None, image_size=None)
    assumed = lift(bare)
    text = " ".join(assumed.metadata["assumptions"])  # type: ignore[arg-type]
    assert "frame rate" in text
    assert "image size" in text
    assert "focal" in text
    assert (assumed.fps, assumed.camera.image_size) == (Fraction(30), (1280, 720))
    overridden = lift(bare, fps=25, image_size=(1920, 1080), focal=1500.0)
    assert (overridden.fps, overridden.camera.image_size, float(overridden.camera.K[0, 0])) == (
        Fraction(25),
        (1920, 1080),
        1500.0,
    )
    assert not [s for s in overridden.metadata["assumptions"] if "unknown" in s]  # type: ignore[attr-defined]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_some_pictures_become_a_pose_and_it_is_said(lift: Lifter, walk40: KeypointClip, frames: int) -> None:
    motion = lift(walk40.restricted(0, frames - 1))
    assert np.isfinite(motion.rotations).all()
    assert any("picture" in str(text) or "frames" in str(text) for text in motion.metadata["assumptions"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("frames", [4, 5, 7])
def test_short_clips(lift: Lifter, walk40: KeypointClip, frames: int) -> None:
    motion = lift(walk40.restricted(10, 9 + frames))
    assert (len(motion), motion.first_frame) == (frames, 10)
    assert np.isfinite(motion.rotations).all()
    assert mean_error(motion) < 6


def test_nobody_is_seen_for_a_while(lift: Lifter, walk40: KeypointClip, motion: LiftedMotion, shipped: bool) -> None:
    confidence = walk40.confidence.copy()
    confidence[15:25] = 0
    lifted = lift(replace(walk40, confidence=confidence))
    assert len(lifted) == 40
    assert np.isnan(lifted.reprojection_error[15:25]).all()
    assert lifted.keypoint_confidence[17:23].max() == 0
    assert np.isfinite(lifted.keypoints).all()
    steps = np.linalg.norm(np.diff(lifted.translation, axis=0), axis=1)
    assert steps.max() < 0.15  # 4.5 m/s: no jump into or out of the gap
    error = np.linalg.norm(lifted.camera.project(lifted.keypoints) - motion.camera.project(motion.keypoints), axis=-1)
    assert error[15:25].mean() < (25 if shipped else 120)


def test_ends_without_anybody_are_lifted_too(lift: Lifter, walk40: KeypointClip) -> None:
    confidence = walk40.confidence.copy()
    confidence[:5] = confidence[-5:] = 0
    lifted = lift(replace(walk40, confidence=confidence))
    assert len(lifted) == 40
    assert np.isfinite(lifted.keypoints).all()
    assert np.linalg.norm(np.diff(lifted.translation, axis=0), axis=1).max() < 0.15


def test_a_limb_that_is_never_seen(lift: Lifter, walk40: KeypointClip) -> None:
    confidence = walk40.confidence.copy()
    arm = [walk40.layout.index(n) for n in ("l_elbow", "l_wrist")]
    confidence[:, arm] = 0
    lifted = lift(replace(walk40, confidence=confidence))
    column = lifted.keypoint_names.index("l_wrist")
    assert lifted.keypoint_confidence[:, column].max() == 0
    assert np.isnan(lifted.reprojection_error[:, column]).all()
    assert mean_error(lifted) < 4


def resampled(clip: KeypointClip, fps: Fraction) -> KeypointClip:
    """The same seconds at another rate, keypoints between frames by interpolation."""
    assert clip.fps is not None
    frames = int((len(clip) - 1) * fps / clip.fps) + 1
    at = np.arange(frames) * float(clip.fps / fps)
    low = np.minimum(at.astype(int), len(clip) - 2)
    share = (at - low)[:, None, None]
    points = clip.points[low] * (1 - share) + clip.points[low + 1] * share
    sure = np.minimum(clip.confidence[low], clip.confidence[low + 1])
    return replace(clip, points=points, confidence=sure, fps=fps)


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(120)])
def test_frame_rates(lift: Lifter, walk40: KeypointClip, motion: LiftedMotion, fps: Fraction) -> None:
    """Frame count and rate are kept exactly, and the motion in seconds is that of 30 frames a second."""
    clip = resampled(walk40, fps)
    lifted = lift(clip)
    assert (lifted.fps, len(lifted)) == (fps, len(clip))
    assert mean_error(lifted) < 4.5
    seconds = np.arange(len(lifted)) / float(fps)
    rows = np.minimum(np.rint(seconds * 30).astype(int), 39)
    seen: NDArray[np.floating] = lifted.camera.project(lifted.keypoints) - motion.camera.project(motion.keypoints[rows])
    assert np.linalg.norm(seen, axis=-1).mean() < 8
    travelled = np.linalg.norm(lifted.translation[-1] - lifted.translation[0])
    expected = np.linalg.norm(motion.translation[-1] - motion.translation[0])
    assert travelled == pytest.approx(expected, abs=0.35)


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001), Fraction(120)])
def test_resampling_keeps_seconds(fps: Fraction) -> None:
    """A keypoint that moves 100 pixels a second does so at the networks' rate, and back at its own."""
    seconds = np.arange(50) / float(fps)
    points = np.broadcast_to(100 * seconds[:, None, None], (50, 3, 2))
    confidence = np.full((50, 3), 0.8)
    confidence[20, 1] = 0
    at_30, sure = to_model_rate(points, confidence, fps)
    assert len(at_30) == int(49 * 30 / fps) + 1
    np.testing.assert_allclose(at_30[:, 0, 0], 100 * np.arange(len(at_30)) / 30, atol=1e-9)
    unseen = np.arange(len(sure)) / 30 * float(fps) - 20
    assert (sure[np.abs(unseen) < 0.99, 1] == 0).all()
    assert (sure[np.abs(unseen) > 1.01, 1] == 0.8).all()
    back = from_model_rate(at_30, 50, fps)
    kept = seconds <= (len(at_30) - 1) / 30
    assert kept.sum() >= 46
    np.testing.assert_allclose(back[kept], points[kept], atol=1e-9)


def test_smoothing_calms_the_body(lift: Lifter, walk40: KeypointClip) -> None:
    random = np.random.default_rng(0)
    noisy = replace(walk40, points=walk40.points + random.normal(size=walk40.points.shape).astype(np.float32) * 5)

    def tremble(strength: float) -> float:
        return float(np.abs(np.diff(lift(noisy, smoothing=strength).keypoints, n=2, axis=0)).mean())

    rough, usual, calm = tremble(0.0), tremble(1.0), tremble(8.0)
    assert rough > 1.2 * usual
    assert usual > 1.2 * calm


def test_progress_is_true_and_an_exception_from_it_ends_the_lift(lift: Lifter, walk40: KeypointClip) -> None:
    reports: list[tuple[str, float]] = []
    lift(walk40, progress=lambda stage, share: reports.append((stage, share)))
    titles = ["Preparing", "Generating views", "Fitting the body", "Writing"]
    assert list(dict.fromkeys(stage for stage, _ in reports)) == titles
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    for stage, least in zip(titles[1:3], (1, 5), strict=True):  # one sampling step, and the fit's iterations
        assert len({fraction for name, fraction in reports if name == stage}) >= least
    slower: list[str] = []
    subject = replace(get_subject("human"), sampling_steps=3)
    lift(walk40, subject=subject, progress=lambda stage, share: slower.append(stage))
    titles_of_fast = [stage for stage, _ in reports]
    assert slower.count("Generating views") == 3 * titles_of_fast.count("Generating views")

    class StopHereError(Exception):
        pass

    def stop(stage: str, share: float) -> None:
        if stage == "Generating views" and share > 0.1:
            raise StopHereError

    with pytest.raises(StopHereError):
        lift(walk40, progress=stop)


def test_the_line_model_lifts_where_it_is_all_there_is(tiny_subject: str, walk40: KeypointClip) -> None:
    tiny = get_subject(tiny_subject)
    only = replace(tiny, models={k: v for k, v in tiny.models.items() if k != "multiview"})
    motion = mvlift.lift(walk40, subject=only, preset="fast", device="cpu")
    assert str(motion.metadata["model"]).endswith("tiny-line.safetensors")
    assert mean_error(motion) < 5
    with pytest.raises(LiftError, match="no weights"):
        mvlift.lift(walk40, subject=replace(tiny, models={}), preset="fast", device="cpu")


def truth() -> NDArray[np.float64]:
    """(150, K, 3) metres: what the example was made from."""
    spec = importlib.util.spec_from_file_location("make_walk", ROOT / "examples" / "make_walk.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return np.asarray(module.world_points())


def test_the_shipped_network_finds_the_motion(shipped: bool, walk: KeypointClip) -> None:
    """Mean distance of the limbs to the truth after one similarity transform of the whole clip."""
    if not shipped:
        pytest.skip("the person's network is not in core/mvlift/models")
    from mvlift.bodies import default_human_skeleton

    motion = mvlift.lift(walk, preset="fast", device="cpu")
    names = get_subject("human").score_keypoints
    reference = default_human_skeleton().keypoint_names
    a = motion.keypoints[:, [motion.keypoint_names.index(n) for n in names]].astype(np.float64)
    b = truth()[:, [reference.index(n) for n in names]]
    a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
    u, s, vt = np.linalg.svd(np.einsum("tka,tkb->ab", a, b))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    aligned = (s * [1, 1, np.linalg.det(u @ vt)]).sum() / (a**2).sum() * a @ turn
    assert np.linalg.norm(aligned - b, axis=-1).mean() < 0.08  # 0.12 with random weights
