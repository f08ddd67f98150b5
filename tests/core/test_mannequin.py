"""The default human body: its file, its surface, its skin, and that it can be made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mvlift.bodies.loading import load_body
from mvlift.bodies.model import BodyModel
from mvlift.bodies.skeletons import default_human_skeleton, default_human_skeleton_with_fingers
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

IntArray = NDArray[np.int64]

DATA = Path(load_body.__wrapped__.__code__.co_filename).parent / "data" / "mannequin.npz"
MIRROR = np.array([-1.0, 1.0, 1.0])
ON_SKIN = ("nose", "l_eye", "l_ear", "l_big_toe", "l_small_toe", "l_heel")


@pytest.fixture(scope="module")
def shipped() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BodyModel:
    pytest.importorskip("fast_simplification", reason="needs the extra 'bodies'")
    pytest.importorskip("skimage", reason="needs the extra 'bodies'")
    from mvlift_training.bodies.human import main

    path = tmp_path_factory.mktemp("body") / "coarse.npz"
    main(["--output", str(path), "--spacing", "0.009", "--vertices", "2500"])
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return load_body(path)


@pytest.fixture(params=["shipped", "made"])
def body(request: pytest.FixtureRequest) -> BodyModel:
    model: BodyModel = request.getfixturevalue(request.param)
    return model


def twins(body: BodyModel) -> IntArray:
    """(V,) the vertex at each vertex' mirror image."""
    distance, twin = cKDTree(body.template).query(body.template * MIRROR)
    assert distance.max() == 0
    return np.asarray(twin, np.int64)


def volume(vertices: F64, faces: IntArray) -> float:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("fa,fa->", a, np.cross(b, c)) / 6)


def crossings(vertices: F64, faces: IntArray) -> int:
    """Pairs of triangles without a common vertex where an edge of one goes through the other (Moeller and Trumbore)."""
    centre = vertices[faces].mean(1)
    radius = np.linalg.norm(vertices[faces] - centre[:, None], axis=2).max(1)
    pairs = cKDTree(centre).query_pairs(2 * radius.max(), output_type="ndarray")
    overlaps = np.linalg.norm(centre[pairs[:, 0]] - centre[pairs[:, 1]], axis=1) < radius[pairs].sum(1)
    pairs = pairs[overlaps]
    pairs = pairs[~(faces[pairs[:, 0]][:, :, None] == faces[pairs[:, 1]][:, None, :]).any((1, 2))]
    hit = np.zeros(len(pairs), bool)
    for one, other in ((0, 1), (1, 0)):
        corner, target = vertices[faces[pairs[:, one]]], vertices[faces[pairs[:, other]]]
        e, g = target[:, 1] - target[:, 0], target[:, 2] - target[:, 0]
        for k in range(3):
            ray, start = corner[:, (k + 1) % 3] - corner[:, k], corner[:, k] - target[:, 0]
            h, q = np.cross(ray, g), np.cross(start, e)
            det = (e * h).sum(1)
            det = np.where(np.abs(det) > 1e-18, det, np.inf)
            u, v, t = (start * h).sum(1) / det, (ray * q).sum(1) / det, (g * q).sum(1) / det
            hit |= (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1) & np.isfinite(det)
    return int(hit.sum())


def rotations(body: BodyModel, **degrees: tuple[float, float, float]) -> F64:
    out = np.tile(np.eye(3), (1, len(body.joint_names), 1, 1))
    for name, angles in degrees.items():
        out[0, body.joint_names.index(name)] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return out


def test_file_is_small_and_of_the_asked_size(shipped: BodyModel) -> None:
    assert DATA.stat().st_size < 1_000_000
    assert 4000 <= len(shipped.template) <= 7500
    assert shipped.kind == "smplh"
    assert shipped.joint_names == default_human_skeleton_with_fingers().joint_names
    assert shipped.parents == default_human_skeleton_with_fingers().parents
    assert shipped.reduced().joint_names == default_human_skeleton().joint_names
    assert shipped.shape_directions.shape[1:] == default_human_skeleton().shape_joints.shape[1:]


def test_watertight_in_one_piece_and_outward(body: BodyModel) -> None:
    start, end = body.faces.ravel(), np.roll(body.faces, -1, axis=1).ravel()
    directed = start * len(body.template) + end
    assert len(np.unique(directed)) == len(directed)  # no edge twice the same way
    assert np.array_equal(np.sort(directed), np.sort(end * len(body.template) + start))  # each one once each way
    assert len(body.template) - len(directed) // 2 + len(body.faces) == 2  # Euler: one closed surface without handles
    assert np.array_equal(np.unique(body.faces), np.arange(len(body.template)))
    assert 0.05 < volume(body.template, body.faces) < 0.08  # cubic metres


