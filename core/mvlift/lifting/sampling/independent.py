"""Independent sampling of the views: each has its own noise, and they are triangulated once, at the end.

This is how the paper samples stage 4, and what "stage 1 only" means in its ablation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mvlift.arrays import Array, Generator, array_namespace, normal_noise, without_gradients
from mvlift.diffusion.denoiser import Denoiser
from mvlift.diffusion.samplers import sample
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

Triangulation = Callable[[Array, Array, Array], Array]


def sample_independently(
    network: Denoiser,
    input_view: InputView,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: Generator,
    *,
    solve: Triangulation = triangulate,
    progress: Callable[[], None] = lambda: None,
) -> Sampled:
    """2D motion of every generated view, then triangulation with the input view, all weights equal.

    Args:
        network: stage-1 or stage-4 denoiser.
        input_view: the motion to lift.
        schedule: of the training.
        options: sampler, steps, windows; one hypothesis is drawn.
        generator: randomness.
        solve: triangulation of views (V, T, 3, 3) and points (V, T, P, 2) with weights (V, T, P).
        progress: called after every step.
    """
    xp = array_namespace(input_view.x)
    views, denoise = (view_denoiser if network.config.cross_view else line_denoiser)(network, input_view)
    windows = windows_of(len(input_view.x), options, network.config.patch)

    def step(state: Array, timestep: int) -> Array:
        def evaluate(rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> Array:
            part = xp.permute_dims(state[:, rows], (1, 0, 2, 3, 4))  # (W, V, S, P, 2)
            return xp.permute_dims(denoise(part, timestep, rows, inside), (0, 2, 1, 3, 4))  # (W, S, V, P, 2)

        progress()
        return xp.permute_dims(windows.mean(evaluate), (1, 0, 2, 3))

    noise = normal_noise((len(views), *input_view.x.shape), generator, input_view.x)
    with without_gradients(input_view.x):
        generated = sample(options.sampler, step, schedule, noise, options.steps)
        sight, follow = line_of_sight(input_view.turn, input_view.tilt[None, ...])
        level = xp.broadcast_to(views[:, None, ...], (len(views), len(input_view.x), 3, 3))
        cameras = xp.concat([sight, level])
        weights = xp.concat([input_view.confidence[None, ...], xp.ones_like(generated[..., 0])])
        seen = xp.concat([input_view.x[None, ...], generated])
    points = solve(cameras + 0, seen + 0, weights + 0)  # copies, of which torch may take gradients
    return Sampled(points=(points @ (follow[0] + 0))[None, ...], tilt=input_view.tilt[None, ...])
