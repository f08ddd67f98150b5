"""Score distillation with the line-conditioned model: stage 2 as the paper states it, and its form on 3D points.

Both work on root-centred parallel views in network units. The gradient of eq. 4 with weight 1 is, for a network that
predicts X_0, the difference between a view and its denoised self; no graph is kept through the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from mvlift.diffusion.conditioning import line_features
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.geometry.lines import lines_from_view
from mvlift.lifting.sampling import LINE_AZIMUTHS, GivenView, Sampled, line_of_sight
from mvlift.lifting.views import project, ring, triangulate
from torch import Tensor

from mvlift_training.runtime import half_pays

__all__ = ["SdsOptions", "distil_points", "distil_views", "sds_options"]

REACH: Final = 5.0
"""Iterations times learning rate, network units: the paper's 5,000 times 0.001. Adam moves a point by no more."""


@dataclass(frozen=True)
class SdsOptions:
    """Optimisation by score distillation.

    Attributes:
        iterations: of Adam.
        learning_rate: in network units.
        consistency: weight of half the squared distance to epipolar lines, once for each of the 15 pairs (between
            parallel views it is the same in both directions); the paper's 1e3 belongs to pictures in [-1, 1] and a
            mean over joints.
        lowest, highest: noise levels n drawn, uniformly.
        lines: condition on the given view's lines; False is the ablation.
        bfloat16: the network computes in half precision, far below the noise of the levels drawn, where that is faster.
    """

    iterations: int = 5000
    learning_rate: float = 1e-3
    consistency: float = 1.0
    lowest: int = 1
    highest: int = 999
    lines: bool = True
    bfloat16: bool = True


def sds_options(iterations: int, lines: bool = True) -> SdsOptions:
    """Options for a number of iterations: fewer take longer steps, so that every point gets where it has to.

    Args:
        iterations: of Adam, at least 1.
        lines: condition on the given view's lines.
    """
    return SdsOptions(iterations, REACH / iterations, lines=lines)


def _padded(values: Tensor, patch: int) -> Tensor:
    """Time, the third axis from the end, extended to a multiple of the patch by its last frame."""
    extra = -values.shape[-3] % patch
    return (
        values
        if not extra
        else torch.cat([values, values[..., -1:, :, :].expand(*values.shape[:-3], extra, -1, -1)], -3)
    )


class _Denoiser:
    """X_0 of views (V, T, P, 2) with the lines of a given view."""

    def __init__(
        self, network: MotionDenoiser, schedule: CosineSchedule, given: GivenView, options: SdsOptions
    ) -> None:
        self.network, self.schedule, self.given, self.options = network, schedule, given, options
        self.bfloat16 = options.bfloat16 and half_pays(given.x.device)
        sight, follow = line_of_sight(given.turn, given.tilt[None])
        self.sight, self.follow = sight[0], follow[0]

    def clean(self, views: Tensor, rotations: Tensor, generator: torch.Generator) -> Tensor:
        level = torch.randint(self.options.lowest, self.options.highest + 1, (1,), generator=generator)
        lines = lines_from_view(self.given.x, self.sight, rotations[:, None])
        has = ((self.given.confidence > 0) & self.options.lines).expand(len(views), -1, -1)
        with torch.inference_mode():
            noise = torch.randn(views.shape, generator=generator, device=generator.device).to(views)
            level = level.to(views.device).expand(len(views))
            noisy = self.schedule.add_noise(views, level, noise)
            frames = views.shape[1]
            features = _padded(line_features(noisy, lines, has), self.network.config.patch)
            mask = torch.arange(features.shape[1], device=views.device) < frames
            code = views.new_zeros(len(views), 1, 8)
            with torch.autocast(views.device.type, torch.bfloat16, enabled=self.bfloat16):
                out = self.network(features[:, None], level, code, mask.expand(len(views), -1))
        return out[:, 0, :frames].float().clone()


