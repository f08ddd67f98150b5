"""Stage 4 begins with what stage 1 knows of motion, a subject with an object with what is known of the body alone, a
species with what is known of another: parts that do the same work in both networks carry over."""

from __future__ import annotations

from collections.abc import Mapping

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
            block = target[name].view(width, frames, points, -1)
            block[..., :2] = values.view(width, frames, points, -1)[..., :2]
        elif name != "view.weight" and target[name].shape == values.shape:
            target[name].copy_(values)
    with torch.no_grad():
        network.load_state_dict(target)


def start_from_base(
    network: MotionDenoiser, subject: Subject, weights: str, kind: str, base: Subject, alike: Mapping[str, str]
) -> None:
    """Copy trained weights of a base subject: of a body alone into one with an object, or of one species into another.

    What is known of motion carries over, and what reads and writes the keypoints that both have. What reads other
    keypoints starts fresh, what writes them starts from zero.

    Args:
        network: fresh network of the subject, changed in place.
        subject: whose network it is.
        weights: shipped name or path, of a network of the base.
        kind: "line" or "multiview".
        base: whose keypoints the weights read and write.
        alike: keypoint of the subject -> keypoint of the base that moves much like it, where names differ.

    Raises:
        ConfigError: the weights are those of a network of another size or of other keypoints, or ``alike`` names
            keypoints that are not there.
        ModelError: there are no such weights.
    """
    trained, _ = load_denoiser(weights, kind, "cpu")
    frames, points = network.config.patch, network.config.points
    theirs = base.layout.names
    if trained.config.points != len(theirs) + 1 or trained.config.patch != frames:
        raise ConfigError(
            f"{weights}: {trained.config.points - 1} keypoints, not those of {base.name}.", "Change base."
        )
    strange = [a for a in alike if a not in subject.layout.names] + [b for b in alike.values() if b not in theirs]
    if strange:
        raise ConfigError(f"alike: no such keypoints: {', '.join(strange)}.", "Name keypoints of the two layouts.")
    pairs = [
        (i, theirs.index(alike.get(n, n))) for i, n in enumerate(subject.layout.names) if alike.get(n, n) in theirs
    ]
    own_columns, columns = (list(c) for c in zip(*pairs, (points - 1, len(theirs)), strict=True))  # root velocity last
    target, source = network.state_dict(), trained.state_dict()
    for name, values in source.items():
        if name == "embed.weight":
            block = target[name].view(len(values), frames, points, -1)
            block[:, :, own_columns] = values.view(len(values), frames, len(theirs) + 1, -1)[:, :, columns]
        elif name in ("head.weight", "head.bias"):
            block = target[name].view(frames, points, 2, *values.shape[1:])
            block.zero_()
            block[:, own_columns] = values.view(frames, len(theirs) + 1, 2, *values.shape[1:])[:, columns]
        elif target[name].shape != values.shape:
            raise ConfigError(f"{weights}: a network of another size ({name}).", "Give network the size of the base.")
        else:
            target[name].copy_(values)
    network.load_state_dict(target)
