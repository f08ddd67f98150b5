"""Denoisers in ONNX Runtime: on every processor without torch, and on graphics cards where a provider is there."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from mvlift.backends.onnx_graph import denoiser_graph
from mvlift.diffusion.denoiser import DenoiserConfig
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import LiftError, ModelError
from mvlift.files import whole_file
from mvlift.models import describe_model, model_header, model_path, model_weights
from mvlift.typing import F32

__all__ = ["PROVIDERS", "OnnxDenoiser", "available_devices", "cpu_session", "export_onnx", "load_onnx", "onnx_runtime"]

PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""Device -> ONNX Runtime's execution provider."""
INPUTS: Final = ("features", "timestep", "views", "frames")
"""Of the graph, see ``denoiser_graph``."""


def onnx_runtime() -> ModuleType:
    """The package ``onnxruntime``, loaded without its telemetry.

    Since 1.32 it keeps a device id and a list of events below the user's home, from the moment it is loaded, unless the
    environment forbids it.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return import_module("onnxruntime")


def available_devices() -> list[str]:
    """Devices for which this ONNX Runtime has a provider; the processor first."""
    onnxruntime = onnx_runtime()
    there = set(onnxruntime.get_available_providers())
    return [device for device, provider in PROVIDERS.items() if provider in there]


def _session(model: bytes, device: str, threads: int) -> Any:
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors; warnings are about where nodes run
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device == "directml":
        options.enable_mem_pattern = False  # which that provider does not have
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    providers = [PROVIDERS[device]] if device == "cpu" else [PROVIDERS[device], PROVIDERS["cpu"]]
    return onnxruntime.InferenceSession(model, options, providers=providers)


def cpu_session(model: bytes, threads: int) -> Any:
    """A network on the processor, ready to run.

    Args:
        model: in ONNX's format.
        threads: that it runs on.
    """
    return _session(model, "cpu", max(1, threads))


class OnnxDenoiser:
    """A denoiser for NumPy arrays.

    Args:
        config: shape of the network.
        model: its ONNX graph, see ``denoiser_graph``.
        device: "cpu", "cuda", "directml" or "coreml".
        threads: of the processor.

    Raises:
        LiftError: the provider of the device cannot be used.
        ModelError: the weights are of other shapes.
    """

    def __init__(self, config: DenoiserConfig, model: bytes, device: str, threads: int) -> None:
        self.config = config
        try:
            self._session = _session(model, device, threads)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if device == "cpu":
                raise ModelError(f"The weights do not fit: {reason}.", "Use weights of this version.") from error
            raise LiftError(f"ONNX Runtime cannot use {device}: {reason}.", "Choose auto or cpu.") from error
        if PROVIDERS[device] not in self._session.get_providers():
            raise LiftError(f"ONNX Runtime cannot use {device} on this computer.", "Choose auto or cpu.")
        if [i.name for i in self._session.get_inputs()] != list(INPUTS):
            raise ModelError("The ONNX file is not that of a network of MVLift.", "Export it with `mvlift-train`.")

    def __call__(
        self, features: F32, timestep: Any, views: F32, frames: Any = None, with_camera: bool = False
    ) -> F32 | tuple[F32, F32]:
        """As ``Denoiser``."""
        if frames is None:
            frames = np.ones((len(features), features.shape[2]), bool)
        feed = {
            "features": np.asarray(features, np.float32),
            "timestep": np.asarray(timestep, np.int64),
            "views": np.asarray(views, np.float32),
            "frames": np.asarray(frames, np.bool_),
        }
        names = ["clean", "camera"] if with_camera else ["clean"]
        outputs = self._session.run(names, feed)
        return (outputs[0], outputs[1]) if with_camera else outputs[0]


@lru_cache(maxsize=4)
def _load(path: Path, changed: int, kind: str, device: str, threads: int) -> tuple[OnnxDenoiser, CosineSchedule]:
    config, schedule = model_header(path, kind)
    if path.suffix == ".onnx":
        return OnnxDenoiser(config, path.read_bytes(), device, threads), schedule
    try:
        return OnnxDenoiser(config, denoiser_graph(config, model_weights(path)), device, threads), schedule
    except KeyError as error:
        raise ModelError(f"{path}: keys missing {[error.args[0]]}.", "Use weights of this version.") from error
    except ValueError as error:
        raise ModelError(f"{path}: {error}.", "Use weights of this version.") from error


def load_onnx(name: str | Path, kind: str, device: str, threads: int) -> tuple[OnnxDenoiser, CosineSchedule]:
    """A denoiser ready to use, kept in memory for the next call.

    Args:
        name: shipped name or path of a .safetensors or .onnx file.
        kind: "line" or "multiview".
        device: of ``PROVIDERS``.
        threads: of the processor.

    Raises:
        ModelError: no such file, another kind, or weights that do not fit.
        LiftError: the device cannot be used.
    """
    path = model_path(name).resolve()
    return _load(path, path.stat().st_mtime_ns, kind, device, threads)


def export_onnx(weights: Path, path: Path) -> None:
    """Write weights as the ONNX model that this backend would make of them, matrices in 16 bits; atomically.

    Args:
        weights: a .safetensors file.
        path: of the .onnx file.

    Raises:
        ModelError: the weights do not fit.
    """
    header = describe_model(weights)
    config, _ = model_header(weights, str(header.get("kind")))
    model = denoiser_graph(config, model_weights(weights), half=True, metadata={"mvlift": json.dumps(header)})
    with whole_file(path) as part:
        part.write_bytes(model)
