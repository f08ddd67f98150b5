"""Lifted people written into the scene, all of them or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import bpy
from mvlift.errors import LiftError
from mvlift.lifting.multi_person import align_people, body_for_size
from mvlift.motion import LiftedMotion

from ..motion.camera_alignment import seen_by
from ..scene.body_files import body_mesh
from ..scene.frame_rate import scene_fps
from ..scene.lift_parts import earlier_lifts, put_aside, remove_lift
from ..scene.objects import put_back_on_failure
from ..scene.preserve import undone_on_failure
from ..scene.record import LiftNames
from ..scene.scene_setup import SceneValues, read_values
from ..scene.selected import still_there
from ..scene.write import WriteOptions, WrittenMotion, resolved, set_scene_up, write_motion

__all__ = ["Lifted", "LiftedPerson", "WritePlan", "write_lifted"]


class LiftedPerson(Protocol):
    """Name of the armature, source of the keypoints, and subject of a motion."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def track(self) -> str: ...

    @property
    def subject(self) -> str: ...


Lifted = Sequence[tuple[LiftedPerson, LiftedMotion]]


@dataclass(frozen=True)
class WritePlan:
    """How lifted people are written; taken from the panel once, so that later changes do not matter.

    Attributes:
        write: how each is written; name, start and names are the person's, the object is ``rigid_object``.
        body: the user's body file, or None.
        rigid_object: name of the scene's object that moves with the people, "" for none.
        scene: session identifier of the scene to write to, 0 for whichever is open.
        previous: what becomes of earlier lifts of the same people.
    """

    write: WriteOptions
    body: Path | None = None
    rigid_object: str = ""
    scene: int = 0
    previous: Literal["KEEP", "REPLACE"] = "KEEP"


def write_lifted(context: Any, plan: WritePlan, lifted: Lifted) -> list[WrittenMotion]:
    """Write lifted people into the scene, in the world of the first one's camera; all of them or none.

    Args:
        context: of Blender; where another scene was opened meanwhile, the plan's is written to none the less.
        plan: how.
        lifted: people and their motions.

    Raises:
        LiftError: a motion cannot be written, or the object or the scene was removed; the scene is as before.
    """
    with _scene_of(context, plan):
        scene, before = context.scene, read_values(context.scene)
        camera = scene.camera
        earlier = _earlier(scene, plan, lifted)
        names = {block: name for armature in earlier for block, name in put_aside(armature).items()}
        try:
            written = _write_here(context, plan, lifted)
        except BaseException:
            for block, name in names.items():
                block.name = name
            raise
        for armature in earlier:
            remove_lift(armature, _heir(scene, written, armature))
        scene.mvlift.result = written[0].armature
        scene.mvlift.said = _said(scene, before, written, scene.camera != camera)
        return written


@contextmanager
def _scene_of(context: Any, plan: WritePlan) -> Iterator[None]:
    """The plan's scene as the context's."""
    if plan.scene in (0, context.scene.session_uid):
        yield
        return
    scene = next((s for s in bpy.data.scenes if s.session_uid == plan.scene), None)
    if scene is None:
        raise LiftError("The scene was removed while the engine worked.", "Lift the clip again in another scene.")
    with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        yield


def _earlier(scene: Any, plan: WritePlan, lifted: Lifted) -> list[Any]:
    """The armatures that the new ones replace."""
    if plan.previous == "KEEP":
        return []
    return [a for person, _ in lifted for a in earlier_lifts(scene, person.source, person.track)]


def _heir(scene: Any, written: list[WrittenMotion], armature: Any) -> Any | None:
    from ..scene.selected import record_of

    record = record_of(armature)
    for new in written:
        other = record_of(new.armature)
        if record is not None and other is not None and (record.source, record.track) == (other.source, other.track):
            return new.armature
    return None


def _together(plan: WritePlan, lifted: Lifted) -> Lifted:
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


def _write_here(context: Any, plan: WritePlan, lifted: Lifted) -> list[WrittenMotion]:
    scene = context.scene
    write = resolved(scene, plan.write)
    first = min(motion.first_frame for _, motion in lifted)
    written: list[WrittenMotion] = []
    rigid_object = still_there(plan.rigid_object) if plan.rigid_object else None
    with undone_on_failure(context), put_back_on_failure(rigid_object):
        for person, motion in _together(plan, lifted):
            if written:  # what several people handle is written once, with the first of them
                motion = replace(motion, objects=())
            fps = motion.fps if write.rate == "CLIP" else scene_fps(scene)
            later = float((motion.first_frame - first) * fps / motion.fps)
            assert write.start is not None  # resolved
            options = replace(
                write, name=person.name, start=write.start + later, setup="KEEP",
                camera=write.camera and not written, rigid_object=rigid_object,
                names=LiftNames(person.source, person.track, person.subject),
            )  # fmt: skip
            mesh = body_mesh(motion, plan.body) if write.body else None
            written.append(write_motion(context, motion, options, mesh))
        if write.setup == "MATCH":
            set_scene_up(scene, written, lifted[0][1].camera.image_size)
    return written


def _said(scene: Any, before: SceneValues, written: list[WrittenMotion], new_camera: bool) -> str:
    """Report of the scene values that were set, or of those that differ from the video."""
    now = read_values(scene)
    if now != before or new_camera:
        return f"Scene set to {now}" + (", with the video's camera" if new_camera else "")
    timing = written[0].timing
    last = max(float(w.timing.frames[-1]) for w in written)
    parts = [f"Scene unchanged: {now}"]
    if timing.clip_fps != timing.fps:
        parts.append(f"keys resampled from {float(timing.clip_fps):.5g} fps")
    if last > now.frames[1]:
        parts.append(f"the motion ends at frame {last:.0f}, after the scene's range")
    return "; ".join(parts)
