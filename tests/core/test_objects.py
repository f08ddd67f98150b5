"""Objects beside people: shapes, pose, holds, hands, and a whole lift, all against scenes whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.bodies.fit import BodyFit
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.cli import main
from mvlift.errors import LiftError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.objects.fit import ObjectFit, ObjectOptions, ObjectTargets, fit_object
from mvlift.lifting.objects.grips import _grip, find_grips
from mvlift.lifting.objects.keypoints import object_clip, with_object_points
from mvlift.lifting.objects.shape import ObjectShape, box_shape, load_shape, shape_of
from mvlift.lifting.objects.start import weighted_procrustes
from mvlift.lifting.objects.wrists import ARMS, snap_wrists_to_object
from mvlift.lifting.options import LiftOptions
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from scenes import ROOT, still_clip
from scipy.spatial.transform import Rotation

BOX = get_subject("human+box")
SIZE = np.array([0.45, 0.3, 0.25])
K = np.array([[1200.0, 0, 640], [0, 1200, 360], [0, 0, 1]])
GRIPS = np.array([[-0.24, 0.0, 0.0], [0.24, 0.0, 0.0]])
FRAMES, REST = 90, 30


def degrees(a: F64, b: F64) -> F64:
    """(T,) angles between rotations."""
    return np.degrees(Rotation.from_matrix(np.swapaxes(a, 1, 2) @ b).magnitude())


def carried() -> tuple[F64, F64, F64]:
    """Position (T, 3), rotation (T, 3, 3) and wrists (T, 2, 3) in a camera's axes: a box rests, then it is carried."""
    t = np.clip(np.arange(FRAMES) - REST, 0, None) / 30.0
    position = np.stack([-0.4 + 0.5 * t, 0.7 - 0.35 * np.minimum(t, 1.5), 4.0 + 0.2 * t], 1)
    start = Rotation.from_euler("yx", [40, -15], degrees=True).as_matrix()
    rotation = exp_map(np.stack([0.1 * np.sin(t), 0.6 * t, 0 * t], 1)) @ start
    hands = position[:, None] + np.einsum("tab,hb->tha", rotation, GRIPS)
    approach = np.clip(REST - np.arange(FRAMES), 0, None) / 30.0  # they come from above
    return position, rotation, hands - np.array([0, 1.0, 0]) * approach[:, None, None]


def targets(depth_error: float, tremble: float) -> tuple[ObjectTargets, F64, F64]:
    """The carried box as it is seen, with a person whose every depth is off by a factor; position and rotation."""
    position, rotation, hands = carried()
    points = position[:, None] + np.einsum("tab,pb->tpa", rotation, box_shape(BOX).points * SIZE)
    pixels = points @ K.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    noise = np.random.default_rng(1).normal(size=pixels.shape)
    confidence = np.full(pixels.shape[:2], 0.9)
    confidence[40:50, :3] = 0
    return (
        ObjectTargets(
            pixels=pixels + tremble * noise,
            confidence=confidence,
            K=K,
            fps=30.0,
            depth=position[:, 2] * depth_error,
            points3d=None,
            sigma3d=None,
            hands=hands * depth_error,
            up=np.array([0.0, -1.0, 0.0]),
            floor=-0.9 * depth_error,
        ),
        position,
        rotation,
    )


def test_weighted_procrustes_ignores_what_weighs_nothing() -> None:
    position, rotation, _ = carried()
    box_points = box_shape(BOX).points * SIZE
    points = position[:, None] + np.einsum("tab,pb->tpa", rotation, box_points)
    points[:, 2] += 5.0
    weight = np.ones(points.shape[:2])
    weight[:, 2] = 0
    solved, turned = weighted_procrustes(box_points, points, weight)
    np.testing.assert_allclose(solved, position, atol=1e-9)
    np.testing.assert_allclose(turned, rotation, atol=1e-9)


@pytest.fixture(scope="module")
def object_fit() -> ObjectFit:
    seen, _, _ = targets(1.0, 1.0)
    return fit_object(box_shape(BOX), seen, ObjectOptions())


def test_a_box_of_unknown_size_is_found_where_it_is(object_fit: ObjectFit) -> None:
    _, position, rotation = targets(1.0, 1.0)
    np.testing.assert_allclose(object_fit.size, SIZE, rtol=0.06)
    assert np.linalg.norm(object_fit.position - position, axis=1).mean() < 0.06
    assert degrees(object_fit.rotation, rotation).mean() < 3


