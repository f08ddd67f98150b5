"""Pose prior of VPoser's architecture: a variational autoencoder of the body's 21 joint rotations.

Architecture after Pavlakos et al., "Expressive Body Capture" (CVPR 2019), version V02_05; code and weights are our own.
A user's official folder loads through the same function.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open

from mvlift.arrays import Array, array_namespace
from mvlift.errors import DamagedFileError, ModelError
from mvlift.kinematics.rotations import log_map
from mvlift.models import model_path
from mvlift.safe_reading import checked, decode_json
from mvlift.typing import F32, F64

__all__ = ["VPoserPrior", "decode_pose", "encode_pose", "gram_schmidt", "load_prior"]

JOINTS: Final = 21
_LEAK: Final = 0.01
"""Slope of the leaky rectifiers below 0."""
_EPSILON: Final = 1e-5
"""Added to the variance in batch normalisation."""


def gram_schmidt(columns: Array) -> Array:
    """(..., 3, 3) rotations whose first column is that of (..., 3, 2), and whose second lies in the plane of both."""
    xp = array_namespace(columns)

    def unit(v: Array) -> Array:
        return v / xp.clip(xp.sqrt((v * v).sum(-1)), 1e-12, None)[..., None]

    first = unit(columns[..., 0])
    along = (first * columns[..., 1]).sum(-1)[..., None]
    second = unit(columns[..., 1] - along * first)
    return xp.stack([first, second, xp.linalg.cross(first, second)], axis=-1)


def _linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    return x @ array_namespace(x).matrix_transpose(weights[f"{name}.weight"]) + weights[f"{name}.bias"]


def _leaky(x: Array) -> Array:
    return array_namespace(x).where(x > 0, x, _LEAK * x)


def _normalised(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """Batch normalisation with the statistics of training."""
    spread = (weights[f"{name}.running_var"] + _EPSILON) ** 0.5
    return (x - weights[f"{name}.running_mean"]) / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def encode_pose(weights: Mapping[str, Array], pose: Array) -> tuple[Array, Array]:
    """Mean and scale (N, latent) of the latent of axis-angle poses (N, 63).

    Args:
        weights: name -> values, as in V02_05 checkpoints; arrays of the kind of ``pose``.
        pose: axis-angle vectors of the 21 joints.
    """
    xp = array_namespace(pose)
    x = _linear(weights, "encoder_net.2", _normalised(weights, "encoder_net.1", pose))
    x = _linear(weights, "encoder_net.6", _normalised(weights, "encoder_net.4", _leaky(x)))
    x = _linear(weights, "encoder_net.7", x)
    scale = _linear(weights, "encoder_net.8.logvar", x)
    softplus = xp.log1p(xp.exp(-abs(scale))) + xp.clip(scale, 0, None)
    return _linear(weights, "encoder_net.8.mu", x), softplus


def decode_pose(weights: Mapping[str, Array], latent: Array) -> Array:
    """(N, 21, 3, 3) rotations of latents (N, latent): two columns of each, made orthonormal by Gram-Schmidt."""
    x = _leaky(_linear(weights, "decoder_net.0", latent))
    x = _leaky(_linear(weights, "decoder_net.3", x))
    return gram_schmidt(_linear(weights, "decoder_net.5", x).reshape(-1, JOINTS, 3, 2))


class VPoserPrior:
    """Energy of body poses and their nearest plausible pose.

    Args:
        weights: name -> values, single precision, as in V02_05 checkpoints.
        scale: radians, root mean square distance of ordinary poses to their reconstruction.
    """

    def __init__(self, weights: Mapping[str, F32], scale: float = 0.12) -> None:
        self.weights, self.scale = weights, scale

    def encode(self, rotations: F64) -> tuple[F64, F64]:
        """Latent mean and scale, each (N, 32), of rotations (N, 21, 3, 3)."""
        vector = log_map(np.asarray(rotations, dtype=np.float64)).reshape(len(rotations), -1)
        mean, scale = encode_pose(self.weights, vector.astype(np.float32))
        return mean.astype(np.float64), scale.astype(np.float64)

    def decode(self, latent: F64) -> F64:
        """(N, 21, 3, 3) rotations of latents (N, 32)."""
        return np.asarray(decode_pose(self.weights, np.asarray(latent, np.float32)), dtype=np.float64)

    def target_pose(self, rotations: F64) -> tuple[F64, F64]:
        """The nearest plausible poses (N, 21, 3, 3) and how much to trust them (N,).

        The weight is low for poses far from the training data, which may be rare but right.
        """
        plausible = self.decode(self.encode(rotations)[0])
        deviation = log_map(rotations @ plausible.transpose(0, 1, 3, 2))
        distance = np.sqrt((deviation**2).sum(-1).mean(-1))
        return plausible, 1 / (1 + (distance / (4 * self.scale)) ** 2)

    def energy(self, rotations: F64) -> F64:
        """(N,) how unlikely poses are: squared distance to the reconstruction and squared latent length, about 1 each
        half for ordinary poses, so about 1 in all."""
        latent, _ = self.encode(rotations)
        plausible = self.decode(latent)
        deviation = log_map(rotations @ plausible.transpose(0, 1, 3, 2))
        distance = (deviation**2).sum(-1).mean(-1) / self.scale**2
        length = (latent**2).mean(-1)
        return np.asarray(0.5 * distance + 0.5 * length)


def _from_safetensors(path: Path) -> VPoserPrior:
    try:
        with safe_open(path, framework="np") as file:
            header = decode_json((file.metadata() or {}).get("mvlift", "{}"), path.name)
            state = {k: file.get_tensor(k).astype(np.float32) for k in file.keys()}  # noqa: SIM118 (not a dict)
        scale = checked(header.get("scale", 0.12) if isinstance(header, dict) else 0.0, float, path.name)
    except (SafetensorError, OSError, DamagedFileError) as error:
        raise ModelError(f"{path}: not a safetensors file ({error}).", "Install the weights again.") from error
    if not 1e-6 < scale < 1e6:
        raise ModelError(f"{path}: its header gives no scale.", "Install the weights again.")
    return _built(state, path, scale)


def _shapes(width: int, latent: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every value of a prior."""
    pose = 3 * JOINTS
    linear = {
        "encoder_net.2": (width, pose), "encoder_net.6": (width, width), "encoder_net.7": (width, width),
        "encoder_net.8.mu": (latent, width), "encoder_net.8.logvar": (latent, width),
        "decoder_net.0": (width, latent), "decoder_net.3": (width, width), "decoder_net.5": (6 * JOINTS, width),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in linear.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    for name, size in (("encoder_net.1", pose), ("encoder_net.4", width)):
        shapes |= {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    return shapes


def _built(state: Mapping[str, F32], path: Path, scale: float) -> VPoserPrior:
    try:
        width, latent = state["decoder_net.0.weight"].shape
        shapes = _shapes(int(width), int(latent))
        for name, shape in shapes.items():
            if state[name].shape != shape:
                raise ValueError(f"{name} is {state[name].shape}, not {shape}")
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a pose prior of VPoser's shape ({error}).", "Give a V02_05 folder.") from error
    return VPoserPrior({name: state[name] for name in shapes}, scale)


def _from_folder(folder: Path) -> VPoserPrior:
    """A V02_05 folder: the newest ``snapshots/*.ckpt``; tensors only, nothing else of the file is executed."""
    checkpoints = sorted((folder / "snapshots").glob("*.ckpt"), key=lambda p: p.stat().st_mtime)
    if not checkpoints:
        raise ModelError(f"{folder}: there is no snapshots/*.ckpt.", "Give the V02_05 folder of VPoser.")
    path = checkpoints[-1]
    if find_spec("torch") is None:
        raise ModelError(f"{path}: a checkpoint of torch, which is not installed.", "pip install 'mvlift[torch]'.")
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path}: holds more than tensors and was not opened ({str(error).splitlines()[0]}).",
            "Save its state_dict alone with torch.save({'state_dict': ...}).",
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    prefix = "vp_model."
    tensors = {k.removeprefix(prefix): v.float().numpy() for k, v in state.items() if isinstance(v, torch.Tensor)}
    return _built(tensors, path, 0.12)


@lru_cache(maxsize=4)
def _load(path: Path, changed: int) -> VPoserPrior:
    return _from_folder(path) if path.is_dir() else _from_safetensors(path)


def load_prior(source: str | Path) -> VPoserPrior:
    """A pose prior: shipped weights by name, a .safetensors file, or a V02_05 folder.

    Raises:
        ModelError: it is missing or of another shape.
    """
    path = Path(source)
    path = path.resolve() if path.is_dir() else model_path(source).resolve()
    return _load(path, path.stat().st_mtime_ns)
