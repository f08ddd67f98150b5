"""Sampling of 3D motion: every step denoises several views, triangulates them with the input view and reprojects.

The diffusion state is the 3D motion itself (``views``): its views, noise included, agree by construction, and the input
view is held by its confidence in every triangulation (method: MAS, Kapon et al. 2024, with a line or view condition).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mvlift.arrays import Array, Generator, array_like, array_namespace, device, normal_noise, without_gradients
from mvlift.diffusion.conditioning import line_features, view_code, view_features
from mvlift.diffusion.denoiser import Denoiser
from mvlift.diffusion.samplers import SamplerName, sample
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
"""Weight of a confident point of the input view in triangulation, relative to a generated view's."""
TILT_SIGMA: Final = 0.2
"""Error of a generated point in network units, when the tilt is estimated from it."""
TILT_POINTS: Final = 12.0
"""Effective number of independent points of a clip: errors of generated views are correlated over its frames."""
LINE_AZIMUTHS: Final = (60.0, 120.0, 180.0, 240.0, 300.0)


@dataclass(frozen=True)
class InputView:
    """The 2D motion that is lifted.

    Attributes:
        x: (T, P, 2) normalised points (``normalise``).
        confidence: (T, P) in [0, 1].
        turn: (T, 3, 3) camera axes to the axes of the camera turned towards the root (``normalise``).
        tilt: (2,) elevation and roll of the camera in radians, a guess.
        tilt_known: the tilt is known: samplers do not change it.
    """

    x: Array
    confidence: Array
    turn: Array
    tilt: Array
    tilt_known: bool = False


@dataclass(frozen=True)
class Sampled:
    """What a sampler returns.

    Attributes:
        points: (H, T, P, 3) root-centred motion, upright: x right and z forward of the input camera, y down.
        tilt: (H, 2) elevation and roll of the input camera, radians.
        disagreement: (H, T, P) network units: distance along x from the views generated at the first step to the motion
            that they and the input view give together; None where the sampler does not say.
    """

    points: Array
    tilt: Array
    disagreement: Array | None = None

    def in_camera(self) -> Array:
        """(H, T, P, 3) in the input camera's axes: x right, y down, z forward."""
        tilt = camera_tilt(self.tilt)[:, None, ...]
        return self.points @ array_namespace(tilt).matrix_transpose(tilt)


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


ViewDenoiser: TypeAlias = Callable[[Array, int, NDArray[np.int64], NDArray[np.bool_]], Array]
"""(views (W, V, S, P, 2) noisy, timestep, rows (W, S), inside (W, S)) -> (W, V, S, P, 2) clean."""


def line_of_sight(turn: Array, tilt: Array) -> tuple[Array, Array]:
    """The upright frame that follows the line of sight, so that the input view always has azimuth 0 in it.

    Args:
        turn: (T, 3, 3).
        tilt: (H, 2).

    Returns:
        Following frame to input view (H, T, 3, 3), and upright frame to following frame (H, T, 3, 3).
    """
    xp = array_namespace(turn)
    both = turn @ camera_tilt(tilt)[:, None, ...]
    azimuth = -xp.atan2(both[..., 2, 0], both[..., 2, 2])
    follow = ring(azimuth, xp.zeros_like(azimuth))
    return both @ xp.matrix_transpose(follow), follow


def _fit_tilt(points: Array, input_view: InputView, tilt: Array, known: TiltPrior) -> Array:
    """One Gauss-Newton step of elevation and roll (H, 2): ``points`` (H, T, P, 3) shall project onto the input view."""
    xp = array_namespace(points)
    share = input_view.confidence / xp.clip(input_view.confidence.sum(), 1, None)
    weight = (share * TILT_POINTS / TILT_SIGMA**2)[..., None] ** 0.5

    def residual(angles: Array) -> Array:
        rotation, _ = line_of_sight(input_view.turn, angles)
        data = weight * (project(rotation, points) - input_view.x)
        prior = (angles - array_like(known.mean, angles)) / array_like(known.spread, angles)
        return xp.concat([data.reshape(len(angles), -1), prior], axis=1)

    at = residual(tilt)
    step = 1e-3
    axes = array_like([[step, 0.0], [0.0, step]], tilt)
    jacobian = xp.stack([(residual(tilt + axis) - at) / step for axis in axes], axis=-1)
    normal = xp.matrix_transpose(jacobian) @ jacobian
    move = solve(normal, (jacobian * at[..., None]).sum(1))
    return xp.clip(tilt - xp.clip(move, -0.2, 0.2), -0.7, 0.9)