def test_a_known_size_corrects_a_wrong_depth() -> None:
    """The person is taken to be 10 % further away, 0.4 m: the box is where its own size puts it."""
    seen, position, rotation = targets(1.1, 1.0)
    shape = replace(box_shape(BOX), size=SIZE)
    alone = fit_object(shape, seen, ObjectOptions(contacts=False))
    assert np.linalg.norm(alone.position - position, axis=1).mean() < 0.05
    assert degrees(alone.rotation, rotation).mean() < 3
    np.testing.assert_array_equal(alone.size, SIZE)


def test_holds_are_found_in_spite_of_depth(object_fit: ObjectFit) -> None:
    assert object_fit.grip_probability[REST + 5 :].min() > 0.5
    assert object_fit.grip_probability[: REST - 8].max() == 0
    np.testing.assert_allclose(object_fit.grips[-1], GRIPS, atol=0.05)
    position, rotation, hands = carried()
    free = hands.copy()
    free[:, 1] += 0.3 * np.sin(np.arange(FRAMES) / 5)[:, None] * np.array([1.0, 0.5, 0])  # swings beside the box
    moving = np.arange(FRAMES) >= REST
    box_points = box_shape(BOX).points * SIZE
    held, grips = find_grips(position * 1.08, rotation, box_points * 1.08, free, moving)
    assert held[REST + 5 :, 0].min() > 0.5
    assert held[:, 1].max() == 0
    np.testing.assert_allclose(grips[-1, 0], 1.08 * GRIPS[0], atol=0.05)


def test_a_hand_in_front_of_an_object_holds_it_if_the_object_is_nearer_than_it_seems() -> None:
    ray = np.array([0.6, 0.0, 0.8])
    position, hand, turns = np.tile(3.0 * ray, (5, 1)), np.tile(2.7 * ray, (5, 1)), np.tile(np.eye(3), (5, 1, 1))
    grip, distance, error = _grip(position, turns, hand, 0.3)
    np.testing.assert_allclose(grip, 0, atol=1e-9)
    assert distance.max() < 1e-9
    assert error.max() < 1e-9
    grip, distance, _ = _grip(position, turns, hand, 0.0)  # held at its front, 0.3 m along the ray
    np.testing.assert_allclose(grip, -0.3 * ray, atol=1e-4)
    assert distance.max() < 1e-4


def test_hands_stay_on_what_they_hold() -> None:
    skeleton = default_human_skeleton()
    names, frames = skeleton.keypoint_names, 20
    rotations = np.broadcast_to(np.eye(3), (frames, len(skeleton.joint_names), 3, 3)).copy()
    for side, way in (("left", 1.0), ("right", -1.0)):
        rotations[:, skeleton.joint_names.index(f"{side}_elbow")] = exp_map(np.array([[0, -way * 0.6, 0]]))
    root = np.broadcast_to(skeleton.rest_joints[0], (frames, 3)).copy()
    betas = np.zeros(skeleton.shape_joints.shape[2])
    points = skeleton.posed(betas, rotations, np.zeros((frames, 3)))[1]
    wrists = [names.index(n) for n in ARMS]
    goal = points[:, wrists] + np.array([-0.1, -0.1, 0.08])
    held = np.zeros((frames, 2))
    held[10:, 0] = 1
    fitted = BodyFit(betas, rotations, root, points, np.array([0.0, 1, 0]), 0.0, np.zeros((frames, 4)), 1.0)
    moved = snap_wrists_to_object(fitted, skeleton, tuple(ARMS), goal, held, 30.0)
    assert np.linalg.norm(moved.points[10:, wrists[0]] - goal[10:, 0], axis=1).max() < 0.005
    np.testing.assert_allclose(moved.points[:, wrists[1]], points[:, wrists[1]], atol=1e-9)
    np.testing.assert_allclose(moved.points[0, wrists[0]], points[0, wrists[0]], atol=0.02)


def track(frames: int, first: int, size: tuple[int, int] = (1920, 1080), rate: int = 30) -> KeypointClip:
    layout = Layout("named", tuple(f"Object_Corner{i}" for i in range(8)), family="other")
    return replace(still_clip(layout, frames, rate, image_size=size), first_frame=first)


