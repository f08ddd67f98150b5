"""What every stage shares: devices, networks from checkpoints, provenance."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from mvlift.diffusion.conditioning import LINE_FEATURES, VIEW_FEATURES
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.subjects import Subject

from mvlift_training.config import ConfigError, TrainConfig, plain
from mvlift_training.trainer import load_checkpoint

__all__ = ["bfloat16_is_faster", "export_provenance", "fabric_for", "fresh_network", "trained_network"]


def bfloat16_is_faster(device: torch.device | str) -> bool:
    """Whether bfloat16 is faster than float32 there: on CUDA, and on CPUs with AMX; three times slower on others."""
    kind = torch.device(device).type
    return kind == "cuda" or (kind == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16", False)))


def _ranks(config: TrainConfig) -> tuple[int, int]:
    """Processes a node and nodes: those that ``torchrun`` or SLURM started, else the config's on this machine."""
    if TorchElasticEnvironment.detect():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return here, int(os.environ["WORLD_SIZE"]) // here
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return max(1, int(os.environ["SLURM_NTASKS"]) // nodes), nodes
    return config.devices, 1


def fabric_for(config: TrainConfig, precision: str) -> Fabric:
    """Launched Fabric for the config's device; under ``torchrun`` or SLURM the environment says how many.

    Args:
        config: device, devices, threads.
        precision: of Fabric, or "auto": half precision where ``bfloat16_is_faster``.

    Raises:
        ConfigError: the device is not there.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    kind = config.device
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bf16-mixed" if bfloat16_is_faster(kind) else "32-true"
    devices, nodes = _ranks(config)
    try:
        fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, precision=precision)  # type: ignore[arg-type]
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"device {kind}, {devices} of them: {str(error).splitlines()[0]}",
            "Correct device or devices in the config.",
        ) from error
    fabric.launch()
    return fabric


def fresh_network(config: TrainConfig, subject: Subject, kind: str) -> MotionDenoiser:
    """An untrained "line" or "multiview" network, the same for a seed."""
    torch.manual_seed(config.seed)
    features = LINE_FEATURES if kind == "line" else VIEW_FEATURES
    n = config.network
    return MotionDenoiser(
        DenoiserConfig(
            points=len(subject.layout.names) + 1,
            features=features,
            width=n.width,
            layers=n.layers,
            heads=n.heads,
            patch=n.patch,
            cross_view=kind == "multiview",
            dropout=n.dropout,
        )
    )


def trained_network(
    config: TrainConfig, subject: Subject, kind: str, stage: str, device: torch.device
) -> tuple[MotionDenoiser, CosineSchedule, dict[str, Any]]:
    """A stage's averaged weights from its checkpoint, with the checkpoint's provenance.

    Raises:
        ConfigError: the stage has not been trained, or with another network size.
    """
    path = config.folder / stage / "last.pt"
    if not path.is_file():
        name, _, number = stage.partition("-round")
        again = f" --round {number}" if number else ""
        raise ConfigError(f"{path} does not exist.", f"Run `mvlift-train {name}{again}` first.")
    checkpoint = load_checkpoint(path)
    network = fresh_network(config, subject, kind)
    try:
        network.load_state_dict(checkpoint["average"])
    except RuntimeError as error:
        raise ConfigError(f"{path} holds another network.", "Use the config that it was trained with.") from error
    facts = {"steps": checkpoint["step"], "seconds": round(checkpoint["spent"]), **checkpoint["provenance"]}
    return network.to(device).eval().requires_grad_(False), CosineSchedule(), facts


def export_provenance(config: TrainConfig, digest: str) -> dict[str, Any]:
    """What a checkpoint says of its making."""
    from importlib.metadata import version

    return {"config": plain(config), "data": Path(config.data).name, "digest": digest, "version": version("mvlift")}