def _run(
    input_view: InputView,
    views: Array,
    denoise: ViewDenoiser,
    windows: Windows,
    options: SampleOptions,
    schedule: CosineSchedule,
    generator: Generator,
    *,
    input_weight: float,
    find_tilt: TiltPrior | None,
    progress: Callable[[], None],
) -> Sampled:
    """Sample X (H, T, P, 3): each step denoises the views' windows, averages and triangulates with the input view."""
    xp = array_namespace(input_view.x)
    count, frames = options.hypotheses, len(input_view.x)
    tilt = xp.broadcast_to(input_view.tilt, (count, 2))
    given_x = xp.broadcast_to(input_view.x, (count, 1, *input_view.x.shape))
    disagreement: Array | None = None

    def step(state: Array, timestep: int) -> Array:
        nonlocal tilt, disagreement
        noisy = project(views[:, None, ...], state[:, None, ...])  # (H, V, T, P, 2)

        def evaluate(rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> Array:
            part = xp.permute_dims(noisy[:, :, rows], (2, 0, 1, 3, 4, 5))  # (W, H, V, S, P, 2)
            shape = part.shape
            part = part.reshape(-1, *shape[2:])
            clean = denoise(part, timestep, np.repeat(rows, count, 0), np.repeat(inside, count, 0))
            return xp.permute_dims(clean.reshape(*shape), (0, 3, 1, 2, 4, 5))  # (W, S, H, V, P, 2)

        clean = xp.permute_dims(windows.mean(evaluate), (1, 2, 0, 3, 4))  # (H, V, T, P, 2)
        ones = xp.ones_like(clean[..., 0])
        level = xp.broadcast_to(views[:, None, ...], (count, len(views), frames, 3, 3))
        if find_tilt is not None:
            alone = triangulate(level, clean, ones)
            tilt = _fit_tilt(alone, input_view, _fit_tilt(alone, input_view, tilt, find_tilt), find_tilt)
        rotation, _ = line_of_sight(input_view.turn, tilt)
        cameras = xp.concat([rotation[:, None, ...], level], axis=1)
        sure = xp.broadcast_to(input_weight * input_view.confidence, (count, 1, *input_view.confidence.shape))
        progress()
        motion = triangulate(cameras, xp.concat([given_x, clean], axis=1), xp.concat([sure, ones], axis=1))
        if disagreement is None:
            disagreement = xp.abs(clean - project(level, motion[:, None, ...]))[..., 0].mean(1)
        return motion

    noise = normal_noise((count, *input_view.x.shape[:2], 3), generator, input_view.x)
    with without_gradients(input_view.x):
        following = sample(options.sampler, step, schedule, noise, options.steps)
        _, follow = line_of_sight(input_view.turn, tilt)
        return Sampled(points=following @ follow, tilt=tilt, disagreement=disagreement)


def windows_of(frames: int, options: SampleOptions, patch: int) -> Windows:
    size = min(options.window, math.ceil(frames / patch) * patch)
    return Windows(frames, size, options.stride)


def line_denoiser(
    network: Denoiser, input_view: InputView, azimuths: Sequence[float] = LINE_AZIMUTHS, with_lines: bool = True
) -> tuple[Array, ViewDenoiser]:
    """Generated views (V, 3, 3) of stage 1 and the function that denoises them, each view for itself."""
    xp = array_namespace(input_view.x)
    views = ring(array_like([math.radians(a) for a in azimuths], input_view.x), input_view.tilt[0])
    rotation, _ = line_of_sight(input_view.turn, input_view.tilt[None, ...])
    lines = lines_from_view(input_view.x, rotation[0], views[:, None, ...])  # (V, T, P, 3)
    has_line = xp.broadcast_to((input_view.confidence > 0) & with_lines, lines.shape[:-1])

    def denoise(noisy: Array, timestep: int, rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> Array:
        here = xp.permute_dims(lines[:, rows], (1, 0, 2, 3, 4))
        features = line_features(noisy, here, xp.permute_dims(has_line[:, rows], (1, 0, 2, 3)))
        w, v = features.shape[:2]
        n = xp.full((w * v,), timestep, dtype=xp.int64, device=device(noisy))
        code = xp.zeros((w * v, 1, 8), dtype=noisy.dtype, device=device(noisy))
        mask = xp.asarray(np.repeat(inside, v, 0), device=device(noisy))
        clean = network(features.reshape(w * v, 1, *features.shape[2:]), n, code, mask)
        return xp.astype(clean, noisy.dtype).reshape(noisy.shape)

    return views, denoise


def view_denoiser(network: Denoiser, input_view: InputView) -> tuple[Array, ViewDenoiser]:
    """Generated views (V, 3, 3) of stage 4 and the function that denoises them together."""
    xp = array_namespace(input_view.x)
    angle = array_like([math.radians(a) for a in network.config.azimuths], input_view.x)
    views = ring(angle, xp.zeros_like(angle))
    flags = array_like([1.0] + [0.0] * len(views), input_view.x)
    codes = view_code(xp.concat([angle[:1] * 0, angle]), xp.zeros_like(flags), flags)

    def denoise(noisy: Array, timestep: int, rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> Array:
        features = view_features(noisy, input_view.x[rows], input_view.confidence[rows])
        w = len(features)
        n = xp.full((w,), timestep, dtype=xp.int64, device=device(noisy))
        all_codes = xp.broadcast_to(codes, (w, *codes.shape))
        clean = network(features, n, all_codes, xp.asarray(inside, device=device(noisy)))
        return xp.astype(clean[:, 1:], noisy.dtype)

    return views, denoise


def sample_lines(
    network: Denoiser,
    input_view: InputView,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: Generator,
    *,
    azimuths: Sequence[float] = LINE_AZIMUTHS,
    with_lines: bool = True,
    input_weight: float = INPUT_VIEW_WEIGHT,
    progress: Callable[[], None] = lambda: None,
) -> Sampled:
    """3D motion from the line-conditioned model of stage 1 (the in-loop form of stage 2).

    Args:
        network: stage-1 denoiser.
        input_view: the motion to lift.
        schedule: of the training.
        options: sampler, steps, windows.
        generator: randomness.
        azimuths: of the generated views, degrees.
        with_lines: False leaves the condition out (the ablation).
        input_weight: weight of the input view.
        progress: called after every step.

    Returns:
        The motion, with the tilt of ``input_view``, which single views do not determine.
    """
    views, denoise = line_denoiser(network, input_view, azimuths, with_lines)
    windows = windows_of(len(input_view.x), options, network.config.patch)
    return _run(
        input_view,
        views,
        denoise,
        windows,
        options,
        schedule,
        generator,
        input_weight=input_weight,
        find_tilt=None,
        progress=progress,
    )


def sample_views(
    network: Denoiser,
    input_view: InputView,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: Generator,
    *,
    input_weight: float = INPUT_VIEW_WEIGHT,
    progress: Callable[[], None] = lambda: None,
) -> Sampled:
    """3D motion from the multi-view model of stage 4, whose views are level cameras on the ring.

    Arguments and result as ``sample_lines``.
    """
    views, denoise = view_denoiser(network, input_view)
    windows = windows_of(len(input_view.x), options, network.config.patch)
    prior = None
    if not input_view.tilt_known:
        prior = tilt_prior(network, input_view.x, input_view.confidence, input_view.turn, windows, schedule.steps)
    return _run(
        input_view,
        views,
        denoise,
        windows,
        options,
        schedule,
        generator,
        input_weight=input_weight,
        find_tilt=prior,
        progress=progress,
    )
