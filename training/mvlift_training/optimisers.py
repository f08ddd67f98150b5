"""Optimisers of stages 1 and 4, behind one object that Fabric and checkpoints treat as one."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

__all__ = ["OptimiserName", "make_optimisers"]

OptimiserName = Literal["adam", "adamw", "muon"]


def _matrices(network: nn.Module) -> list[nn.Parameter]:
    """Weight matrices inside the transformer's blocks, which Muon was made for: no embeddings, heads or biases."""
    return [
        parameter
        for name, parameter in network.named_parameters()
        if name.startswith("blocks.") and name.endswith(".weight") and parameter.ndim == 2
    ]


def make_optimisers(
    network: nn.Module,
    name: OptimiserName,
    rate: float,
    matrix_rate: float,
    weight_decay: float,
    betas: tuple[float, float],
) -> list[torch.optim.Optimizer]:
    """One optimiser, or with "muon" two: Muon (Jordan et al. 2024) for the blocks' matrices and AdamW for the rest.

    Args:
        network: already on its device.
        name: which.
        rate: peak learning rate of Adam and AdamW.
        matrix_rate: peak learning rate of Muon.
        weight_decay: of AdamW and Muon.
        betas: of Adam and AdamW.
    """
    kind = next(network.parameters()).device.type
    adam: dict[str, Any] = {"lr": rate, "betas": betas, "fused": kind in ("cpu", "cuda", "mps")}
    if kind == "cuda":
        adam["capturable"] = True
    parameters: list[Tensor] = list(network.parameters())
    if name == "adam":
        return [torch.optim.Adam(parameters, **adam)]
    if name == "adamw":
        return [torch.optim.AdamW(parameters, weight_decay=weight_decay, **adam)]
    matrices = _matrices(network)
    chosen = {id(p) for p in matrices}
    rest = [p for p in parameters if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=matrix_rate, weight_decay=weight_decay),
        torch.optim.AdamW(rest, weight_decay=weight_decay, **adam),
    ]
