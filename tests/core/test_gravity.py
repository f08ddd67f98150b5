"""What a user knows of gravity: directions from tilt, horizon and verticals, and lifts that hold them."""

from __future__ import annotations

import mvlift
import numpy as np
import pytest
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.gravity import up_of_horizon, up_of_tilt, up_of_verticals
from mvlift.lifting.multi_person import align_people
from mvlift.lifting.normalise import intrinsics
from mvlift.lifting.options import LiftOptions
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

SIZE = (1280, 720)
K = intrinsics(SIZE, 1100.0)


def camera(down: float, roll: float) -> F64:
    """(3, 3) of a z-up world, y forward, into the axes of a camera that looks down and is rolled, degrees."""
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # world z is the camera's -y
    tilted = Rotation.from_euler("x", down, degrees=True).as_matrix() @ level
    return np.asarray(Rotation.from_euler("z", roll, degrees=True).as_matrix() @ tilted)


def seen(points: F64, R: F64) -> F64:
    """(N, 2) pixels of points (N, 3) of the camera at height 1.5."""
    local = (points - [0, 0, 1.5]) @ R.T
    image = local @ K.T
    return np.asarray(image[:, :2] / image[:, 2:])


def test_a_tilt_is_where_the_camera_looks_down() -> None:
    np.testing.assert_allclose(up_of_tilt(25.0), camera(25.0, 0.0)[:, 2], atol=1e-12)
    assert up_of_tilt(25.0)[2] < 0  # it sees the floor, so up leans towards it


@pytest.mark.parametrize("roll", [0.0, 8.0, -20.0])
@pytest.mark.parametrize("down", [-5.0, 0.0, 15.0])
def test_the_horizon_and_verticals_of_a_projection_give_gravity(down: float, roll: float) -> None:
    R = camera(down, roll)
    distance = 1e7
    horizon = seen(np.array([[-0.5 * distance, distance, 1.5], [0.4 * distance, distance, 1.5]]), R)
    np.testing.assert_allclose(up_of_horizon(horizon, K), R[:, 2], atol=1e-6)
    np.testing.assert_allclose(up_of_horizon(horizon[::-1], K), R[:, 2], atol=1e-6)
    posts = np.array([[-2.0, 6, 0], [-2, 6, 3], [1.5, 5, 2.5], [1.5, 5, 0.5]])
    np.testing.assert_allclose(up_of_verticals(seen(posts, R), K), R[:, 2], atol=1e-9)


def test_options_read_what_is_typed_and_say_what_cannot_be() -> None:
    assert LiftOptions(up="0, -1 ,0.5").up == (0.0, -1.0, 0.5)  # type: ignore[arg-type]
    assert LiftOptions(horizon="0,300,1280,310").horizon == (0, 300, 1280, 310)  # type: ignore[arg-type]
    stated = LiftOptions(verticals=(1, 2, 3, 4, 5, 6, 7, 8))
    assert LiftOptions.from_json(stated.to_json()) == stated
    for values, said in (
        ({"tilt": 5.0, "up": (0, -1, 0)}, "given twice"),
        ({"tilt": 120.0}, "120"),
        ({"up": "0,0,0"}, "no direction"),
        ({"up": "0,1"}, "3 numbers"),
        ({"horizon": "a,b,c,d"}, "4 numbers"),
        ({"verticals": (1, 2, 3, float("nan"), 5, 6, 7, 8)}, "8 numbers"),
    ):
        with pytest.raises(LiftError, match=said):
            LiftOptions(**values)  # type: ignore[arg-type]


def test_points_on_each_other_are_said(walk: KeypointClip, tiny_subject: str) -> None:
    with pytest.raises(LiftError, match="horizon"):
        mvlift.lift(walk, subject=tiny_subject, preset="fast", device="cpu", horizon=(5, 5, 5, 5))
    with pytest.raises(LiftError, match="one point"):
        mvlift.lift(walk, subject=tiny_subject, preset="fast", device="cpu", verticals=(5, 5, 5, 5, 9, 9, 9, 20))


@pytest.mark.parametrize(
    "options",
    [{"tilt": 12.0}, {"up": (0.05, -2.0, -0.3)}, {"horizon": (0, 200, 1280, 240)}],
    ids=lambda t: next(iter(t)),
)
def test_a_lift_holds_gravity_exactly(walk: KeypointClip, tiny_subject: str, options: dict[str, object]) -> None:
    clip = walk.restricted(0, 59)
    motion = mvlift.lift(
        clip, subject=tiny_subject, preset="fast", device="cpu", image_size=SIZE, focal=1100.0, **options
    )
    wanted = {
        "tilt": up_of_tilt(12.0),
        "up": np.array([0.05, -2.0, -0.3]) / np.linalg.norm([0.05, -2.0, -0.3]),
        "horizon": up_of_horizon(np.array([[0, 200], [1280, 240.0]]), K),
    }[next(iter(options))]
    np.testing.assert_allclose(motion.camera.R[:, 2], wanted, atol=1e-6)
    assert motion.metadata["gravity"] == "known"
    assert any("taken as given" in text for text in motion.metadata["assumptions"])  # type: ignore[attr-defined]


def test_people_whose_gravity_is_known_keep_it(walk: KeypointClip, tiny_subject: str) -> None:
    clips = [walk.restricted(0, 59), walk.restricted(20, 79)]
    motions = [mvlift.lift(c, subject=tiny_subject, preset="fast", device="cpu", tilt=10.0) for c in clips]
    for motion in align_people(motions):
        np.testing.assert_allclose(motion.camera.R[:, 2], up_of_tilt(10.0), atol=1e-4)


def test_the_focal_length_of_the_videos_metadata_is_taken(walk: KeypointClip, tiny_subject: str) -> None:
    from dataclasses import replace

    clip = replace(walk.restricted(0, 59), metadata={"focal": 950.0})
    motion = mvlift.lift(clip, subject=tiny_subject, preset="fast", device="cpu")
    assert motion.camera.K[0, 0] == pytest.approx(950.0)
    assert any("metadata: 950 pixels" in text for text in motion.metadata["assumptions"])  # type: ignore[attr-defined]
    stated = mvlift.lift(clip, subject=tiny_subject, preset="fast", device="cpu", focal=1200.0)
    assert stated.camera.K[0, 0] == pytest.approx(1200.0)