def test_each_vertex_has_one_fan_of_triangles(body: BodyModel) -> None:
    follows = {(int(f[i]), int(f[i - 2])): int(f[i - 1]) for f in body.faces for i in range(3)}
    fans = np.bincount(body.faces.ravel())
    for vertex, start in dict(follows.keys()).items():
        at, steps = follows[vertex, start], 1
        while at != start and steps <= fans[vertex]:
            at, steps = follows[vertex, at], steps + 1
        assert steps == fans[vertex]


def test_surface_does_not_cross_itself(shipped: BodyModel) -> None:
    assert crossings(shipped.template, shipped.faces) == 0
    crossed = rotations(shipped, left_hip=(0, 0, -30), right_hip=(0, 0, 30))  # legs through each other are found
    posed = shipped.posed(np.zeros(0), crossed, np.zeros((1, 3)))[0]
    assert crossings(posed, shipped.faces) > 0


def test_mirror_symmetric_to_the_last_bit(body: BodyModel) -> None:
    twin = twins(body)
    joints = default_human_skeleton_with_fingers().rest_joints
    other = [int(np.linalg.norm(joints - j * MIRROR, axis=1).argmin()) for j in joints]
    assert np.array_equal(body.weights[twin][:, other], body.weights)
    assert np.allclose(body.regressor[other][:, twin], body.regressor, atol=1e-7)
    assert np.allclose(body.shape_directions[twin] * MIRROR[:, None], body.shape_directions, atol=2e-6)
    faces = {tuple(sorted(f)) for f in body.faces.tolist()}
    assert {tuple(sorted(f)) for f in twin[body.faces].tolist()} == faces


def test_soles_are_flat_and_the_body_stands(shipped: BodyModel) -> None:
    lowest = shipped.template[:, 1].min()
    sole = shipped.template[shipped.template[:, 1] < lowest + 0.002]
    assert len(sole) > 60
    assert np.ptp(sole[sole[:, 0] > 0][:, 2]) > 0.2  # from heel to toe
    assert 1.70 < np.ptp(shipped.template[:, 1]) < 1.80


def test_skin_weights(body: BodyModel) -> None:
    assert body.weights.min() >= 0
    assert np.array_equal(body.weights.sum(1), np.ones(len(body.weights)))
    assert (body.weights > 0).sum(1).max() <= 4
    assert (body.weights.max(0) > 0.5).all()  # every joint moves some skin
    edges = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    jump = np.abs(body.weights[edges[:, 0]] - body.weights[edges[:, 1]])
    length = np.linalg.norm(body.template[edges[:, 0]] - body.template[edges[:, 1]], axis=1)
    steep = jump / np.maximum(length, 0.004)[:, None]
    body_alone = (body.weights[edges][..., 22:] == 0).all((1, 2))
    assert steep[body_alone].max() < 50  # per metre: no joint takes over within less than 2 cm,
    assert steep.max() < 200  # and no finger's within less than 5 mm


def test_regressor_is_sparse_and_puts_the_joints_in_place(body: BodyModel) -> None:
    skeleton = default_human_skeleton_with_fingers()
    assert body.regressor.min() >= 0
    assert np.allclose(body.regressor.sum(1), 1, atol=1e-6)
    assert (body.regressor > 0).sum(1).max() < 0.06 * len(body.template)
    vertices, joints = body.shaped(np.zeros(10))
    assert np.array_equal(vertices, body.template)
    assert np.abs(joints - skeleton.rest_joints).max() < 1e-4


def test_shape_directions_move_the_joints_as_the_skeleton_says(body: BodyModel) -> None:
    skeleton = default_human_skeleton_with_fingers()
    moved = np.einsum("jv,vab->jab", body.regressor, body.shape_directions)
    assert np.abs(moved - skeleton.shape_joints).max() < 1e-4
    edges = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    a, b = body.shape_directions[edges[:, 0]], body.shape_directions[edges[:, 1]]
    length = np.linalg.norm(body.template[edges[:, 0]] - body.template[edges[:, 1]], axis=1)
    stretch = np.linalg.norm(a - b, axis=1) / np.maximum(length, 0.004)[:, None]
    assert stretch.max() < 0.30  # metres per metre and unit: no folds


