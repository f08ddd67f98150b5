"""Several people in one world: lifts that are wrong in size and tilt each in its own way correct each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from crowds import NAMES, Crowd, make_crowd
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.multi_person import align_people
from mvlift.lifting.world import world_axes
from mvlift.motion import Camera, LiftedMotion, ObjectMotion
from mvlift.typing import F64
from scenes import small_motion

FEET = ("l_ankle", "r_ankle")


def lifted(crowd: Crowd, person: int, scale: float, tilt: F64) -> LiftedMotion:
    """What a lift says of somebody: right in the picture, with a scale and an up direction of its own."""
    seen = scale * (crowd.points[person] @ crowd.R.T + crowd.t)
    up = exp_map(tilt[None])[0] @ crowd.R[:, 2]
    axes = world_axes(up)
    points = seen @ axes.T
    ankles = points[:, [NAMES.index(n) for n in FEET]]
    lowest = np.quantile(ankles[..., 2], 0.05)
    origin = np.array([*points[0, :, :2].mean(0), lowest - 0.08 * scale])
    speed = np.linalg.norm(np.gradient(ankles, axis=0), axis=-1) * crowd.fps
    contacts = np.where((speed < 0.5) & (ankles[..., 2] < lowest + 0.06), 0.9, 0.05)
    points = points - origin
    body = small_motion(len(points))
    hips = points[:, [NAMES.index("l_hip"), NAMES.index("r_hip")]].mean(1)
    return replace(
        body,
        translation=(hips - body.rest_joints[0]).astype(np.float32),
        keypoints=points.astype(np.float32),
        keypoint_names=NAMES,
        keypoint_confidence=np.ones(points.shape[:2], np.float32),
        reprojection_error=np.zeros(points.shape[:2], np.float32),
        contacts=contacts.astype(np.float32),
        contact_names=FEET,
        camera=Camera(
            crowd.K.astype(np.float32), axes.T.astype(np.float32), (axes.T @ origin).astype(np.float32), (1280, 720)
        ),
    )


def crowd_of_lifts(scenario: str, people: int, seed: int, size: float, tilt: float) -> tuple[Crowd, list[LiftedMotion]]:
    crowd = make_crowd(scenario, people, seed, frames=120)
    random = np.random.default_rng(seed)
    return crowd, [
        lifted(crowd, p, float(np.exp(size * random.normal())), tilt * random.normal(size=3)) for p in range(people)
    ]


def roots(motions: list[LiftedMotion]) -> F64:
    """(P, T, 3) middle of the hips."""
    hips = [NAMES.index("l_hip"), NAMES.index("r_hip")]
    return np.stack([m.keypoints[:, hips].mean(1) for m in motions]).astype(np.float64)


def gap_error(estimated: F64, true: F64) -> float:
    """Median over pairs of people and frames of the error of their distance, as a share of the camera's."""
    a, b = np.triu_indices(len(true), 1)
    return float(
        np.median(
            np.abs(np.linalg.norm(estimated[a] - estimated[b], axis=-1) - np.linalg.norm(true[a] - true[b], axis=-1))
        )
    )


def in_first_camera(motions: list[LiftedMotion]) -> F64:
    """Roots where each lift leaves them, by the camera alone."""
    return np.stack([r @ np.asarray(m.camera.R).T + m.camera.t for r, m in zip(roots(motions), motions, strict=True)])


@pytest.mark.parametrize("scenario", ["cross", "diagonal", "circle dance"])
@pytest.mark.parametrize("people", [2, 5])
def test_lifts_without_errors_stay_where_they_are(scenario: str, people: int) -> None:
    crowd, motions = crowd_of_lifts(scenario, people, 1, 0.0, 0.0)
    together = align_people(motions)
    assert gap_error(roots(together), roots_of(crowd)) < 0.03
    for motion in together:
        assert abs(float(motion.metadata["together"]["scale"]) - 1) < 0.01  # type: ignore[index,call-overload]


def roots_of(crowd: Crowd) -> F64:
    return np.asarray(crowd.points[:, :, [NAMES.index("l_hip"), NAMES.index("r_hip")]].mean(2))


def test_sizes_and_tilts_are_put_right_by_the_floor() -> None:
    """Six per cent of size and two degrees of tilt, as lifts have them: distances become half as wrong or better."""
    before, after = [], []
    for seed in range(6):
        crowd, motions = crowd_of_lifts(("cross", "diagonal")[seed % 2], 4, seed, 0.06, 0.025)
        before.append(gap_error(in_first_camera(motions), roots_of(crowd)))
        after.append(gap_error(roots(align_people(motions)), roots_of(crowd)))
    assert np.mean(after) < 0.6 * np.mean(before)
    assert np.mean(after) < 0.15


