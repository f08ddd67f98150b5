"""Network weights with their config in the header, shipped here or named by the user: safetensors, or ONNX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mvlift.diffusion.denoiser import DenoiserConfig
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import DamagedFileError, ModelError
from mvlift.files import whole_file
from mvlift.models.onnx_file import onnx_metadata
from mvlift.safe_reading import checked, decode_json
from mvlift.typing import F32

if TYPE_CHECKING:
    import torch

    from mvlift.diffusion.network import MotionDenoiser

__all__ = [
    "ARCHITECTURES",
    "describe_model",
    "is_weights_file",
    "load_denoiser",
    "model_header",
    "model_names",
    "model_path",
    "model_summary",
    "model_weights",
    "save_denoiser",
]  # fmt: skip

ARCHITECTURES: Final = {"motion-denoiser": DenoiserConfig}
"""Name in the header of weights -> type of the network's config; files of 0.1 name none and hold the first."""

_FOLDER = Path(__file__).parent
_ENDINGS: Final = (".safetensors", ".onnx")


def is_weights_file(name: str) -> bool:
    """Whether a name is that of a file of weights and not of weights that come with MVLift."""
    return name.endswith(_ENDINGS)


def model_names() -> list[str]:
    """Names of the weights that come with MVLift."""
    return sorted(p.stem for p in _FOLDER.glob("*.safetensors"))


def model_path(name: str | Path) -> Path:
    """File of some weights, by name or path.

    Raises:
        ModelError: there is no such file.
    """
    path = Path(name) if is_weights_file(str(name)) else _FOLDER / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(model_names()) or "none"
        raise ModelError(f"There are no weights {str(name)!r}.", f"Weights that come with MVLift: {known}.")
    return path


def model_summary(name: str) -> str:
    """The first sentence of the card beside weights that come with MVLift, "" without a card."""
    card = _FOLDER / f"{name}.md"
    if not card.is_file():
        return ""
    paragraph = card.read_text(encoding="utf-8").partition("\n\n")[2].split("\n\n")[0]
    return " ".join(paragraph.split()).split(". ")[0].split(":")[0].rstrip(".") + "."


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return onnx_metadata(path)
    with safe_open(path, framework="np") as file:
        return file.metadata() or {}


def describe_model(name: str | Path) -> dict[str, Any]:
    """Header of a weights file: kind, config, schedule, provenance.

    Raises:
        ModelError: not a weights file of MVLift.
    """
    path = model_path(name)
    try:
        header = _metadata(path).get("mvlift")
    except (SafetensorError, ValueError, OSError) as error:
        kind = path.suffix.removeprefix(".")
        raise ModelError(f"{path}: not a file of the kind {kind} ({error}).", "Install the weights again.") from error
    if header is None:
        raise ModelError(f"{path}: these are not weights of MVLift.", "Export them with `mvlift-train`.")
    try:
        return checked(decode_json(header, path.name), dict[str, Any], path.name)
    except DamagedFileError as error:
        raise ModelError(f"{path}: its header is damaged ({error.message})", "Install the weights again.") from error


def save_denoiser(
    network: MotionDenoiser, schedule: CosineSchedule, kind: str, path: Path, provenance: Mapping[str, Any]
) -> None:
    """Write weights in half precision with their config; atomically.

    Args:
        network: the denoiser.
        schedule: noise schedule that it was trained with.
        kind: "line" (stage 1) or "multiview" (stage 4).
        path: of the .safetensors file.
        provenance: data, seed, scores; values that JSON can hold.
    """
    header = {
        "architecture": next(iter(ARCHITECTURES)),
        "kind": kind,
        "config": asdict(network.config),
        "schedule": asdict(schedule),
        "provenance": dict(provenance),
    }
    tensors = {k: v.detach().cpu().half().contiguous().numpy() for k, v in network.state_dict().items()}
    with whole_file(path) as part:
        save_file(tensors, part, metadata={"mvlift": json.dumps(header)})


