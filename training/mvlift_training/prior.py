"""`mvlift-train prior`: the pose prior, trained on rotations solved from mocap."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.pose_prior import VPoserPrior
from mvlift.bodies.pose_prior_network import PosePriorNetwork
from mvlift.errors import KeypointError, MvliftError
from mvlift.files import whole_file
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map, log_map
from numpy.typing import NDArray
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor

from mvlift_training.checkpoints import CheckpointError, load_checkpoint
from mvlift_training.console import failed, stderr_console
from mvlift_training.motion_data import file_digest
from mvlift_training.prior_data import MocapPoses, solve_mocap

__all__ = ["PriorConfig", "main", "train_prior"]


@dataclass(frozen=True)
class PriorConfig:
    """Training of the pose prior.

    Attributes:
        data: mocap npz (``points3d names start length fps``).
        folder: of the solved rotations and the checkpoint.
        output: .safetensors to write.
        stride: use each n-th frame.
        epochs: passes over the poses.
        batch: poses in a step.
        learning_rate: peak of a cosine.
        divergence: weight of the Kullback-Leibler term.
        corruption: share of poses whose input is spoilt, while the target stays clean.
        max_error: metres, poses solved worse than this are left out.
        held_out: every n-th clip is kept for the scores.
        threads: CPU threads, 0 = torch's default.
        seed: of everything random.
    """

    data: Path = Path("data/human/mocap_for_prior.npz")
    folder: Path = Path("runs/prior")
    output: Path = Path("runs/prior/human-prior.safetensors")
    stride: Annotated[int, tyro.conf.arg(aliases=["--every"])] = 3
    epochs: int = 60
    batch: int = 512
    learning_rate: float = 1e-3
    divergence: float = 0.005
    corruption: float = 0.5
    max_error: float = 0.05
    held_out: int = 10
    threads: int = 0
    seed: int = 1


@dataclass(frozen=True, eq=False)
class _Poses:
    train: Tensor
    """(N, 21, 3, 3)"""
    held: Tensor
    mirror: list[int] = field(default_factory=list)
    """(21,) partner joint on the other side."""


def _split(poses: MocapPoses, config: PriorConfig) -> _Poses:
    good = poses.error <= config.max_error
    names = default_human_skeleton().joint_names[1:22]
    swap = {"left": "right", "right": "left"}
    mirror = [names.index(swap.get(n.split("_")[0], n.split("_")[0]) + n[len(n.split("_")[0]) :]) for n in names]
    held = poses.clip % config.held_out == 0
    rotations = torch.as_tensor(poses.rotations, dtype=torch.float32)
    train, scored = rotations[good & ~held], rotations[good & held]
    if len(train) < 2 or not len(scored):
        raise KeypointError(
            f"{config.data}: {len(train)} poses to learn from and {len(scored)} to score with were solved well.",
            "Give more clips, a smaller --held-out or a larger --max-error.",
        )
    return _Poses(train, scored, mirror)


def _mirrored(rotations: Tensor, partner: list[int]) -> Tensor:
    """Poses (N, 21, 3, 3) with left and right exchanged: conjugation by the reflection of x."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    return rotations[:, partner] * flip[:, None] * flip


def depth_flipped(rotations: Tensor) -> Tensor:
    """Limbs bent the wrong way: rotations (N, 21, 3, 3) mirrored front to back."""
    flip = torch.tensor([1.0, 1.0, -1.0])
    return rotations * flip[:, None] * flip


