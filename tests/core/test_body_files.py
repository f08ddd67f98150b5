"""Body files: SMPL-family pickles and archives as data, hostile and damaged ones refused, fixtures."""

from __future__ import annotations

import io
import pickle
import pickletools
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvlift.bodies.loading import load_body
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.bodies.smpl_file import KEYS, read_body_file
from mvlift.errors import BodyFileError
from mvlift.kinematics.rotations import exp_map
from numpy.typing import NDArray
from scenes import FIXTURES, Evil
from scipy import sparse

VERTICES = 60
Arrays = dict[str, Any]


def body_arrays(joints: int = 24, betas: int = 10) -> Arrays:
    """A body of random vertices about SMPL's joints, with every key that a file has."""
    random = np.random.default_rng(0)
    skeleton = default_human_skeleton()
    home = np.arange(VERTICES) % joints
    rest = np.concatenate([skeleton.rest_joints, random.normal(size=(joints, 3))])[:joints]
    parents = [*skeleton.parents, *[23] * 30][:joints]
    if joints > 50:  # jaw and eyes hang on the head, fingers on the wrists
        face = joints - 52
        parents = [*skeleton.parents[:22], *[15] * face, *[20] * 15, *[21] * 15]
    regressor = np.zeros((joints, VERTICES))
    for j in range(joints):
        regressor[j, home == j] = 1 / (home == j).sum()
    weights = np.full((VERTICES, joints), 0.01)
    weights[np.arange(VERTICES), home] = 1
    tree = np.stack([np.array(parents), np.arange(joints)]).astype(np.int64)
    tree[0, 0] = 4294967295
    return {
        "v_template": rest[home] + 0.05 * random.normal(size=(VERTICES, 3)),
        "f": random.integers(0, VERTICES, (40, 3)).astype(np.uint32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": tree.astype(np.uint32),
        "shapedirs": 0.01 * random.normal(size=(VERTICES, 3, betas)),
        "posedirs": 0.001 * random.normal(size=(VERTICES, 3, 9 * (joints - 1))),
    }


class _Stub:
    """Pickles like a chumpy object: a class of another module and a dictionary."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


@pytest.fixture
def chumpy() -> Iterator[types.ModuleType]:
    """A package of chumpy's name, there while pickles are made and gone when they are read."""
    module, sub, reorder = (types.ModuleType(n) for n in ("chumpy", "chumpy.ch", "chumpy.reordering"))
    module.Ch = type("Ch", (_Stub,), {"__module__": "chumpy.ch"})  # type: ignore[attr-defined]
    module.Select = type("Select", (_Stub,), {"__module__": "chumpy.reordering"})  # type: ignore[attr-defined]
    sub.Ch, reorder.Select = module.Ch, module.Select  # type: ignore[attr-defined]
    names = {"chumpy": module, "chumpy.ch": sub, "chumpy.reordering": reorder}
    sys.modules.update(names)
    yield module
    for name in names:
        sys.modules.pop(name, None)


def assert_reads_as(path: Path, arrays: Arrays) -> None:
    loaded = read_body_file(path)
    for key in (*KEYS, "posedirs"):
        np.testing.assert_allclose(loaded[key], arrays[key], atol=1e-12, err_msg=key)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "csc_array"])
def test_official_style_pickles(tmp_path: Path, chumpy: Any, protocol: int, kind: str) -> None:
    """As the downloads are: chumpy arrays, a chumpy selection, a sparse regressor, strings, and keys nobody needs."""
    arrays = body_arrays()
    shapes = arrays["shapedirs"]
    content = {
        **arrays,
        "v_template": chumpy.Ch(x=arrays["v_template"], _dirty_vars=set(), _itr=None),
        "shapedirs": chumpy.Select(
            a=chumpy.Ch(x=np.concatenate([shapes.ravel(), np.arange(7.0)])),
            idxs=np.arange(shapes.size),
            preferred_shape=shapes.shape,
        ),
        "J_regressor": getattr(sparse, kind)(arrays["J_regressor"]),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }
    path = tmp_path / "basicModel_f_lbs_10_207_0_v1.0.0.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    for name in list(sys.modules):
        if name.split(".")[0] == "chumpy":
            del sys.modules[name]
    assert_reads_as(path, arrays)
    body = load_body(path)
    assert (body.kind, body.parents[:4], len(body.joint_names)) == ("smpl", (-1, 0, 0, 0), 24)


def test_npz_with_a_sparse_matrix_and_without(tmp_path: Path) -> None:
    arrays = body_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    assert_reads_as(tmp_path / "a.npz", arrays)
    boxed = np.empty((), dtype=object)
    boxed[()] = sparse.csc_matrix(arrays["J_regressor"])
    np.savez(tmp_path / "b.npz", **{**arrays, "J_regressor": boxed}, allow_pickle=True)
    assert_reads_as(tmp_path / "b.npz", arrays)


