"""`mvlift.lift`: a clip of 2D keypoints becomes motion in the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mvlift import version
from mvlift.backends.choice import LoadedDenoiser, pick_backend
from mvlift.bodies.fit import BodyFit, FitOptions, FitTargets
from mvlift.bodies.loading import load_body
from mvlift.bodies.pose_prior import VPoserPrior
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.completing import repeated_to
from mvlift.lifting.body_of import body_of
from mvlift.lifting.clip_fit import fit_clip
from mvlift.lifting.constrained import constrained_lift, constraints_of, lift_from
from mvlift.lifting.feet import bend_toes
from mvlift.lifting.gravity import with_known_up
from mvlift.lifting.hands import hands_of_clip
from mvlift.lifting.keypoint_confidence import lifted_error
from mvlift.lifting.moving_camera import (
    camera_axes,
    camera_notes,
    first_path_size,
    fitted_path_size,
    hands_seen,
    scene_axes,
    track_of,
    unknown_size,
    with_zoom,
)
from mvlift.lifting.objects.fit import ObjectOptions
from mvlift.lifting.objects.solve import (
    body_part,
    given_object,
    held_body,
    measured,
    points_part,
    solve_object,
    with_object,
)
from mvlift.lifting.options import LiftOptions, current_preset, takes_options, with_changes
from mvlift.lifting.posture import SEATED, on_the_floor
from mvlift.lifting.prepared import MIN_FRAMES, STILL_FRAMES, PreparedClip, prepare_clip
from mvlift.lifting.presets import Preset, get_preset
from mvlift.lifting.progress import LiftProgress, Progress
from mvlift.lifting.refinement import RefinedView, refined_view
from mvlift.lifting.sampling.lift_points import LiftedPoints, lift_points, make_sampler
from mvlift.lifting.size import apply_height
from mvlift.lifting.subjects import Subject, check_height, get_subject
from mvlift.lifting.world import bridged_stretches, motion_in_world
from mvlift.models import is_weights_file, model_names
from mvlift.motion import LiftedMotion
from mvlift.threads import thread_limit
from mvlift.typing import F64

__all__ = ["fit_lifted", "lift"]


@dataclass
class StageTimer:
    """Seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def _network(subject: Subject, options: LiftOptions, threads: int) -> tuple[LoadedDenoiser, str, Subject]:
    """The multi-view model, or else the line-conditioned one, or else that of the body without its object."""
    backend = pick_backend(options.device, get_preset(options.preset).as_published)
    for candidate in dict.fromkeys([subject, subject.alone]):
        names = {**candidate.models, **(options.models or {})} if candidate is subject else candidate.models
        for kind in ("multiview", "line"):
            name = names.get(kind)
            if name is not None and (is_weights_file(name) or name in model_names()):
                return backend.load(name, kind, threads), name, candidate
    raise LiftError(f"There are no weights for {subject.name}.", "Install MVLift's weights, or train them.")


def fit_lifted(
    prepared: PreparedClip,
    lifted: LiftedPoints,
    body: tuple[BodySkeleton, Any, VPoserPrior | None],
    preset: Preset,
    height: float | None,
    smoothing: float,
    progress: Callable[[float], None] = lambda _: None,
    pin: bool = True,
    up_guess: F64 | None = None,
) -> BodyFit:
    """Fit a subject's body to a prepared clip and its lifted keypoints; arguments as ``lift`` and ``FitTargets``."""
    skeleton, kinematic_model, prior = body
    targets = FitTargets(
        points3d=lifted.points,
        sigma3d=lifted.sigma,
        up=lifted.up,
        fps=float(prepared.fps),
        pixels=prepared.clip.points.astype(np.float64),
        confidence=prepared.clip.confidence.astype(np.float64),
        K=prepared.K,
        noise=prepared.noise,
        velocity=lifted.velocity,
        camera=prepared.view,
        up_guess=up_guess,
    )
    stature = height if kinematic_model.height is None else None  # an animal takes its size afterwards
    strength = max(smoothing, 0.05)
    options = FitOptions(iterations=preset.fit_iterations, smoothing=strength, stature=stature, pin=pin)
    if prepared.up is not None:
        options = replace(options, up_sigma=0.0)
    return fit_clip(skeleton, kinematic_model, targets, options, prior, progress)


