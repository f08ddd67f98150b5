"""The rows of the table. All but ``flat`` and ``external`` end in one body fit and differ in where depth is from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import KeypointError, ModelError
from mvlift.lifting.body_of import body_of
from mvlift.lifting.clip_fit import fit_clip
from mvlift.lifting.keypoint_confidence import lifted_error
from mvlift.lifting.normalise import intrinsics, normalise
from mvlift.lifting.pipeline import fit_lifted, lift
from mvlift.lifting.prepared import PreparedClip, prepare_clip
from mvlift.lifting.presets import get_preset
from mvlift.lifting.sampling.in_loop import InputView, Sampled, SampleOptions, sample_lines
from mvlift.lifting.sampling.independent import sample_independently
from mvlift.lifting.sampling.lift_points import Sampler, lift_points
from mvlift.lifting.subjects import Subject
from mvlift.lifting.world import motion_in_world
from mvlift.models import load_denoiser
from mvlift.motion import LiftedMotion

from mvlift_training.arrays import read_arrays
from mvlift_training.evaluation.data import Sequence
from mvlift_training.evaluation.metrics import Prediction
from mvlift_training.evaluation.table import Method
from mvlift_training.sds import distil_points, distil_views, sds_options

__all__ = ["Setting", "external", "fit_pixels", "flat_row", "method", "method_names", "prediction"]


@dataclass(frozen=True)
class Setting:
    """What rows share.

    Attributes:
        subject: what is lifted.
        models: role -> weights, instead of the subject's.
        device: of the networks.
        sds_iterations: of the rows that distil.
        elepose: weights of the ElePose row.
    """

    subject: Subject
    models: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    sds_iterations: int = 5000
    elepose: Path | None = None


def prediction(motion: LiftedMotion, began: float) -> Prediction:
    """A motion as the metrics take it."""
    return Prediction(
        points=motion.keypoints.astype(np.float64),
        pixels=motion.camera.project(motion.keypoints).astype(np.float64),
        seconds=time.perf_counter() - began,
        up=motion.camera.R[:, 2].astype(np.float64),
        confidence=motion.keypoint_confidence.astype(np.float64),
    )


def flat_row(setting: Setting) -> Method:
    """Baseline: every joint at the depth of the root."""

    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        clip = prepare_clip(sequence.clip(noisy, setting.subject.layout), setting.subject, None, None, None, 1.0).clip
        K = intrinsics(sequence.image_size)
        rays = (clip.points.astype(np.float64) - K[:2, 2]) / K[0, 0]
        points = np.stack([rays[..., 0], np.ones_like(rays[..., 0]), -rays[..., 1]], -1)
        return Prediction(points, clip.points.astype(np.float64))

    return run


def _full(setting: Setting) -> Method:
    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        began = time.perf_counter()
        clip = sequence.clip(noisy, setting.subject.layout)
        motion = lift(clip, subject=setting.subject, seed=seed, models=setting.models, device=setting.device)
        return prediction(motion, began)

    return run


NetworkSampler = Callable[[MotionDenoiser, InputView, CosineSchedule, torch.Generator], Sampled]


def _line_network(setting: Setting) -> tuple[MotionDenoiser, CosineSchedule]:
    name = setting.models.get("line", setting.subject.models["line"])
    return load_denoiser(name, "line", setting.device)


def _lifted_by(setting: Setting, draw: Sampler, prepared: PreparedClip) -> LiftedMotion:
    points, confidence = prepared.clip.points.astype(np.float64), prepared.clip.confidence.astype(np.float64)
    lifted = lift_points(points, confidence, prepared.fps, prepared.K, setting.subject, draw, setting.device)
    body = body_of(setting.subject)
    fitted = fit_lifted(prepared, lifted, body, get_preset("fast"), None, 1.0)
    expected = lifted_error(fitted.points, lifted, setting.subject, float(prepared.fps))
    return motion_in_world(prepared, fitted, lifted.sigma, expected, body[0])


def _from_lines(setting: Setting, sampler: NetworkSampler) -> Method:
    """3D keypoints from the stage-1 network by some sampler, then the usual body fit."""

    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        network, schedule = _line_network(setting)
        began = time.perf_counter()
        prepared = prepare_clip(sequence.clip(noisy, setting.subject.layout), setting.subject, None, None, None, 1.0)
        generator = torch.Generator().manual_seed(seed)
        motion = _lifted_by(setting, lambda view: sampler(network, view, schedule, generator), prepared)
        return prediction(motion, began)

    return run


def fit_pixels(prepared: PreparedClip, subject: Subject) -> tuple[BodyFit, LiftedMotion]:
    """2D reprojection with pose prior, shape, smoothness and contacts, started from a standing pose at every frame."""
    points, confidence = prepared.clip.points.astype(np.float64), prepared.clip.confidence.astype(np.float64)
    motion = normalise(points, confidence, subject, prepared.K)
    metres = (points - motion.root[:, None]) / motion.pixels_per_metre[:, None, None]
    flat = np.concatenate([metres, np.zeros_like(metres[..., :1])], -1)
    skeleton, kinematic_model, prior = body_of(subject)
    targets = FitTargets(
        points3d=flat,
        sigma3d=np.full(flat.shape[:2], np.inf),
        up=np.array([0.0, -1.0, 0.0]),
        fps=float(prepared.fps),
        pixels=points,
        confidence=confidence,
        K=prepared.K,
        noise=prepared.noise,
    )
    fitted = fit_clip(skeleton, kinematic_model, targets, FitOptions(iterations=30), prior)
    expected = lifted_error(fitted.points, None, subject, float(prepared.fps))
    return fitted, motion_in_world(prepared, fitted, np.full(flat.shape[:2], 0.2), expected, skeleton)


def _smplify(setting: Setting) -> Method:
    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        began = time.perf_counter()
        prepared = prepare_clip(sequence.clip(noisy, setting.subject.layout), setting.subject, None, None, None, 1.0)
        return prediction(fit_pixels(prepared, setting.subject)[1], began)

    return run


def _elepose(setting: Setting) -> Method:
    from mvlift_training.elepose import load_elepose

    if setting.elepose is None:
        raise ModelError("The ElePose row needs its weights.", "Train them with `mvlift-train elepose`.")
    lifter = load_elepose(setting.elepose, setting.subject)

    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        began = time.perf_counter()
        prepared = prepare_clip(sequence.clip(noisy, setting.subject.layout), setting.subject, None, None, None, 1.0)
        return prediction(_lifted_by(setting, lifter, prepared), began)

    return run


def external(folder: Path, setting: Setting) -> Method:
    """Results of another system: FOLDER/NAME.npz (``NAME.noisy.npz`` for noisy input) with ``points3d`` (T, K, 3) in
    metres, z up, in the subject's keypoint order, and optionally ``pixels`` (T, K, 2).

    Raises:
        KeypointError: there is no such folder; when run, a file is missing, damaged or of another shape.
    """
    scored = [setting.subject.layout.index(n) for n in (*setting.subject.score_keypoints, *setting.subject.root)]
    if not folder.is_dir():
        raise KeypointError(f"{folder}: there is no such folder.", "Name the folder of the results.")

    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        stem = sequence.name.replace("/", "_")
        path = folder / (f"{stem}.noisy.npz" if noisy else f"{stem}.npz")
        data = read_arrays(path, ["points3d"], "result", "Write one file for each sequence, see docs/training.md.")
        pixels = data.get("pixels", sequence.clean)
        for key, values, wanted in (("points3d", data["points3d"], sequence.truth), ("pixels", pixels, sequence.clean)):
            if values.shape != wanted.shape:
                raise KeypointError(f"{path}: {key} is {values.shape}, not {wanted.shape}.", "See docs/training.md.")
        points = data["points3d"].astype(np.float64)
        if not np.isfinite(points[:, scored]).all():
            raise KeypointError(f"{path}: points3d has gaps.", "Fill them: every frame counts for every method.")
        return Prediction(points, pixels.astype(np.float64) if "pixels" in data else None)

    return run


def _rows(setting: Setting) -> dict[str, Callable[[], Method]]:
    if setting.subject.rigid:
        from mvlift_training.evaluation.object_methods import object_rows

        return object_rows(setting)
    loop = SampleOptions("ddim", steps=15)
    slow = SampleOptions("ancestral", steps=100)
    sds, unlined = (sds_options(setting.sds_iterations, lines) for lines in (True, False))
    return {
        "flat": lambda: flat_row(setting),
        "full": lambda: _full(setting),
        "stage 1 only": lambda: _from_lines(setting, lambda n, g, s, r: sample_independently(n, g, s, loop, r)),
        "stage 2 only": lambda: _from_lines(setting, lambda n, g, s, r: sample_lines(n, g, s, loop, r)),
        "stage 2 only (SDS)": lambda: _from_lines(setting, lambda n, g, s, r: distil_views(n, [g], s, sds, [r])[0]),
        "SDS for 3D": lambda: _from_lines(setting, lambda n, g, s, r: distil_points(n, [g], s, sds, [r])[0]),
        "SDS for 3D, no lines": lambda: _from_lines(
            setting, lambda n, g, s, r: distil_points(n, [g], s, unlined, [r])[0]
        ),
        "SMPLify": lambda: _smplify(setting),
        "MAS": lambda: _from_lines(
            setting,
            lambda n, g, s, r: sample_lines(n, g, s, slow, r, with_lines=False),
        ),
        "ElePose": lambda: _elepose(setting),
    }


OLD_ROWS: Final = {"full (fast)": "full"}
"""Names of rows in earlier versions, which commands may hold."""


def method_names(setting: Setting) -> list[str]:
    """Names of the rows."""
    return list(_rows(setting))


def method(name: str, setting: Setting) -> Method:
    """A row by name.

    Raises:
        ModelError: there is none of that name, or its weights are missing.
    """
    rows = _rows(setting)
    name = OLD_ROWS.get(name, name)
    if name not in rows:
        raise ModelError(f"There is no row {name!r}.", f"Rows: {', '.join(rows)}.")
    return rows[name]()
