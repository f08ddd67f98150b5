"""`mvlift.lift`: a clip of 2D keypoints becomes motion in the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets
from mvlift.bodies.kinematics import log_map
from mvlift.bodies.pose_prior import PosePrior
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import LiftError
from mvlift.keypoints import clean_clip, map_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.body_of import body_of
from mvlift.lifting.clip_fit import fit_clip
from mvlift.lifting.normalise import intrinsics
from mvlift.lifting.presets import Preset, get_preset
from mvlift.lifting.published import lift_as_published
from mvlift.lifting.sampled import LiftedPoints, lift_points
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.lifting.world import world_axes
from mvlift.models import load_denoiser, model_names
from mvlift.motion import Camera, LiftedMotion

__all__ = ["DeviceName", "lift", "pick_device"]

FloatArray = NDArray[np.float64]
Progress = Callable[[str, float], None]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
MIN_FRAMES: Final = 4
MIN_SEEN: Final = 3
"""Keypoints that a frame needs to count, at least a tenth of the clip."""


def pick_device(name: str | None = None) -> torch.device:
    """The device of a name; "auto" or None takes CUDA, then Apple's, then the CPU.

    Raises:
        LiftError: it is not there.
    """
    if name in (None, "auto"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(str(name))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LiftError(f"Device {name!r} cannot be used: {reason}.", "Choose auto or cpu.") from error
    return device


@dataclass
class _Clock:
    """Seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


@dataclass(frozen=True, eq=False)
class _Given:
    """A clip ready for lifting, and what had to be assumed."""

    raw: KeypointClip
    clip: KeypointClip
    fps: Fraction
    image_size: tuple[int, int]
    K: FloatArray
    assumptions: tuple[str, ...]


def _guessed_size(clip: KeypointClip) -> tuple[int, int]:
    """A picture that holds every keypoint, of a usual shape."""
    far = clip.points[clip.seen].max(0)
    wide, high = max(float(far[0]), 16.0), max(float(far[1]), 16.0)
    for w, h in ((640, 480), (1280, 720), (1920, 1080), (3840, 2160)):
        if wide <= w and high <= h:
            return w, h
        if wide <= h and high <= w and high > wide:
            return h, w
    return int(np.ceil(wide)), int(np.ceil(high))


