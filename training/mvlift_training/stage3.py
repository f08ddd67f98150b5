"""Stage 3: bodies fitted to the lifted sequences, the plausible ones kept as strictly consistent 3D motion.

Each sequence's fit is a file of its own, made by worker processes (the fit is numpy on one core), so a killed run goes
on where it was. The motions that pass the filters become one library; stage 4 sees it through any camera it likes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from lightning_fabric import Fabric
from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets, fit_body
from mvlift.bodies.pose_prior import VPoserPrior
from mvlift.errors import LiftError
from mvlift.files import whole_file
from mvlift.lifting.body_of import body_of
from mvlift.lifting.normalise import UNIT_METRES, intrinsics
from mvlift.lifting.sampling.in_loop import camera_tilt
from mvlift.lifting.sampling.lift_points import SPREAD_FLOOR
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.lifting.world import world_axes
from mvlift.threads import thread_limit
from rich.console import Console
from rich.progress import track

from mvlift_training.config import Stage3Options, TrainConfig
from mvlift_training.motion_data import SequenceSet
from mvlift_training.motion_library import write_motion_library
from mvlift_training.stage2 import lifted_path

__all__ = ["FittedMotion", "build_library"]

SIGMA: Final = SPREAD_FLOOR


@dataclass(frozen=True, eq=False)
class FittedMotion:
    """One candidate of a sequence.

    Attributes:
        points: (T, K, 3) world, z up, metres.
        reprojection: median distance to the given keypoints as a share of the body's height in the picture.
        agreement: metres, median distance of the fitted body to the lifted keypoints.
        energy: median energy of the pose prior.
        travel: metres a second, 99th percentile of the root's speed.
    """

    points: np.ndarray
    reprojection: float
    agreement: float
    energy: float
    travel: float

    @property
    def score(self) -> float:
        """Lower is more plausible; each term is about 1 for a good fit."""
        return self.agreement / 0.06 + self.reprojection / 0.01 + self.energy

    def plausible(self, options: Stage3Options) -> bool:
        """Whether stage 4 may learn from it."""
        return (
            self.reprojection <= options.max_reprojection
            and self.energy <= options.max_energy
            and self.agreement <= options.max_disagreement
            and self.travel <= options.max_speed
        )


def _measure(fitted: BodyFit, targets: FitTargets, prior: VPoserPrior | None, root: list[int]) -> FittedMotion:
    assert targets.K is not None
    assert targets.pixels is not None
    assert targets.confidence is not None
    depth = np.maximum(fitted.points[..., 2:], 0.1)
    seen = targets.K[0, 0] * fitted.points[..., :2] / depth + targets.K[:2, 2]
    metre = targets.K[0, 0] / np.median(depth)
    distance = np.linalg.norm(seen - targets.pixels, axis=-1)[targets.confidence > 0]
    local = fitted.points - fitted.points[:, root].mean(1, keepdims=True)
    residual = np.linalg.norm(local - targets.points3d * fitted.size, axis=-1)
    axes = world_axes(fitted.up)
    steps = np.linalg.norm(np.diff(fitted.root, axis=0), axis=-1) * targets.fps
    return FittedMotion(
        points=(fitted.points @ axes.T - [0, 0, fitted.floor]).astype(np.float32),
        reprojection=float(np.median(distance)) / float(metre * 1.7),
        agreement=float(np.median(residual)),
        energy=0.0 if prior is None else float(np.median(prior.energy(fitted.rotations[:, 1:22]))),
        travel=float(np.percentile(steps, 99)) if len(steps) else 0.0,
    )


def _candidates(
    lifted: Path, points: np.ndarray, confidence: np.ndarray, size: tuple[int, int], fps: float, subject: Subject
) -> Iterator[FittedMotion]:
    """Fit every hypothesis of a sequence; those that cannot be fitted are left out."""
    skeleton, rig, prior = body_of(subject)
    root = [subject.layout.index(n) for n in subject.root]
    keypoints = len(subject.layout.names)
    with np.load(lifted) as data:
        hypotheses, tilts = data["points"].astype(np.float64), data["tilt"].astype(np.float64)
    for hypothesis, tilt in zip(hypotheses, tilts, strict=True):
        targets = FitTargets(
            points3d=hypothesis[:, :keypoints] * UNIT_METRES,
            sigma3d=np.full((len(hypothesis), keypoints), SIGMA),
            up=-camera_tilt(tilt)[:, 1],
            fps=fps,
            pixels=points,
            confidence=confidence,
            K=intrinsics(size),
        )
        try:
            fitted = fit_body(skeleton, rig, targets, FitOptions(iterations=10), prior)
        except LiftError:
            continue
        yield _measure(fitted, targets, prior, root)


def _whole_lift(lifted: Path) -> tuple[np.ndarray | None, list[float]]:
    """Fitted motion and measures of a sequence that stage 2 lifted as a whole, else None."""
    with np.load(lifted) as data:
        if "world" not in data:
            return None, []
        return data["world"], [float(v) for v in data["measures"]]


def _fit_one(
    index: int, lifted: Path, out: Path, points: np.ndarray, confidence: np.ndarray, size: tuple[int, int], fps: float,
    subject: str,
) -> int:  # fmt: skip
    moved, measures = _whole_lift(lifted)
    if moved is None:
        with thread_limit():
            candidates = list(_candidates(lifted, points, confidence, size, fps, get_subject(subject)))
        best = min(candidates, key=lambda c: c.score, default=None)
        moved, measures = np.zeros((0, 0, 3), np.float32), [np.inf] * 4
        if best is not None:
            moved, measures = best.points, [best.reprojection, best.agreement, best.energy, best.travel]
    with whole_file(out) as part:
        np.savez(part, points=moved, measures=np.array(measures))
    return index


def _chosen(config: TrainConfig, sequences: SequenceSet) -> range:
    """Numbers of the sequences that are lifted and fitted."""
    return range(0, len(sequences.points), config.stage2.stride)


def _fit_all(config: TrainConfig, sequences: SequenceSet, lifted: Path, folder: Path, fabric: Fabric) -> None:
    mine = _chosen(config, sequences)[fabric.global_rank :: fabric.world_size]
    todo = [i for i in mine if not lifted_path(folder, i).is_file()]
    workers = config.stage3.workers or max(1, (os.cpu_count() or 1) // fabric.world_size)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, max(len(todo), 1)), context) as pool:
        jobs = [
            pool.submit(_fit_one, i, lifted_path(lifted, i), lifted_path(folder, i), sequences.points[i],
                        sequences.confidence[i], sequences.image_size[i], sequences.fps, config.subject)
            for i in sorted(todo, key=lambda i: -len(sequences.points[i]))
        ]  # fmt: skip
        for job in track(as_completed(jobs), "stage 3", len(jobs), disable=not fabric.is_global_zero):
            try:
                job.result()
            except BrokenProcessPool as error:
                raise LiftError(
                    "A process that fitted bodies was killed, perhaps for want of memory.",
                    "Run stage 3 again: it goes on with what is missing. Fewer stage3.workers need less.",
                ) from error
    fabric.barrier()


def build_library(
    config: TrainConfig,
    subject: Subject,
    sequences: SequenceSet,
    lifted: Path,
    folder: Path,
    fabric: Fabric,
    console: Console,
) -> None:
    """Fit, filter and write ``motions.npz`` and ``report.json`` into ``folder``.

    Raises:
        LiftError: sequences are not lifted yet, or nothing passed the filters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    absent = [i for i in _chosen(config, sequences) if not lifted_path(lifted, i).is_file()]
    if absent:
        raise LiftError(
            f"{lifted}: {len(absent)} of {len(sequences.points)} sequences are missing, such as {absent[0]:05d}.npz.",
            "Run `mvlift-train stage2` first.",
        )
    _fit_all(config, sequences, lifted, folder, fabric)
    kept, dropped = _filtered(config, sequences, folder)
    if not kept:  # on every rank, so that none waits for another
        raise LiftError("Stage 3 kept nothing.", "Train stage 1 longer, or widen the limits in stage3 of the config.")
    if fabric.is_global_zero:
        _write(folder, subject, sequences, kept, dropped, console)
    fabric.barrier()


