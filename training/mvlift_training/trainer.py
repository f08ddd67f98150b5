"""The training loop of stages 1 and 4: resumable, on one CPU, one GPU or many through Lightning Fabric.

A checkpoint holds all that a resumed run needs to continue as if nothing had happened: weights, averaged weights,
optimisers, step and the states of the random generators. What is learnt depends on steps alone, never on the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from mvlift.diffusion.network import MotionDenoiser
from mvlift.errors import MvliftError
from torch import Tensor

from mvlift_training.checkpoints import (
    CheckpointError,
    check_settings,
    lasting,
    load_checkpoint,
    locked_folder,
    save_checkpoint,
)
from mvlift_training.optimisers import make_optimisers
from mvlift_training.stopping import SYNC_STEPS, StageTimer, StopSignals
from mvlift_training.train_log import TrainLog
from mvlift_training.train_options import TrainOptions, rate_factor

__all__ = ["CheckpointError", "DiffusionTask", "TrainOptions", "TrainingDiverged", "TrainingStopped", "train"]


class TrainingStopped(MvliftError):
    """A signal ended the training after its checkpoint; what comes after must not run on half-trained weights."""


class TrainingDiverged(MvliftError):
    """The loss or its gradient is not finite."""


class DiffusionTask(Protocol):
    """What the loop trains: batches and their loss."""

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random training batch on the device."""
        ...

    def loss(self, network: Callable[..., Any], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalar terms; ``loss`` is minimised."""
        ...


@dataclass
class _State:
    """What changes while training and what a checkpoint holds.

    Attributes:
        average: averaged weights.
        generator: of batches and noise.
        step: steps done.
        spent: seconds of training.
        end: last step, which a time limit may bring forward.
        cooled_from: step at which the time limit began the cool-down, or None.
    """

    average: dict[str, Tensor]
    generator: torch.Generator
    end: int
    step: int = 0
    spent: float = 0.0
    cooled_from: int | None = None


def _dropout_state(device: torch.device) -> Tensor:
    """State of the generator that dropout draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


@dataclass
class _Run:
    """One training: network, optimisers, state, and where its checkpoints go."""

    network: MotionDenoiser
    optimisers: list[torch.optim.Optimizer]
    options: TrainOptions
    state: _State
    fabric: Fabric
    path: Path
    provenance: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self, seconds: float, path: Path | None = None) -> None:
        """Write a checkpoint; called by all ranks."""
        fabric, state = self.fabric, self.state
        states = torch.as_tensor(fabric.all_gather(state.generator.get_state().to(fabric.device))).cpu()
        if fabric.is_global_zero:
            content = {"network": {k: v.cpu() for k, v in self.network.state_dict().items()},
                       "average": {k: v.cpu() for k, v in state.average.items()},
                       "optimisers": [o.state_dict() for o in self.optimisers], "step": state.step, "spent": seconds,
                       "end": state.end, "cooled_from": state.cooled_from,
                       "generators": [row.clone() for row in states.view(fabric.world_size, -1)],
                       "device": fabric.device.type, "dropout": _dropout_state(fabric.device),
                       "options": asdict(self.options),
                       "settings": self.settings, "provenance": self.provenance}  # fmt: skip
            save_checkpoint(path or self.path, content, keep=1 if path else 3)
        fabric.barrier()

    def resume(self, allow_changes: bool) -> None:
        """Continue the checkpoint in the folder, if there is one."""
        if not self.path.is_file():
            return
        saved = load_checkpoint(self.path)
        before_cooldown = self.path.with_name("before-cooldown.pt")
        if saved["cooled_from"] is not None and before_cooldown.is_file():
            earlier = load_checkpoint(before_cooldown)
            if not self.time_is_up(earlier["spent"], earlier["step"]):
                saved = earlier  # more time is given than when the cool-down began
        check_settings(self.path, saved["settings"], self.settings, allow_changes)
        try:
            self.network.load_state_dict(saved["network"])
            for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
                device_options: dict[str, Any] = {
                    k: optimiser.defaults[k] for k in ("fused", "capturable") if k in optimiser.defaults
                }
                optimiser.load_state_dict(state)
                for group in optimiser.param_groups:
                    group.update(device_options)
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"{self.path} holds another network or optimiser than the config's.",
                "Give the config another folder, or its old sizes.",
            ) from error
        self._restore(saved)

    def _restore(self, saved: dict[str, Any]) -> None:
        state, fabric = self.state, self.fabric
        state.average, state.step, state.spent = saved["average"], saved["step"], saved["spent"]
        state.cooled_from = saved["cooled_from"]
        state.end = saved["end"] if state.cooled_from is not None else self.options.steps
        if fabric.device.type != saved["device"]:
            return
        if fabric.global_rank < len(saved["generators"]):
            # cloned: a row of a larger tensor, which older checkpoints hold, crashes torch
            state.generator.set_state(saved["generators"][fabric.global_rank].clone())
        if "dropout" in saved and fabric.device.type == "cuda":
            torch.cuda.set_rng_state(saved["dropout"], fabric.device)
        elif "dropout" in saved:
            torch.set_rng_state(saved["dropout"])

    def time_is_up(self, seconds: float, step: int) -> bool:
        """Whether the cool-down has to begin, so that the run ends in time; that of its last steps may have begun."""
        options = self.options
        if options.minutes is None or not 1 <= step < options.steps - round(options.cooldown * options.steps):
            return False
        return seconds >= 60 * options.minutes * (1 - options.cooldown)

    def cool_down(self) -> None:
        """Begin the cool-down now; called by all ranks at the same step."""
        state, share = self.state, self.options.cooldown
        state.cooled_from = state.step
        state.end = min(state.end, state.step + max(1, round(state.step * share / (1 - share))))

    def set_rates(self) -> None:
        """Learning rates of the next step."""
        state = self.state
        factor = rate_factor(self.options, state.step, state.end, state.cooled_from)
        for optimiser in self.optimisers:
            peak = self.options.matrix_rate if isinstance(optimiser, torch.optim.Muon) else self.options.learning_rate
            for group in optimiser.param_groups:
                group["lr"] = peak * factor


