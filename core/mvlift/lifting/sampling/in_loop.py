"""Sampling of 3D motion: every step denoises several views, triangulates them with the given view and reprojects.

The diffusion state is the 3D motion itself (``views``): its views, noise included, agree by construction, and the given
view is held by its confidence in every triangulation (method: MAS, Kapon et al. 2024, with a line or view condition).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mvlift.diffusion.conditioning import line_features, view_code, view_features
from mvlift.diffusion.samplers import SamplerName, gaussian_noise, sample
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.geometry.lines import lines_from_view
from mvlift.lifting.sampling.tilt_prior import TiltPrior, camera_tilt, tilt_prior
from mvlift.lifting.sampling.views import project, ring, solve, triangulate
from mvlift.lifting.sampling.windows import Windows

__all__ = [
    "InputView",
    "SampleOptions",
    "Sampled",
    "camera_tilt",
    "line_of_sight",
    "sample_lines",
    "sample_views",
]

INPUT_VIEW_WEIGHT: Final = 20.0
"""Weight of a confident given point in triangulation, relative to a generated view's."""
TILT_SIGMA: Final = 0.2
"""Error of a generated point in network units, when the tilt is estimated from it."""
TILT_POINTS: Final = 12.0
"""Independent points that a clip is worth: what is wrong with the generated views is wrong in every frame alike."""
LINE_AZIMUTHS: Final = (60.0, 120.0, 180.0, 240.0, 300.0)


@dataclass(frozen=True)
class InputView:
    """The 2D motion that is lifted.

    Attributes:
        x: (T, P, 2) normalised points (``normalise``).
        confidence: (T, P) in [0, 1].
        turn: (T, 3, 3) camera axes to the axes of the camera turned towards the root (``normalise``).
        tilt: (2,) elevation and roll of the camera in radians, a guess.
        tilt_known: the guess is more than that: samplers keep it.
    """

    x: Tensor
    confidence: Tensor
    turn: Tensor
    tilt: Tensor
    tilt_known: bool = False


@dataclass(frozen=True)
class Sampled:
    """What a sampler returns.

    Attributes:
        points: (H, T, P, 3) root-centred motion, upright: x right and z forward of the given camera, y down.
        tilt: (H, 2) elevation and roll of the given camera, radians.
    """

    points: Tensor
    tilt: Tensor

    def in_camera(self) -> Tensor:
        """(H, T, P, 3) in the given camera's axes: x right, y down, z forward."""
        return self.points @ camera_tilt(self.tilt)[:, None].transpose(-1, -2)


@dataclass(frozen=True)
class SampleOptions:
    """How motion is sampled.

    Attributes:
        sampler: see ``samplers.sample``.
        steps: network evaluations.
        window: frames the network sees at once.
        stride: frames between windows.
        hypotheses: samples drawn side by side.
    """

    sampler: SamplerName = "ddim"
    steps: int = 10
    window: int = 96
    stride: int = 48
    hypotheses: int = 1


Denoiser = Callable[[Tensor, int, Tensor, Tensor], Tensor]
"""(views (W, V, S, P, 2) noisy, level, rows (W, S), inside (W, S)) -> (W, V, S, P, 2) clean."""


def line_of_sight(turn: Tensor, tilt: Tensor) -> tuple[Tensor, Tensor]:
    """The upright frame that follows the line of sight, so that the given view always has azimuth 0 in it.

    Args:
        turn: (T, 3, 3).
        tilt: (H, 2).

    Returns:
        Following frame to given view (H, T, 3, 3), and upright frame to following frame (H, T, 3, 3).
    """
    whole = turn @ camera_tilt(tilt)[:, None]
    azimuth = -torch.atan2(whole[..., 2, 0], whole[..., 2, 2])
    follow = ring(azimuth, torch.zeros_like(azimuth))
    return whole @ follow.transpose(-1, -2), follow