def test_one_camera_one_floor() -> None:
    _, motions = crowd_of_lifts("diagonal", 4, 3, 0.05, 0.03)
    together = align_people(motions)
    for motion in together:
        np.testing.assert_array_equal(motion.camera.R, together[0].camera.R)
        np.testing.assert_array_equal(motion.camera.t, together[0].camera.t)
        ankles = motion.keypoints[:, [NAMES.index(n) for n in FEET], 2]
        assert abs(float(np.median(ankles[motion.contacts > 0.5])) - 0.08) < 0.04
        # still what the camera saw, to a few pixels
        assert float(np.median(motion.reprojection_error)) < 12
        root = motion.translation + motion.rest_joints[0]
        hips = motion.keypoints[:, [NAMES.index("l_hip"), NAMES.index("r_hip")]].mean(1)
        np.testing.assert_allclose(root - hips, np.broadcast_to((root - hips)[:1], root.shape), atol=2e-3)


def test_a_known_height_is_kept() -> None:
    _, motions = crowd_of_lifts("cross", 3, 5, 0.08, 0.0)
    together = align_people(motions, heights_known=[True, False, False])
    scales = [float(m.metadata["together"]["scale"]) for m in together]  # type: ignore[index,call-overload]
    assert abs(scales[0] - 1) < 0.005


def test_the_body_takes_its_new_size() -> None:
    _, motions = crowd_of_lifts("cross", 2, 2, 0.06, 0.0)
    skeleton = default_human_skeleton()
    shaped = [
        replace(m, betas=np.zeros(10, np.float32), rest_joints=skeleton.rest_joints.astype(np.float32)) for m in motions
    ]
    for motion in align_people(shaped, [skeleton, skeleton]):
        rest, _ = skeleton.shaped(motion.betas.astype(np.float64))
        np.testing.assert_allclose(rest, motion.rest_joints, atol=1e-5)
        scale = float(motion.metadata["together"]["scale"])  # type: ignore[index,call-overload]
        assert np.ptp(rest[:, 1]) / np.ptp(skeleton.rest_joints[:, 1]) == pytest.approx(scale, rel=1e-3)


def test_objects_go_with_their_person() -> None:
    _, motions = crowd_of_lifts("cross", 2, 4, 0.06, 0.03)
    frames = len(motions[1])
    held = ObjectMotion(
        name="ball",
        position=motions[1].keypoints[:, 0].copy(),
        rotation=np.tile(np.array([1, 0, 0, 0], np.float32), (frames, 1)),
        size=np.ones(3, np.float32),
        points=np.eye(3, dtype=np.float32),
        point_names=("a", "b", "c"),
    )
    together = align_people([motions[0], replace(motions[1], objects=(held,))])
    (rigid_object,) = together[1].objects
    np.testing.assert_allclose(rigid_object.position, together[1].keypoints[:, 0], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(rigid_object.rotation, axis=1), 1, atol=1e-5)
    assert rigid_object.size[0] == pytest.approx(float(together[1].metadata["together"]["scale"]), rel=1e-3)  # type: ignore[index,call-overload]


def test_one_person_stays_as_lifted() -> None:
    _, motions = crowd_of_lifts("cross", 2, 0, 0.0, 0.0)
    assert align_people(motions[:1]) == motions[:1]


def panning(first: int, count: int) -> LiftedMotion:
    """Frames of a motion before a camera that turns and travels."""
    still = small_motion(60)
    frames = np.arange(60)
    turn = exp_map(np.stack([0.0 * frames, 0.0 * frames, 0.01 * frames], 1))  # about the world's z
    R = still.camera.R @ turn
    place = np.stack([0.02 * frames, 0.0 * frames - 4, 0.0 * frames + 1.5], 1)
    t = -np.einsum("tab,tb->ta", R, place)
    camera = replace(still.camera, R=R.astype(np.float32), t=t.astype(np.float32))
    full = replace(still, camera=camera)
    part = slice(first, first + count)
    return replace(
        full,
        translation=full.translation[part], rotations=full.rotations[part], keypoints=full.keypoints[part],
        keypoint_confidence=full.keypoint_confidence[part], reprojection_error=full.reprojection_error[part],
        contacts=full.contacts[part], camera=replace(camera, R=camera.R[part], t=camera.t[part]), first_frame=first,
    )  # fmt: skip


def test_before_a_camera_that_moves_they_meet_in_one_world() -> None:
    first, later = panning(0, 40), panning(25, 35)
    A = exp_map(np.array([0.0, 0.0, 0.7]))
    b = np.array([0.5, -1.0, 0.2])
    placed = align_people([first, later.transformed(A, b)])
    assert placed[0] is first
    np.testing.assert_allclose(placed[1].keypoints, later.keypoints, atol=1e-4)
    np.testing.assert_allclose(placed[1].camera.R, later.camera.R, atol=1e-5)
    np.testing.assert_allclose(placed[1].camera.project(placed[1].keypoints), later.camera.project(later.keypoints),
                               atol=0.05)  # fmt: skip
    # who comes just after the other has left meets the camera where it was last
    after = panning(40, 20)
    there = align_people([first, after.transformed(A, b)])[1]
    np.testing.assert_allclose(there.camera.R[0], first.camera.R[-1], atol=1e-5)
    np.testing.assert_allclose(there.camera.t[0], first.camera.t[-1], atol=1e-4)
