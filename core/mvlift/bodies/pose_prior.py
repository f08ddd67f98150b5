"""Pose prior of VPoser's architecture: a variational autoencoder of the body's 21 joint rotations.

Architecture after Pavlakos et al., "Expressive Body Capture" (CVPR 2019), version V02_05; code and weights are our own.
A user's official folder loads through the same function.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from mvlift.errors import ModelError
from mvlift.kinematics.rotations import log_map
from mvlift.models import model_path
from mvlift.typing import F64

__all__ = ["PosePriorNetwork", "VPoserPrior", "gram_schmidt", "load_prior"]

JOINTS: Final = 21


def gram_schmidt(columns: Tensor) -> Tensor:
    """(..., 3, 3) rotations whose first column is that of (..., 3, 2), and whose second lies in the plane of both."""
    first = functional.normalize(columns[..., 0], dim=-1)
    along = (first * columns[..., 1]).sum(-1, keepdim=True)
    second = functional.normalize(columns[..., 1] - along * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


class _Normal(nn.Module):
    """Mean and scale of the latent."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.mu = nn.Linear(width, latent)
        self.logvar = nn.Linear(width, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mu(x), functional.softplus(self.logvar(x))


class PosePriorNetwork(nn.Module):
    """Encoder and decoder; parameter names are those of V02_05 checkpoints.

    Args:
        width: of the hidden layers.
        latent: dimensions of the latent.
    """

    def __init__(self, width: int = 512, latent: int = 32) -> None:
        super().__init__()
        self.encoder_net = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(3 * JOINTS),
            nn.Linear(3 * JOINTS, width),
            nn.LeakyReLU(),
            nn.BatchNorm1d(width),
            nn.Dropout(0.1),
            nn.Linear(width, width),
            nn.Linear(width, width),
            _Normal(width, latent),
        )
        self.decoder_net = nn.Sequential(
            nn.Linear(latent, width),
            nn.LeakyReLU(),
            nn.Dropout(0.1),
            nn.Linear(width, width),
            nn.LeakyReLU(),
            nn.Linear(width, 6 * JOINTS),
        )

    def encode(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale (N, latent) of axis-angle poses (N, 63)."""
        mean, scale = self.encoder_net(pose)
        return mean, scale

    def decode(self, latent: Tensor) -> Tensor:
        """(N, 21, 3, 3) rotations: two columns of each, made orthonormal by Gram-Schmidt."""
        return gram_schmidt(self.decoder_net(latent).view(-1, JOINTS, 3, 2))


class VPoserPrior:
    """How plausible body poses are, and the nearest plausible one.

    Args:
        network: trained weights, in evaluation mode.
        scale: radians, root mean square distance of ordinary poses to their reconstruction.
    """

    def __init__(self, network: PosePriorNetwork, scale: float = 0.12) -> None:
        self.network = network.eval().requires_grad_(False)
        self.scale = scale

    def _mean(self, rotations: F64) -> Tensor:
        vector = log_map(np.asarray(rotations, dtype=np.float64)).reshape(len(rotations), -1)
        with torch.inference_mode():
            return self.network.encode(torch.as_tensor(vector, dtype=torch.float32))[0]

    def encode(self, rotations: F64) -> tuple[F64, F64]:
        """Latent mean and scale, each (N, 32), of rotations (N, 21, 3, 3)."""
        vector = log_map(np.asarray(rotations, dtype=np.float64)).reshape(len(rotations), -1)
        with torch.inference_mode():
            mean, scale = self.network.encode(torch.as_tensor(vector, dtype=torch.float32))
        return mean.double().numpy(), scale.double().numpy()

    def decode(self, latent: F64) -> F64:
        """(N, 21, 3, 3) rotations of latents (N, 32)."""
        with torch.inference_mode():
            return np.asarray(self.network.decode(torch.as_tensor(latent, dtype=torch.float32)).double().numpy())

    def target_pose(self, rotations: F64) -> tuple[F64, F64]:
        """The nearest plausible poses (N, 21, 3, 3) and how much to trust them (N,).

        A pose far from anything seen in training keeps most of its freedom: rare is not wrong.
        """
        with torch.inference_mode():
            plausible = self.network.decode(self._mean(rotations)).double().numpy()
        away = log_map(rotations @ plausible.transpose(0, 1, 3, 2))
        distance = np.sqrt((away**2).sum(-1).mean(-1))
        return plausible, 1 / (1 + (distance / (4 * self.scale)) ** 2)

    def energy(self, rotations: F64) -> F64:
        """(N,) how unlikely poses are: squared distance to the reconstruction and squared latent length, about 1 each
        half for ordinary poses, so about 1 in all."""
        latent = self._mean(rotations)
        with torch.inference_mode():
            plausible = self.network.decode(latent).double().numpy()
        away = log_map(rotations @ plausible.transpose(0, 1, 3, 2))
        distance = (away**2).sum(-1).mean(-1) / self.scale**2
        length = (latent**2).mean(-1).double().numpy()
        return np.asarray(0.5 * distance + 0.5 * length)


def _from_safetensors(path: Path) -> VPoserPrior:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("mvlift", "{}"))
            state = {k: file.get_tensor(k).float() for k in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: not a safetensors file ({error}).", "Install the weights again.") from error
    return _built(state, path, float(header.get("scale", 0.12)))


def _built(state: dict[str, Any], path: Path, scale: float) -> VPoserPrior:
    try:
        width, latent = state["decoder_net.0.weight"].shape
        network = PosePriorNetwork(int(width), int(latent))
        state = {k: v for k, v in state.items() if k in network.state_dict()}
        missing = (
            set(network.state_dict())
            - set(state)
            - {k for k in network.state_dict() if k.endswith("num_batches_tracked")}
        )
        if missing:
            raise KeyError(sorted(missing)[0])
        network.load_state_dict(state, strict=False)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: not a pose prior of VPoser's shape ({error}).", "Give a V02_05 folder.") from error
    return VPoserPrior(network, scale)


def _from_folder(folder: Path) -> VPoserPrior:
    """A V02_05 folder: the newest ``snapshots/*.ckpt``; tensors only, nothing else of the file is executed."""
    checkpoints = sorted((folder / "snapshots").glob("*.ckpt"), key=lambda p: p.stat().st_mtime)
    if not checkpoints:
        raise ModelError(f"{folder}: there is no snapshots/*.ckpt.", "Give the V02_05 folder of VPoser.")
    path = checkpoints[-1]
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path}: holds more than tensors and was not opened ({str(error).splitlines()[0]}).",
            "Save its state_dict alone with torch.save({'state_dict': ...}).",
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    prefix = "vp_model."
    tensors = {k.removeprefix(prefix): v for k, v in state.items() if isinstance(v, Tensor)}
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
