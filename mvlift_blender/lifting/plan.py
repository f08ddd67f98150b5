"""The panel's settings as requests to the engine, with the options for writing the results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import tan
from pathlib import Path
from typing import Any

import bpy
from mvlift.errors import LiftError
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.lifting.options import LiftOptions

from ..engine.queue import LiftRequest
from ..importing.camera_movement import camera_option, told_gravity, video_of
from ..importing.people import why_not
from ..importing.rigid_object import clip_with_rigid_object, rigid_object_shape
from ..importing.sources import clip_of
from ..scene.write import WriteOptions
from ..settings.options import option_values
from ..settings.preferences import body_file
from .write import WritePlan

__all__ = ["LiftPlan", "lift_options", "plan_lift"]


@dataclass(frozen=True)
class LiftPlan:
    """What one click lifts and how it is written; taken from the panel once, so that later changes do not matter.

    Attributes:
        requests: the people.
        write: how they are written.
    """

    requests: tuple[LiftRequest, ...]
    write: WritePlan


def lift_options(
    settings: Any,
    subject: str,
    size: tuple[int, int],
    body: Path | None,
    rigid_object: ObjectShape | None = None,
    camera: str | None = None,
) -> LiftOptions:
    """The panel's settings for the engine.

    Args:
        settings: of the scene.
        subject: what is lifted.
        size: of the video, pixels.
        body: the user's body file.
        rigid_object: the object that is lifted along.
        camera: the track of a camera that moves, "estimate", or None of a still one.
    """
    focal = {
        "UNKNOWN": None,
        "FOV": 0.5 * size[0] / tan(0.5 * settings.fov),
        "PIXELS": float(settings.focal),
    }[settings.lens]
    return LiftOptions(
        subject=subject,
        device=None if settings.device == "AUTO" else settings.device,
        height=float(settings.height_metres) if settings.use_stature else None,
        focal=focal,
        camera=camera,
        **told_gravity(settings),
        body=str(body) if body else None,
        frames=(settings.range_first, settings.range_last) if settings.use_range else None,
        rigid_object=rigid_object,
        **option_values(settings),
    )


def plan_lift(context: Any) -> LiftPlan:
    """What a click on "Lift to 3D" does now.

    Raises:
        LiftError: something is missing; the message says what.
        KeypointError: a source is gone.
    """
    settings = context.scene.mvlift
    reason = why_not(settings)
    if reason:
        raise LiftError(f"{reason}.")
    body = body_file(context)
    requests = tuple(_request(context, person, body) for person in settings.chosen())
    handled = any(request.options.rigid_object is not None for request in requests)
    name = settings.rigid_object.name if handled and settings.rigid_object is not None else ""
    write = WritePlan(_write_options(context), body, name, context.scene.session_uid, settings.previous)
    return LiftPlan(requests, write)


def _request(context: Any, person: Any, body: Path | None) -> LiftRequest:
    settings = context.scene.mvlift
    clip = clip_of(settings, person)
    if settings.movement == "VIDEO":
        clip = replace(clip, metadata={**clip.metadata, "video": str(video_of(settings.source_of(person)))})
    rigid_object = rigid_object_shape(settings, person.subject)
    if rigid_object is not None:
        clip = clip_with_rigid_object(settings, person, clip, rigid_object)
    if settings.use_range:
        clip.restricted(settings.range_first, settings.range_last)  # refuses a range outside the clip now
    assert clip.image_size is not None  # why_not has made sure
    camera = camera_option(context, clip)
    options = lift_options(settings, person.subject, clip.image_size, body, rigid_object, camera)
    return LiftRequest(person.name, clip, options, person.source, person.track)


def _write_options(context: Any) -> WriteOptions:
    scene = context.scene
    settings = scene.mvlift
    starts = {"SCENE": None, "PLAYHEAD": float(scene.frame_current), "FRAME": float(settings.start)}
    source = settings.source_of(settings.chosen()[0])
    video = Path(bpy.path.abspath(source.video)) if source is not None and source.video else None
    return WriteOptions(
        start=starts[settings.start_at],
        setup=settings.scene_setup,
        rate=settings.rate,
        body=settings.write_body,
        camera=settings.write_camera,
        video=video if video is not None and video.is_file() else None,
    )