def _sample_and_fit(
    prepared: PreparedClip,
    body_clip: PreparedClip,
    subjects: tuple[Subject, Subject],
    model: LoadedDenoiser,
    body: tuple[BodySkeleton, Any, VPoserPrior | None],
    options: LiftOptions,
    progress: LiftProgress,
    timer: StageTimer,
) -> tuple[LiftedPoints, LiftedPoints, BodyFit, PreparedClip]:
    """All lifted keypoints, those of the body, and the fitted body, after as many refinement passes as are needed.

    Last comes ``body_clip`` with the unit of the camera's path as it was found.

    Args:
        prepared: the clip with all keypoints that the model sees.
        body_clip: the keypoints of the body alone.
        subjects: what is lifted, and the subject that the model was trained for.
        model, body: network where it runs, and the body to fit.
        options, progress, timer: of the lift.
    """
    (subject, model_subject), preset = subjects, get_preset(options.preset)
    generator = np.random.default_rng(options.seed)
    if preset.as_published:
        from mvlift.lifting.published import make_published_sampler

        make = make_published_sampler
    else:
        make = make_sampler
    points, confidence = prepared.clip.points.astype(np.float64), prepared.clip.confidence.astype(np.float64)
    refined: RefinedView | None = None
    first_up: F64 | None = None
    sample_options = replace(preset.sampling, steps=max(preset.sampling.steps, model_subject.sampling_steps))
    passes = 1 + min(preset.refinement_passes, subject.refinement_passes)
    if unknown_size(body_clip.view):
        body_clip = _with_path_size(body_clip, first_path_size(body_clip, subject.alone))
    for number in range(passes):
        sampling = progress.part("sample", number, passes)
        sampler = make(model.network, model.schedule, sample_options, generator, sampling)
        with timer.stage("sample"):
            everything = lift_points(
                points,
                confidence,
                body_clip.fps,
                body_clip.K,
                model_subject,
                sampler,
                model.device,
                refined,
                body_clip.view,
                body_clip.up,
            )
            lifted = points_part(everything, model_subject)
            first_up = lifted.up if first_up is None else first_up
        with timer.stage("fit"):
            fitting = progress.part("fit", number, passes)
            fitted, body_clip = _fit_pass(body_clip, lifted, body, options, fitting, first_up)
        path = None if body_clip.view is None else body_clip.view.path
        refined = refined_view(fitted.points, body_clip.clip.layout.names, fitted.up, subject, path)
        if not refined.differs(lifted.depth, lifted.up, first=number == 0):
            break
    return everything, lifted, fitted, body_clip


def _fit_pass(
    body_clip: PreparedClip,
    lifted: LiftedPoints,
    body: tuple[BodySkeleton, Any, VPoserPrior | None],
    options: LiftOptions,
    progress: Callable[[float], None],
    up_guess: F64,
) -> tuple[BodyFit, PreparedClip]:
    """The body of one pass, and the clip with the unit of the camera's path as the fit solved it."""
    preset = get_preset(options.preset)
    if preset.as_published:
        from mvlift.lifting.published import fit_as_published

        seen = body_clip.clip.points.astype(np.float64), body_clip.clip.confidence.astype(np.float64)
        fitted = fit_as_published(lifted, *seen, body_clip.K, float(body_clip.fps), body, progress)
    else:
        fitted = fit_lifted(
            body_clip, lifted, body, preset, options.height, options.smoothing, progress, options.pin_contacts, up_guess
        )
    if not unknown_size(body_clip.view):
        return fitted, body_clip
    if fitted.path_size:
        return fitted, _with_path_size(body_clip, fitted.path_size)
    # the picture alone did not show that the camera travels; a fitted body may
    size = fitted_path_size(body_clip, fitted)
    if size == 0 or preset.as_published:
        return fitted, _with_path_size(body_clip, size)
    return _fit_pass(_with_path_size(body_clip, size), lifted, body, options, progress, up_guess)


def _with_path_size(prepared: PreparedClip, size: float) -> PreparedClip:
    assert prepared.view is not None
    return replace(prepared, view=prepared.view.rescaled(size))