def _check(clip: KeypointClip, subject: Subject) -> None:
    if len(clip) < MIN_FRAMES:
        raise LiftError(f"The clip has {len(clip)} frames; at least {MIN_FRAMES} are needed.", "Use a longer clip.")
    full = clip.seen.sum(1) >= MIN_SEEN
    if full.sum() < max(MIN_FRAMES, len(clip) // 10):
        raise LiftError(
            f"Only {int(full.sum())} of {len(clip)} frames have {MIN_SEEN} or more keypoints of a {subject.name}.",
            "Check the keypoint layout, and choose a frame range in which the subject is seen.",
        )


def _given(
    clip: KeypointClip,
    subject: Subject,
    fps: Fraction | float | None,
    image_size: tuple[int, int] | None,
    focal: float | None,
    smoothing: float,
) -> _Given:
    mapped = map_clip(clip, subject.layout)
    _check(mapped, subject)
    assumed = list(clip.assumptions)
    rate = Fraction(fps).limit_denominator(100_000) if fps is not None else clip.fps
    if rate is None:
        rate = Fraction(30)
        assumed.append("The frame rate is unknown; 30 frames per second were assumed.")
    size = image_size or clip.image_size
    if size is None:
        size = _guessed_size(mapped)
        assumed.append(f"The image size is unknown; {size[0]}x{size[1]} was assumed.")
    if focal is None:
        assumed.append("The focal length is unknown; 1.1 times the longer side of the picture was assumed.")
    elif not 0.1 * max(size) < focal < 50 * max(size):
        raise LiftError(f"A focal length of {focal:g} pixels does not fit {size[0]}x{size[1]}.", "Give it in pixels.")
    mapped = replace(mapped, fps=rate, image_size=size)
    clean = clean_clip(mapped, smoothing=smoothing) if smoothing > 0 else mapped
    _check(clean, subject)
    return _Given(mapped, clean, rate, size, intrinsics(size, focal), tuple(assumed))


def _network(
    subject: Subject, models: dict[str, str] | None, device: torch.device
) -> tuple[MotionDenoiser, CosineSchedule, str]:
    """The multi-view model, or else the line-conditioned one."""
    names = {**subject.models, **(models or {})}
    for kind in ("multiview", "line"):
        name = names.get(kind)
        if name is not None and (name.endswith(".safetensors") or name in model_names()):
            network, schedule = load_denoiser(name, kind, device)
            return network, schedule, name
    raise LiftError(f"There are no weights for {subject.name}.", "Install MVLift's weights, or train them.")


def _fit(
    given: _Given,
    lifted: LiftedPoints,
    body: tuple[BodySkeleton, Any, PosePrior | None],
    preset: Preset,
    height: float | None,
    smoothing: float,
    progress: Callable[[float], None],
) -> BodyFit:
    skeleton, rig, prior = body
    targets = FitTargets(
        points3d=lifted.points,
        sigma3d=lifted.sigma,
        up=lifted.up,
        fps=float(given.fps),
        pixels=given.clip.points.astype(np.float64),
        confidence=given.clip.confidence.astype(np.float64),
        K=given.K,
    )
    options = FitOptions(iterations=preset.fit_iterations, smoothing=max(smoothing, 0.05), stature=height)
    return fit_clip(skeleton, rig, targets, options, prior, progress)


def _keypoint_confidence(confidence: FloatArray, sigma: FloatArray) -> FloatArray:
    """How far a 3D keypoint rests on what was seen: 2D confidence, less where samples disagree by decimetres."""
    return np.asarray(confidence / (1 + (sigma / 0.25) ** 2))


def _motion(
    given: _Given, fitted: BodyFit, sigma: FloatArray, skeleton: BodySkeleton, contacts: tuple[str, ...]
) -> LiftedMotion:
    axes = world_axes(fitted.up)
    root = fitted.points.mean(1)[0] @ axes.T
    origin = np.array([root[0], root[1], fitted.floor])
    rest, _ = skeleton.shaped(fitted.betas)
    rotations = fitted.rotations.copy()
    rotations[:, 0] = axes @ rotations[:, 0]
    camera = Camera(
        K=given.K.astype(np.float32),
        R=axes.T.astype(np.float32),
        t=(axes.T @ origin).astype(np.float32),
        image_size=given.image_size,
    )
    points = fitted.points @ axes.T - origin
    error = np.linalg.norm(camera.project(points.astype(np.float32)) - given.raw.points, axis=-1)
    return LiftedMotion(
        body="smpl",
        joint_names=skeleton.joint_names,
        parents=skeleton.parents,
        rest_joints=rest.astype(np.float32),
        betas=fitted.betas.astype(np.float32),
        translation=(fitted.root @ axes.T - origin - rest[0]).astype(np.float32),
        rotations=log_map(rotations).astype(np.float32),
        keypoints=points.astype(np.float32),
        keypoint_names=given.clip.layout.names,
        keypoint_confidence=_keypoint_confidence(given.clip.confidence, sigma).astype(np.float32),
        reprojection_error=np.where(given.raw.seen, error, np.nan).astype(np.float32),
        contacts=fitted.contacts.astype(np.float32),
        contact_names=contacts,
        camera=camera,
        fps=given.fps,
        first_frame=given.raw.first_frame,
    )


def lift(
    clip: KeypointClip,
    *,
    subject: str | Subject = "human",
    preset: str = "quality",
    device: str | None = None,
    height: float | None = None,
    focal: float | None = None,
    fps: Fraction | float | None = None,
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    smoothing: float = 1.0,
    models: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> LiftedMotion:
    """Lift one person's keypoints to 3D motion in the world.

    Args:
        clip: one track; its layout is mapped onto the subject's by name.
        subject: what is lifted.
        preset: "fast", "quality" or "paper".
        device: of the networks: "auto", "cpu", "cuda", "cuda:1", "mps".
        height: standing height in metres, which fixes the scale.
        focal: focal length in pixels.
        fps: overrides the clip's rate.
        image_size: overrides the clip's (width, height).
        seed: the same seed gives the same motion.
        smoothing: factor on every smoothness, 0 leaves detections and body as rough as they come.
        models: role ("multiview", "line") -> weights by name or path, instead of the subject's.
        progress: called with a stage's name and the share of it that is done; an exception from it ends the lift.

    Returns:
        The motion; ``metadata`` holds timings, versions, seed, preset and assumptions.

    Raises:
        LiftError: the clip cannot be lifted, or the device or the weights are missing.
        KeypointError: the clip's layout does not fit the subject.
    """
    if height is not None and not 0.3 <= height <= 3.0:
        raise LiftError(f"A height of {height:g} is not that of a person.", "Give metres, such as 1.75.")
    if smoothing < 0:
        raise LiftError(f"smoothing is {smoothing:g}.", "Give 0 or more.")
    tell = progress or (lambda _stage, _share: None)
    clock, who, how = _Clock(), subject if isinstance(subject, Subject) else get_subject(subject), get_preset(preset)
    tell("prepare", 0.0)
    with clock.stage("load"):
        where = pick_device(device)
        network, schedule, name = _network(who, models, where)
        body = body_of(who)
    with clock.stage("prepare"):
        given = _given(clip, who, fps, image_size, focal, smoothing)
        points, confidence = given.clip.points.astype(np.float64), given.clip.confidence.astype(np.float64)
    generator = torch.Generator().manual_seed(seed)
    if how.as_published:
        fitted, sigma = lift_as_published(
            points, confidence, given.K, who, body, network, schedule, how.sampling, generator, where, clock.stage, tell
        )
    else:
        with clock.stage("sample"):
            lifted = lift_points(
                points, confidence, given.fps, given.K, who, network, schedule, how.sampling, generator, where,
                lambda share: tell("sample", share),
            )  # fmt: skip
        with clock.stage("fit"):
            fitted = _fit(given, lifted, body, how, height, smoothing, lambda share: tell("fit", share))
        sigma = lifted.sigma
    with clock.stage("write"):
        motion = _motion(given, fitted, sigma, body[0], body[1].contacts)
    tell("write", 1.0)
    return replace(motion, metadata=_metadata(clip, given, preset, seed, smoothing, height, name, where, clock))


def _metadata(
    clip: KeypointClip,
    given: _Given,
    preset: str,
    seed: int,
    smoothing: float,
    height: float | None,
    model: str,
    device: torch.device,
    clock: _Clock,
) -> dict[str, object]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("mvlift")
    except PackageNotFoundError:
        own = "unknown"
    return {
        "mvlift": own,
        "model": model,
        "preset": preset,
        "seed": seed,
        "smoothing": smoothing,
        "height": height,
        "device": str(device),
        "source": str(clip.source) if clip.source else "",
        "track": clip.track_id,
        "assumptions": list(given.assumptions),
        "timings": {k: round(v, 4) for k, v in clock.seconds.items()},
    }