def _spoilt(rotations: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Inputs with the errors of a bad lift: small noise everywhere, a few joints far off, some limbs bent backwards."""
    count = len(rotations)
    uniform = torch.rand(count, 4, generator=generator)
    noise = torch.randn(count, 21, 3, generator=generator) * (0.25 * uniform[:, :1] ** 2)[..., None]
    rare = (torch.rand(count, 21, generator=generator) < 0.1) & (uniform[:, 1:2] < 0.3)
    noise = noise + torch.randn(count, 21, 3, generator=generator) * 0.6 * rare[..., None]
    backwards = (torch.rand(count, 21, generator=generator) < 0.3) & (uniform[:, 2:3] < 0.25)
    out = torch.where(backwards[..., None, None], depth_flipped(rotations), rotations)
    out = torch.as_tensor(exp_map(noise.double().numpy())).to(out) @ out
    return torch.where((uniform[:, 3] < share)[:, None, None, None], out, rotations)


def _vectors(rotations: Tensor) -> Tensor:
    return torch.as_tensor(log_map(rotations.double().numpy())).to(rotations).reshape(len(rotations), -1)


def _joints(rotations: Tensor) -> Tensor:
    """(N, 24, 3) joints of the default body with a level root."""
    skeleton = default_human_skeleton()
    rest = torch.as_tensor(skeleton.rest_joints, dtype=torch.float32)
    eye = torch.eye(3).expand(len(rotations), 1, 3, 3)
    turns = torch.cat([eye, rotations, eye.expand(-1, len(rest) - 22, -1, -1)], 1)
    return forward_kinematics(skeleton.parents, rest, turns, torch.zeros(3))[1]


def _loss(network: PosePriorNetwork, noisy: Tensor, clean: Tensor, weight: float, generator: torch.Generator) -> Tensor:
    mean, scale = network.encode(_vectors(noisy))
    latent = mean + scale * torch.randn(mean.shape, generator=generator)
    out = network.decode(latent)
    joints = (_joints(out) - _joints(clean)).abs().mean()
    geodesic = (out - clean).pow(2).sum((-1, -2)).clamp(min=1e-8).sqrt().mean()  # 2 √2 sin(θ/2)
    divergence = (scale.pow(2) + mean.pow(2) - 1 - 2 * scale.clamp(min=1e-6).log()).mul(0.5).sum(1).mean()
    return 20 * joints + geodesic + weight * divergence


def _area(real: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
    """Share of (real, wrong) pairs in which the wrong pose has the higher energy."""
    order = np.argsort(np.concatenate([real, wrong]))
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    count = len(wrong)
    return float((ranks[len(real) :].sum() - count * (count + 1) / 2) / (count * len(real)))


def _scores(network: PosePriorNetwork, poses: _Poses) -> tuple[float, dict[str, float]]:
    held = poses.held[::3]
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        out = network.eval().decode(network.encode(_vectors(held))[0])
        spoilt = _spoilt(held, 1.0, generator)
        repaired = network.decode(network.encode(_vectors(spoilt))[0])
        angle = _vectors(out @ held.transpose(-1, -2)).view(len(held), 21, 3).norm(dim=-1)
        scale = float(angle.pow(2).mean().sqrt())
        prior = VPoserPrior({k: v.numpy() for k, v in network.state_dict().items()}, scale)
        real = prior.energy(held.double().numpy())
        wrong = prior.energy(depth_flipped(held).double().numpy())
        return scale, {
            "held_out_poses": float(len(held)),
            "reconstruction_degrees": math.degrees(float(angle.mean())),
            "reconstruction_mm": 1000 * float((_joints(out) - _joints(held)).norm(dim=-1).mean()),
            "spoilt_mm": 1000 * float((_joints(spoilt) - _joints(held)).norm(dim=-1).mean()),
            "repaired_mm": 1000 * float((_joints(repaired) - _joints(held)).norm(dim=-1).mean()),
            "energy_real": float(real.mean()),
            "energy_backwards": float(wrong.mean()),
            "auc_backwards": _area(real, wrong),
        }


def train_prior(config: PriorConfig) -> dict[str, float]:
    """Solve the mocap, train, write the weights with their provenance; a killed run goes on.

    Returns:
        Scores on the clips that were held out.

    Raises:
        KeypointError: no such file, or too little in it to learn from.
        CheckpointError: the folder holds a run on other data.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    config.folder.mkdir(parents=True, exist_ok=True)
    poses = _split(solve_mocap(config.data, config.folder / "poses.npz", config.stride), config)
    digest = file_digest(config.data)
    network = PosePriorNetwork()
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, weight_decay=1e-5)
    checkpoint = config.folder / "last.pt"
    first = 0
    if checkpoint.is_file():
        saved = load_checkpoint(checkpoint, ())
        if saved.get("digest") != digest:
            raise CheckpointError(f"{checkpoint} was trained on other data.", "Give another --folder, or delete it.")
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["epoch"]
    for epoch in track(range(first, config.epochs), "pose prior"):
        generator = torch.Generator().manual_seed(config.seed * 1000 + epoch)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * epoch / config.epochs)))
        network.train()
        for rows in torch.randperm(len(poses.train), generator=generator).split(config.batch):
            if len(rows) < 2:  # batch norm has no spread to go by
                continue
            clean = poses.train[rows]
            turned = torch.rand(len(rows), generator=generator) < 0.5
            clean = torch.where(turned[:, None, None, None], _mirrored(clean, poses.mirror), clean)
            loss = _loss(network, _spoilt(clean, config.corruption, generator), clean, config.divergence, generator)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch + 1,
                 "digest": digest}  # fmt: skip
        with whole_file(checkpoint) as part:
            torch.save(state, part)
    scale, scores = _scores(network, poses)
    _write(config, network, scale, scores)
    return scores


def _write(config: PriorConfig, network: PosePriorNetwork, scale: float, scores: dict[str, float]) -> None:
    header: dict[str, Any] = {
        "kind": "prior",
        "scale": scale,
        "provenance": {
            "data": config.data.name,
            "digest": file_digest(config.data),
            "config": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(config).items()},
            "scores": scores,
        },
    }
    tensors = {k: v.to(torch.float16) if v.is_floating_point() else v for k, v in network.state_dict().items()}
    with whole_file(config.output) as part:
        save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata={"mvlift": json.dumps(header)})


def main(arguments: list[str]) -> int:
    """`mvlift-train prior`."""
    config = tyro.cli(PriorConfig, args=arguments, prog="mvlift-train prior")
    console = stderr_console()
    try:
        scores = train_prior(config)
    except MvliftError as error:
        return failed(error)
    console.print(f"wrote {config.output}: " + ", ".join(f"{k} {v:.3g}" for k, v in scores.items()))
    return 0
