"""Prior of the camera's elevation and roll: the distribution over footage in general, and the estimate of the network's
camera head from the input view."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.arrays import Array, array_like, array_namespace, device, normal_noise, to_numpy, without_gradients
from mvlift.diffusion.conditioning import view_code, view_features
from mvlift.diffusion.denoiser import Denoiser
from mvlift.lifting.sampling.views import project, ring
from mvlift.lifting.sampling.windows import Windows

__all__ = ["TILT_MEAN", "TILT_SPREAD", "TiltPrior", "camera_tilt", "tilt_prior"]

TILT_MEAN: Final = (0.12, 0.0)
TILT_SPREAD: Final = (0.13, 0.06)
"""Elevation and roll in radians of cameras in general: hand-held and tripod footage looks slightly down."""
NOISE_DRAWS: Final = 2
"""Random noisy views for which the camera head is evaluated; the estimate is their mean."""


@dataclass(frozen=True)
class TiltPrior:
    """Independent normal distributions of elevation and roll, radians."""

    mean: tuple[float, float] = TILT_MEAN
    spread: tuple[float, float] = TILT_SPREAD

    def product(self, mean: tuple[float, float], spread: tuple[float, float]) -> TiltPrior:
        """Product with another, independent estimate."""
        means, spreads = [], []
        for m, s, n, t in zip(self.mean, self.spread, mean, spread, strict=True):
            a, b = s**-2, t**-2
            means.append((a * m + b * n) / (a + b))
            spreads.append((a + b) ** -0.5)
        return TiltPrior((means[0], means[1]), (spreads[0], spreads[1]))


def camera_tilt(tilt: Array) -> Array:
    """(..., 3, 3) upright axes to camera axes for elevation and roll (..., 2)."""
    xp = array_namespace(tilt)
    upright = ring(xp.zeros_like(tilt[..., 0]), tilt[..., 0])
    c, s = xp.cos(tilt[..., 1]), xp.sin(tilt[..., 1])
    zero, one = xp.zeros_like(c), xp.ones_like(c)
    return xp.stack([c, -s, zero, s, c, zero, zero, zero, one], axis=-1).reshape(*c.shape, 3, 3) @ upright


def _tilt_of(up: Array) -> tuple[float, float]:
    """Elevation and roll of a camera that sees the direction against gravity (3,) in its axes: x right, y down."""
    direction = to_numpy(up).astype(np.float64)
    x, y, z = (float(v) for v in direction / np.linalg.norm(direction))
    return math.asin(max(-1.0, min(1.0, -z))), math.atan2(x, -y)


def tilt_prior(network: Denoiser, x: Array, confidence: Array, turn: Array, windows: Windows, last: int) -> TiltPrior:
    """Prior of the input camera's tilt: the general one, sharpened by the camera head where the network has one.

    The head knows each window's camera turned towards the root; its up vectors are turned back and averaged.

    Args:
        network: multi-view denoiser.
        x: (T, P, 2) input view.
        confidence: (T, P).
        turn: (T, 3, 3) camera axes to the axes of the camera turned towards the root.
        windows: how the clip is divided.
        last: the schedule's last timestep, at which the noisy views say nothing and the input view all.
    """
    config = network.config
    if not config.camera_head:
        return TiltPrior()
    xp = array_namespace(x)
    angle = array_like([math.radians(a) for a in config.azimuths], x)
    flags = array_like([1.0] + [0.0] * len(angle), x)
    codes = view_code(xp.concat([angle[:1] * 0, angle]), xp.zeros_like(flags), flags)
    rotations = ring(angle, angle * 0)[:, None]
    generator = np.random.default_rng(0)
    spreads: list[Array] = []

    def up_vectors(rows: NDArray[np.int64], inside: NDArray[np.bool_]) -> Array:
        """(W, size, 3) against gravity in the camera's axes."""
        count = len(rows)
        noise = normal_noise((NOISE_DRAWS * count, 1, *rows.shape[1:], x.shape[1], 3), generator, x)()
        index = np.tile(rows, (NOISE_DRAWS, 1))
        features = view_features(project(rotations, noise), x[index], confidence[index])
        n = xp.full((len(features),), last, dtype=xp.int64, device=device(x))
        mask = xp.asarray(np.tile(inside, (NOISE_DRAWS, 1)), device=device(x))
        all_codes = xp.broadcast_to(codes, (len(features), *codes.shape))
        said = xp.astype(network(features, n, all_codes, mask, with_camera=True)[1], x.dtype)
        said = said.reshape(NOISE_DRAWS, count, -1).mean(0)
        spreads.append(said[:, 3:5])
        up = -camera_tilt(said[:, :2])[:, None, :, 1]  # (W, 1, 3) in the turned camera's axes
        return (up[..., None, :] @ turn[rows])[..., 0, :]

    with without_gradients(x):
        up = windows.mean(up_vectors).mean(0)
    elevation, roll = (float(v) for v in xp.exp(xp.concat(spreads).mean(0)))
    return TiltPrior().product(_tilt_of(up), (elevation, roll))
