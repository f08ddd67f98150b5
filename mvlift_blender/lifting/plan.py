"""From the panel's settings to lifted people in the scene: the way of the button, the command and scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import tan
from pathlib import Path
from typing import Any, Protocol

import bpy
import numpy as np
from mvlift.errors import LiftError
from mvlift.lifting.multi_person import align_people, body_for_size
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.motion import LiftedMotion
from mvlift.worker.client import LiftOptions

from ..engine.queue import LiftRequest
from ..importing.people import why_not
from ..importing.rigid_object import clip_with_rigid_object, rigid_object_shape
from ..importing.sources import clip_of
from ..motion.camera_alignment import seen_by
from ..scene.body_files import body_mesh
from ..scene.frame_rate import scene_fps
from ..scene.objects import put_back_on_failure
from ..scene.preserve import undone_on_failure
from ..scene.selected import still_there
from ..scene.write import WriteOptions, WrittenMotion, write_motion
from ..settings.preferences import body_file

__all__ = ["LiftPlan", "lift_options", "plan_lift", "write_lifted"]


class LiftedPerson(Protocol):
    """Whose motion it is: the name of the armature, and where the keypoints are."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def track(self) -> str: ...


Lifted = Sequence[tuple[LiftedPerson, LiftedMotion]]


@dataclass(frozen=True)
class LiftPlan:
    """What one click lifts and how it is written; taken from the panel once, so that later changes do not matter.

    Attributes:
        requests: the people.
        write: how each is written; name, start, source and track are the person's, the object is ``rigid_object``.
        body: the user's body file, or None.
        rigid_object: name of the scene's object that moves with the people, "" for none.
        scene: session identifier of the scene to write to, 0 for whichever is open.
    """

    requests: tuple[LiftRequest, ...]
    write: WriteOptions
    body: Path | None = None
    rigid_object: str = ""
    scene: int = 0


def lift_options(
    settings: Any, size: tuple[int, int], body: Path | None, rigid_object: ObjectShape | None = None
) -> LiftOptions:
    """The panel's settings for the engine.

    Args:
        settings: of the scene.
        size: of the video, pixels.
        body: the user's body file.
        rigid_object: the object that is lifted along.
    """
    focal = {
        "UNKNOWN": None,
        "FOV": 0.5 * size[0] / tan(0.5 * settings.fov),
        "PIXELS": float(settings.focal),
    }[settings.lens]
    return LiftOptions(
        subject=settings.subject,
        preset=settings.preset,
        device=None if settings.device == "AUTO" else settings.device,
        height=float(settings.stature) if settings.use_stature else None,
        focal=focal,
        seed=settings.seed,
        smoothing=float(settings.smoothing),
        body=str(body) if body else None,
        frames=(settings.range_first, settings.range_last) if settings.use_range else None,
        rigid_object=rigid_object,
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
    requests = []
    rigid_object = rigid_object_shape(settings)
    for person in settings.chosen():
        clip = clip_of(settings, person)
        if rigid_object is not None:
            clip = clip_with_rigid_object(settings, person, clip, rigid_object)
        if settings.use_range:
            clip.restricted(settings.range_first, settings.range_last)  # refuses a range outside the clip now
        assert clip.image_size is not None  # why_not has made sure
        options = lift_options(settings, clip.image_size, body, rigid_object)
        requests.append(LiftRequest(person.name, clip, options, person.source, person.track))
    video = Path(bpy.path.abspath(settings.video)) if settings.video else None
    write = WriteOptions(
        start=settings.start,
        rate=settings.rate,
        body=settings.write_body,
        camera=settings.write_camera,
        video=video if video is not None and video.is_file() else None,
        set_range=settings.write_range,
    )
    handled = settings.rigid_object.name if rigid_object is not None and settings.rigid_object is not None else ""
    return LiftPlan(tuple(requests), write, body, handled, context.scene.session_uid)


def _together(plan: LiftPlan, lifted: Lifted) -> Lifted:
    """People of one video with one camera, floor and scale; those of others are moved into the first one's camera."""
    first = lifted[0][0]
    body = str(plan.body) if plan.body else None
    same = [pair for pair in lifted if pair[0].source == first.source]
    motions = [m for _, m in same]
    bodies = [body_for_size(m, body) for m in motions] if len(motions) > 1 else None
    placed = iter(align_people(motions, bodies))
    made = [(request, next(placed) if request.source == first.source else m) for request, m in lifted]
    camera = made[0][1].camera
    return [(r, m if r.source == first.source else seen_by(m, camera)) for r, m in made]


def write_lifted(context: Any, plan: LiftPlan, lifted: Lifted) -> list[WrittenMotion]:
    """Write lifted people into the scene, in the world of the first one's camera; all of them or none.

    Args:
        context: of Blender; where another scene was opened meanwhile, the plan's is written to none the less.
        plan: from ``plan_lift``.
        lifted: what the engine made of the plan's requests.

    Raises:
        LiftError: a motion cannot be written, or the object or the scene was removed; the scene is as before.
    """
    with _scene_of(context, plan):
        return _write_here(context, plan, lifted)


@contextmanager
def _scene_of(context: Any, plan: LiftPlan) -> Iterator[None]:
    """The plan's scene as the context's."""
    if plan.scene in (0, context.scene.session_uid):
        yield
        return
    scene = next((s for s in bpy.data.scenes if s.session_uid == plan.scene), None)
    if scene is None:
        raise LiftError("The scene was removed while the engine worked.", "Lift the clip again in another scene.")
    with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        yield


def _write_here(context: Any, plan: LiftPlan, lifted: Lifted) -> list[WrittenMotion]:
    scene = context.scene
    first = min(motion.first_frame for _, motion in lifted)
    written: list[WrittenMotion] = []
    rigid_object = still_there(plan.rigid_object) if plan.rigid_object else None
    with undone_on_failure(context), put_back_on_failure(rigid_object):
        for request, motion in _together(plan, lifted):
            if written:  # what several people handle is written once, with the first of them
                motion = replace(motion, objects=())
            fps = motion.fps if plan.write.rate == "CLIP" else scene_fps(scene)
            later = float((motion.first_frame - first) * fps / motion.fps)
            options = replace(
                plan.write, name=request.name, start=plan.write.start + later, source=request.source,
                track=request.track, camera=plan.write.camera and not written, rigid_object=rigid_object,
            )  # fmt: skip
            mesh = body_mesh(motion, plan.body) if plan.write.body else None
            written.append(write_motion(context, motion, options, mesh))
        if plan.write.set_range:
            scene.frame_start = int(np.ceil(min(w.timing.frames[0] for w in written)))
            scene.frame_end = int(np.floor(max(w.timing.frames[-1] for w in written)))
    scene.mvlift.result = written[0].armature
    return written