def _optimise(values: Tensor, gradient: Callable[[Tensor], Tensor], options: SdsOptions) -> Tensor:
    """Adam with a given gradient; returns the values."""
    variable = torch.nn.Parameter(values.clone())
    adam = torch.optim.Adam([variable], options.learning_rate)
    for _ in range(options.iterations):
        variable.grad = gradient(variable.detach())
        adam.step()
    return variable.detach()


def _line_gradient(views: Tensor, rotations: Tensor, weights: Tensor) -> Tensor:
    """Gradient of half the squared distance of a point to the line of another view's, summed over pairs of views.

    The distance is the same in both directions, so that a view's gradient is that of its points to the fixed lines of
    all other views: (V, T, P, 2).

    Args:
        views: (V, T, P, 2).
        rotations: (V, T, 3, 3).
        weights: (V, T, P), 0 where a view has no point; a pair weighs the product of its two.
    """
    count = len(views)
    total = torch.zeros_like(views)
    for i in range(count):
        others = [j for j in range(count) if j != i]
        lines = lines_from_view(views[i], rotations[i], rotations[others])  # (V - 1, T, P, 3)
        distance = (lines[..., :2] * views[others]).sum(-1) + lines[..., 2]
        total[others] += (weights[i] * weights[others] * distance)[..., None] * lines[..., :2]
    return total


def distil_views(
    network: MotionDenoiser,
    given: GivenView,
    schedule: CosineSchedule,
    options: SdsOptions,
    generator: torch.Generator,
) -> Sampled:
    """Stage 2 of the paper: five views at 60 degrees by SDS (eq. 4) and multi-view consistency (eq. 5, 6).

    Args:
        network: stage-1 denoiser.
        given: the motion to lift.
        schedule: of its training.
        options: of the optimisation.
        generator: randomness.

    Returns:
        One hypothesis, triangulated in closed form.
    """
    angle = torch.tensor([math.radians(a) for a in LINE_AZIMUTHS], device=given.x.device)
    rotations = ring(angle, given.tilt[0])
    denoiser = _Denoiser(network, schedule, given, options)
    level = rotations[:, None].expand(-1, len(given.x), -1, -1)
    cameras = torch.cat([denoiser.sight[None], level])
    weights = torch.cat([given.confidence[None], given.confidence.new_ones(len(rotations), *given.confidence.shape)])

    def gradient(views: Tensor) -> Tensor:
        distilled = views - denoiser.clean(views, rotations, generator)
        together = _line_gradient(torch.cat([given.x[None], views]), cameras, weights)[1:]
        return distilled + options.consistency * together

    views = _optimise(torch.zeros(len(rotations), *given.x.shape, device=given.x.device), gradient, options)
    points = torch.cat([given.x[None], views])
    lifted = triangulate(cameras, points, weights)
    return Sampled((lifted @ denoiser.follow)[None], given.tilt[None])


def distil_points(
    network: MotionDenoiser,
    given: GivenView,
    schedule: CosineSchedule,
    options: SdsOptions,
    generator: torch.Generator,
    held: float = 5.0,
) -> Sampled:
    """Score distillation on the 3D points themselves, seen from the ring's views (ablation of the paper).

    Args:
        network, given, schedule, options, generator: as ``distil_views``.
        held: weight of the given view.
    """
    angle = torch.tensor([math.radians(a) for a in LINE_AZIMUTHS], device=given.x.device)
    rotations = ring(angle, given.tilt[0])
    denoiser = _Denoiser(network, schedule, given, options)
    own = denoiser.sight
    weight = held * given.confidence[..., None]

    def gradient(points: Tensor) -> Tensor:
        views = project(rotations[:, None], points[None])
        away = views - denoiser.clean(views, rotations, generator)
        back = torch.einsum("vtpc,vcd->tpd", away, rotations[:, :2])
        return back + (weight * (project(own, points) - given.x)) @ own[:, :2]

    points = _optimise(torch.zeros(*given.x.shape[:2], 3, device=given.x.device), gradient, options)
    return Sampled((points @ denoiser.follow)[None], given.tilt[None])
