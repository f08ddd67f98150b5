"""Moving cameras: rays, the unit of the path, and lifts whose camera pans, zooms and travels, against the truth."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.fit import FitOptions, FitTargets, fit_body
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.cameras import CameraTrack
from mvlift.cameras.moving import angles_of, moving_view, rays_of_angles
from mvlift.cameras.steady import steady_path
from mvlift.errors import CameraError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.lifting.camera_scale import path_size
from mvlift.lifting.normalise import intrinsics, normalise, normalise_rays
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

SIZE = (1280, 720)
T = 60


def track(scale: str = "metric", unit: float = 1.0, zoom: bool = False) -> CameraTrack:
    """A camera at 5 m that pans over 40 degrees, travels 1.5 m and may zoom; world y down, z forward as the camera."""
    yaw = np.radians(np.linspace(-20, 20, T))
    R = Rotation.from_euler("yxz", np.stack([yaw, 0.05 * np.sin(6 * yaw), 0.03 * np.cos(9 * yaw)], 1)).as_matrix()
    R = R.transpose(0, 2, 1)
    centre = np.stack([np.linspace(-0.8, 0.7, T), 0.1 * np.sin(5 * yaw), np.linspace(-5, -4.6, T)], 1)
    K = np.tile(intrinsics(SIZE, 1200.0), (T, 1, 1))
    if zoom:
        K[:, 0, 0] = K[:, 1, 1] = np.linspace(900, 1500, T)
    t = -np.einsum("tab,tb->ta", R, centre) / unit
    return CameraTrack(np.arange(T), R, t, K, SIZE, scale)  # type: ignore[arg-type]


def seen(points: F64, camera: CameraTrack, unit: float = 1.0) -> F64:
    """(T, N, 2) pixels of world points (T, N, 3)."""
    assert camera.K is not None
    local = np.einsum("tab,tnb->tna", camera.R, points) + unit * camera.t[:, None]
    image = np.einsum("tab,tnb->tna", camera.K, local)
    return np.asarray(image[..., :2] / image[..., 2:])


def test_rays_are_those_of_the_points() -> None:
    camera = track(zoom=True)
    view = moving_view(camera, intrinsics(SIZE))
    points = np.random.default_rng(0).normal(size=(T, 6, 3))
    pixels = view.without_zoom(seen(points, camera))
    rays = view.rays(pixels)
    scene = (points - view.origin) @ view.to_world  # world to scene axes
    offset = scene - view.path[:, None]
    unit = [v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (rays, offset)]
    np.testing.assert_allclose(*unit, atol=1e-9)
    np.testing.assert_allclose(view.with_zoom(pixels), seen(points, camera), atol=1e-6)
    np.testing.assert_allclose(view.pixels_of_rays(rays), pixels, atol=1e-6)
    np.testing.assert_allclose(view.from_camera(view.to_camera(scene)), scene, atol=1e-12)
    local = np.einsum("tab,tnb->tna", camera.R, points) + camera.t[:, None]
    np.testing.assert_allclose(view.to_camera(scene), local, atol=1e-9)


def test_angles_are_azimuth_and_elevation() -> None:
    rays = np.array([[0.0, 0, 2], [1, 0, 1], [0, 3, 3], [-1, 0, 0], [0, 0, -1]])
    np.testing.assert_allclose(
        angles_of(rays), np.radians([[0, 0], [45, 0], [0, 45], [-90, 0], [180, 0]]), atol=1e-12
    )  # fmt: skip
    unit = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    np.testing.assert_allclose(rays_of_angles(angles_of(rays)), unit, atol=1e-12)


def standing(frames: int = T) -> F64:
    """(frames, 24, 3) the resting body, upright in axes y down, 5 m away."""
    skeleton = default_human_skeleton().with_keypoints(get_layout("openpose24").names)
    _, points = skeleton.shaped(np.zeros(10))
    return np.tile(points * [1, -1, -1] + [0, 0.2, 0], (frames, 1, 1))


def test_pans_and_zooms_vanish_from_what_the_networks_see() -> None:
    """Somebody who stands still in front of a camera that pans and zooms looks as before a still one."""
    subject = get_subject("human")
    camera = replace(track("none", zoom=True))
    place = -np.einsum("tba,tb->ta", camera.R, np.tile([0, 0, 5.0], (T, 1)))
    turning = replace(camera, t=-np.einsum("tab,b->ta", camera.R, np.array([0.0, 0, -5])))
    points = standing()
    view = moving_view(replace(turning, scale="none"), intrinsics(SIZE))
    angles = angles_of(view.rays(view.without_zoom(seen(points, turning))))
    normalised = normalise_rays(angles, np.ones((T, 24)), subject, view.reference, view.path)
    assert place.shape == (T, 3)
    assert np.abs(np.diff(normalised.x, axis=0)).max() < 1e-6
    assert np.abs(normalised.x[:, -1]).max() < 1e-6  # and does not move


def test_a_still_camera_is_the_special_case() -> None:
    subject, K = get_subject("human"), intrinsics(SIZE, 1200.0)
    points = standing() + np.linspace([-0.3, 0, 0], [0.3, 0, 0], T)[:, None] + [0, 0, 5.0]
    pixels = points[..., :2] / points[..., 2:] * 1200 + K[:2, 2]
    still = normalise(pixels, np.ones((T, 24)), subject, K)
    rays = np.concatenate([(pixels - K[:2, 2]) / 1200, np.ones((T, 24, 1))], -1)
    moving = normalise_rays(angles_of(rays), np.ones((T, 24)), subject, K, np.zeros((T, 3)))
    np.testing.assert_allclose(moving.x[:, :-1], still.x[:, :-1], atol=2e-3)
    np.testing.assert_allclose(moving.turn, still.turn, atol=1e-4)
    np.testing.assert_allclose(moving.x[:, -1], still.x[:, -1], atol=0.05)


@pytest.mark.parametrize("unit", [0.2, 1.0, 30.0])
def test_the_unit_comes_from_feet_that_rest(unit: float) -> None:
    """Steps of 0.7 m beside a camera that follows; depth is wrong by up to a decimetre and trembles."""
    frames, fps = 150, 30.0
    time = np.arange(frames) / fps
    left = 0.7 * (np.floor(time) + np.clip((time % 1.0) * 2 - 1, 0, 1))
    right = 0.7 * (np.floor(time + 0.5) + np.clip(((time + 0.5) % 1.0) * 2 - 1, 0, 1)) - 0.35
    zero = np.zeros(frames)
    feet = np.stack([np.stack([f, zero + 0.9, zero + 4], 1) for f in (left, right)], 1)
    root = np.stack([0.7 * time, zero, zero + 4], 1)
    camera = np.stack([0.6 * time + 0.05 * np.sin(5 * time), 0.02 * np.sin(9 * time), zero], 1)
    random = np.random.default_rng(3)
    depth = 1 + 0.02 * np.sin(2 * time)[:, None, None] + 0.004 * random.normal(size=(frames, 1, 1))
    estimate = path_size(camera / unit, (feet - camera[:, None]) * depth, (root - camera) * depth[:, 0],
                      np.ones((frames, 2)), fps)  # fmt: skip
    assert estimate == pytest.approx(unit, rel=0.08)


def test_a_tripod_that_only_trembles_stays_where_it_is() -> None:
    """A solver's noise is no path: no unit of it makes resting feet rest better."""
    random, frames = np.random.default_rng(1), 150
    time = np.arange(frames) / 30
    feet = np.stack([np.stack([0.7 * np.floor(time + s), 0 * time + 0.9, 0 * time + 4], 1) for s in (0, 0.5)], 1)
    root = np.stack([0.7 * time, 0 * time, 0 * time + 4], 1)
    tremble = 1e-3 * random.normal(size=(frames, 3))
    assert path_size(tremble, feet, root, np.ones((frames, 2)), 30.0) == 0


