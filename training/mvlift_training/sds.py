"""Score distillation with the line-conditioned model: stage 2 as the paper states it, and its form on 3D points.

Both work on root-centred parallel views in network units. Eq. 4 with weight w(n) has the gradient w(n) (e' - e), e the
noise that was added and e' the predicted one. A network that predicts X_0' predicts e' - e = sqrt(a_n / (1 - a_n))
(X - X_0'), a_n the cumulative alpha of the schedule: with weight 1 nearly all of it comes from the lowest timesteps.
"clean" takes w(n) = sqrt((1 - a_n) / a_n), so that the gradient is the difference between a view and its denoised self
at every timestep; "noise" takes w(n) = 1, as the paper does. No graph is kept through the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from mvlift.diffusion.conditioning import line_features
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.geometry.lines import lines_from_view
from mvlift.lifting.sampling.in_loop import LINE_AZIMUTHS, InputView, Sampled, line_of_sight
from mvlift.lifting.sampling.views import project, ring, triangulate
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mvlift_training.runtime import bfloat16_is_faster

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
        consistency_norm: "l2": half the squared distance to the lines, "l1": the distance, as eq. 5 and 6.
        weighting: "clean" or "noise", see above.
        lowest, highest: timesteps n drawn, uniformly.
        lines: condition on the input view's lines; False is the ablation.
        bfloat16: the network computes in half precision, far below the noise of the timesteps, where that is faster.
    """

    iterations: int = 5000
    learning_rate: float = 1e-3
    consistency: float = 1.0
    consistency_norm: Literal["l2", "l1"] = "l2"
    weighting: Literal["clean", "noise"] = "clean"
    lowest: int = 1
    highest: int = 999
    lines: bool = True
    bfloat16: bool = True


def sds_options(iterations: int, lines: bool = True, **changes: Any) -> SdsOptions:
    """Options for a number of iterations: fewer take longer steps, so that every point gets where it has to.

    Args:
        iterations: of Adam, at least 1.
        lines: condition on the input view's lines.
        changes: further fields.
    """
    return SdsOptions(iterations, REACH / iterations, lines=lines, **changes)


def _held(values: Tensor, index: Tensor) -> Tensor:
    """Frames of values (S, ..., T, P, C) by number (S, N): what a sequence lacks at its end is its last frame."""
    index = index.view(len(index), *([1] * (values.dim() - 4)), -1, 1, 1)
    return values.gather(-3, index.expand(*values.shape[:-3], index.shape[-3], *values.shape[-2:]))


