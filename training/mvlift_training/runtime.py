"""What every stage shares: devices, networks from checkpoints, provenance."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, Final

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from mvlift.diffusion.conditioning import LINE_FEATURES, VIEW_FEATURES
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.subjects import Subject

from mvlift_training.checkpoints import load_checkpoint
from mvlift_training.config import ConfigError, TrainConfig, plain

__all__ = [
    "bfloat16_is_faster",
    "export_provenance",
    "fabric_for",
    "first_process",
    "fresh_network",
    "leave_group",
    "trained_network",
    "uses_bfloat16",
]

PATIENCE: Final = timedelta(days=2)
"""How long ranks wait for each other: one may still lift or fit when the others are done."""


def bfloat16_is_faster(device: torch.device | str) -> bool:
    """Whether bfloat16 is faster than float32 there: on CUDA, and on CPUs with AMX or avx512_bf16."""
    kind = torch.device(device).type
    able = torch.cpu.get_capabilities()
    return kind == "cuda" or (kind == "cpu" and bool(able.get("amx_bf16", False) or able.get("avx512_bf16", False)))


def uses_bfloat16(precision: str, device: torch.device | str) -> bool:
    """Whether a network computes in half precision, by ``TrainOptions.precision``."""
    return precision == "bf16-mixed" or (precision == "auto" and bfloat16_is_faster(device))


def _slurm_ranks(config: TrainConfig) -> tuple[int, int]:
    """Tasks a node and nodes of a SLURM job.

    Raises:
        ConfigError: the job has one task and the config wants more, or this process was not started by srun.
    """
    tasks, nodes = int(os.environ["SLURM_NTASKS"]), int(os.environ.get("SLURM_NNODES", "1"))
    if tasks > 1 and "SLURM_PROCID" not in os.environ:
        raise ConfigError(
            f"The job has {tasks} tasks, but this process was not started by srun, so the others would never come.",
            "Start it with `srun mvlift-train ...` in the batch script.",
        )
    if tasks < config.devices:
        raise ConfigError(
            f"devices is {config.devices}, but the SLURM job has {tasks} task{'s' if tasks > 1 else ''}.",
            f"Ask for --ntasks-per-node={config.devices} and start with srun, or set devices: {tasks}.",
        )
    if tasks % nodes:
        raise ConfigError(f"{tasks} tasks on {nodes} nodes.", "Ask for the same number on every node.")
    return tasks // nodes, nodes


def _ranks(config: TrainConfig) -> tuple[int, int]:
    """Processes a node and nodes: those that ``torchrun`` or SLURM started, else the config's on this machine."""
    if TorchElasticEnvironment.detect():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return here, int(os.environ["WORLD_SIZE"]) // here
    if SLURMEnvironment.detect():
        return _slurm_ranks(config)
    return config.devices, 1


def fabric_for(config: TrainConfig) -> Fabric:
    """Launched Fabric for the config's device; under ``torchrun`` or SLURM the environment says how many.

    Raises:
        ConfigError: the device is not there, or the processes were started in another way than the config wants.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    kind = config.device
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda":
        torch.set_float32_matmul_precision("high")
    devices, nodes = _ranks(config)
    strategy = DDPStrategy(timeout=PATIENCE) if devices * nodes > 1 else "auto"
    try:
        fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"device {kind}, {devices} of them: {str(error).splitlines()[0]}",
            "Correct device or devices in the config.",
        ) from error
    fabric.launch()
    return fabric


def first_process() -> bool:
    """Whether this is the only process of its launch, or the first of those that ``torchrun`` or SLURM started."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "SLURM_PROCID"))


def leave_group() -> None:
    """Leave the process group, if there is one: its threads must have ended before the process does."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


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
            azimuths=config.stage4.azimuths,
            camera_head=kind == "multiview" and config.stage4.camera_weight > 0,
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

    return {"config": plain(config), "data": config.data.name, "digest": digest, "version": version("mvlift")}