def test_a_camera_that_stands_has_no_unit() -> None:
    assert path_size(np.zeros((40, 3)), np.ones((40, 2, 3)), np.ones((40, 3)), np.ones((40, 2)), 30.0) is None


def test_the_fit_finds_the_body_in_the_scene_through_a_moving_camera() -> None:
    camera = track(zoom=True)
    view = moving_view(camera, intrinsics(SIZE))
    points = standing() + np.linspace([-0.5, 0, 0], [0.6, 0, 0.4], T)[:, None]
    scene = (points - view.origin) @ view.to_world
    targets = FitTargets(
        points3d=scene - scene[:, [8, 11]].mean(1, keepdims=True), sigma3d=np.full((T, 24), 0.1),
        up=view.to_world.T @ np.array([0.0, -1, 0]), fps=30.0, pixels=view.without_zoom(seen(points, camera)),
        confidence=np.ones((T, 24)), K=view.reference, camera=view,
    )  # fmt: skip
    skeleton = default_human_skeleton().with_keypoints(get_layout("openpose24").names)
    fitted = fit_body(skeleton, get_kinematic_model("human"), targets, FitOptions(up_sigma=0.0))
    path = fitted.points.mean(1) - scene.mean(1)
    assert np.abs(path - path.mean(0)).max() < 0.03
    local = view.to_camera(fitted.points)
    pixels = view.reference[0, 0] * local[..., :2] / local[..., 2:] + view.reference[:2, 2]
    assert np.abs(pixels - targets.pixels).max() < 4