class _Denoiser:
    """X_0 of views (S, V, T, P, 2) with the lines of given views: S sequences at once, each with its own randomness.

    Sequences shorter than the longest are filled with their last frame, which the network does not see.

    Args:
        network, schedule, options: as ``distil_views``.
        input_views: the motions to lift.
        generators: one for each.
    """

    def __init__(
        self,
        network: MotionDenoiser,
        schedule: CosineSchedule,
        options: SdsOptions,
        input_views: Sequence[InputView],
        generators: Sequence[torch.Generator],
    ) -> None:
        self.network, self.schedule, self.options, self.generators = network, schedule, options, generators
        device = input_views[0].x.device
        self.bfloat16 = options.bfloat16 and bfloat16_is_faster(device)
        self.frames = [len(g.x) for g in input_views]
        counts = torch.tensor(self.frames, device=device)[:, None]
        patch = network.config.patch
        columns = torch.arange(-(-max(self.frames) // patch) * patch, device=device)
        self.mask, self.index = columns < counts, torch.minimum(columns, counts - 1)  # (S, T in whole patches)
        sight, follow = zip(*(line_of_sight(g.turn, g.tilt[None]) for g in input_views), strict=True)
        self.x = pad_sequence([g.x for g in input_views], batch_first=True)  # (S, T, P, 2)
        self.sight = pad_sequence([r[0] for r in sight], batch_first=True)  # (S, T, 3, 3)
        self.follow = pad_sequence([r[0] for r in follow], batch_first=True)
        self.confidence = pad_sequence([g.confidence for g in input_views], batch_first=True)
        angle = torch.tensor([math.radians(a) for a in LINE_AZIMUTHS], device=device)
        self.rotations = torch.stack([ring(angle, g.tilt[0]) for g in input_views])[:, :, None]  # (S, V, 1, 3, 3)
        lines = lines_from_view(self.x[:, None], self.sight[:, None], self.rotations)
        self.lines, self.has = lines, ((self.confidence > 0) & options.lines)[:, None].expand(lines.shape[:-1])

    def _noise(self, views: Tensor) -> Tensor:
        """(S, V, T, P, 2): what each sequence's generator gives for its own length."""
        shape = views.shape[1], views.shape[3], 2
        parts = [
            torch.randn(shape[0], n, *shape[1:], generator=g, device=g.device)
            for n, g in zip(self.frames, self.generators, strict=True)
        ]
        return pad_sequence([p.transpose(0, 1) for p in parts], batch_first=True).transpose(1, 2).to(views)

    def gradient(self, views: Tensor) -> Tensor:
        """Gradient of eq. 4 with respect to views (S, V, T, P, 2), at one random timestep for each sequence."""
        low, high = self.options.lowest, self.options.highest + 1
        timesteps_of_each = [torch.randint(low, high, (1,), generator=g, device=g.device) for g in self.generators]
        count, each, frames = views.shape[:3]
        timestep = torch.cat(timesteps_of_each).to(views.device).repeat_interleave(each)
        with torch.inference_mode():
            noise = self._noise(views)
            noisy = self.schedule.add_noise(views.flatten(0, 1), timestep, noise.flatten(0, 1)).view_as(views)
            features = _held(line_features(noisy, self.lines, self.has), self.index).flatten(0, 1)
            code = views.new_zeros(count * each, 1, 8)
            with torch.autocast(views.device.type, torch.bfloat16, enabled=self.bfloat16):
                out = self.network(features[:, None], timestep, code, self.mask.repeat_interleave(each, 0))
        residual = views - out[:, 0, :frames].float().clone().view_as(views)
        if self.options.weighting == "clean":
            return residual
        bar = torch.as_tensor(self.schedule.alpha_bar()).to(views)[torch.cat(timesteps_of_each).to(views.device)]
        return residual * (bar / (1 - bar)).sqrt().view(-1, 1, 1, 1, 1)

    def results(self, points: Tensor, input_views: Sequence[InputView]) -> list[Sampled]:
        """One hypothesis of each sequence, from points (S, T, P, 3) in the frame that follows the line of sight."""
        upright = points @ self.follow
        return [Sampled(p[:n][None], g.tilt[None]) for p, n, g in zip(upright, self.frames, input_views, strict=True)]


def _optimise(values: Tensor, gradient: Callable[[Tensor], Tensor], options: SdsOptions) -> Tensor:
    """Adam with a given gradient; returns the values."""
    variable = torch.nn.Parameter(values.clone())
    adam = torch.optim.Adam([variable], options.learning_rate)
    for _ in range(options.iterations):
        variable.grad = gradient(variable.detach())
        adam.step()
    return variable.detach()


def _line_gradient(views: Tensor, rotations: Tensor, weights: Tensor, norm: Literal["l2", "l1"] = "l2") -> Tensor:
    """Gradient of half the squared distance (or of the distance) of a point to the line of another view's, summed over
    pairs of views.

    The distance is the same in both directions, so that a view's gradient is that of its points to the fixed lines of
    all other views: (..., V, T, P, 2).

    Args:
        views: (..., V, T, P, 2).
        rotations: (..., V, T, 3, 3).
        weights: (..., V, T, P), 0 where a view has no point; a pair weighs the product of its two.
        norm: "l2" or "l1".
    """
    count = views.shape[-4]
    total = torch.zeros_like(views)
    for i in range(count):
        others = [j for j in range(count) if j != i]
        rest = views[..., others, :, :, :]
        lines = lines_from_view(views[..., [i], :, :, :], rotations[..., [i], :, :, :], rotations[..., others, :, :, :])
        distance = (lines[..., :2] * rest).sum(-1) + lines[..., 2]
        distance = distance.sign() if norm == "l1" else distance
        weight = weights[..., [i], :, :] * weights[..., others, :, :]
        total[..., others, :, :, :] += (weight * distance)[..., None] * lines[..., :2]
    return total


def distil_views(
    network: MotionDenoiser,
    input_views: Sequence[InputView],
    schedule: CosineSchedule,
    options: SdsOptions,
    generators: Sequence[torch.Generator],
) -> list[Sampled]:
    """Stage 2 of the paper: five views at 60 degrees by SDS (eq. 4) and multi-view consistency (eq. 5, 6).

    Args:
        network: stage-1 denoiser.
        input_views: the motions to lift, all at once; each comes out as it does alone.
        schedule: of its training.
        options: of the optimisation.
        generators: randomness of each motion.

    Returns:
        One hypothesis of each motion, triangulated in closed form.
    """
    denoiser = _Denoiser(network, schedule, options, input_views, generators)
    x, confidence = denoiser.x[:, None], denoiser.confidence[:, None]  # (S, 1, T, P, 2), (S, 1, T, P)
    count, frames = denoiser.rotations.shape[1], x.shape[2]
    cameras = torch.cat([denoiser.sight[:, None], denoiser.rotations.expand(-1, -1, frames, -1, -1)], 1)
    weights = torch.cat([confidence, torch.ones_like(confidence).expand(-1, count, -1, -1)], 1)

    def gradient(views: Tensor) -> Tensor:
        distilled = denoiser.gradient(views)
        every_view = torch.cat([x, views], 1)
        together = _line_gradient(every_view, cameras, weights, options.consistency_norm)[:, 1:]
        return distilled + options.consistency * together

    views = _optimise(torch.zeros_like(x).repeat(1, count, 1, 1, 1), gradient, options)
    return denoiser.results(triangulate(cameras, torch.cat([x, views], 1), weights), input_views)


def distil_points(
    network: MotionDenoiser,
    input_views: Sequence[InputView],
    schedule: CosineSchedule,
    options: SdsOptions,
    generators: Sequence[torch.Generator],
    held: float = 5.0,
) -> list[Sampled]:
    """Score distillation on the 3D points themselves, seen from the ring's views (ablation of the paper).

    Args:
        network, input_views, schedule, options, generators: as ``distil_views``.
        held: weight of the given view.
    """
    denoiser = _Denoiser(network, schedule, options, input_views, generators)
    sight, rotations = denoiser.sight, denoiser.rotations
    weight = held * denoiser.confidence[..., None]

    def gradient(points: Tensor) -> Tensor:
        views = project(rotations, points[:, None])
        residual = denoiser.gradient(views)
        back = torch.einsum("svtpc,svcd->stpd", residual, rotations[:, :, 0, :2])
        return back + (weight * (project(sight, points) - denoiser.x)) @ sight[..., :2, :]

    points = _optimise(denoiser.x.new_zeros(*denoiser.x.shape[:-1], 3), gradient, options)
    return denoiser.results(points, input_views)
