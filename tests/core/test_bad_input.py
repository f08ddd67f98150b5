"""Whatever is wrong ends in an error of MvliftError's family that says what was found and what to do."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mvlift
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mvlift.errors import DamagedFileError, KeypointError, LiftError, ModelError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.subjects import get_subject
from mvlift.models import describe_model, load_denoiser, model_path
from mvlift.motion_files import load_motion
from mvlift.safe_reading import load_npz
from safetensors.torch import save_file
from scenes import WALK, small_motion, still_clip


def check(error: MvliftError) -> None:
    """Message and remedy are sentences."""
    assert len(error.message) > 15
    assert error.remedy
    assert error.remedy[0].isupper()
    assert error.remedy.endswith(".")


def lift(clip: KeypointClip, subject: str, **options: Any) -> Any:
    return mvlift.lift(clip, **{"subject": subject, "preset": "fast", "device": "cpu", **options})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"height": 5.0}, "height of 5"),
        ({"height": float("nan")}, "height of nan"),
        ({"smoothing": -1.0}, "smoothing is -1"),
        ({"smoothing": float("nan")}, "smoothing is nan"),
        ({"focal": 3.0}, "focal length of 3"),
        ({"focal": float("nan")}, "focal length of nan"),
        ({"preset": "slow"}, "slow"),
        ({"device": "abacus"}, "abacus"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"fps": 0}, "0"),
        ({"fps": -25.0}, "-25"),
        ({"fps": float("nan")}, "nan"),
        ({"fps": float("inf")}, "inf"),
        ({"image_size": (0, 100)}, "0, 100"),
        ({"image_size": (-5, 100)}, "-5, 100"),
        ({"models": {"multiview": "absent.safetensors"}}, "absent"),
        ({"body": "absent.pkl"}, "absent"),
        ({"subject": "unicorn"}, "unicorn"),
    ],
)
def test_options_outside_their_range(
    tiny_subject: str, walk40: KeypointClip, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(MvliftError) as caught:
        lift(walk40, **{"subject": tiny_subject, **options})
    assert said in str(caught.value)
    check(caught.value)


def with_confidence(clip: KeypointClip, edit: Callable[[np.ndarray], None]) -> KeypointClip:
    confidence = clip.confidence.copy()
    edit(confidence)
    return replace(clip, confidence=confidence)


def test_clips_that_cannot_be_lifted(tiny_subject: str, walk40: KeypointClip) -> None:
    def nobody(confidence: np.ndarray) -> None:
        confidence[:] = 0

    def two_points(confidence: np.ndarray) -> None:
        confidence[:, 2:] = 0

    def three_frames(confidence: np.ndarray) -> None:
        confidence[3:] = 0

    def only_a_face(confidence: np.ndarray) -> None:
        names = walk40.layout.names
        confidence[:, [i for i, n in enumerate(names) if n.split("_")[-1] not in ("nose", "eye", "ear")]] = 0

    for edit in (nobody, two_points, three_frames, only_a_face):
        with pytest.raises(LiftError) as caught:
            lift(with_confidence(walk40, edit), tiny_subject)
        check(caught.value)


def test_a_person_of_a_few_pixels(tiny_subject: str, walk40: KeypointClip) -> None:
    centre = np.array([640, 360], np.float32)
    with pytest.raises(LiftError, match="pixels tall") as caught:
        lift(replace(walk40, points=(walk40.points - centre) * 0.01 + centre), tiny_subject)
    check(caught.value)


def test_an_animal_is_no_person(tiny_subject: str) -> None:
    with pytest.raises(KeypointError, match="quadruped") as caught:
        lift(still_clip("ap10k17", 10), tiny_subject)
    check(caught.value)


@pytest.mark.filterwarnings("ignore:overflow")  # a coordinate of 1e30 is meant to
@pytest.mark.parametrize("kind", ["far", "stuck", "noise", "one place", "behind the edge"])
def test_odd_clips_are_lifted_or_refused_but_never_crash(tiny_subject: str, walk40: KeypointClip, kind: str) -> None:
    random = np.random.default_rng(0)
    points = walk40.points.copy()
    if kind == "far":
        points[7, 3] = 1e30
    elif kind == "stuck":
        points[:] = points[:1]
    elif kind == "noise":
        points = random.uniform(0, 700, points.shape).astype(np.float32)
    elif kind == "one place":
        points[:] = 100
    else:
        points -= 3000
    try:
        motion = lift(replace(walk40, points=points), tiny_subject)
    except MvliftError as error:
        check(error)
    else:
        for name in ("translation", "rotations", "keypoints", "betas"):
            assert np.isfinite(getattr(motion, name)).all(), name


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_missing(tiny_subject: str, walk40: KeypointClip, value: float) -> None:
    points = walk40.points.copy()
    points[3:6, 4] = value
    clip = replace(walk40, points=points)
    assert (clip.confidence[3:6, 4] == 0).all()
    assert np.isfinite(lift(clip, tiny_subject).keypoints).all()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_pattern_of_missing_keypoints(tiny_subject: str, walk40: KeypointClip, data: st.DataObject) -> None:
    """Frames and keypoints dropped at random: finite motion of the same length, or a refusal."""
    clip = walk40.restricted(0, data.draw(st.integers(0, 15)))
    random = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    kept = random.random((len(clip), 1)) < data.draw(st.floats(0.05, 1))
    kept = kept & (random.random((1, 25)) < data.draw(st.floats(0.05, 1)))
    try:
        motion = lift(replace(clip, confidence=clip.confidence * kept), tiny_subject)
    except MvliftError as error:
        check(error)
    else:
        assert len(motion) == len(clip) or len(clip) < 4  # some pictures become a still pose
        assert np.isfinite(motion.keypoints).all()
        assert np.isfinite(motion.rotations).all()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"name": 3}', "null", '{"name": "a", "title": "b", "body": "c", "layout": "d"}']
)
def test_subject_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(MvliftError) as caught:
        get_subject(str(path))
    check(caught.value)


def test_a_subject_with_a_body_that_nobody_knows(tmp_path: Path, tiny_subject: str, walk40: KeypointClip) -> None:
    values = json.loads(Path(tiny_subject).read_text())
    values["body"] = "octopus"
    (tmp_path / "octopus.json").write_text(json.dumps(values))
    with pytest.raises(LiftError, match="octopus") as caught:
        lift(walk40, str(tmp_path / "octopus.json"))
    check(caught.value)


def weights_with(source: Path, target: Path, what: str) -> Path:
    """A weights file with something wrong."""
    from safetensors import safe_open

    with safe_open(source, framework="pt") as file:
        header = json.loads(file.metadata()["mvlift"])
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (not a dict)
    if what == "truncated":
        data = source.read_bytes()
        target.write_bytes(data[: len(data) // 2])
        return target
    if what == "text":
        target.write_text("weights")
        return target
    if what == "kind":
        header["kind"] = "line"
    elif what == "config":
        header["config"]["colour"] = 1
    elif what == "no config":
        del header["config"]
    elif what == "schedule":
        header["schedule"] = {"beta": 1}
    elif what == "width":
        header["config"]["width"] = 64
    elif what == "missing":
        tensors.pop("norm.weight")
    metadata = {"mvlift": "{" if what == "header" else json.dumps(header)}
    save_file(tensors, target, metadata=None if what == "foreign" else metadata)
    return target


@pytest.mark.parametrize(
    "what",
    ["truncated", "text", "kind", "config", "no config", "schedule", "width", "missing", "header", "foreign"],
)
def test_weights_that_do_not_fit(tmp_path: Path, tiny_subject: str, what: str) -> None:
    path = weights_with(model_path(get_subject(tiny_subject).models["multiview"]), tmp_path / "w.safetensors", what)
    with pytest.raises(ModelError, match=r"w\.safetensors") as caught:
        load_denoiser(str(path), "multiview", "cpu")
    check(caught.value)


def test_weights_that_are_not_there() -> None:
    with pytest.raises(ModelError, match="human-stage99") as caught:
        describe_model("human-stage99")
    check(caught.value)


def test_pickled_weights_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(ModelError):
        load_denoiser(str(path), "multiview", "cpu")


@pytest.mark.parametrize(
    "name", ["empty folder", "empty.json", "binary.json", "list.json", "deep.json", "empty.zip", "cut.zip", "text.csv"]
)
def test_files_that_are_no_keypoints(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty folder":
        path.mkdir()
    elif name == "empty.zip":
        zipfile.ZipFile(path, "w").close()
    elif name == "cut.zip":
        path.write_bytes(WALK.read_bytes()[:5000])
    else:
        content = {"empty.json": b"", "binary.json": bytes(range(256)), "list.json": b"[1, 2, 3]",
                   "deep.json": b"[" * 100_000, "text.csv": b"hello\nworld\n"}[name]  # fmt: skip
        path.write_bytes(content)
    with pytest.raises(KeypointError) as caught:
        mvlift.read_keypoints(path)
    check(caught.value)
    assert str(tmp_path) in str(caught.value) or name in str(caught.value)


def test_an_archive_that_unfolds_is_refused() -> None:
    buffer = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(1000))
    with pytest.raises(DamagedFileError, match="the limit is 2 GB"):
        load_npz(buffer.getvalue(), "bomb.npz")


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), value=st.integers(0, 255))
def test_a_motion_file_with_one_wrong_byte(tmp_path_factory: pytest.TempPathFactory, at: float, value: int) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "flipped.npz"
    intact = folder / "whole.npz"
    if not intact.exists():
        small_motion(4).save(intact)
    data = bytearray(intact.read_bytes())
    data[min(int(at * len(data)), len(data) - 1)] = value
    path.write_bytes(bytes(data))
    try:
        assert len(load_motion(path)) == 4
    except MvliftError as error:
        check(error)


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), value=st.integers(0, 255))
def test_a_keypoint_archive_with_one_wrong_byte(
    tmp_path_factory: pytest.TempPathFactory, at: float, value: int
) -> None:
    data = bytearray(WALK.read_bytes())
    data[min(int(at * len(data)), len(data) - 1)] = value
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(bytes(data))
    try:
        assert mvlift.read_keypoints(path)
    except MvliftError as error:
        check(error)
