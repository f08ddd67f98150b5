"""`mvlift.lift`: a clip of 2D keypoints becomes motion in the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from mvlift import version
from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets
from mvlift.bodies.pose_prior import PosePrior
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.body_of import body_of
from mvlift.lifting.clip_fit import fit_clip
from mvlift.lifting.given import GivenClip, prepare_clip
from mvlift.lifting.known import KnownView, known_view
from mvlift.lifting.object_fit import ObjectOptions
from mvlift.lifting.object_shape import ObjectShape
from mvlift.lifting.objects import body_part, given_object, held_body, measured, points_part, solve_object, with_object
from mvlift.lifting.presets import Preset, get_preset
from mvlift.lifting.sampled import LiftedPoints, drawn_by, lift_points
from mvlift.lifting.size import sized
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.lifting.world import motion_in_world
from mvlift.models import load_denoiser, model_names
from mvlift.motion import LiftedMotion

__all__ = ["fit_lifted", "lift", "pick_device"]

FloatArray = NDArray[np.float64]
Progress = Callable[[str, float], None]
SAMPLING: Final = 0.7
"""Share of a look's time that sampling takes."""


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


def _network(
    subject: Subject, models: dict[str, str] | None, device: torch.device
) -> tuple[MotionDenoiser, CosineSchedule, str, Subject]:
    """The multi-view model, or else the line-conditioned one, or else that of the body without its object."""
    for who in dict.fromkeys([subject, subject.alone]):
        names = {**who.models, **(models or {})} if who is subject else who.models
        for kind in ("multiview", "line"):
            name = names.get(kind)
            if name is not None and (name.endswith(".safetensors") or name in model_names()):
                network, schedule = load_denoiser(name, kind, device)
                return network, schedule, name, who
    raise LiftError(f"There are no weights for {subject.name}.", "Install MVLift's weights, or train them.")


def _check_height(height: float | None, subject: Subject) -> None:
    low, who = (0.3, "person") if subject.body == "smpl" else (0.05, "four-legged animal")
    if height is not None and not low <= height <= 3.0:
        raise LiftError(f"A height of {height:g} is not that of a {who}.", "Give metres, such as 1.75.")


def fit_lifted(
    given: GivenClip,
    lifted: LiftedPoints,
    body: tuple[BodySkeleton, Any, PosePrior | None],
    preset: Preset,
    height: float | None,
    smoothing: float,
    progress: Callable[[float], None] = lambda _: None,
) -> BodyFit:
    """Fit a subject's body to a prepared clip and its lifted keypoints; arguments as ``lift``."""
    skeleton, rig, prior = body
    targets = FitTargets(
        points3d=lifted.points,
        sigma3d=lifted.sigma,
        up=lifted.up,
        fps=float(given.fps),
        pixels=given.clip.points.astype(np.float64),
        confidence=given.clip.confidence.astype(np.float64),
        K=given.K,
        noise=given.noise,
        velocity=lifted.velocity,
    )
    stature = height if rig.height is None else None  # an animal takes its size afterwards
    options = FitOptions(iterations=preset.fit_iterations, smoothing=max(smoothing, 0.05), stature=stature)
    return fit_clip(skeleton, rig, targets, options, prior, progress)


def _told(tell: Progress, stage: str, look: int, looks: int) -> Callable[[float], None]:
    """Progress of a look's sampling or fit; all looks after the first are one stage."""
    if look == 0:
        return partial(tell, stage)
    begin, width = (0.0, SAMPLING) if stage == "sample" else (SAMPLING, 1 - SAMPLING)
    return lambda share: tell("look again", (look - 1 + begin + width * share) / (looks - 1))