def test_pickles_of_older_numpy(tmp_path: Path) -> None:
    """numpy before version 2 called its parts by another name."""
    arrays = body_arrays()
    old = pickle.dumps(arrays, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in old
    (tmp_path / "m.pkl").write_bytes(old)
    assert_reads_as(tmp_path / "m.pkl", arrays)


def test_arrays_in_column_order(tmp_path: Path) -> None:
    arrays = {k: np.asfortranarray(v) for k, v in body_arrays().items()}
    for protocol in (2, 5):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(arrays, protocol=protocol))
        assert_reads_as(tmp_path / "m.pkl", arrays)
    np.savez(tmp_path / "m.npz", **arrays)
    assert_reads_as(tmp_path / "m.npz", arrays)


def hostile(kind: str, mark: Path) -> bytes:
    """Pickles that would touch a file, or reach for what can."""
    if kind == "reduce":
        return pickle.dumps({**body_arrays(), "extra": Evil(mark)})
    if kind == "inside":
        box = np.empty(1, dtype=object)
        box[0] = Evil(mark)
        return pickle.dumps({**body_arrays(), "f": box})
    if kind == "system":
        return b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR."
    if kind == "getattr":
        return b"c__builtin__\ngetattr\n(c__builtin__\nobject\nS'__subclasses__'\ntR."
    if kind == "numpy":
        return b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n(dtR."
    if kind == "nested":  # a dotted name below an allowed module
        return b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__class__\x93."
    return b"\x80\x04" + b"(" * 50_000 + b"."


@pytest.mark.parametrize("kind", ["reduce", "inside", "system", "getattr", "numpy", "nested", "marks"])
@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_hostile_pickles_are_refused_and_run_nothing(tmp_path: Path, kind: str, suffix: str) -> None:
    mark, path = tmp_path / "ran", tmp_path / f"body{suffix}"
    data = hostile(kind, mark)
    if suffix == ".npz":
        arrays = {k: v for k, v in body_arrays().items() if k != "f"}
        np.savez(path, **arrays)
        with zipfile.ZipFile(path, "a") as archive:
            header = io.BytesIO()
            shape: Any = {"descr": "|O", "fortran_order": False, "shape": ()}
            np.lib.format.write_array_header_1_0(header, shape)
            archive.writestr("f.npy", header.getvalue() + data)
    else:
        path.write_bytes(data)
    with pytest.raises(BodyFileError, match="body"):
        load_body(path)
    assert not mark.exists()


def test_the_hostile_pickle_would_have_run(tmp_path: Path) -> None:
    """Python's own unpickler does what ours refuses, so the test above tests something."""
    pickle.loads(hostile("reduce", tmp_path / "ran"))
    assert (tmp_path / "ran").exists()
    assert any(op.name == "REDUCE" for op, _, _ in pickletools.genops(hostile("reduce", tmp_path / "x")))


def save(arrays: Arrays, path: Path) -> Path:
    np.savez(path, **arrays)
    return path


def without(key: str) -> Arrays:
    return {k: v for k, v in body_arrays().items() if k != key}


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(BodyFileError, match=f"lacks {key}"):
        load_body(save(without(key), tmp_path / "m.npz"))


def wrong(key: str) -> NDArray[Any]:
    value = np.array(body_arrays()[key])
    if key == "kintree_table":
        value[0, 5] = 20  # its parent comes later
        return value
    if key == "f":
        value[0, 0] = VERTICES
        return value
    if key == "posedirs":
        return value[:-1]
    return value[..., :-1] if key != "shapedirs" else value[:-1]


@pytest.mark.parametrize("key", ["v_template", "f", "J_regressor", "weights", "kintree_table", "shapedirs"])
def test_a_wrong_shape_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(BodyFileError, match=rf"m\.npz.*\b{key}\b") as caught:
        load_body(save({**body_arrays(), key: wrong(key)}, tmp_path / "m.npz"))
    assert caught.value.remedy


def test_nan_text_and_odd_joint_counts_are_refused(tmp_path: Path) -> None:
    arrays = body_arrays()
    nan = {**arrays, "v_template": np.where(np.eye(VERTICES, 3) > 0, np.nan, arrays["v_template"])}
    with pytest.raises(BodyFileError, match="NaN"):
        load_body(save(nan, tmp_path / "a.npz"))
    with pytest.raises(BodyFileError, match="not numbers"):
        load_body(save({**arrays, "weights": np.array(["x"])}, tmp_path / "b.npz"))
    with pytest.raises(BodyFileError, match="30 joints"):
        load_body(save(body_arrays(30), tmp_path / "c.npz"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_truncated_files(tmp_path: Path, share: float, suffix: str) -> None:
    intact = tmp_path / f"w{suffix}"
    if suffix == ".npz":
        save(body_arrays(), intact)
    else:
        intact.write_bytes(pickle.dumps(body_arrays()))
    data = intact.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BodyFileError, match="cut"):
        load_body(cut)


def test_absent_files_and_other_content(tmp_path: Path) -> None:
    with pytest.raises(BodyFileError, match="does not exist"):
        load_body(tmp_path / "absent.npz")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(BodyFileError, match="list"):
        load_body(tmp_path / "list.pkl")
    with pytest.raises(BodyFileError, match="does not exist"):
        load_body(tmp_path)


@pytest.mark.parametrize(("joints", "kind"), [(52, "smplh"), (55, "smplx")])
def test_hands_and_faces_are_folded_into_24_joints(tmp_path: Path, joints: int, kind: str) -> None:
    body = load_body(save(body_arrays(joints), tmp_path / "m.npz"))
    assert body.kind == kind
    small = body.reduced()
    reference = default_human_skeleton()
    assert (small.joint_names, small.parents) == (reference.joint_names, reference.parents)
    np.testing.assert_allclose(small.weights.sum(1), 1, atol=1e-12)
    assert body.skeleton().rest_joints.shape == (24, 3)


def test_vertices_follow_a_rigid_turn_scaling_and_translation(tmp_path: Path) -> None:
    body = load_body(save(body_arrays(), tmp_path / "m.npz"))
    betas, turns = np.zeros(10), np.tile(np.eye(3), (1, 24, 1, 1))
    turns[0, 0] = exp_map(np.array([0.0, 0.7, 0.0]))
    move = np.array([[1.0, 2.0, 3.0]])
    rest, joints = body.shaped(betas)
    expected = ((rest - joints[0]) @ turns[0, 0].T + joints[0]) * 1.5 + move
    np.testing.assert_allclose(body.posed(betas, turns, move, 1.5)[0], expected, atol=1e-12)


def test_shape_directions_move_vertices_and_joints(tmp_path: Path) -> None:
    body = load_body(save(body_arrays(), tmp_path / "m.npz"))
    betas = np.zeros(10)
    betas[2] = 3
    vertices, joints = body.shaped(betas)
    np.testing.assert_allclose(vertices - body.template, 3 * body.shape_directions[..., 2], atol=1e-12)
    np.testing.assert_allclose(joints, body.regressor @ vertices, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "kind", "joints", "vertices"),
    [
        ("openbody_smpl_6890", "smpl", 24, 6890),
        ("openbody_smpl_2500", "smpl", 24, 2500),
        ("openquad_smal_fox", "smal", 35, 3314),
    ],
)
def test_fixtures(name: str, kind: str, joints: int, vertices: int) -> None:
    path = FIXTURES / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"the fixture {path.name} is not in ../shared/bodies")
    body = load_body(path)
    assert (body.kind, len(body.parents), len(body.template)) == (kind, joints, vertices)
    if kind == "smal":
        place = dict(zip(body.skeleton().keypoint_names, body.skeleton().rest_points, strict=True))
        assert place["nose"][2] > place["neck"][2] > place["tail_root"][2]  # x left, y up, z front
        assert place["l_hip"][1] > place["l_hock"][1] > place["l_back_paw"][1]
        assert place["l_eye"][0] > 0.005
        return
    skeleton = body.skeleton()
    distance = np.linalg.norm(skeleton.rest_points - default_human_skeleton().rest_points, axis=1)
    assert distance.max() < 0.15  # keypoints lie where the default body has them
    nose, ear = (skeleton.rest_points[skeleton.keypoint_names.index(n)] for n in ("nose", "l_ear"))
    assert nose[2] > ear[2] + 0.05
    assert ear[0] > 0.04


def test_a_lift_onto_a_users_body_has_its_skeleton(subject: str, walk40: Any) -> None:
    import mvlift

    path = FIXTURES / "openbody_smpl_2500.npz"
    if not path.is_file():
        pytest.skip(f"the fixture {path.name} is not in ../shared/bodies")
    motion = mvlift.lift(walk40, subject=subject, preset="fast", device="cpu", body=str(path))
    assert motion.joint_names == default_human_skeleton().joint_names
    assert motion.metadata["body_file"] == str(path)
    rest = load_body(path).skeleton().shaped(motion.betas.astype(np.float64)[:10])[0]
    np.testing.assert_allclose(motion.rest_joints, rest, atol=1e-4)
    assert float(np.nanmedian(motion.reprojection_error)) < 6
