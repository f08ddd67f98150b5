"""Files of settings and models that are damaged or hostile end in their own error, which says what to do."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvlift.backends.onnx_runtime import load_onnx
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.bodies.pose_prior import load_prior
from mvlift.bodies.smpl_file import KEYS, read_body_file
from mvlift.errors import BodyFileError, LiftError, ModelError, MvliftError
from mvlift.lifting.objects.shape import load_shape
from mvlift.lifting.subjects import get_subject, subject_names
from mvlift.models import load_denoiser, model_names, model_path
from safetensors import safe_open
from safetensors.torch import save_file

DEEP = "[" * 100_000
TEXTS = {"empty": "", "cut": "{", "list": "[]", "null": "null", "number": "3", "deep": DEEP, "text": '"x"',
         "empty object": "{}", "huge": '{"name": 1' + "0" * 5000 + "}"}  # fmt: skip


def good(error: MvliftError) -> None:
    assert len(error.message) > 10
    assert error.remedy.endswith(".")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    ("read", "kind"),
    [(get_subject, LiftError), (load_shape, LiftError), (get_kinematic_model, BodyFileError)],
    ids=["subject", "object shape", "kinematic model"],
)
def test_json_that_is_none(tmp_path: Path, text: str, read: Callable[[Path], Any], kind: type[MvliftError]) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(kind) as caught:
        read(path)
    good(caught.value)


def subject_values() -> dict[str, Any]:
    from mvlift.lifting import subjects

    return dict(json.loads((Path(subjects.__file__).parent / "human.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("key", sorted(subject_values()))
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, [[]], [1], {"a": 1}, [["a", "b", "c"]], 1e300, True])
def test_a_subject_with_a_wrong_value(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**subject_values(), key: value}))
    try:
        get_subject(path)  # an empty list or object is a value for some keys
    except LiftError as error:
        good(error)


@pytest.mark.parametrize("name", subject_names())
def test_shipped_subjects_fit_the_schema(name: str) -> None:
    assert get_subject(name).layout.names


def test_a_subject_extends_only_what_is_shipped(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"extends": "../../../../etc/passwd", "name": "x"}))
    with pytest.raises(LiftError, match="extends") as caught:
        get_subject(path)
    good(caught.value)


def small_model(tmp_path: Path, **header: Any) -> Path:
    """Shipped weights whose header says something else, without their tensors."""
    with safe_open(model_path(next(n for n in model_names() if "line" in n or "human" in n)), framework="pt") as file:
        known = json.loads(file.metadata()["mvlift"])
        tensors = {k: file.get_tensor(k) for k in list(file.keys())[:2]}
    path = tmp_path / "mine.safetensors"
    save_file(tensors, path, metadata={"mvlift": json.dumps({**known, **header})})
    return path


def config_of(name: str, value: object) -> dict[str, Any]:
    shipped = next(n for n in model_names() if "line" in n or "human" in n)
    with safe_open(model_path(shipped), framework="pt") as file:
        return {**json.loads(file.metadata()["mvlift"])["config"], name: value}


@pytest.mark.parametrize("value", [0, -3, 10**9, "x", None, 1.5, [1], 10**400])
@pytest.mark.parametrize("name", ["points", "features", "width", "layers", "heads", "patch"])
def test_weights_with_a_wrong_header(tmp_path: Path, name: str, value: object) -> None:
    path = small_model(tmp_path, kind="line", config=config_of(name, value))
    with pytest.raises(ModelError) as caught:
        load_denoiser(path, "line", "cpu")
    good(caught.value)


def test_heads_that_do_not_divide_the_width(tmp_path: Path) -> None:
    path = small_model(tmp_path, kind="line", config=config_of("heads", 500))
    with pytest.raises(ModelError, match="no multiple of 500 heads") as caught:
        load_denoiser(path, "line", "cpu")
    good(caught.value)
    with pytest.raises(ModelError, match="no multiple of 500 heads"):
        load_onnx(path, "line", "cpu", 1)


@pytest.mark.parametrize("schedule", [None, 3, {"steps": "x"}, {"steps": -1}, {"steps": 10**12}, {"other": 1}])
def test_weights_with_a_wrong_schedule(tmp_path: Path, schedule: object) -> None:
    with pytest.raises(ModelError) as caught:
        load_denoiser(small_model(tmp_path, kind="line", schedule=schedule), "line", "cpu")
    good(caught.value)


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"\xff" * 8, (10**15).to_bytes(8, "little") + b"{}"])
def test_files_that_are_no_weights(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(data)
    for read in (lambda: load_denoiser(path, "line", "cpu"), lambda: load_prior(path)):
        with pytest.raises(ModelError) as caught:
            read()
        good(caught.value)


def body_arrays() -> dict[str, Any]:
    """The keys of a body file, small."""
    return {
        "v_template": np.zeros((10, 3)),
        "f": np.array([[0, 1, 2]]),
        "J_regressor": np.full((24, 10), 0.1),
        "weights": np.full((10, 24), 1 / 24),
        "kintree_table": np.stack([np.arange(24) - 1, np.arange(24)]),
        "shapedirs": np.zeros((10, 3, 10)),
    }


BAD_VALUES: tuple[Any, ...] = (
    3.0, None, "x", np.zeros(0), np.zeros((0, 0)), np.zeros((0, 24)), np.zeros((2, 2, 2, 2)), np.full((10, 3), np.nan),
    np.array([{"a": 1}], dtype=object), np.array(["x"]), np.array(1j), [[1], [2, 3]], np.full((24, 10), 1e300),
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", BAD_VALUES, ids=range(len(BAD_VALUES)))
@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_body_files_with_a_wrong_value(tmp_path: Path, key: str, value: Any, suffix: str) -> None:
    from mvlift.bodies.loading import load_body

    arrays, path = {**body_arrays(), key: value}, tmp_path / f"body{suffix}"
    if suffix == ".pkl":
        path.write_bytes(pickle.dumps(arrays))
    else:
        held = {k: np.array(v, dtype=object) if isinstance(v, list | None) else v for k, v in arrays.items()}
        np.savez(path, **held, allow_pickle=True)
    try:
        load_body(str(path))
    except BodyFileError as error:
        good(error)


def test_a_pickle_whose_references_expand_is_refused_early(tmp_path: Path) -> None:
    value: list[Any] = [1.0] * 10
    for _ in range(12):
        value = [value] * 10
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps({**body_arrays(), "shapedirs": value}))
    with pytest.raises(BodyFileError, match="unfold") as caught:
        read_body_file(path)
    good(caught.value)