def test_a_path_loses_its_tremble_and_nothing_else() -> None:
    """Exact paths stay; white noise of 7 mm on a travelling, swaying camera falls to less than half."""
    time = np.arange(400) / 30
    path = np.stack([0.6 * time + 0.03 * np.sin(8 * time), 0.02 * np.cos(5 * time), 0.3 * np.sin(0.7 * time)], 1)
    np.testing.assert_allclose(steady_path(path), path, atol=2e-4)
    np.testing.assert_allclose(steady_path(1000 * path), 1000 * path, atol=0.2)  # whatever its unit
    noise = 0.007 * np.random.default_rng(0).normal(size=path.shape)
    left = steady_path(path + noise) - path
    assert np.sqrt((left**2).mean()) < 0.45 * 0.007
    slow = steady_path((path + noise)[:40]) - path[:40]
    assert np.sqrt((slow**2).mean()) < 0.6 * 0.007
    still = np.tile([1.0, 2, 3], (50, 1))
    np.testing.assert_array_equal(steady_path(still), still)


def test_the_smoothing_solves_its_normal_equations() -> None:
    from mvlift.cameras.steady import _smoothed

    y = np.cumsum(np.random.default_rng(2).normal(size=(30, 3)), 0)
    D = np.diff(np.eye(30), 3, axis=0)
    np.testing.assert_allclose(_smoothed(y, 5.5), np.linalg.solve(np.eye(30) + 5.5 * D.T @ D, y), atol=1e-9)


def test_the_fit_finds_the_unit_of_the_path_from_feet_that_rest() -> None:
    """Somebody stands; the camera travels in a unit of 0.5 m, and the fit starts from one that is a quarter off."""
    camera = track("unknown", unit=0.5)
    view = moving_view(camera, intrinsics(SIZE))
    scene = (standing() - view.origin * 0.5) @ view.to_world
    targets = FitTargets(
        points3d=scene - scene[:, [8, 11]].mean(1, keepdims=True), sigma3d=np.full((T, 24), 0.1),
        up=view.to_world.T @ np.array([0.0, -1, 0]), fps=30.0, pixels=view.without_zoom(seen(standing(), track())),
        confidence=np.ones((T, 24)), K=view.reference, camera=view.rescaled(0.4),
    )  # fmt: skip
    skeleton = default_human_skeleton().with_keypoints(get_layout("openpose24").names)
    options = FitOptions(up_sigma=0.0, iterations=12)
    fitted = fit_body(skeleton, get_kinematic_model("human"), targets, options)
    assert fitted.path_size == pytest.approx(0.5, rel=0.05)
    held = fit_body(skeleton, get_kinematic_model("human"), targets, replace(options, path_unit=False))
    assert held.path_size == pytest.approx(0.4)


def moving_walk(walk: KeypointClip, camera: CameraTrack) -> KeypointClip:
    """The bundled walk as a camera sees it that pans and zooms at the place of the still one."""
    assert camera.K is not None
    K = intrinsics(SIZE, 1250.0)
    rays = np.concatenate([(walk.points[:T] - K[:2, 2]) / 1250.0, np.ones((T, walk.points.shape[1], 1))], -1)
    local = np.einsum("tab,tnb->tna", camera.R, rays)
    image = np.einsum("tab,tnb->tna", camera.K, local)
    return replace(walk.restricted(0, T - 1), points=(image[..., :2] / image[..., 2:]).astype(np.float32))


