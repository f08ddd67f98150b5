"""The body fit of a clip of any length: one shape, one gravity and one floor, windows that overlap and blend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.contacts import contact_probability
from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets, PullsPoses, fit_body
from mvlift.bodies.kinematics import Kinematics, exp_map, log_map
from mvlift.bodies.rig import BodyRig
from mvlift.bodies.skeleton import BodySkeleton

__all__ = ["fit_clip"]

FloatArray = NDArray[np.float64]
WINDOW: Final = 900
"""Frames in a window; memory is about 0.2 MB a frame."""
OVERLAP: Final = 60
PROBES: Final = 6
PROBE: Final = 120
"""A long clip's shape, gravity and floor come from this many stretches of this many frames."""


def _part(targets: FitTargets, rows: slice) -> FitTargets:
    return replace(
        targets,
        points3d=targets.points3d[rows],
        sigma3d=targets.sigma3d[rows],
        pixels=None if targets.pixels is None else targets.pixels[rows],
        confidence=None if targets.confidence is None else targets.confidence[rows],
    )


def _blend(before: BodyFit, after: BodyFit, overlap: int) -> tuple[FloatArray, FloatArray]:
    """Root (n, 3) and rotations (n, J, 3, 3) that pass from one window's end to the next one's start."""
    share = (np.arange(overlap) + 1.0) / (overlap + 1)
    first, second = before.root[-overlap:], after.root[:overlap]
    a, b = before.rotations[-overlap:], after.rotations[:overlap]
    turn = log_map(b @ a.transpose(0, 1, 3, 2))
    return first + share[:, None] * (second - first), exp_map(share[:, None, None] * turn) @ a


def fit_clip(
    skeleton: BodySkeleton,
    rig: BodyRig,
    targets: FitTargets,
    options: FitOptions,
    prior: PullsPoses | None,
    progress: Callable[[float], None] = lambda _: None,
    window: int = WINDOW,
) -> BodyFit:
    """``fit_body`` in linear time and bounded memory.

    Args and errors as ``fit_body``.

    Args:
        window: frames that are solved together.
    """
    frames = len(targets.points3d)
    if frames <= window:
        return fit_body(skeleton, rig, targets, options, prior, progress)
    starts = np.linspace(0, frames - PROBE, PROBES).astype(int)
    probes = [fit_body(skeleton, rig, _part(targets, slice(s, s + PROBE)), options, prior) for s in starts]
    betas = np.median([p.betas for p in probes], axis=0)
    up = np.mean([p.up for p in probes], axis=0)
    held = replace(options, betas=tuple(float(b) for b in betas), shape=False, up_sigma=0.0)
    level = replace(targets, up=up / np.linalg.norm(up))
    roots: list[FloatArray] = []
    rotations: list[FloatArray] = []
    last: BodyFit | None = None
    first = 0
    while True:
        stop = min(first + window, frames)
        start = stop - window if stop == frames and frames - first < OVERLAP * 2 else first
        rows = slice(start, stop)
        part = fit_body(
            skeleton, rig, _part(level, rows), held, prior, lambda f, a=first, b=stop: progress((a + f * (b - a)) / frames)
        )
        if last is None:
            roots.append(part.root)
            rotations.append(part.rotations)
        else:
            overlap = sum(len(r) for r in roots) - start
            root, rotation = _blend(last, part, overlap)
            roots[-1], rotations[-1] = roots[-1][:-overlap], rotations[-1][:-overlap]
            roots += [root, part.root[overlap:]]
            rotations += [rotation, part.rotations[overlap:]]
        last = part
        if stop == frames:
            break
        first = stop - OVERLAP
    return _whole(skeleton, rig, level, betas, np.concatenate(roots), np.concatenate(rotations), probes, last.size)


def _whole(
    skeleton: BodySkeleton,
    rig: BodyRig,
    targets: FitTargets,
    betas: FloatArray,
    root: FloatArray,
    rotations: FloatArray,
    probes: list[BodyFit],
    size: float,
) -> BodyFit:
    points = Kinematics(skeleton, rig).pose(betas, rotations, root).points
    floor = float(np.median([p.floor for p in probes]))
    columns = [skeleton.keypoint_names.index(n) for n in rig.contacts if n in skeleton.keypoint_names]
    return BodyFit(
        betas=betas,
        rotations=rotations,
        root=root,
        points=points,
        up=targets.up,
        floor=floor,
        contacts=contact_probability(points[:, columns], targets.up, floor, targets.fps),
        size=size,
    )
