"""The body fit of a clip of any length: one shape, one gravity and one floor, windows that overlap and blend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets, PosePrior, fit_body
from mvlift.bodies.grounding import find_ground, seen_speed, view_of
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.supports import seen_supports, supports_on, with_supports
from mvlift.kinematics.rotations import exp_map, log_map
from mvlift.typing import F64

__all__ = ["fit_clip"]

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
        velocity=None if targets.velocity is None else targets.velocity[rows],
        camera=None if targets.camera is None else targets.camera.rows(rows),
    )


def _blend(root: F64, rotations: F64, part: BodyFit, overlap: int) -> tuple[F64, F64]:
    """Root (n, 3) and rotations (n, J, 3, 3) of the overlap: the last n frames so far blended with a window's first."""
    share = (np.arange(overlap) + 1.0) / (overlap + 1)
    turn = log_map(part.rotations[:overlap] @ rotations.transpose(0, 1, 3, 2))
    passed = root + share[:, None] * (part.root[:overlap] - root)
    return passed, exp_map(share[:, None, None] * turn) @ rotations


def fit_clip(
    skeleton: BodySkeleton,
    kinematic_model: KinematicModel,
    targets: FitTargets,
    options: FitOptions,
    prior: PosePrior | None,
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
        return fit_body(skeleton, kinematic_model, targets, options, prior, progress)
    starts = np.linspace(0, frames - PROBE, PROBES).astype(int)
    probes = [fit_body(skeleton, kinematic_model, _part(targets, slice(s, s + PROBE)), options, prior) for s in starts]
    betas = np.median([p.betas for p in probes], axis=0)
    up = np.mean([p.up for p in probes], axis=0)
    window_options = replace(options, betas=tuple(float(b) for b in betas), shape=False, up_sigma=0.0, path_unit=False)
    window_targets = replace(targets, up=up / np.linalg.norm(up))
    sizes = [p.path_size for p in probes if p.path_size is not None]
    if window_targets.camera is not None and sizes:
        window_targets = replace(window_targets, camera=window_targets.camera.rescaled(float(np.median(sizes))))
    root = np.empty((frames, 3))
    rotations = np.empty((frames, len(skeleton.joint_names), 3, 3))
    bridged = np.zeros(targets.points3d.shape[:2], dtype=bool)
    done = 0
    size = 1.0
    while done < frames:
        stop = min(max(done - OVERLAP, 0) + window, frames)
        start = max(0, stop - window)

        def report_progress(share: float, begin: int = start, end: int = stop) -> None:
            progress((begin + share * (end - begin)) / frames)

        part = fit_body(
            skeleton, kinematic_model, _part(window_targets, slice(start, stop)), window_options, prior, report_progress
        )
        both = slice(start, done)
        root[both], rotations[both] = _blend(root[both], rotations[both], part, done - start)
        root[done:stop], rotations[done:stop] = part.root[done - start :], part.rotations[done - start :]
        if part.bridged is not None:
            bridged[start:stop] |= part.bridged
        done, size = stop, part.size
    fitted = _whole(skeleton, kinematic_model, window_targets, betas, root, rotations, probes, size)
    return replace(fitted, bridged=bridged)


def _whole(
    skeleton: BodySkeleton,
    kinematic_model: KinematicModel,
    targets: FitTargets,
    betas: F64,
    root: F64,
    rotations: F64,
    probes: list[BodyFit],
    size: float,
) -> BodyFit:
    supports = kinematic_model.supports or supports_on(skeleton, kinematic_model.contacts)
    posed = Kinematics(with_supports(skeleton, supports), kinematic_model).pose(betas, rotations, root).points
    keypoints, frames = len(skeleton.keypoint_names), len(root)
    lowest = posed[:, keypoints:] - np.array([[s.radius] for s in supports]).reshape(-1, 1) * targets.up
    seen = seen_supports(supports, skeleton.keypoint_names, targets.confidence, frames, targets.fps)
    speed = seen_speed(supports, lowest, skeleton.keypoint_names, view_of(targets), targets.fps)
    floor = float(np.median([p.floor for p in probes]))
    ground = find_ground(supports, lowest, targets.up, targets.fps, seen, speed) if supports else None
    return BodyFit(
        betas=betas,
        rotations=rotations,
        root=root,
        points=posed[:, :keypoints],
        up=targets.up,
        floor=ground.floor if ground is not None else floor,
        contacts=ground.contacts if ground is not None else np.zeros((frames, 0)),
        contact_names=tuple(s.name for s in supports),
        size=size,
        path_size=None if targets.camera is None else targets.camera.size,
    )
