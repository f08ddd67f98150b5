"""Which backend a lift's networks run in: ONNX Runtime, except on cards that torch alone reaches, and for "paper"."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from mvlift.backends.onnx_runtime import available_devices, load_onnx
from mvlift.diffusion.denoiser import Denoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import LiftError
from mvlift.models import load_denoiser

__all__ = ["Backend", "LoadedDenoiser", "pick_backend"]

_DRIVERS: Final = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


@dataclass(frozen=True)
class LoadedDenoiser:
    """A network that is ready.

    Attributes:
        network, schedule: the network and the noise schedule of its training.
        device: torch's device of its arrays; None where it takes NumPy's.
        device_name: for messages and metadata: "cpu", "cuda:0", "directml" ...
        notes: sentences for the user.
    """

    network: Denoiser
    schedule: CosineSchedule
    device: Any
    device_name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backend:
    """Where networks are loaded.

    Attributes:
        name: "onnx" or "torch".
        device: of ``PROVIDERS``, or torch's.
        may_fall_back: the device was not asked for by name: where it cannot be used, the processor is.
    """

    name: str
    device: Any
    may_fall_back: bool = False

    def load(self, weights: str, kind: str, threads: int) -> LoadedDenoiser:
        """A network, kept in memory for the next call.

        Raises:
            ModelError: no such weights, or others than expected.
            LiftError: the device cannot be used.
        """
        if self.name == "onnx":
            device, notes = str(self.device), tuple[str, ...]()
            try:
                network, schedule = load_onnx(weights, kind, device, threads)
            except LiftError as error:
                if not self.may_fall_back:
                    raise
                notes = (f"{error.message} The processor was used.",)
                device = "cpu"
                network, schedule = load_onnx(weights, kind, device, threads)
            return LoadedDenoiser(network, schedule, None, device, notes)
        module, schedule = load_denoiser(weights, kind, self.device)
        return LoadedDenoiser(module, schedule, self.device, str(self.device))


def _has_cuda_driver() -> bool:
    """Whether NVIDIA's driver is there, without loading torch, which takes seconds."""
    name = _DRIVERS.get(sys.platform)
    if name is None:
        return False
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _torch_device(name: str) -> Any:
    """torch's device of a name.

    Raises:
        LiftError: torch or the device is not there.
    """
    if find_spec("torch") is None:
        raise LiftError(
            f"Device {name!r} needs torch, which {sys.executable} does not have.",
            "Choose auto or cpu, or install it: pip install 'mvlift[torch]'.",
        )
    import torch

    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LiftError(f"Device {name!r} cannot be used: {reason}.", "Choose auto or cpu.") from error
    return device


def _automatic() -> Backend:
    if _has_cuda_driver():
        if find_spec("torch") is not None:
            import torch

            if torch.cuda.is_available():
                return Backend("torch", torch.device("cuda"))
        if "cuda" in available_devices():
            return Backend("onnx", "cuda", may_fall_back=True)
    return _processor()


def _processor() -> Backend:
    """The processor: by ONNX Runtime, or by torch in an interpreter of the user's that has only that."""
    if find_spec("onnxruntime") is None:
        return Backend("torch", _torch_device("cpu"))
    return Backend("onnx", "cpu")


def pick_backend(device: str | None = None, needs_torch: bool = False) -> Backend:
    """The backend for a device.

    Args:
        device: "cpu"; "cuda", "cuda:1" or "mps" (torch's, or ONNX Runtime's where torch is not installed); "directml"
            or "coreml" (ONNX Runtime's); "auto" or None: an NVIDIA card where it can be used, otherwise the processor.
        needs_torch: the preset computes gradients.

    Raises:
        LiftError: the device, or torch, is not there.
    """
    name = device or "auto"
    if needs_torch:
        if find_spec("torch") is None:
            raise LiftError('The preset "paper" needs torch.', "Install it: pip install 'mvlift[torch]'.")
        automatic = _automatic()
        if name != "auto":
            return Backend("torch", _torch_device(name))
        return automatic if automatic.name == "torch" else Backend("torch", _torch_device("cpu"))
    if name == "auto":
        return _automatic()
    if name == "cpu":
        return _processor()
    if name in ("directml", "coreml") or (name == "cuda" and find_spec("torch") is None):
        there = available_devices()
        if name not in there:
            raise LiftError(
                f"This ONNX Runtime cannot use {name}; it has {', '.join(there)}.", "Choose auto or one of these."
            )
        return Backend("onnx", name)
    return Backend("torch", _torch_device(name))
