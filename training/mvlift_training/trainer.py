"""The training loop of stages 1 and 4: resumable, on one CPU, one GPU or many through Lightning Fabric.

A checkpoint holds all that a resumed run needs to continue as if nothing had happened: weights, averaged weights,
optimiser, step and the state of the random generator.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from lightning_fabric import Fabric
from mvlift.diffusion.network import MotionDenoiser
from torch import Tensor

__all__ = ["DiffusionTask", "TrainOptions", "load_checkpoint", "train"]


class DiffusionTask(Protocol):
    """What the loop trains: batches and their loss."""

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random training batch on the device."""
        ...

    def loss(self, network: Callable[..., Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalar terms; ``loss`` is minimised."""
        ...


@dataclass(frozen=True)
class TrainOptions:
    """How a stage is trained.

    Attributes:
        steps: optimiser steps.
        batch: windows a step, over all ranks.
        learning_rate: peak of a linear warm-up and cosine decay.
        warmup: steps of warm-up.
        final_share: learning rate at the end, as a share of the peak.
        weight_decay: of AdamW.
        ema: decay of the averaged weights, which are what is used.
        clip: largest gradient norm.
        precision: "32-true" or "bf16-mixed".
        compile: torch.compile the network.
        minutes: stop (with a checkpoint) after this much wall time even if steps remain; the schedule follows the
            sooner of the two, so that the learning rate has decayed when time is up. None: steps only.
        checkpoint_every: seconds between checkpoints.
        log_every: steps between log lines.
    """

    steps: int = 100_000
    batch: int = 64
    learning_rate: float = 3e-4
    warmup: int = 200
    final_share: float = 0.05
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False
    minutes: float | None = None
    checkpoint_every: float = 120.0
    log_every: int = 50


class _Stopped:
    """Turns SIGTERM and SIGINT into a flag, so that a killed job saves before it ends."""

    def __init__(self) -> None:
        self.now = False
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                signal.signal(number, self._set)
            except ValueError:  # not the main thread: the caller handles signals
                return

    def _set(self, *_: object) -> None:
        self.now = True


def _rate(options: TrainOptions, done: float, step: int) -> float:
    """Factor on the peak learning rate when a share ``done`` of the run is over."""
    warm = min(1.0, (step + 1) / max(options.warmup, 1))
    cosine = 0.5 * (1 + torch.cos(torch.tensor(min(done, 1.0) * torch.pi)).item())
    return warm * (options.final_share + (1 - options.final_share) * cosine)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content (tensors and plain values only)."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _save(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)


def train(
    network: MotionDenoiser,
    task: DiffusionTask,
    options: TrainOptions,
    folder: Path,
    *,
    fabric: Fabric,
    seed: int,
    provenance: dict[str, Any],
    on_log: Callable[[int, dict[str, float]], None] | None = None,
) -> MotionDenoiser:
    """Train, or go on training, and return the network with averaged weights.

    Args:
        network: fresh network on any device.
        task: batches and loss, on ``fabric.device``.
        options: see there.
        folder: of ``last.pt`` and the log; a run found there is resumed.
        fabric: devices and precision; already launched.
        seed: of batches and noise (each rank draws its own).
        provenance: kept in the checkpoint (config, data digest, version).
        on_log: called with the step and the mean terms since the last call.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "last.pt"
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.98)
    )
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    generator = torch.Generator(fabric.device).manual_seed(seed * 1_000_003 + fabric.global_rank)
    step, spent = 0, 0.0
    if path.is_file():
        saved = load_checkpoint(path)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step, spent = saved["average"], saved["step"], saved["spent"]
        if fabric.global_rank < len(saved["generators"]) and fabric.device.type == saved["device"]:
            generator.set_state(saved["generators"][fabric.global_rank])
    wrapped, optimiser = fabric.setup(network, optimiser)
    model = torch.compile(wrapped) if options.compile else wrapped
    average = {k: v.to(fabric.device) for k, v in average.items()}
    parameters = dict(network.state_dict())
    share = max(1, options.batch // fabric.world_size)
    writer = _writer(folder, fabric)
    stopped, began, saved_at = _Stopped(), time.monotonic() - spent, time.monotonic()
    sums: dict[str, Tensor] = {}

    def checkpoint() -> None:
        states = torch.as_tensor(fabric.all_gather(generator.get_state().to(fabric.device))).cpu()
        states = states.view(fabric.world_size, -1)
        if fabric.is_global_zero:
            _save(path, {"network": {k: v.cpu() for k, v in network.state_dict().items()},
                         "average": {k: v.cpu() for k, v in average.items()},
                         "optimiser": optimiser.state_dict(), "step": step, "spent": time.monotonic() - began,
                         "generators": list(states), "device": fabric.device.type,
                         "options": asdict(options), "provenance": provenance})  # fmt: skip

    def over() -> bool:
        late = options.minutes is not None and time.monotonic() - began > 60 * options.minutes
        return bool(step >= options.steps or late or stopped.now)

    network.train()
    while not over():
        elapsed = (time.monotonic() - began) / (60 * options.minutes) if options.minutes else 0.0
        factor = _rate(options, max(step / options.steps, elapsed), step)
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * factor
        terms = task.loss(model, task.batch(share, generator))
        fabric.backward(terms["loss"])
        fabric.clip_gradients(wrapped, optimiser, max_norm=options.clip, error_if_nonfinite=False)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        decay = min(options.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), [parameters[k] for k in average], 1 - decay)
        for key, value in terms.items():
            sums[key] = sums.get(key, torch.zeros((), device=fabric.device)) + value.detach()
        if step % options.log_every == 0:
            means = {k: float(v) / options.log_every for k, v in sums.items()}
            sums = {}
            _log(folder, writer, step, means, time.monotonic() - began, fabric)
            if on_log is not None:
                on_log(step, means)
        if fabric.world_size == 1 and time.monotonic() - saved_at > options.checkpoint_every:
            checkpoint()
            saved_at = time.monotonic()
        elif fabric.world_size > 1 and step % 1000 == 0:
            checkpoint()
    checkpoint()
    network.load_state_dict({k: v.to(fabric.device) for k, v in average.items()})
    return network.eval()


def _writer(folder: Path, fabric: Fabric) -> Any:
    if not fabric.is_global_zero:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))  # type: ignore[no-untyped-call]


def _log(folder: Path, writer: Any, step: int, means: dict[str, float], seconds: float, fabric: Fabric) -> None:
    if not fabric.is_global_zero:
        return
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "seconds": round(seconds, 1), **means}) + "\n")
    if writer is not None:
        for key, value in means.items():
            writer.add_scalar(key, value, step)
