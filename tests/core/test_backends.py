"""ONNX Runtime and torch: the same network, the same motion; lifting without torch; which backend a device gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mvlift
import numpy as np
import onnxruntime
import pytest
import torch
from mvlift.backends import choice
from mvlift.backends.choice import Backend, pick_backend
from mvlift.backends.onnx_graph import denoiser_graph
from mvlift.backends.onnx_runtime import OnnxDenoiser, available_devices, export_onnx, load_onnx
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import LiftError, ModelError
from mvlift.keypoints.clip import KeypointClip
from mvlift.models import describe_model, load_denoiser, save_denoiser
from scenes import ROOT, WALK, tiny_network


def weights_of(network: MotionDenoiser) -> dict[str, Any]:
    return {k: v.numpy() for k, v in network.state_dict().items()}


def inputs(network: MotionDenoiser, batch: int, frames: int, outside: int = 0) -> tuple[Any, ...]:
    c, random = network.config, np.random.default_rng(batch + frames)
    streams = 1 + len(c.azimuths) if c.cross_view else 1
    features = random.standard_normal((batch, streams, frames, c.points, c.features), dtype=np.float32)
    codes = random.standard_normal((batch, streams, 8), dtype=np.float32)
    inside = np.broadcast_to(np.arange(frames) < frames - outside, (batch, frames)).copy()
    return features, random.integers(1, 1000, batch), codes, inside


@pytest.mark.parametrize("changes", [
    {}, {"cross_view": False}, {"camera_head": True}, {"layers": 3, "heads": 4, "patch": 2}, {"azimuths": (0.0, 90.0)},
])  # fmt: skip
@pytest.mark.parametrize(("batch", "frames", "outside"), [(1, 8, 0), (3, 20, 7), (2, 4, 3)])
def test_the_graph_computes_what_the_network_does(
    changes: dict[str, Any], batch: int, frames: int, outside: int
) -> None:
    network = tiny_network(**changes)
    onnx = OnnxDenoiser(network.config, denoiser_graph(network.config, weights_of(network)), "cpu", 1)
    arrays = inputs(network, batch, frames, outside)
    camera = network.config.camera_head
    outputs = onnx(*arrays, with_camera=camera)
    with torch.inference_mode():
        expected = network(*map(torch.as_tensor, arrays), with_camera=camera)
    for a, b in zip(outputs if camera else [outputs], expected if camera else [expected], strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b.numpy(), atol=2e-5, rtol=0)
    if not outside:  # nothing is padding unless it is said to be
        np.testing.assert_array_equal(onnx(*arrays[:3]), outputs[0] if camera else outputs)


def test_the_model_is_one_that_the_onnx_package_accepts() -> None:
    onnx = pytest.importorskip("onnx")
    network = tiny_network(camera_head=True)
    model = onnx.load_from_string(denoiser_graph(network.config, weights_of(network)))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["features", "timestep", "views", "frames"]
    assert [value.name for value in model.graph.output] == ["clean", "camera"]


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network = tiny_network()
    weights = weights_of(network)
    with pytest.raises(KeyError, match="blocks"):
        denoiser_graph(network.config, {k: v for k, v in weights.items() if k != "blocks.0.table"})
    with pytest.raises(ValueError, match=r"more\.weight"):
        denoiser_graph(network.config, {**weights, "more.weight": np.zeros(3, np.float32)})
    wrong = denoiser_graph(network.config, {**weights, "head.weight": weights["head.weight"][:, :-1]})
    with pytest.raises(ModelError, match="do not fit"):
        OnnxDenoiser(network.config, wrong, "cpu", 1)
    path = tmp_path / "a.safetensors"
    save_denoiser(network, CosineSchedule(), "multiview", path, {})
    with pytest.raises(ModelError, match="expected a line model"):
        load_onnx(path, "line", "cpu", 1)


def test_an_exported_model_is_the_one_that_lifts(tmp_path: Path) -> None:
    """16-bit weights are those of the .safetensors: the same numbers come out, and the file says what it is."""
    network = tiny_network(camera_head=True)
    weights, path = tmp_path / "a.safetensors", tmp_path / "a.onnx"
    save_denoiser(network, CosineSchedule(steps=500), "multiview", weights, {"seed": 7})
    export_onnx(weights, path)
    assert describe_model(path) == describe_model(weights)
    assert path.stat().st_size < 1.2 * weights.stat().st_size + 40_000
    (exported, schedule), (built, _) = (load_onnx(p, "multiview", "cpu", 1) for p in (path, weights))
    assert schedule.steps == 500
    arrays = inputs(network, 2, 12, 3)
    for a, b in zip(exported(*arrays, with_camera=True), built(*arrays, with_camera=True), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6, rtol=0)
    with pytest.raises(ModelError, match="expected a line model"):
        load_onnx(path, "line", "cpu", 1)
    with pytest.raises(ModelError, match="torch does not run ONNX"):
        load_denoiser(path, "multiview", "cpu")


@pytest.mark.parametrize(("change", "message"), [
    (lambda data: data[:5000], "too early"), (lambda data: b"not a model", "not a file of the kind onnx"),
    (lambda data: data.replace(b"mvlift", b"others"), "not weights of MVLift"), (lambda data: b"", "not weights"),
    (lambda data: data.replace(b"timestep", b"timesteq"), "not that of a network of MVLift"),
])  # fmt: skip
def test_onnx_files_of_others_and_damaged_ones_are_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    weights, path = tmp_path / "a.safetensors", tmp_path / "a.onnx"
    save_denoiser(tiny_network(), CosineSchedule(), "multiview", weights, {})
    export_onnx(weights, path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelError, match=message):
        load_onnx(path, "multiview", "cpu", 1)


def test_an_architecture_that_is_not_known_is_named(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    network = tiny_network()
    header = {"architecture": "mamba", "kind": "multiview", "config": asdict(network.config), "schedule": {}}
    path = tmp_path / "other.safetensors"
    save_file(weights_of(network), path, metadata={"mvlift": json.dumps(header)})
    with pytest.raises(ModelError, match="weights of a mamba network"):
        load_onnx(path, "multiview", "cpu", 1)


def test_both_backends_lift_alike(subject: str, walk40: KeypointClip, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed, the same motion, to a tenth of a millimetre."""
    options: dict[str, Any] = {"subject": subject, "preset": "fast", "seed": 3}
    onnx = mvlift.lift(walk40, device="cpu", **options)
    assert onnx.metadata["device"] == "cpu"
    monkeypatch.setattr("mvlift.lifting.pipeline.pick_backend", lambda *_: Backend("torch", torch.device("cpu")))
    by_torch = mvlift.lift(walk40, **options)
    assert np.abs(onnx.keypoints - by_torch.keypoints).max() < 1e-4
    assert np.abs(onnx.translation - by_torch.translation).max() < 1e-4


