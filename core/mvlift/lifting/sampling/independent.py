"""Sampling in which views do not meet: each keeps its own noise, and they are triangulated once at the end.

This is how the paper samples stage 4, and what "stage 1 only" means in its ablation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.samplers import gaussian_noise, sample
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.sampling.in_loop import (
    InputView,
    Sampled,
    SampleOptions,
    line_denoiser,
    line_of_sight,
    view_denoiser,
    windows_of,
)
from mvlift.lifting.sampling.views import triangulate

__all__ = ["Triangulation", "sample_independently"]

Triangulation = Callable[[Tensor, Tensor, Tensor], Tensor]


def sample_independently(
    network: MotionDenoiser,
    given: InputView,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: torch.Generator,
    *,
    solve: Triangulation = triangulate,
    progress: Callable[[], None] = lambda: None,
) -> Sampled:
    """2D motion of every generated view, then triangulation with the given view, all weights equal.

    Args:
        network: stage-1 or stage-4 denoiser.
        given: the motion to lift.
        schedule: of the training.
        options: sampler, steps, windows; one hypothesis is drawn.
        generator: randomness.
        solve: triangulation of views (V, T, 3, 3) and points (V, T, P, 2) with weights (V, T, P).
        progress: called after every step.
    """
    views, denoise = (view_denoiser if network.config.cross_view else line_denoiser)(network, given)
    windows = windows_of(len(given.x), options, network.config.patch)
    shape = (len(views), *given.x.shape)

    def step(state: Tensor, level: int) -> Tensor:
        def evaluate(rows: Tensor, inside: Tensor) -> Tensor:
            part = state[:, rows].transpose(0, 1)  # (W, V, S, P, 2)
            return denoise(part, level, rows, inside).transpose(1, 2)  # (W, S, V, P, 2)

        progress()
        return windows.mean(evaluate).transpose(0, 1)

    noise = gaussian_noise(shape, generator, given.x.device)
    with torch.inference_mode():
        generated = sample(options.sampler, step, schedule, noise, options.steps)
        sight, follow = line_of_sight(given.turn, given.tilt[None])
        cameras = torch.cat([sight, views[:, None].expand(-1, len(given.x), -1, -1)])
        weights = torch.cat([given.confidence[None], torch.ones_like(generated[..., 0])])
        seen = torch.cat([given.x[None], generated])
    points = solve(cameras.clone(), seen.clone(), weights.clone())
    return Sampled(points=(points @ follow[0].clone())[None], tilt=given.tilt[None])
