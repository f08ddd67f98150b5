"""The training loop of stages 1 and 4: resumable, on one CPU, one GPU or many through Lightning Fabric.

A checkpoint holds all that a resumed run needs to continue as if nothing had happened: weights, averaged weights,
optimiser, step and the states of the random generators.
"""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, Protocol

import torch
from lightning_fabric import Fabric
from mvlift.diffusion.network import MotionDenoiser
from mvlift.errors import MvliftError
from torch import Tensor

from mvlift_training.train_log import TrainLog

__all__ = ["CheckpointError", "DiffusionTask", "TrainOptions", "TrainingStopped", "load_checkpoint", "train"]

SYNC_STEPS: Final = 10
"""Steps between the moments at which ranks agree on the time."""


class CheckpointError(MvliftError):
    """A checkpoint is damaged, or belongs to another network or data set."""


class TrainingStopped(MvliftError):
    """A signal ended the training after its checkpoint; what comes after must not run on half-trained weights."""


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
        precision: "32-true", "bf16-mixed", or "auto": bf16-mixed where that is faster.
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
    precision: Literal["32-true", "bf16-mixed", "auto"] = "32-true"
    compile: bool = False
    minutes: float | None = None
    checkpoint_every: float = 120.0
    log_every: int = 50


class _Stopped:
    """Turns SIGTERM and SIGINT into a flag while training, so that a killed job saves before it ends."""

    def __init__(self) -> None:
        self.now = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Stopped:
        if threading.current_thread() is threading.main_thread():  # elsewhere the caller handles signals
            self._before = {n: signal.signal(n, self._set) for n in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.now = True


class StageTimer:
    """Seconds of training and the wish to stop, equal on every rank: ranks that disagree wait for each other forever.

    Args:
        fabric: launched.
        spent: seconds of earlier runs.
        stopped: this rank's wish.
    """

    def __init__(self, fabric: Fabric, spent: float, stopped: _Stopped) -> None:
        self._fabric, self._stopped, self._began = fabric, stopped, time.monotonic() - spent
        self.seconds, self.stop, self._fresh = spent, False, False

    def read(self, step: int) -> None:
        """Update ``seconds`` and ``stop``; called by all ranks at the same steps."""
        seconds, stop = time.monotonic() - self._began, self._stopped.now
        if self._fabric.world_size > 1:
            if self._fresh and step % SYNC_STEPS:
                return
            own = torch.tensor([seconds, float(stop)], device=self._fabric.device)
            seconds, flag = torch.as_tensor(self._fabric.all_reduce(own, reduce_op="max")).tolist()
            stop = flag > 0
        self.seconds, self.stop, self._fresh = seconds, stop, True


def _rate(options: TrainOptions, done: float, step: int) -> float:
    """Factor on the peak learning rate when a share ``done`` of the run is over."""
    warm = min(1.0, (step + 1) / max(options.warmup, 1))
    cosine = 0.5 * (1 + torch.cos(torch.tensor(min(done, 1.0) * torch.pi)).item())
    return warm * (options.final_share + (1 - options.final_share) * cosine)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content (tensors and plain values only).

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: not a checkpoint ({error}).", "Delete it to train anew.") from error
    return content


def _save(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)


@dataclass
class _State:
    """What changes while training and what a checkpoint holds."""

    average: dict[str, Tensor]
    generator: torch.Generator
    step: int = 0
    spent: float = 0.0


def _dropout_state(device: torch.device) -> Tensor:
    """State of the generator that dropout draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _resume(
    path: Path, network: MotionDenoiser, optimiser: torch.optim.Optimizer, state: _State, fabric: Fabric, digest: object
) -> None:
    """Continue a checkpoint, if there is one."""
    if not path.is_file():
        return
    saved = load_checkpoint(path)
    found = saved["provenance"].get("digest")
    if found != digest:
        raise CheckpointError(
            f"{path} was trained on data with digest {found}, these have {digest}.",
            "Give the config another folder, or the data that it was trained on.",
        )
    try:
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds another network than the config's.", "Give the config another folder, or its old sizes."
        ) from error
    state.average, state.step, state.spent = saved["average"], saved["step"], saved["spent"]
    if fabric.device.type != saved["device"]:
        return
    if fabric.global_rank < len(saved["generators"]):
        state.generator.set_state(saved["generators"][fabric.global_rank])
    if "dropout" in saved and fabric.device.type == "cuda":
        torch.cuda.set_rng_state(saved["dropout"], fabric.device)
    elif "dropout" in saved:
        torch.set_rng_state(saved["dropout"])


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

    Raises:
        CheckpointError: the run in the folder is damaged, or of another network or data set.
        TrainingStopped: SIGTERM or SIGINT came; the checkpoint is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "last.pt"
    network.to(fabric.device)  # before the optimiser, whose restored moments follow the parameters' device
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.98)
    )
    generator = torch.Generator(fabric.device).manual_seed(seed * 1_000_003 + fabric.global_rank)
    state = _State({k: v.detach().clone() for k, v in network.state_dict().items()}, generator)
    _resume(path, network, optimiser, state, fabric, provenance.get("digest"))
    state.average = {k: v.to(fabric.device) for k, v in state.average.items()}

    def checkpoint(seconds: float) -> None:
        states = torch.as_tensor(fabric.all_gather(generator.get_state().to(fabric.device))).cpu()
        if fabric.is_global_zero:
            _save(path, {"network": {k: v.cpu() for k, v in network.state_dict().items()},
                         "average": {k: v.cpu() for k, v in state.average.items()},
                         "optimiser": optimiser.state_dict(), "step": state.step, "spent": seconds,
                         "generators": list(states.view(fabric.world_size, -1)), "device": fabric.device.type,
                         "dropout": _dropout_state(fabric.device),
                         "options": asdict(options), "provenance": provenance})  # fmt: skip

    with _Stopped() as stopped, TrainLog(folder, state.step, options.log_every, fabric, on_log) as log:
        clock = StageTimer(fabric, state.spent, stopped)
        _loop(network, optimiser, task, options, state, clock, fabric, checkpoint, log)
    if clock.stop and state.step < options.steps:
        raise TrainingStopped(
            f"Training was stopped at step {state.step}; {path} holds it.", "Run the same command again to go on."
        )
    network.load_state_dict({k: v.to(fabric.device) for k, v in state.average.items()})
    return network.eval()


def _loop(
    network: MotionDenoiser,
    optimiser: torch.optim.Optimizer,
    task: DiffusionTask,
    options: TrainOptions,
    state: _State,
    clock: StageTimer,
    fabric: Fabric,
    checkpoint: Callable[[float], None],
    log: TrainLog,
) -> None:
    """Steps until steps, time or a signal say stop; ends with a checkpoint."""
    wrapped, stepper = fabric.setup(network, optimiser)
    model = torch.compile(wrapped) if options.compile else wrapped
    parameters = dict(network.state_dict())
    share = max(1, options.batch // fabric.world_size)
    allowed = 60 * options.minutes if options.minutes else float("inf")
    saved_at = state.spent
    network.train()
    clock.read(state.step)
    while state.step < options.steps and clock.seconds <= allowed and not clock.stop:
        factor = _rate(options, max(state.step / options.steps, clock.seconds / allowed), state.step)
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * factor
        terms = task.loss(model, task.batch(share, state.generator))
        fabric.backward(terms["loss"])
        fabric.clip_gradients(wrapped, stepper, max_norm=options.clip, error_if_nonfinite=False)
        stepper.step()
        stepper.zero_grad(set_to_none=True)
        state.step += 1
        decay = min(options.ema, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(state.average.values()), [parameters[k] for k in state.average], 1 - decay)
        log.add(state.step, clock.seconds, terms)
        clock.read(state.step)
        if clock.seconds - saved_at > options.checkpoint_every:
            checkpoint(clock.seconds)
            saved_at = clock.seconds
    checkpoint(clock.seconds)