def test_point_tracks_join_by_name_and_frame() -> None:
    person = replace(still_clip("openpose24", 10), first_frame=5)
    names = BOX.rigid
    joined = with_object_points(person, track(8, 0), names)
    assert joined.layout.names == (*person.layout.names, *names)
    np.testing.assert_array_equal(joined.points[:, :24], person.points)
    assert joined.confidence[:3, 24:].min() > 0.8  # frames 5, 6 and 7 of the video
    assert joined.confidence[3:, 24:].max() == 0
    np.testing.assert_array_equal(joined.points[0, 24:], track(8, 0).points[5])
    with pytest.raises(LiftError, match="the object 25"):
        with_object_points(person, track(8, 0, rate=25), names)
    with pytest.raises(LiftError, match="pixels"):
        with_object_points(person, track(8, 0, size=(1280, 720)), names)
    with pytest.raises(LiftError, match="0 of the object's keypoints"):
        with_object_points(person, still_clip("coco17", 8), names)


def test_a_clip_without_the_object_is_refused() -> None:
    with pytest.raises(LiftError, match="second file"):
        object_clip(still_clip("openpose24", 20), box_shape(BOX), 1.0)
    hidden = still_clip("openpose24box", 20)
    confidence = hidden.confidence.copy()
    confidence[:, 26:] = 0
    with pytest.raises(LiftError, match="hardly seen"):
        object_clip(replace(hidden, confidence=confidence), box_shape(BOX), 1.0)


def test_shapes_of_files(tmp_path: Path) -> None:
    points = {"Lid": [0, 0, 0.2], "left_side": [-0.3, 0, 0], "right side": [0.3, 0, 0], "Bottom": [0, 0.1, -0.2]}
    (tmp_path / "crate.json").write_text(json.dumps(points))
    (tmp_path / "crate.csv").write_text(
        "name,x,y,z\n" + "\n".join(f"{n},{x},{y},{z}" for n, (x, y, z) in points.items())
    )
    (tmp_path / "crate.obj").write_text("o crate\nv 0 0 0\nv 0.4 0 0\nv 0.4 0.3 0\nv 0 0.3 0.2\nf 1 2 3 4\n")
    for name in ("crate.json", "crate.csv"):
        shape = load_shape(tmp_path / name)
        assert (shape.name, shape.names) == ("crate", ("lid", "l_side", "r_side", "bottom"))
        np.testing.assert_allclose(shape.points, list(points.values()))
    corners = load_shape(tmp_path / "crate.obj", "box")
    assert corners.names == BOX.rigid
    np.testing.assert_allclose(np.ptp(corners.points, axis=0), [0.4, 0.3, 0.2])
    again = ObjectShape.from_json(json.loads(json.dumps(corners.to_json())))
    np.testing.assert_array_equal(again.points, corners.points)
    (tmp_path / "bad.json").write_text("[1, 2]")
    with pytest.raises(LiftError, match=r"bad\.json"):
        load_shape(tmp_path / "bad.json")


def test_subjects_and_objects_belong_together() -> None:
    crate = ObjectShape("crate", ("a", "b", "c", "d"), np.eye(4, 3), "points", np.ones(3))
    assert shape_of(get_subject("human"), None) is None
    assert shape_of(get_subject("human+object"), crate) is crate
    with pytest.raises(LiftError, match="has no object"):
        shape_of(get_subject("human"), crate)
    with pytest.raises(LiftError, match="not those of"):
        shape_of(BOX, crate)
    with pytest.raises(LiftError, match="object of its own"):
        shape_of(get_subject("human+object"), None)


def test_options_carry_the_object_to_the_engine() -> None:
    options = LiftOptions(
        subject="human+box", fps=Fraction(25), rigid_object=replace(box_shape(BOX, name="crate"), size=SIZE)
    )
    again = LiftOptions.from_json(json.loads(json.dumps(options.to_json())))
    assert again.rigid_object is not None
    assert options.rigid_object is not None
    np.testing.assert_array_equal(again.rigid_object.size, SIZE)
    np.testing.assert_array_equal(again.rigid_object.points, options.rigid_object.points)
    assert (again.rigid_object.name, again.rigid_object.kind, again.fps) == ("crate", "box", Fraction(25))


@pytest.fixture(scope="module")
def boxed(shipped: bool) -> tuple[KeypointClip, mvlift.LiftedMotion]:
    if not shipped:
        pytest.skip("there are no weights")
    clip = mvlift.read_keypoints(ROOT / "examples" / "box.zip", fps=30, image_size=(1280, 720))[0].restricted(0, 89)
    return clip, mvlift.lift(clip, subject="human+box", preset="fast", device="cpu", focal=1250)


