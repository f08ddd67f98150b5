"""How sure a lifted keypoint is: what was seen of it, and how far keypoints like it are wrong on validation footage.

What the detector says of itself tells little of a 3D error. Three quantities tell more: the length of the limbs between
the root and the keypoint, each of which adds its own error; how far the fitted body is from what was sampled, smoothed
over time and in the mean of the clip; and how far the generated views are from the motion that they give together. The
expected error is a product of powers of them (a plane in logarithms), by least squares on realistic validation footage;
see docs/evaluation.md for its calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from mvlift.filters import gaussian_filter1d
from mvlift.typing import F64

if TYPE_CHECKING:  # the module is imported where there is numpy alone
    from mvlift.lifting.sampling.lift_points import LiftedPoints
    from mvlift.lifting.subjects import Subject

__all__ = ["expected_error", "fit_residual", "keypoint_confidence", "lifted_error", "limb_reach"]

SCALE: Final = 1.7
"""Metres, where the three lengths below are a metre."""
REACH: Final = 0.32
RESIDUAL: Final = 0.37
CLIP_RESIDUAL: Final = 0.36
DISAGREEMENT: Final = 0.23
"""Exponents of reach, residual (of the keypoint, and mean of the clip) and disagreement."""
LEAST_REACH: Final = 0.05
LEAST: Final = 0.01
"""Metres, added to reach and to the other two."""
USUAL_RESIDUAL: Final = 0.04
USUAL_DISAGREEMENT: Final = 0.02
"""Metres, where no sampler says."""
SMOOTHING: Final = 0.53
"""Seconds, standard deviation of the Gaussian over residual and disagreement."""
HALF: Final = 0.1
"""Metres of expected error at which confidence is a half."""
SPREAD: Final = 0.25
"""The same for the distance between samples."""
DETECTOR: Final = 0.15
"""Exponent of the detector's confidence, which orders keypoints badly."""


def limb_reach(points: F64, root: F64, names: tuple[str, ...], tree: Mapping[str, str]) -> F64:
    """(T, K) metres: length of the way along the limbs from the root to each keypoint.

    Args:
        points: (T, K, 3) metres.
        root: (T, 3) metres.
        names: (K,) of the keypoints.
        tree: keypoint -> the keypoint (or "root") that its limb grows from.
    """
    reach = np.zeros(points.shape[:2])
    for k, name in enumerate(names):
        at = name
        while at != "root":
            parent = tree[at]
            start = root if parent == "root" else points[:, names.index(parent)]
            reach[:, k] += np.linalg.norm(points[:, names.index(at)] - start, axis=-1)
            at = parent
    return reach


def fit_residual(fitted: F64, sampled: F64, root: list[int]) -> F64:
    """(T, K) metres between fitted and sampled keypoints (T, K, 3) about their roots, after one scale for the clip.

    Args:
        fitted: metres.
        sampled: metres of an average body, in the same axes.
        root: columns whose mean is the root.
    """
    body, sample = (p - p[:, root].mean(1, keepdims=True) for p in (fitted, sampled))
    scale = (body * sample).sum() / max(float((sample * sample).sum()), 1e-12)
    return np.asarray(np.linalg.norm(body - scale * sample, axis=-1))


def expected_error(reach: F64, residual: F64 | None, disagreement: F64 | None, fps: float) -> F64:
    """(T, K) metres by which keypoints are expected to be wrong about the root.

    Args:
        reach: (T, K) metres, see ``limb_reach``.
        residual: (T, K) metres, see ``fit_residual``; None: nothing was sampled.
        disagreement: (T, K) metres, see ``sampling.in_loop.Sampled``; None: the sampler does not say.
        fps: frames a second.
    """

    def smoothed(length: F64 | None, usual: float) -> F64:
        if length is None:
            return np.full_like(reach, usual)
        return np.asarray(gaussian_filter1d(length, SMOOTHING * fps))

    of_clip = USUAL_RESIDUAL if residual is None else float(residual.mean())
    error = SCALE * (reach + LEAST_REACH) ** REACH * (of_clip + LEAST) ** CLIP_RESIDUAL
    error = error * (smoothed(residual, USUAL_RESIDUAL) + LEAST) ** RESIDUAL
    return np.asarray(error * (smoothed(disagreement, USUAL_DISAGREEMENT) + LEAST) ** DISAGREEMENT)


def lifted_error(fitted: F64, lifted: LiftedPoints | None, subject: Subject, fps: float) -> F64:
    """(T, K) metres of expected error of a fitted body.

    Args:
        fitted: (T, K, 3) metres.
        lifted: what the body was fitted to, in the same axes; None: to the picture alone.
        subject: whose keypoints these are.
        fps: frames a second.
    """
    names = subject.layout.names
    root = [names.index(n) for n in subject.root]
    reach = limb_reach(fitted, fitted[:, root].mean(1), names, subject.tree)
    if lifted is None:
        return expected_error(reach, None, None, fps)
    return expected_error(reach, fit_residual(fitted, lifted.points, root), lifted.disagreement, fps)


def keypoint_confidence(seen: F64, sigma: F64, error: F64) -> F64:
    """(T, K) in [0, 1], 0 where nothing was seen.

    Args:
        seen: (T, K) the detector's confidence, 0 = missing.
        sigma: (T, K) metres, how far samples disagree.
        error: (T, K) metres, see ``expected_error``.
    """
    return np.asarray(seen**DETECTOR * (seen > 0) / (1 + (sigma / SPREAD) ** 2) / (1 + (error / HALF) ** 2))
