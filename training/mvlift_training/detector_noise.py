"""What a detector does to true 2D keypoints: jitter, drift, lost joints, gross errors, swapped sides, lost frames.

The stage-4 model sees its condition through this, so that it learns to trust confidence and to fill gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mvlift_training.draws import Draws

__all__ = ["DetectorNoise", "corrupt"]


@dataclass(frozen=True)
class DetectorNoise:
    """Strength of each effect; lengths in network units (half a metre on the body).

    Attributes:
        jitter: largest standard deviation of independent noise a frame, for an average keypoint (half to one and a
            half of it, by keypoint).
        drift: largest standard deviation of slow noise.
        gross: largest share of points that are far off, with low confidence.
        dropped: largest share of single points lost.
        swapped: chance that a stretch of frames has left and right exchanged.
        groups_lost: chance that a group of keypoints (feet, face, legs, arms) is never seen.
        frames_lost: chance that a stretch of frames is lost.
        clean: share of windows whose points are true and sure; groups and stretches are lost there, too.
    """

    jitter: float = 0.05
    drift: float = 0.04
    gross: float = 0.04
    dropped: float = 0.15
    swapped: float = 0.15
    groups_lost: float = 0.3
    frames_lost: float = 0.15
    clean: float = 0.3


def _stretch(size: int, frames: int, longest: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(B, T) bool: one random stretch of frames a window."""
    first = torch.randint(0, frames, (size, 1), generator=generator, device=device)
    length = torch.randint(1, longest + 1, (size, 1), generator=generator, device=device)
    t = torch.arange(frames, device=device)
    return (t >= first) & (t < first + length)


def corrupt(
    x: Tensor, noise: DetectorNoise, mirror: Tensor, groups: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Detections of true points.

    Args:
        x: (B, T, P, 2) true points, units of the networks; the last point (root velocity) keeps to the others.
        noise: strengths.
        mirror: (P,) partner of each point on the other side.
        groups: (G, P) bool, points that are lost together.
        generator: randomness.

    Returns:
        Points (B, T, P, 2) and confidence (B, T, P), 0 where lost.
    """
    b, t, p, _ = x.shape
    device = x.device
    draw = Draws(generator)
    dirty = (draw.uniform(b) >= noise.clean).float()
    jitter = noise.jitter * draw.uniform(b, 1, 1) ** 2 * (0.5 + draw.uniform(b, 1, p)) * dirty[:, None, None]
    knots = draw.normal(b * p * 2, 1, max(t // 16, 2))
    slow = torch.nn.functional.interpolate(knots, size=t, mode="linear", align_corners=True)
    slow = slow.view(b, p, 2, t).permute(0, 3, 1, 2) * (
        noise.drift * draw.uniform(b, 1, p, 1) ** 2 * dirty[:, None, None, None]
    )
    gross = draw.uniform(b, t, p) < noise.gross * draw.uniform(b, 1, 1) * dirty[:, None, None]
    off = torch.where(gross[..., None], draw.normal(b, t, p, 2) * 0.5, torch.zeros_like(x))
    body = torch.ones(p, device=device)
    body[-1] = 0.2  # the velocity is a difference of smoothed roots
    seen_x = x + (jitter[..., None] * draw.normal(b, t, p, 2) + slow + off) * body[:, None]
    swap = (
        _stretch(b, t, max(t // 6, 1), generator, device) & (draw.uniform(b, 1) < noise.swapped) & (dirty[:, None] > 0)
    )
    seen_x = torch.where(swap[..., None, None], seen_x[:, :, mirror], seen_x)
    confidence = (1 - 4 * jitter) * (1 - 0.25 * draw.uniform(b, t, p) * dirty[:, None, None])
    confidence = torch.where(gross, confidence * (0.1 + 0.6 * draw.uniform(b, t, p)), confidence)
    confidence = torch.where(swap[..., None], confidence * (0.5 + 0.5 * draw.uniform(b, 1, 1)), confidence)
    lost = draw.uniform(b, t, p) < noise.dropped * draw.uniform(b, 1, 1) ** 2 * dirty[:, None, None]
    lost_groups = (draw.uniform(b, len(groups)) < noise.groups_lost * draw.uniform(b, 1)).float() @ groups.float() > 0
    lost |= lost_groups[:, None]
    gap = _stretch(b, t, max(t // 5, 1), generator, device) & (draw.uniform(b, 1) < noise.frames_lost)
    lost |= gap[..., None]
    confidence = torch.where(lost, torch.zeros_like(confidence), confidence.clamp(0.02, 1))
    return seen_x * (confidence > 0)[..., None], confidence