@pytest.mark.parametrize("beta", [-3.0, 3.0])
def test_shapes_keep_the_body_whole(shipped: BodyModel, beta: float) -> None:
    rest = volume(shipped.template, shipped.faces)
    for b in range(shipped.shape_directions.shape[2]):
        vertices = shipped.shaped(beta * np.eye(10)[b])[0]
        assert crossings(vertices, shipped.faces) == 0
        assert 0.6 < volume(vertices, shipped.faces) / rest < 1.6
    assert np.ptp(shipped.shaped(np.array([beta]))[0][:, 1]) == pytest.approx(
        np.ptp(shipped.template[:, 1]) * (1 + 0.05 * beta), rel=0.005
    )


def test_keypoints_lie_on_the_skin(shipped: BodyModel) -> None:
    skeleton = default_human_skeleton()
    tree = cKDTree(shipped.template)
    for name in ON_SKIN:
        k = skeleton.keypoint_names.index(name)
        assert tree.query(skeleton.rest_points[k])[0] < 0.015, name
        for b in range(10):  # and follow it from shape to shape
            moved = cKDTree(shipped.template + 2 * shipped.shape_directions[..., b])
            assert moved.query(skeleton.rest_points[k] + 2 * skeleton.shape_points[k, :, b])[0] < 0.02, (name, b)


@pytest.mark.parametrize(
    ("joint", "angles", "least"),
    [
        ("left_elbow", (0, -90, 0), 0.90),
        ("left_knee", (90, 0, 0), 0.90),
        ("left_hip", (-90, 0, 0), 0.90),
        ("left_shoulder", (0, 0, -75), 0.90),
    ],
)
def test_bends_keep_the_flesh(shipped: BodyModel, joint: str, angles: tuple[float, float, float], least: float) -> None:
    posed = shipped.posed(np.zeros(10), rotations(shipped, **{joint: angles}), np.zeros((1, 3)))[0]
    j = shipped.joint_names.index(joint)
    below = [j]
    for k, parent in enumerate(shipped.parents):
        if parent in below:
            below.append(k)
    still = shipped.weights[:, below].sum(1) == 0
    assert still.sum() > 0.5 * len(still)
    assert np.allclose(posed[still], shipped.template[still])
    around_joint = np.linalg.norm(shipped.template - default_human_skeleton().rest_joints[j], axis=1) < 0.2
    faces = shipped.faces[around_joint[shipped.faces].any(1)]
    area = [
        np.linalg.norm(np.cross(*np.diff(v[faces], axis=1).swapaxes(0, 1)), axis=1).sum()
        for v in (posed, shipped.template)
    ]
    assert area[0] / area[1] > least  # of the skin about the joint
    assert volume(posed, shipped.faces) / volume(shipped.template, shipped.faces) > 0.97


def test_making_is_deterministic(made: BodyModel) -> None:
    from mvlift_training.bodies.human import human_body

    again = human_body(spacing=0.009, vertices=2500)
    assert np.array_equal(again["v_template"], made.template)
    assert np.array_equal(again["f"], made.faces)
    assert np.array_equal(again["shapedirs"], made.shape_directions)


def test_a_part_without_numbers_is_named() -> None:
    from mvlift.errors import BodyFileError
    from mvlift_training.bodies.field import field_of

    with pytest.raises(BodyFileError, match=r"'tail'.*radii"):
        field_of([{"name": "tail", "centre": [0, 0, 0], "blend": 0.01}], "cat.json")


def test_texture_covers_the_skin_without_overlap(shipped: BodyModel) -> None:
    """Charts lie in the unit square, each triangle has its place, and few lie on one another."""
    assert shipped.texture is not None
    assert shipped.texture.shape == (len(shipped.faces), 3, 2)
    assert 0 <= shipped.texture.min() <= shipped.texture.max() <= 1
    a, b, c = shipped.texture.transpose(1, 0, 2)
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert 0.4 < np.abs(area).sum() < 1
    assert (area < 0).mean() < 0.02  # hardly any is turned over
    grid = np.zeros((256, 256), int)
    middle = np.floor(shipped.texture.mean(1) * 256).astype(int).clip(0, 255)
    np.add.at(grid, (middle[:, 1], middle[:, 0]), 1)
    assert (grid > 0).sum() > 3500  # spread over the square, not heaped