def train(
    network: MotionDenoiser,
    task: DiffusionTask,
    options: TrainOptions,
    folder: Path,
    *,
    fabric: Fabric,
    seed: int,
    provenance: dict[str, Any],
    bfloat16: bool = False,
    settings: dict[str, Any] | None = None,
    allow_changes: bool = False,
    on_log: Callable[[int, dict[str, float]], None] | None = None,
) -> MotionDenoiser:
    """Train, or go on training, and return the network with averaged weights.

    Args:
        network: fresh network on any device.
        task: batches and loss, on ``fabric.device``.
        options: see there.
        folder: of ``last.pt`` and the log; a run found there is resumed.
        fabric: devices; already launched.
        seed: of batches and noise (each rank draws its own).
        provenance: kept in the checkpoint (config, data digest, version).
        bfloat16: the network computes in half precision.
        settings: further settings and digests that a run must not change when it goes on.
        allow_changes: go on although settings are others.
        on_log: called with the step and the mean terms since the last call.

    Raises:
        CheckpointError: the run in the folder is damaged, of another network, data set or setting, or still running.
        TrainingDiverged: the loss is not finite; the last checkpoint is from before.
        TrainingStopped: SIGTERM, SIGINT or SIGUSR1 came; the checkpoint is written.
    """
    with locked_folder(folder, enabled=fabric.is_global_zero):
        network.to(fabric.device)  # before the optimiser, whose restored moments follow the parameters' device
        optimisers = make_optimisers(network, options.optimiser, options.learning_rate, options.matrix_rate,
                                     options.weight_decay, options.betas)  # fmt: skip
        generator = torch.Generator(fabric.device).manual_seed(seed * 1_000_003 + fabric.global_rank)
        average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        fixed = {"seed": seed, "training": lasting(asdict(options)), **(settings or {})}
        state = _State(average, generator, options.steps)
        run = _Run(network, optimisers, options, state, fabric, folder / "last.pt", provenance, _as_json(fixed))
        run.resume(allow_changes)
        state.average = {k: v.to(fabric.device) for k, v in state.average.items()}
        with StopSignals() as stopped, TrainLog(folder, state.step, options.log_every, fabric, on_log) as log:
            timer = StageTimer(fabric, state.spent, stopped)
            _loop(run, task, timer, log, bfloat16)
    if timer.stop and state.step < state.end:
        raise TrainingStopped(
            f"Training was stopped at step {state.step}; {run.path} holds it.", "Run the same command again to go on."
        )
    network.load_state_dict({k: v.to(fabric.device) for k, v in state.average.items()})
    return network.eval()