@takes_options
def lift(
    clip: KeypointClip,
    options: LiftOptions | None = None,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> LiftedMotion:
    """Lift one person's keypoints to 3D motion in the world.

    Args:
        clip: one track; its layout is mapped onto the subject's by name.
        options: how it is lifted; single options can be given by name instead, or override these.
        changes: options by name.
        progress: called with the title of the stage that runs and the fraction of the whole lift that is done; an
            exception from it ends the lift.

    Returns:
        The motion; ``metadata`` holds timings, versions, seed, preset and assumptions.

    Raises:
        LiftError: the clip cannot be lifted, or the device or the weights are missing.
        KeypointError: the clip's layout does not fit the subject.
        BodyFileError: the body file cannot be used.
    """
    chosen, notes = current_preset(with_changes(options, changes))
    if chosen.frames is not None:
        clip = clip.restricted(*chosen.frames)
    if len(clip) < MIN_FRAMES:
        clip = repeated_to(clip, STILL_FRAMES)
    with thread_limit(chosen.threads) as threads:
        return _lift(clip, chosen, threads, LiftProgress(progress), notes)


def _lift(
    clip: KeypointClip, options: LiftOptions, threads: int, progress: LiftProgress, notes: list[str]
) -> LiftedMotion:
    height, smoothing, body = options.height, options.smoothing, options.body
    timer, subject = StageTimer(), options.subject
    lifted_subject = subject if isinstance(subject, Subject) else get_subject(subject)
    check_height(height, lifted_subject)
    constraints = constraints_of(options.constraints, clip, lifted_subject.alone.layout.names)
    progress.at("prepare", 0.0)
    if options.start_from is not None:
        return lift_from(clip, options, lifted_subject, progress)
    with timer.stage("load"):
        model, name, model_subject = _network(lifted_subject, options, threads)
        fitted_body = body_of(lifted_subject.alone, body)
    with timer.stage("prepare"):
        track = track_of(options.camera, clip, options.image_size, options.focal)
        prepared = prepare_clip(clip, model_subject, options.fps, options.image_size, options.focal, smoothing, track)
        prepared = with_known_up(prepared, options)
        prepared = replace(prepared, assumptions=(*prepared.assumptions, *model.notes, *notes))
        beside = given_object(lifted_subject, options.rigid_object, replace(clip, fps=prepared.fps), height, smoothing)
        body_clip = body_part(prepared, model_subject)
    subjects = (lifted_subject, model_subject)
    everything, lifted, fitted, body_clip = _sample_and_fit(
        prepared, body_clip, subjects, model, fitted_body, options, progress, timer
    )
    expected = lifted_error(fitted.points, lifted, lifted_subject.alone, float(body_clip.fps))
    if beside is not None:
        with timer.stage("fit"):
            object_options = ObjectOptions(smoothing=max(smoothing, 0.05))
            object_points = everything if model_subject.rigid else None
            object_fit = solve_object(
                beside.shape, beside.seen, body_clip, fitted, object_points, lifted_subject, object_options
            )
            fitted = held_body(fitted, object_fit, fitted_body[0], float(body_clip.fps))
    with timer.stage("fit"):
        fitted = bend_toes(fitted, fitted_body[0], fitted.contact_names, float(body_clip.fps))
        view = body_clip.view
        lifted_hands = hands_of_clip(
            hands_seen(clip, view), options.hands, (lifted_subject.alone, body), camera_axes(fitted, view),
            fitted_body[0], body_clip, smoothing, beside is None
        )  # fmt: skip
    with timer.stage("write"):
        in_scene = scene_axes(lifted_hands.fitted, view, fitted)
        motion = motion_in_world(body_clip, in_scene, lifted.sigma, expected, lifted_hands.skeleton)
        motion = replace(motion, joint_confidence=lifted_hands.joint_confidence(motion.keypoint_confidence))
        if beside is not None:
            motion = with_object(motion, object_fit, beside.shape, beside.seen)
            motion = measured(motion, object_fit, fitted_body[0]) if beside.measures else motion
        usual = lifted_subject.height if body is None else None
        motion = apply_height(motion, fitted_body[0], fitted_body[1], usual if height is None else height)
        motion = constrained_lift(motion, with_zoom(body_clip), constraints, fitted_body[:2])
        if options.constraints == SEATED and options.camera is None:
            motion = on_the_floor(motion)
    progress.at("write", 1.0)
    metadata = {**motion.metadata, **_metadata(clip, body_clip, options, name, model.device_name, timer)}
    bridged = bridged_stretches(fitted.bridged, body_clip.clip.layout.names, motion.first_frame)
    hands = {"mode": options.hands, **lifted_hands.frames}
    return replace(motion, metadata={**metadata, "bridged": bridged, "hands": hands})


def _metadata(
    clip: KeypointClip,
    prepared: PreparedClip,
    options: LiftOptions,
    model: str,
    device_name: str,
    timer: StageTimer,
) -> dict[str, object]:
    return {
        "mvlift": version(),
        "model": model,
        "preset": options.preset,
        "seed": options.seed,
        "smoothing": options.smoothing,
        "height": options.height,
        "gravity": "estimated" if prepared.up is None else "known",
        "body_file": options.body or "",
        "body_kind": load_body(options.body).kind if options.body else "",
        "device": device_name,
        "source": str(clip.source) if clip.source else "",
        "track": clip.track_id,
        "assumptions": [*prepared.assumptions, *camera_notes(prepared)],
        "timings": {k: round(v, 4) for k, v in timer.seconds.items()},
    }