def test_lifting_needs_no_torch(tmp_path: Path) -> None:
    """Every subject and the command line, in an interpreter that cannot import torch."""
    code = f"""
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
def without(name, path=None, target=None):
    return None if name.split(".")[0] in ("torch", "onnx") else find(name, path, target)
PathFinder.find_spec = without
import mvlift
clip = mvlift.read_keypoints({str(WALK)!r}, fps=30, image_size=(1280, 720))[0].restricted(0, 23)
assert mvlift.lift(clip, preset="fast").metadata["device"] == "cpu"
from mvlift.lifting.subjects import get_subject, subject_names
from mvlift.models import model_names
dog = mvlift.read_keypoints({str(ROOT / "examples" / "dog.csv")!r}, fps=30, image_size=(1280, 720))[0].restricted(0, 23)
assert len(mvlift.lift(dog, subject="quadruped17", preset="fast")) == 24
for wrong in ({{"preset": "paper"}}, {{"device": "cuda:1"}}):
    try:
        mvlift.lift(clip, **wrong)
    except mvlift.MvliftError as error:
        assert "torch" in str(error), error
    else:
        raise AssertionError(wrong)
assert "torch" not in sys.modules
from mvlift.cli import main
main(["lift", {str(WALK)!r}, "-o", {str(tmp_path / "a.npz")!r}, "--frames", "0-15", "--preset", "fast"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(mvlift.load_motion(tmp_path / "a.npz")) == 16


def test_torch_is_not_loaded_where_it_is_installed_and_not_needed(tiny_subject: str) -> None:
    code = f"""
