"""From a clip to sampled 3D keypoints in the camera's axes: normalise, sample, agree between hypotheses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from mvlift.arrays import Array, Generator, to_numpy
from mvlift.cameras.moving import MovingView, angles_of
from mvlift.diffusion.denoiser import Denoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.normalise import UNIT_METRES, VELOCITY_GAIN, NormalisedMotion, normalise, normalise_rays
from mvlift.lifting.refinement import RefinedView
from mvlift.lifting.sampling.in_loop import (
    InputView,
    Sampled,
    SampleOptions,
    camera_tilt,
    sample_lines,
    sample_views,
)
from mvlift.lifting.sampling.resample import MODEL_FPS, from_model_rate, to_model_rate, track_to_model_rate
from mvlift.lifting.sampling.tilt_prior import TILT_MEAN
from mvlift.lifting.subjects import Subject
from mvlift.typing import F64

__all__ = ["LiftedPoints", "Sampler", "input_view", "lift_points", "make_sampler", "tilt_of"]

Sampler = Callable[[InputView], Sampled]
"""Samples 3D motion for an input view."""
SPREAD_FLOOR: Final = 0.13
"""Least error of a sampled keypoint in metres, which several agreeing samples do not undercut."""


@dataclass(frozen=True, eq=False)
class LiftedPoints:
    """3D keypoints as the diffusion model sees them, before a body is fitted.

    Attributes:
        points: (T, K, 3) metres (of an average body), relative to the root, camera axes (x right, y down, z forward).
        sigma: (T, K) metres, how far samples disagree.
        up: (3,) the world's up direction in camera axes.
        depth: (T,) the root's depth that sampling started from, metres (of an average body).
        velocity: (T, 3) of the root, metres a frame of the clip, camera axes.
        disagreement: (T, K) metres, see ``Sampled``; None where the sampler does not say.
    """

    points: F64
    sigma: F64
    up: F64
    depth: F64
    velocity: F64
    disagreement: F64 | None = None


def input_view(
    motion: NormalisedMotion,
    device: object,
    elevation: float | None = None,
    up: F64 | None = None,
) -> InputView:
    """The input view of the samplers from normalised motion.

    Args:
        motion: normalised keypoints.
        device: torch's, of the samplers; None: they compute with NumPy.
        elevation: of the camera in degrees, a guess; None: the prior's mean.
        up: (3,) against gravity in camera axes, known; it settles the camera's tilt.
    """

    def array(values: object) -> Array:
        single = np.asarray(values, dtype=np.float32)
        if device is None:
            return single
        import torch

        return torch.as_tensor(single, device=str(device))

    tilt = TILT_MEAN if elevation is None else (math.radians(elevation), 0.0)
    if up is not None:
        tilt = tilt_of(up)
    return InputView(
        array(motion.x), array(motion.confidence), array(motion.turn), array(tilt), tilt_known=up is not None
    )


def _agreed(lifted: Sampled) -> tuple[F64, F64, F64]:
    """Mean of the hypotheses that agree with the medoid (T, P, 3), their spread (T, P), tilt (2,).

    The medoid is the hypothesis with the least mean distance to the others; one that lies further from it than twice
    the (lower) median is another interpretation of the same picture, whose mean with the others would be neither.
    """
    points, tilt = (to_numpy(a).astype(np.float64) for a in (lifted.in_camera(), lifted.tilt))
    if len(points) == 1:
        return points[0], np.zeros(points.shape[1:3]), tilt[0]
    distance = np.array([[np.linalg.norm(a - b, axis=-1).mean() for b in points] for a in points])  # (H, H)
    medoid = int(distance.sum(1).argmin())
    inliers = distance[medoid] <= 2 * np.sort(distance[medoid])[(len(points) - 1) // 2]
    kept = points[inliers]
    return kept.mean(0), np.linalg.norm(kept - kept.mean(0), axis=-1).mean(0), tilt[inliers].mean(0)


def make_sampler(
    network: Denoiser,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: Generator,
    progress: Callable[[float], None] = lambda _: None,
) -> Sampler:
    """The sampler that fits a network: its views if it is a stage-4 model, its lines if it is a stage-1 model.

    Args:
        network: denoiser.
        schedule: of its training.
        options: sampler, steps, windows, hypotheses.
        generator: randomness.
        progress: called with the share that is done.
    """
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done / options.steps)

    size = -(-options.window // network.config.patch) * network.config.patch
    draw = sample_views if network.config.cross_view else sample_lines
    return lambda view: draw(network, view, schedule, replace(options, window=size), generator, progress=count)


def tilt_of(up: F64) -> tuple[float, float]:
    """Elevation and roll of a camera in radians, of which ``camera_tilt`` makes this up direction (3,)."""
    return math.atan2(-up[2], math.hypot(up[0], up[1])), math.atan2(up[0], -up[1])


def lift_points(
    points: F64,
    confidence: F64,
    fps: Fraction,
    K: F64,
    subject: Subject,
    draw: Sampler,
    device: object,
    known: RefinedView | None = None,
    view: MovingView | None = None,
    up: F64 | None = None,
) -> LiftedPoints:
    """Sample the 3D keypoints of a clip.

    Args:
        points: (T, K, 2) pixels in the subject's layout.
        confidence: (T, K), 0 = missing.
        fps: of the clip; networks see it at their own rate.
        K: (3, 3) intrinsics.
        subject: what is lifted.
        draw: sampler, see ``make_sampler``.
        device: torch's, where it runs; None: it computes with NumPy.
        known: distance and gravity from an earlier lift of the same clip.
        view: of a camera that moves; ``points`` are those of its reference lens ``K``, results are in scene axes.
        up: (3,) against gravity where it is known, in the axes of the results.
    """
    scale = None if known is None else K[0, 0] / track_to_model_rate(known.depth, fps)
    settled = up if known is None or up is not None else known.up
    if view is None:
        motion = normalise(*to_model_rate(points, confidence, fps), subject, K, scale)
    else:
        angles, sure = to_model_rate(angles_of(view.rays(points)), confidence, fps)
        motion = normalise_rays(angles, sure, subject, K, track_to_model_rate(view.path, fps), scale)
    samples = draw(input_view(motion, device, up=settled))
    mean, spread, tilt = _agreed(samples)
    keypoints = len(subject.layout.names)
    sampled = mean[:, :keypoints] * UNIT_METRES
    velocity = mean[:, keypoints] * (UNIT_METRES / VELOCITY_GAIN * MODEL_FPS / float(fps))
    sigma = np.hypot(spread[:, :keypoints] * UNIT_METRES, SPREAD_FLOOR)
    disagreement = None
    if samples.disagreement is not None:
        apart = to_numpy(samples.disagreement).astype(np.float64).mean(0)[:, :keypoints] * UNIT_METRES
        disagreement = from_model_rate(apart, len(points), fps)
    return LiftedPoints(
        points=from_model_rate(sampled, len(points), fps),
        sigma=from_model_rate(sigma, len(points), fps),
        up=-camera_tilt(tilt)[:, 1] if up is None else up,
        depth=from_model_rate(motion.depth, len(points), fps),
        velocity=from_model_rate(velocity, len(points), fps),
        disagreement=disagreement,
    )