def _fit_tilt(points: Tensor, given: InputView, tilt: Tensor, known: TiltPrior) -> Tensor:
    """One Gauss-Newton step of elevation and roll (H, 2): ``points`` (H, T, P, 3) shall project onto the given view."""
    share = given.confidence / given.confidence.sum().clamp(min=1)
    weight = (share * TILT_POINTS / TILT_SIGMA**2).sqrt()[..., None]

    def residual(angles: Tensor) -> Tensor:
        rotation, _ = line_of_sight(given.turn, angles)
        data = weight * (project(rotation, points) - given.x)
        prior = (angles - torch.tensor(known.mean).to(angles)) / torch.tensor(known.spread).to(angles)
        return torch.cat([data.flatten(1), prior], 1)

    at = residual(tilt)
    step = 1e-3
    jacobian = torch.stack([(residual(tilt + step * axis) - at) / step for axis in torch.eye(2).to(tilt)], -1)
    normal = jacobian.transpose(1, 2) @ jacobian
    move = solve(normal, (jacobian * at[..., None]).sum(1))
    return (tilt - move.clamp(-0.2, 0.2)).clamp(-0.7, 0.9)


def _run(
    given: InputView,
    views: Tensor,
    denoise: Denoiser,
    windows: Windows,
    options: SampleOptions,
    schedule: CosineSchedule,
    generator: torch.Generator,
    *,
    held: float,
    find_tilt: TiltPrior | None,
    progress: Callable[[], None],
) -> Sampled:
    """Sample X (H, T, P, 3): each step denoises the views' windows, averages and triangulates with the given view."""
    count = options.hypotheses
    shape = (count, *given.x.shape[:2], 3)
    tilt = given.tilt.expand(count, 2)
    given_x = given.x.expand(count, 1, *given.x.shape)

    def step(state: Tensor, level: int) -> Tensor:
        nonlocal tilt
        noisy = project(views[:, None], state[:, None])  # (H, V, T, P, 2)

        def evaluate(rows: Tensor, inside: Tensor) -> Tensor:
            part = noisy[:, :, rows].permute(2, 0, 1, 3, 4, 5).flatten(0, 1)  # (W H, V, S, P, 2)
            clean = denoise(part, level, rows.repeat_interleave(count, 0), inside.repeat_interleave(count, 0))
            return clean.unflatten(0, (-1, count)).permute(0, 3, 1, 2, 4, 5)  # (W, S, H, V, P, 2)

        clean = windows.mean(evaluate).permute(1, 2, 0, 3, 4)  # (H, V, T, P, 2)
        ones = torch.ones_like(clean[0, ..., 0])
        if find_tilt is not None:
            alone = triangulate(views[:, None].expand(count, -1, -1, -1, -1), clean, ones.expand(count, -1, -1, -1))
            tilt = _fit_tilt(alone, given, _fit_tilt(alone, given, tilt, find_tilt), find_tilt)
        rotation, _ = line_of_sight(given.turn, tilt)
        cameras = torch.cat([rotation[:, None], views[:, None].expand(count, -1, len(given.x), -1, -1)], 1)
        weights = torch.cat([held * given.confidence[None], ones]).expand(count, -1, -1, -1)
        progress()
        return triangulate(cameras, torch.cat([given_x, clean], 1), weights)

    noise = gaussian_noise(shape, generator, given.x.device)
    with torch.inference_mode():
        following = sample(options.sampler, step, schedule, noise, options.steps)
        _, follow = line_of_sight(given.turn, tilt)
        return Sampled(points=following @ follow, tilt=tilt)


def windows_of(frames: int, options: SampleOptions, patch: int) -> Windows:
    size = min(options.window, math.ceil(frames / patch) * patch)
    return Windows(frames, size, options.stride)