@pytest.fixture
def panned(walk: KeypointClip, tmp_path: Path) -> tuple[KeypointClip, Path]:
    camera = track("none", zoom=True)
    path = tmp_path / "camera.npz"
    np.savez(path, K=camera.K, R=camera.R, t=camera.t, scale="none", image_size=SIZE)
    return moving_walk(walk, camera), path


def test_a_lift_with_a_track_reproduces_the_video(panned: tuple[KeypointClip, Path], tiny_subject: str) -> None:
    clip, path = panned
    motion = mvlift.lift(clip, subject=tiny_subject, preset="fast", device="cpu", camera=str(path))
    assert motion.camera.K.shape == (T, 3, 3)
    np.testing.assert_allclose(motion.camera.K[:, 0, 0], np.linspace(900, 1500, T), rtol=1e-4)
    relative = motion.camera.R[1:] @ motion.camera.R[:1].transpose(0, 2, 1)
    wanted = track().R[1:] @ track().R[:1].transpose(0, 2, 1)
    np.testing.assert_allclose(relative, wanted, atol=1e-4)
    mapped = motion.camera.project(motion.keypoints)
    index = clip.layout.index("nose")
    nose = motion.keypoint_names.index("nose")
    error = np.linalg.norm(mapped[:, nose] - clip.points[:, index], axis=-1)
    np.testing.assert_allclose(np.nanmedian(motion.reprojection_error[:, nose]), np.median(error), rtol=0.2)
    loaded = mvlift.load_motion(motion.save(path.with_name("m.npz")))
    np.testing.assert_array_equal(loaded.camera.t, motion.camera.t)
    np.testing.assert_array_equal(loaded.camera.project(loaded.keypoints), mapped)


def test_the_path_is_the_persons(panned: tuple[KeypointClip, Path], walk: KeypointClip, subject: str) -> None:
    """Through the panning and zooming camera the person walks as far as before the still one."""
    clip, path = panned
    still = mvlift.lift(walk.restricted(0, T - 1), subject=subject, preset="fast", device="cpu", focal=1250.0)
    moving = mvlift.lift(clip, subject=subject, preset="fast", device="cpu", camera=str(path))
    as_if_still = mvlift.lift(clip, subject=subject, preset="fast", device="cpu", focal=1250.0)

    def steps(motion: mvlift.LiftedMotion) -> F64:
        way = motion.translation[::10, :2].astype(np.float64)
        return np.linalg.norm(way[:, None] - way[None], axis=-1)

    assert np.abs(steps(moving) - steps(still)).max() < 0.3  # two seconds of walking leave the path so uncertain
    assert np.abs(steps(as_if_still) - steps(still)).max() > 0.5


def test_static_is_as_before(walk40: KeypointClip, tiny_subject: str) -> None:
    one, two = (mvlift.lift(walk40, subject=tiny_subject, preset="fast", device="cpu", camera=c)
                for c in (None, "static"))  # fmt: skip
    np.testing.assert_array_equal(one.keypoints, two.keypoints)
    assert one.camera.R.shape == (3, 3)


def test_tracks_that_do_not_fit_the_clip_are_said(
    panned: tuple[KeypointClip, Path], tiny_subject: str, tmp_path: Path
) -> None:
    clip, _ = panned
    short = track("none")
    np.savez(tmp_path / "short.npz", K=short.K[:40], R=short.R[:40], t=short.t[:40])  # type: ignore[index]
    with pytest.raises(CameraError, match="frames 0 to 39, the clip frames 0 to 59"):
        mvlift.lift(clip, subject=tiny_subject, preset="fast", device="cpu", camera=str(tmp_path / "short.npz"))
    np.savez(tmp_path / "rate.npz", K=short.K, R=short.R, t=short.t, fps=24)  # type: ignore[arg-type]
    with pytest.raises(CameraError, match="24 frames per second, the clip 30"):
        mvlift.lift(replace(clip, fps=Fraction(30)), subject=tiny_subject, preset="fast", device="cpu",
                    camera=str(tmp_path / "rate.npz"))  # fmt: skip