import sys, mvlift
clip = mvlift.read_keypoints({str(WALK)!r}, fps=30, image_size=(1280, 720))[0].restricted(0, 15)
mvlift.lift(clip, subject={tiny_subject!r}, preset="fast", device="cpu")
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"


def test_a_devices_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_devices()[0] == "cpu"
    assert pick_backend("cpu") == Backend("onnx", "cpu")
    assert pick_backend("cpu", needs_torch=True) == Backend("torch", torch.device("cpu"))
    monkeypatch.setattr(choice, "_has_cuda_driver", lambda: False)
    assert pick_backend() == pick_backend("auto") == Backend("onnx", "cpu")
    assert pick_backend(None, needs_torch=True) == Backend("torch", torch.device("cpu"))
    with pytest.raises(LiftError, match="abacus"):
        pick_backend("abacus")
    with pytest.raises(LiftError, match="cannot use directml; it has cpu"):
        pick_backend("directml")
    monkeypatch.setattr(choice, "available_devices", lambda: ["cpu", "directml", "cuda"])
    assert pick_backend("directml") == Backend("onnx", "directml")
    monkeypatch.setattr(choice, "_has_cuda_driver", lambda: True)
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    assert pick_backend() == Backend("onnx", "cuda", may_fall_back=True)
    assert pick_backend("cuda") == Backend("onnx", "cuda")
    with pytest.raises(LiftError, match=r"pip install 'mvlift\[torch\]'"):
        pick_backend("mps")
    with pytest.raises(LiftError, match="paper"):
        pick_backend("cpu", needs_torch=True)


def test_an_interpreter_with_torch_alone_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    from mvlift.backends import choice

    find_spec = choice.find_spec
    monkeypatch.setattr(choice, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name))
    assert (choice.pick_backend("cpu").name, str(choice.pick_backend("cpu").device)) == ("torch", "cpu")
    monkeypatch.setattr(choice, "find_spec", find_spec)
    assert choice.pick_backend("cpu").name == "onnx"


class BrokenCard:
    """ONNX Runtime of a computer whose card is listed, but does not start."""

    def __init__(self, model: bytes, options: object, providers: list[str]) -> None:
        if providers[0] != "CPUExecutionProvider":
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected\nin a file of many lines")
        self.session = REAL_SESSION(model, options, providers=providers)

    def __getattr__(self, name: str) -> object:
        return getattr(self.session, name)


REAL_SESSION = onnxruntime.InferenceSession


def test_a_card_that_does_not_start_gives_way_to_the_processor(
    tiny_subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "InferenceSession", BrokenCard)
    monkeypatch.setattr(choice, "available_devices", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(choice, "_has_cuda_driver", lambda: True)
    monkeypatch.setattr(choice, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    clip = mvlift.read_keypoints(WALK, fps=30, image_size=(1280, 720))[0].restricted(0, 15)
    motion = mvlift.lift(clip, subject=tiny_subject, preset="fast")
    said = [s for s in motion.metadata["assumptions"] if "processor" in s]
    assert said == [
        "ONNX Runtime cannot use cuda: CUDA failure 100: no CUDA-capable device is detected. The processor was used."
    ]
    with pytest.raises(LiftError, match="cannot use cuda: CUDA failure 100"):
        mvlift.lift(clip, subject=tiny_subject, preset="fast", device="cuda")


def test_nothing_is_kept_below_the_users_home(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry begins when it is loaded, unless it is forbidden before."""
    code = "from mvlift.backends.onnx_runtime import available_devices; print(available_devices()[0])"
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "LOCALAPPDATA": str(tmp_path)}
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | places
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "cpu"
    assert not list(tmp_path.iterdir())