def line_denoiser(
    network: nn.Module, given: InputView, azimuths: Sequence[float] = LINE_AZIMUTHS, with_lines: bool = True
) -> tuple[Tensor, Denoiser]:
    """Generated views (V, 3, 3) of stage 1 and the function that denoises them, each view for itself."""
    angle = torch.tensor([math.radians(a) for a in azimuths], device=given.x.device)
    views = ring(angle, given.tilt[0])
    rotation, _ = line_of_sight(given.turn, given.tilt[None])
    lines = lines_from_view(given.x, rotation[0], views[:, None])  # (V, T, P, 3)
    has_line = ((given.confidence > 0) & with_lines).expand(len(views), -1, -1)

    def denoise(noisy: Tensor, level: int, rows: Tensor, inside: Tensor) -> Tensor:
        features = line_features(noisy, lines[:, rows].transpose(0, 1), has_line[:, rows].transpose(0, 1))
        w, v = features.shape[:2]
        n = torch.full((w * v,), level, device=noisy.device)
        code = noisy.new_zeros(w * v, 1, 8)
        mask = inside.to(noisy.device).repeat_interleave(v, 0)
        return network(features.flatten(0, 1)[:, None], n, code, mask)[:, 0].unflatten(0, (w, v)).to(noisy)

    return views, denoise


def view_denoiser(network: nn.Module, given: InputView) -> tuple[Tensor, Denoiser]:
    """Generated views (V, 3, 3) of stage 4 and the function that denoises them together."""
    azimuths: tuple[float, ...] = network.config.azimuths  # type: ignore[union-attr, assignment]
    angle = torch.tensor([math.radians(a) for a in azimuths], device=given.x.device)
    views = ring(angle, torch.zeros_like(angle))
    flags = torch.tensor([1.0] + [0.0] * len(views), device=given.x.device)
    codes = view_code(torch.cat([angle[:1] * 0, angle]), torch.zeros_like(flags), flags)

    def denoise(noisy: Tensor, level: int, rows: Tensor, inside: Tensor) -> Tensor:
        features = view_features(noisy, given.x[rows], given.confidence[rows])
        w = len(features)
        n = torch.full((w,), level, device=noisy.device)
        clean = network(features, n, codes.expand(w, -1, -1), inside.to(noisy.device))
        return clean[:, 1:].to(noisy)

    return views, denoise


def sample_lines(
    network: nn.Module,
    given: InputView,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: torch.Generator,
    *,
    azimuths: Sequence[float] = LINE_AZIMUTHS,
    with_lines: bool = True,
    held: float = INPUT_VIEW_WEIGHT,
    progress: Callable[[], None] = lambda: None,
) -> Sampled:
    """3D motion from the line-conditioned model of stage 1 (the in-loop form of stage 2).

    Args:
        network: stage-1 denoiser.
        given: the motion to lift.
        schedule: of the training.
        options: sampler, steps, windows.
        generator: randomness.
        azimuths: of the generated views, degrees.
        with_lines: False leaves the condition out (the ablation).
        held: weight of the given view.
        progress: called after every step.

    Returns:
        The motion, with the given tilt: single views cannot tell it.
    """
    views, denoise = line_denoiser(network, given, azimuths, with_lines)
    windows = windows_of(len(given.x), options, network.config.patch)  # type: ignore[union-attr, arg-type]
    return _run(
        given, views, denoise, windows, options, schedule, generator, held=held, find_tilt=None, progress=progress
    )


def sample_views(
    network: nn.Module,
    given: InputView,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: torch.Generator,
    *,
    held: float = INPUT_VIEW_WEIGHT,
    progress: Callable[[], None] = lambda: None,
) -> Sampled:
    """3D motion from the multi-view model of stage 4, whose views are level cameras on the ring.

    Arguments and result as ``sample_lines``.
    """
    views, denoise = view_denoiser(network, given)
    windows = windows_of(len(given.x), options, network.config.patch)  # type: ignore[union-attr, arg-type]
    prior = None
    if not given.tilt_known:
        prior = tilt_prior(network, given.x, given.confidence, given.turn, windows, schedule.steps)
    return _run(
        given,
        views,
        denoise,
        windows,
        options,
        schedule,
        generator,
        held=held,
        find_tilt=prior,
        progress=progress,
    )
