"""``write_motion``: a lifted motion becomes an armature, a body, a camera and objects.

The button, the command and scripts all call it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import bpy
import numpy as np
from mvlift.errors import LiftError
from mvlift.motion import LiftedMotion

from ..motion.doubts import find_doubts, frame_error
from ..motion.rig_data import rig_data
from ..motion.timing import Timing
from .animation import Curves
from .armature import new_armature
from .body import BodyMesh, new_body
from .camera import new_camera, set_background
from .frame_rate import scene_fps, set_scene_fps
from .kept_keys import remember_keys
from .keyframes import key_motion
from .lift_parts import mark
from .motion_curves import rest_skeleton
from .objects import key_object, new_object, put_back_on_failure
from .preserve import undone_on_failure
from .quality import keep_doubts, key_quality, mark_doubts
from .record import LiftNames, write_record
from .scene_setup import SceneValues, SetupMode, apply_values, lets_set_up, remember_set_up
from .units import metres_per_unit

__all__ = ["WriteOptions", "WrittenMotion", "resolved", "set_scene_up", "write_motion"]

Rate = Literal["AUTO", "CLIP", "SCENE"]


@dataclass(frozen=True)
class WriteOptions:
    """How a motion is written.

    Attributes:
        name: of the armature and of what belongs to it.
        start: scene frame of the first sample; None for the start of the scene's range.
        setup: MATCH gives the scene the clip's range, the video's size and the new camera; KEEP leaves them; AUTO sets
            up a new, empty scene and leaves any other.
        rate: CLIP gives the scene the clip's exact rate; SCENE keeps the scene's and resamples the motion; AUTO does
            the one where the scene may be set up and the other elsewhere.
        body: write the body's mesh.
        camera: write the camera.
        video: shown behind the camera view.
        markers: mark doubtful frames.
        least_confidence: frames below it are doubtful.
        most_error: frames with a higher median reprojection error are doubtful; a share of the picture's diagonal.
        names: where the motion comes from, remembered with the Action.
        rigid_object: the object of the scene that stands for the motion's first object; None makes a new one.
    """

    name: str = "Person"
    start: float | None = None
    setup: SetupMode = "AUTO"
    rate: Rate = "AUTO"
    body: bool = True
    camera: bool = True
    video: Path | None = None
    markers: bool = True
    least_confidence: float = 0.25
    most_error: float = 0.02
    names: LiftNames = field(default_factory=LiftNames)
    rigid_object: Any | None = None


@dataclass(frozen=True)
class WrittenMotion:
    """What ``write_motion`` made. ``doubtful`` counts the marked runs of frames."""

    collection: Any
    armature: Any
    curves: Curves
    timing: Timing
    body: Any | None = None
    camera: Any | None = None
    objects: tuple[Any, ...] = ()
    doubtful: int = 0


def resolved(scene: Any, options: WriteOptions) -> WriteOptions:
    """The options with everything decided that depends on the scene as it is now."""
    may = lets_set_up(scene, options.setup)
    rate = options.rate if options.rate != "AUTO" else "CLIP" if may else "SCENE"
    start = options.start if options.start is not None else scene.frame_start
    return replace(options, setup="MATCH" if may else "KEEP", rate=rate, start=float(start))


def write_motion(
    context: Any,
    motion: LiftedMotion,
    options: WriteOptions | None = None,
    mesh: BodyMesh | None = None,
    camera: Any | None = None,
) -> WrittenMotion:
    """Write a motion into the scene, in a collection of its own; on any failure the scene is as before.

    Args:
        context: its scene and view layer are written to.
        motion: from a lift, in metres.
        options: how.
        mesh: the body at the motion's shape, in metres; without it the armature goes alone.
        camera: an existing camera object of the same video, used instead of a new one.

    Raises:
        LiftError: the motion holds no frames or values that are not finite.
    """
    options = resolved(context.scene, options or WriteOptions())
    _check(motion)
    with undone_on_failure(context), put_back_on_failure(options.rigid_object):
        written = _write(context, motion, options, mesh, camera)
        if options.setup == "MATCH":
            set_scene_up(context.scene, [written], motion.camera.image_size)
        context.view_layer.update()
        return written


def set_scene_up(scene: Any, written: list[WrittenMotion], size: tuple[int, int]) -> None:
    """Give a scene the range of motions, the size of their video, and their camera."""
    first = int(np.ceil(min(w.timing.frames[0] for w in written)))
    last = int(np.floor(max(w.timing.frames[-1] for w in written)))
    apply_values(scene, SceneValues(written[0].timing.fps, (first, last), size))
    camera = next((w.camera for w in written if w.camera is not None), None)
    if camera is not None:
        scene.camera = camera
    remember_set_up(scene)


def _write(
    context: Any, motion: LiftedMotion, options: WriteOptions, mesh: BodyMesh | None, camera: Any | None
) -> WrittenMotion:
    scene, name, lift = context.scene, options.name, uuid4().hex
    metre = 1 / metres_per_unit(scene)
    if options.rate == "CLIP":
        set_scene_fps(scene, motion.fps)
    assert options.start is not None  # resolved
    timing = Timing(len(motion), motion.fps, scene_fps(scene), options.start)
    collection = bpy.data.collections.new(name)
    mark(collection, "collection", lift)
    scene.collection.children.link(collection)
    in_units, mesh = motion.scaled(metre), mesh.scaled(metre) if mesh is not None else None
    rise = _rest_height(in_units, mesh)
    armature = new_armature(context, in_units, name, collection, rise, metre)
    curves = key_motion(armature, in_units, timing, f"{name} lifted")
    remember_keys(armature, rest_skeleton(armature))
    key_quality(armature, motion, timing, curves)
    limit = options.most_error * float(np.hypot(*motion.camera.image_size))
    doubts = find_doubts(motion, options.least_confidence, limit) if options.markers else []
    doubtful = mark_doubts(curves, doubts, timing)
    keep_doubts(curves.action, doubts, timing)
    write_record(curves.action, motion, timing, replace(options.names, lift=lift), _summary(motion, doubtful))
    mark(armature, "armature", lift)
    body = None
    if options.body and mesh is not None:
        body = new_body(mesh, in_units, armature, f"{name} Body", collection, rise)
        mark(body, "body", lift)
    if options.camera and camera is None:
        camera = _camera(in_units, options, timing, collection, metre)
        mark(camera, "camera", lift)
    objects = _objects(in_units, options, timing, collection, (metre, lift))
    return WrittenMotion(collection, armature, curves, timing, body, camera, objects, doubtful)


def _objects(
    motion: LiftedMotion, options: WriteOptions, timing: Timing, collection: Any, facts: tuple[float, str]
) -> tuple[Any, ...]:
    metre, lift = facts
    made = []
    for number, moved in enumerate(motion.objects):
        if number == 0 and options.rigid_object is not None:
            made.append(key_object(options.rigid_object, moved, timing))
            continue
        target = new_object(moved, timing, collection, metre)
        for part in (target, *target.children):
            mark(part, "object" if part == target else "point", lift)
        made.append(target)
    return tuple(made)


def _camera(motion: LiftedMotion, options: WriteOptions, timing: Timing, collection: Any, metre: float) -> Any:
    camera = new_camera(motion.camera, timing, f"{options.name} Camera", collection, metre)
    if options.video is not None:
        set_background(camera, options.video, motion.first_frame, timing)
    return camera


def _summary(motion: LiftedMotion, doubtful: int) -> str:
    seconds = f"{len(motion)} frames, {len(motion) / float(motion.fps):.1f} s"
    error = f"median reprojection error {float(np.median(frame_error(motion))):.1f} pixels"
    check = f"{doubtful} doubtful parts are marked" if doubtful else "no doubtful parts"
    return "\n".join([seconds, error, check])


def _rest_height(motion: LiftedMotion, mesh: BodyMesh | None) -> float:
    """Units that bring the rest body's soles (or its lowest joint) to the floor."""
    if mesh is not None:
        return -mesh.lowest(motion.body)
    return -float((motion.rest_joints @ rig_data(motion.body).to_armature[2]).min())


def _check(motion: LiftedMotion) -> None:
    if len(motion) == 0:
        raise LiftError("The motion has no frames.", "Lift a clip with at least one frame.")
    for name in ("translation", "rotations", "rest_joints"):
        if not np.isfinite(getattr(motion, name)).all():
            raise LiftError(f"The motion's {name} contain values that are not numbers.", "Lift the clip again.")
    for moved in motion.objects:
        rows = {len(moved.position), len(moved.rotation)}
        if rows != {len(motion)}:
            text = f"{moved.name} has {min(rows)} rows, the person {len(motion)}."
            raise LiftError(text, "Lift the clip again.")