def _check_extent(config: DenoiserConfig, schedule: CosineSchedule) -> None:
    """Refuses networks that no memory holds, before they are made.

    Raises:
        ValueError: a number is that of no network.
    """
    most = {"points": 4096, "features": 4096, "width": 16_384, "layers": 512, "heads": 512, "patch": 1024}
    wrong = [f"{k} {getattr(config, k)}" for k, high in most.items() if not 1 <= getattr(config, k, 1) <= high]
    if wrong or config.layers * config.width**2 > 1 << 32:
        raise ValueError(f"no network has {', '.join(wrong) or 'so many weights'}")
    if config.width % config.heads:
        raise ValueError(f"width {config.width} is no multiple of {config.heads} heads")
    if not 1 <= schedule.steps <= 100_000:
        raise ValueError(f"no schedule has {schedule.steps} steps")


def model_header(path: Path, kind: str) -> tuple[DenoiserConfig, CosineSchedule]:
    """Shape and noise schedule of the network in a weights file.

    Args:
        path: of the .safetensors file.
        kind: "line" or "multiview", which it must be.

    Raises:
        ModelError: another kind, an architecture that is not known, or values that do not fit.
    """
    header = describe_model(path)
    if header.get("kind") != kind:
        raise ModelError(f"{path}: a {header.get('kind')} model, expected a {kind} model.", "Choose other weights.")
    architecture = header.get("architecture", next(iter(ARCHITECTURES)))
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ModelError(f"{path}: weights of a {architecture} network, which is not known.", "Update MVLift.")
    try:
        for part, known in ((header["config"], ARCHITECTURES[architecture]), (header["schedule"], CosineSchedule)):
            if unknown := sorted(set(part) - {f.name for f in fields(known)}):
                raise ValueError(f"{', '.join(map(str, unknown))}: not known to this version")
        config = checked(header["config"], ARCHITECTURES[architecture], path.name)
        schedule = checked(header["schedule"], CosineSchedule, path.name)
        _check_extent(config, schedule)
        return config, schedule
    except DamagedFileError as error:
        raise ModelError(f"{path}: its header is wrong ({error.message})", "Use weights of this version.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: its header does not fit ({error!r}).", "Use weights of this version.") from error


def model_weights(path: Path) -> dict[str, F32]:
    """Name -> values of every weight of a file, in single precision."""
    with safe_open(path, framework="np") as file:
        return {k: file.get_tensor(k).astype(np.float32) for k in file.keys()}  # noqa: SIM118 (not a dict)


@lru_cache(maxsize=4)
def _load(path: Path, changed: int, kind: str, device: str) -> tuple[MotionDenoiser, CosineSchedule]:
    import torch

    from mvlift.diffusion.network import MotionDenoiser

    config, schedule = model_header(path, kind)
    try:
        network = MotionDenoiser(config)
    except (TypeError, ValueError, ArithmeticError, AssertionError, RuntimeError) as error:
        raise ModelError(f"{path}: its header does not fit ({error!r}).", "Use weights of this version.") from error
    state = {k: torch.from_numpy(v) for k, v in model_weights(path).items()}
    try:
        missing, unknown = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise ModelError(f"{path}: {reason}.", "Use weights of this version.") from error
    if missing or unknown:
        raise ModelError(
            f"{path}: keys missing {list(missing)[:3]}, unknown {list(unknown)[:3]}.", "Use weights of this version."
        )
    return network.eval().requires_grad_(False).to(device), schedule


def load_denoiser(name: str | Path, kind: str, device: torch.device | str) -> tuple[MotionDenoiser, CosineSchedule]:
    """A denoiser ready to use, kept in memory for the next call.

    Args:
        name: shipped name or path of a .safetensors file.
        kind: "line" or "multiview".
        device: where it runs.

    Raises:
        ModelError: no such file, another kind, an ONNX file, or keys that do not fit.
    """
    path = model_path(name).resolve()
    if path.suffix == ".onnx":
        raise ModelError(f"{path}: torch does not run ONNX files.", "Use the .safetensors that it was exported from.")
    return _load(path, path.stat().st_mtime_ns, kind, str(device))