def _sample_and_fit(
    whole: GivenClip,
    given: GivenClip,
    subjects: tuple[Subject, Subject],
    model: tuple[MotionDenoiser, CosineSchedule],
    body: tuple[BodySkeleton, Any, PosePrior | None],
    how: Preset,
    seed: int,
    height: float | None,
    smoothing: float,
    where: torch.device,
    tell: Progress,
    clock: _Clock,
) -> tuple[LiftedPoints, LiftedPoints, BodyFit]:
    """All lifted keypoints, those of the body, and the fitted body, after as many looks as are worth it.

    Args:
        whole: the clip with all that the model sees.
        given: the body's part of it.
        subjects: what is lifted, and what the model knows of it.
        model, body, how, where, tell, clock: network with schedule, fitted body, preset, device, progress, times.
        seed, height, smoothing: as ``lift``.
    """
    who, drawn = subjects
    generator = torch.Generator().manual_seed(seed)
    if how.as_published:
        from mvlift.lifting.published import drawn_as_published, fit_as_published

        sampler = drawn_as_published
    else:
        sampler = drawn_by
    points, confidence = whole.clip.points.astype(np.float64), whole.clip.confidence.astype(np.float64)
    known: KnownView | None = None
    looks = min(how.looks, who.looks)
    for look in range(looks):
        draw = sampler(*model, how.sampling, generator, _told(tell, "sample", look, looks))
        with clock.stage("sample"):
            everything = lift_points(points, confidence, given.fps, given.K, drawn, draw, where, known)
            lifted = points_part(everything, drawn)
        with clock.stage("fit"):
            fitting = _told(tell, "fit", look, looks)
            if how.as_published:
                own = given.clip.points.astype(np.float64), given.clip.confidence.astype(np.float64)
                fitted = fit_as_published(lifted, *own, given.K, float(given.fps), body, fitting)
            else:
                fitted = fit_lifted(given, lifted, body, how, height, smoothing, fitting)
        known = known_view(fitted.points, given.clip.layout.names, fitted.up, who)
        if not known.differs(lifted.depth, lifted.up, first=look == 0):
            break
    return everything, lifted, fitted


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
    body: str | None = None,
    models: dict[str, str] | None = None,
    thing: ObjectShape | None = None,
    progress: Progress | None = None,
) -> LiftedMotion:
    """Lift one person's keypoints to 3D motion in the world.

    Args:
        clip: one track; its layout is mapped onto the subject's by name.
        subject: what is lifted.
        preset: "fast", "quality" or "paper".
        device: of the networks: "auto", "cpu", "cuda", "cuda:1", "mps".
        height: standing height in metres (of an animal: at the withers), which fixes the scale.
        focal: focal length in pixels.
        fps: overrides the clip's rate.
        image_size: overrides the clip's (width, height).
        seed: the same seed gives the same motion.
        smoothing: factor on every smoothness, 0 leaves detections and body as rough as they come.
        body: a user's SMPL-family model file, instead of the default body.
        models: role ("multiview", "line") -> weights by name or path, instead of the subject's.
        thing: the object's keypoints and size, for a subject with an object; None: the subject's own, its size unknown.
        progress: called with a stage's name and the share of it that is done; an exception from it ends the lift.

    Returns:
        The motion; ``metadata`` holds timings, versions, seed, preset and assumptions.

    Raises:
        LiftError: the clip cannot be lifted, or the device or the weights are missing.
        KeypointError: the clip's layout does not fit the subject.
        BodyFileError: the body file cannot be used.
    """
    if not 0 <= smoothing < float("inf"):
        raise LiftError(f"smoothing is {smoothing:g}.", "Give 0 or more.")
    tell = progress or (lambda _stage, _share: None)
    clock, who, how = _Clock(), subject if isinstance(subject, Subject) else get_subject(subject), get_preset(preset)
    _check_height(height, who)
    tell("prepare", 0.0)
    with clock.stage("load"):
        where = pick_device(device)
        network, schedule, name, drawn = _network(who, models, where)
        fitted_body = body_of(who.alone, body)
    with clock.stage("prepare"):
        whole = prepare_clip(clip, drawn, fps, image_size, focal, smoothing)
        beside = given_object(who, thing, replace(clip, fps=whole.fps), height, smoothing)
        given = body_part(whole, drawn)
    everything, lifted, fitted = _sample_and_fit(
        whole, given, (who, drawn), (network, schedule), fitted_body, how, seed, height, smoothing, where, tell, clock
    )
    if beside is not None:
        with clock.stage("fit"):
            options = ObjectOptions(smoothing=max(smoothing, 0.05))
            thing3d = everything if drawn.rigid else None
            found = solve_object(beside.shape, beside.seen, given, fitted, thing3d, who, options)
            fitted = held_body(fitted, found, fitted_body[0], float(given.fps))
    with clock.stage("write"):
        motion = motion_in_world(given, fitted, lifted.sigma, fitted_body[0], fitted_body[1].contacts)
        if beside is not None:
            motion = with_object(motion, found, beside.shape, beside.seen)
            motion = measured(motion, found, fitted_body[0]) if beside.measures else motion
        usual = who.height if body is None else None
        motion = sized(motion, fitted_body[0], fitted_body[1], usual if height is None else height)
    tell("write", 1.0)
    return replace(motion, metadata=_metadata(clip, given, preset, seed, smoothing, height, body, name, where, clock))


def _metadata(
    clip: KeypointClip,
    given: GivenClip,
    preset: str,
    seed: int,
    smoothing: float,
    height: float | None,
    body: str | None,
    model: str,
    device: torch.device,
    clock: _Clock,
) -> dict[str, object]:
    return {
        "mvlift": version(),
        "model": model,
        "preset": preset,
        "seed": seed,
        "smoothing": smoothing,
        "height": height,
        "body_file": body or "",
        "device": str(device),
        "source": str(clip.source) if clip.source else "",
        "track": clip.track_id,
        "assumptions": list(given.assumptions),
        "timings": {k: round(v, 4) for k, v in clock.seconds.items()},
    }
