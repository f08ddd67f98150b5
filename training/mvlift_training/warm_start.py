"""Stage 4 begins with what stage 1 knows of motion: parts that do the same work in both networks carry over."""

from __future__ import annotations

import torch
from mvlift.diffusion.network import MotionDenoiser
from torch import Tensor

__all__ = ["start_from_line"]


def _parts(values: Tensor, width: int, old: int, new: int, pick: list[int]) -> Tensor:
    """Modulation rows (3 old width, ...) or (3 old, width) regrouped for ``new`` parts; those it adds are zero."""
    rows = values.view(3, old, *([width] if values.dim() == 1 or values.shape[0] != 3 * old else []), *values.shape[1:])
    out = rows.new_zeros(3, new, *rows.shape[2:])
    out[:, pick] = rows
    return out.reshape(-1, *values.shape[1:])


def start_from_line(network: MotionDenoiser, line: MotionDenoiser) -> None:
    """Copy a stage-1 network's motion knowledge into a fresh stage-4 network of the same size.

    Attention over time, feed-forward parts, noise levels, head and the embedding of noisy points carry over; attention
    across views and the embedding of the given view start fresh.

    Args:
        network: multi-view network, changed in place.
        line: trained line-conditioned network.
    """
    width = line.config.width
    source, target = line.state_dict(), network.state_dict()
    for name, values in source.items():
        if name.endswith(".table") or name.startswith("modulate.1"):
            target[name].copy_(_parts(values, width, 2, 3, [0, 2]))
        elif name == "embed.weight":
            frames, points = line.config.patch, line.config.points
            own = target[name].view(width, frames, points, -1)
            own[..., :2] = values.view(width, frames, points, -1)[..., :2]
        elif name != "view.weight" and target[name].shape == values.shape:
            target[name].copy_(values)
    with torch.no_grad():
        network.load_state_dict(target)