def test_a_lift_has_the_person_and_the_box(boxed: tuple[KeypointClip, mvlift.LiftedMotion], tmp_path: Path) -> None:
    """``examples/make_box.py`` knows the truth: a box of 0.42 x 0.30 x 0.26 m, on the floor until frame 40."""
    motion = boxed[1]
    (rigid_object,) = motion.objects
    assert motion.keypoint_names == get_layout("openpose24box").names
    np.testing.assert_allclose(rigid_object.size, [0.42, 0.30, 0.26], rtol=0.12)
    np.testing.assert_allclose(np.linalg.norm(rigid_object.rotation, axis=1), 1, atol=1e-5)
    turned = Rotation.from_quat(rigid_object.rotation[:, [1, 2, 3, 0]]).as_matrix()
    corners = rigid_object.position[:, None] + np.einsum("tab,pb->tpa", turned, rigid_object.points)
    np.testing.assert_allclose(corners, motion.keypoints[:, 24:], atol=1e-4)
    assert np.nanmedian(motion.reprojection_error[:, 24:]) < 4
    assert abs(corners[:30, :, 2].min(1)).max() < 0.08  # it stands on the floor
    assert corners[75:, :, 2].min() > 0.6
    wrists = [motion.keypoint_names.index(n) for n in ARMS]
    grip_distance = np.linalg.norm(motion.keypoints[50:, wrists] - rigid_object.position[50:, None], axis=-1)
    assert np.ptp(grip_distance, axis=0).max() < 0.02
    back = mvlift.LiftedMotion.load(motion.save(tmp_path / "box.npz"))
    np.testing.assert_array_equal(back.objects[0].position, rigid_object.position)
    np.testing.assert_array_equal(back.objects[0].rotation, rigid_object.rotation)
    assert back.objects[0].point_names == BOX.rigid


def test_points_of_ones_own(boxed: tuple[KeypointClip, mvlift.LiftedMotion]) -> None:
    """Five of the corners as an object of known points: the same box."""
    clip, motion = boxed
    names = BOX.rigid[1:6]
    points = np.array([BOX.rigid_object.points[n] for n in names]) * [0.42, 0.30, 0.26]  # type: ignore[union-attr]
    shape = ObjectShape("crate", names, points, "points", np.ones(3))
    other = mvlift.lift(clip, subject="human+object", rigid_object=shape, preset="fast", device="cpu", focal=1250)
    (rigid_object,), (box,) = other.objects, motion.objects
    assert rigid_object.name == "crate"
    a, b = (Rotation.from_quat(o.rotation[:, [1, 2, 3, 0]]).as_matrix() for o in (rigid_object, box))
    assert degrees(a, b).mean() < 6
    with pytest.raises(MvliftError, match="of its own"):
        mvlift.lift(clip, subject="human+object", preset="fast", device="cpu")


def table(path: Path, clip: KeypointClip, names: tuple[str, ...]) -> Path:
    """Some of a clip's keypoints as our csv."""
    rows = ["frame,keypoint,x,y,confidence"]
    for name in names:
        column = clip.layout.index(name)
        for frame, (x, y), sure in zip(clip.frames, clip.points[:, column], clip.confidence[:, column], strict=True):
            rows.append(f"{frame},{name},{x:.1f},{y:.1f},{sure:.2f}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return int(end.value.code or 0)


def test_the_command_takes_point_tracks_and_a_size(
    boxed: tuple[KeypointClip, mvlift.LiftedMotion], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = boxed[0].restricted(0, 59)
    person = table(tmp_path / "person.csv", clip, get_layout("openpose24").names)
    tracks = table(tmp_path / "tracks.csv", clip, BOX.rigid)
    video = ("--fps", 30, "--image-size", "1280x720", "--focal", 1250, "--preset", "fast", "--device", "cpu")
    out = tmp_path / "box.npz"
    common = ("lift", person, "-o", out, *video)
    assert run(*common, "--subject", "human+box") == 1
    assert "--object-points" in " ".join(capsys.readouterr().err.split())
    assert run(*common, "--object-size", 0.42, 0.3, 0.26) == 1
    assert "no object" in " ".join(capsys.readouterr().err.split())
    inches = ("--object-points", tracks, "--object-size", 16.5, 11.8, 10.2)
    assert run(*common, "--subject", "human+box", *inches) == 1
    assert "m tall" in " ".join(capsys.readouterr().err.split())
    box = ("--object-points", tracks, "--object-size", 0.42, 0.3, 0.26, "--object-name", "crate")
    assert run(*common, "--subject", "human+box", *box) == 0
    (rigid_object,) = mvlift.LiftedMotion.load(out).objects
    assert rigid_object.name == "crate"
    np.testing.assert_allclose(rigid_object.size, [0.42, 0.3, 0.26], rtol=1e-5)
