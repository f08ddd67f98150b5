"""How stages 1 and 4 are trained, and the learning rate that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mvlift.errors import MvliftError

from mvlift_training.optimisers import OptimiserName

__all__ = ["TrainOptions", "rate_factor"]


@dataclass(frozen=True)
class TrainOptions:
    """How a stage is trained.

    Attributes:
        steps: optimiser steps.
        batch: windows a step, over all ranks.
        optimiser: "adamw"; "adam"; "muon": Muon for the blocks' matrices and AdamW for the rest.
        learning_rate: peak of a linear warm-up, a constant stretch and a linear cool-down.
        matrix_rate: the same of Muon's matrices.
        betas: of Adam and AdamW.
        warmup: steps of warm-up.
        cooldown: share of the run over which the rate falls to ``final_share`` at its end.
        final_share: learning rate at the end, as a share of the peak.
        weight_decay: of AdamW and Muon.
        ema: decay of the averaged weights, which are what is used.
        ema_every: steps between two averagings.
        clip: largest gradient norm; 0 does not clip.
        precision: "32-true", "bf16-mixed", or "auto": bf16-mixed where that is faster.
        compile: torch.compile the network.
        minutes: wall time after which a run ends even if steps remain, cool-down included: the cool-down begins so much
            earlier, is written into the checkpoint, and a longer time given later goes on from where it began.
        checkpoint_every: seconds between checkpoints.
        log_every: steps between log lines.

    Raises:
        MvliftError: a value that cannot be.
    """

    steps: int = 100_000
    batch: int = 64
    optimiser: OptimiserName = "adamw"
    learning_rate: float = 3e-4
    matrix_rate: float = 0.02
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: int = 200
    cooldown: float = 0.3
    final_share: float = 0.02
    weight_decay: float = 0.01
    ema: float = 0.999
    ema_every: int = 1
    clip: float = 1.0
    precision: Literal["32-true", "bf16-mixed", "auto"] = "32-true"
    compile: bool = False
    minutes: float | None = None
    checkpoint_every: float = 120.0
    log_every: int = 50

    def __post_init__(self) -> None:
        at_least = {"steps": 1, "batch": 1, "warmup": 0, "ema_every": 1, "log_every": 1, "weight_decay": 0, "clip": 0,
                    "checkpoint_every": 0}  # fmt: skip
        for name, least in at_least.items():
            if not least <= getattr(self, name) < float("inf"):
                raise MvliftError(f"{name} is {getattr(self, name)}.", f"Give at least {least}.")
        for name in ("learning_rate", "matrix_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise MvliftError(f"{name} is {getattr(self, name)}.", "Give a number above 0, such as 3e-4.")
        shares = {"cooldown": self.cooldown, "final_share": self.final_share, "ema": self.ema,
                  "betas": max(self.betas), "betas (smaller)": min(self.betas)}  # fmt: skip
        for name, value in shares.items():
            if not 0 <= value <= 1 or (value == 1 and name != "final_share"):
                raise MvliftError(f"{name} is {value}.", "Give a share from 0 to below 1.")
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise MvliftError(f"minutes is {self.minutes}.", "Give a time above 0, or leave it out.")


def rate_factor(options: TrainOptions, step: int, end: int, cooled_from: int | None) -> float:
    """Factor on the peak learning rate at a step of a run that ends before step ``end``.

    Args:
        options: warmup, cooldown and final_share.
        step: from 0.
        end: steps of the whole run.
        cooled_from: step at which a time limit began the cool-down; None: ``cooldown`` of the run.
    """
    first = end - round(options.cooldown * end) if cooled_from is None else cooled_from
    warm = min(1.0, (step + 1) / max(options.warmup, 1))
    cold = min(max((step + 1 - first) / max(end - first, 1), 0.0), 1.0)
    return warm * (1 - (1 - options.final_share) * cold)
