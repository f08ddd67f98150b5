"""Samplers of the reverse process. They know nothing of the network: it is a function (X_n, n) -> X_0.

The function is where lifting puts its geometry: what it returns may have been triangulated and reprojected, and the
noise may come from 3D (``NoiseSource``), so that views stay consistent by construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from mvlift.arrays import Array
from mvlift.diffusion.schedule import CosineSchedule

__all__ = ["Denoise", "NoiseSource", "SamplerName", "ancestral", "ddim", "dpm_solver_pp", "sample"]

Denoise = Callable[[Array, int], Array]
NoiseSource = Callable[[], Array]
SamplerName = Literal["ancestral", "ddim", "dpm++"]


def ancestral(denoise: Denoise, schedule: CosineSchedule, noise: NoiseSource, timesteps: list[int]) -> Array:
    """DDPM ancestral sampling (Ho et al. 2020, eq. 6-7) from the posterior q(X_m | X_n, X_0), over given timesteps."""
    bar = schedule.alpha_bar().tolist()
    x = noise()
    for n, m in zip(timesteps, [*timesteps[1:], 0], strict=True):
        clean = denoise(x, n)
        ratio = bar[n] / bar[m]
        mean = (bar[m] ** 0.5 * (1 - ratio) * clean + ratio**0.5 * (1 - bar[m]) * x) / (1 - bar[n])
        deviation = ((1 - bar[m]) / (1 - bar[n]) * (1 - ratio)) ** 0.5
        x = mean + deviation * noise() if m > 0 else clean
    return x


def ddim(
    denoise: Denoise, schedule: CosineSchedule, noise: NoiseSource, timesteps: list[int], eta: float = 0.0
) -> Array:
    """DDIM (Song et al. 2021, eq. 12); eta 0 is deterministic, 1 has ancestral variance."""
    bar = schedule.alpha_bar().tolist()
    x = noise()
    for n, m in zip(timesteps, [*timesteps[1:], 0], strict=True):
        clean = denoise(x, n)
        epsilon = (x - bar[n] ** 0.5 * clean) / (1 - bar[n]) ** 0.5
        deviation = eta * ((1 - bar[m]) / (1 - bar[n]) * (1 - bar[n] / bar[m])) ** 0.5
        x = bar[m] ** 0.5 * clean + max(1 - bar[m] - deviation**2, 0.0) ** 0.5 * epsilon
        if deviation > 0:
            x = x + deviation * noise()
    return x


def dpm_solver_pp(denoise: Denoise, schedule: CosineSchedule, noise: NoiseSource, timesteps: list[int]) -> Array:
    """DPM-Solver++(2M) for a clean-sample prediction (Lu et al. 2022, algorithm 2), first order at both ends."""
    bar = schedule.alpha_bar()
    log_snr = (0.5 * np.log(bar / np.maximum(1 - bar, 1e-20))).tolist()  # λ_n
    alpha, sigma = np.sqrt(bar).tolist(), np.sqrt(1 - bar).tolist()
    x = noise()
    previous: Array | None = None
    previous_level = 0
    for n, m in zip(timesteps, [*timesteps[1:], 0], strict=True):
        clean = denoise(x, n)
        if m == 0:
            return clean
        h = log_snr[m] - log_snr[n]
        direction = clean
        if previous is not None:
            r = (log_snr[n] - log_snr[previous_level]) / h
            direction = (1 + 1 / (2 * r)) * clean - 1 / (2 * r) * previous
        x = sigma[m] / sigma[n] * x - alpha[m] * math.expm1(-h) * direction
        previous, previous_level = clean, n
    return x


def sample(name: SamplerName, denoise: Denoise, schedule: CosineSchedule, noise: NoiseSource, steps: int) -> Array:
    """Draw a sample by name with evenly spaced timesteps.

    Args:
        name: "ancestral", "ddim" or "dpm++".
        denoise: (X_n, n) -> X_0.
        schedule: of the training.
        noise: standard normal noise of the sample's shape.
        steps: network evaluations.

    Raises:
        ValueError: no such sampler.
    """
    timesteps = schedule.timesteps(steps)
    match name:
        case "ancestral":
            return ancestral(denoise, schedule, noise, timesteps)
        case "ddim":
            return ddim(denoise, schedule, noise, timesteps)
        case "dpm++":
            return dpm_solver_pp(denoise, schedule, noise, timesteps)
    raise ValueError(f"There is no sampler {name!r}; there are ancestral, ddim, dpm++.")