def _as_json(value: Any) -> Any:
    """Tuples as lists and paths as texts, as a checkpoint gives them back."""
    if isinstance(value, dict):
        return {str(k): _as_json(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_as_json(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def _diverged(run: _Run) -> TrainingDiverged:
    kept = f"{run.path} holds an earlier step, last-1.pt and last-2.pt still earlier ones"
    return TrainingDiverged(
        f"The loss or its gradient is not finite at step {run.state.step + 1}; "
        f"{kept if run.path.is_file() else 'nothing was saved'}.",
        "Lower learning_rate (and matrix_rate) in the config and run again with --allow-changes.",
    )


def _loop(run: _Run, task: DiffusionTask, timer: StageTimer, log: TrainLog, bfloat16: bool) -> None:
    """Steps until steps, time or a signal say stop; ends with a checkpoint."""
    options, state, fabric = run.options, run.state, run.fabric
    wrapped, *steppers = fabric.setup(run.network, *run.optimisers)
    compiled = torch.compile(wrapped) if options.compile else wrapped

    def model(*arguments: Any, **named: Any) -> Any:
        with torch.autocast(fabric.device.type, torch.bfloat16, enabled=bfloat16):
            return compiled(*arguments, **named)

    parameters = dict(run.network.state_dict())
    share = max(1, options.batch // fabric.world_size)
    check_every = 1 if fabric.device.type == "cpu" else SYNC_STEPS
    health = torch.zeros((), device=fabric.device)
    run.network.train()
    timer.read(state.step)
    begun, saved_at = state.step, timer.seconds
    while state.step < state.end and not timer.stop:
        if state.cooled_from is None and run.time_is_up(timer.seconds, state.step):
            run.save(timer.seconds, run.path.with_name("before-cooldown.pt"))
            run.cool_down()
        run.set_rates()
        terms = task.loss(model, task.batch(share, state.generator))
        fabric.backward(terms["loss"])
        norm = torch.nn.utils.clip_grad_norm_(run.network.parameters(), options.clip or float("inf"))
        health = health + 0 * (norm + terms["loss"].detach())  # NaN from the first number that is not finite
        if (state.step + 1) % check_every == 0 and not bool(torch.isfinite(health)):
            raise _diverged(run)
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        state.step += 1
        if state.step % options.ema_every == 0:
            times = state.step // options.ema_every
            decay = min(options.ema, (1 + times) / (10 + times))
            with torch.no_grad():
                torch._foreach_lerp_(list(state.average.values()), [parameters[k] for k in state.average], 1 - decay)
        log.add(state.step, timer.seconds, terms)
        timer.read(state.step)
        if timer.seconds - saved_at > options.checkpoint_every:
            run.save(timer.seconds)
            saved_at = timer.seconds
    if state.step > begun or not run.path.is_file():
        run.save(timer.seconds)
    fabric.barrier()  # no rank reads what the first has not yet written