def _filtered(
    config: TrainConfig, sequences: SequenceSet, folder: Path
) -> tuple[list[FittedMotion], list[dict[str, Any]]]:
    """The plausible motions, and why the others are not."""
    kept, dropped = [], []
    for i in _chosen(config, sequences):
        clip = sequences.clips[i]
        with np.load(lifted_path(folder, i)) as data:
            motion = FittedMotion(data["points"], *(float(v) for v in data["measures"]))
        if motion.plausible(config.stage3) and np.isfinite(motion.points).all():
            kept.append(motion)
        else:
            dropped.append({"clip": clip, "reprojection": motion.reprojection, "agreement": motion.agreement,
                            "energy": motion.energy, "speed": motion.travel})  # fmt: skip
    return kept, dropped


def _write(
    folder: Path,
    subject: Subject,
    sequences: SequenceSet,
    kept: list[FittedMotion],
    dropped: list[dict[str, Any]],
    console: Console,
) -> None:
    write_motion_library(folder / "motions.npz", [m.points for m in kept], subject.layout.names, sequences.fps)
    report = {
        "sequences": len(kept) + len(dropped),
        "kept": len(kept),
        "frames": sum(len(m.points) for m in kept),
        "median_reprojection": float(np.median([m.reprojection for m in kept])),
        "median_agreement_m": float(np.median([m.agreement for m in kept])),
        "median_energy": float(np.median([m.energy for m in kept])),
        "dropped": dropped,
    }
    with whole_file(folder / "report.json") as part:
        part.write_text(json.dumps(report, indent=1), encoding="utf-8")
    console.print(f"stage 3 kept {len(kept)} of {report['sequences']} sequences, {report['frames']} frames")
