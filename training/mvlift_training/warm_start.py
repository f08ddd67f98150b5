"""Stage 4 begins with what stage 1 knows of motion, a subject with an object with what is known of the body alone:
parts that do the same work in both networks carry over."""

from __future__ import annotations

import torch
from mvlift.diffusion.network import MotionDenoiser
from mvlift.lifting.subjects import Subject
from mvlift.models import load_denoiser
from torch import Tensor

from mvlift_training.config import ConfigError

__all__ = ["start_from_base", "start_from_line"]


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


def start_from_base(network: MotionDenoiser, subject: Subject, weights: str, kind: str) -> None:
    """Copy trained weights of a subject's body alone into a network that sees the object's keypoints too.

    Everything carries over but what reads and writes the added keypoints: what reads them starts fresh, what writes
    them starts from zero.

    Args:
        network: fresh network of the subject, changed in place.
        subject: with an object; its keypoints contain those of ``subject.alone``.
        weights: shipped name or path.
        kind: "line" or "multiview".

    Raises:
        ConfigError: the weights are those of a network of another size or of other keypoints.
        ModelError: there are no such weights.
    """
    base, _ = load_denoiser(weights, kind, "cpu")
    names = subject.alone.layout.names
    columns = [subject.layout.index(n) for n in names] + [network.config.points - 1]  # the last is the root's velocity
    frames, points = network.config.patch, network.config.points
    target, source = network.state_dict(), base.state_dict()
    if base.config.points != len(columns) or base.config.patch != frames:
        raise ConfigError(
            f"{weights}: {base.config.points - 1} keypoints, not those of {subject.base}.", "Change base."
        )
    for name, values in source.items():
        if name == "embed.weight":
            own = target[name].view(len(values), frames, points, -1)
            own[:, :, columns] = values.view(len(values), frames, len(columns), -1)
        elif name in ("head.weight", "head.bias"):
            own = target[name].view(frames, points, 2, *values.shape[1:])
            own.zero_()
            own[:, columns] = values.view(frames, len(columns), 2, *values.shape[1:])
        elif target[name].shape != values.shape:
            raise ConfigError(f"{weights}: a network of another size ({name}).", "Give network the size of the base.")
        else:
            target[name].copy_(values)
    network.load_state_dict(target)
