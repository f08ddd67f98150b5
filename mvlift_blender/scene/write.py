"""``write_motion``: a lifted motion becomes an armature, a body, a camera and objects.

The button, the command and scripts all call it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mvlift.errors import LiftError
from mvlift.motion import LiftedMotion

from ..motion.rig_data import rig_data
from ..motion.timing import RateMode, Timing
from .animation import Curves
from .armature import new_armature
from .body import BodyMesh, new_body
from .camera import new_camera, set_background, set_render_size
from .frame_rate import scene_fps, set_scene_fps
from .keyframes import key_motion
from .objects import key_object, new_object, put_back_on_failure
from .preserve import undone_on_failure
from .quality import frame_error, key_quality, mark_doubtful
from .record import write_record

__all__ = ["WriteOptions", "WrittenMotion", "write_motion"]


@dataclass(frozen=True)
class WriteOptions:
    """How a motion is written.

    Attributes:
        name: of the armature and of what belongs to it.
        start: scene frame of the first sample.
        rate: CLIP gives the scene the clip's exact rate; SCENE keeps the scene's and resamples the motion.
        body: write the body's mesh.
        camera: write the camera and make it the scene's, with the video's size as render size.
        video: shown behind the camera view.
        set_range: make the scene's frame range the clip's.
        markers: mark doubtful frames.
        least_confidence: frames below it are doubtful.
        most_error: frames with a higher median reprojection error are doubtful; a share of the picture's diagonal.
        source: the keypoint file, remembered with the Action.
        track: which person of the file, remembered with the Action.
        rigid_object: the object of the scene that stands for the motion's first object; None makes a new one.
    """

    name: str = "Person"
    start: float = 1
    rate: RateMode = "CLIP"
    body: bool = True
    camera: bool = True
    video: Path | None = None
    set_range: bool = True
    markers: bool = True
    least_confidence: float = 0.25
    most_error: float = 0.02
    source: str = ""
    track: str = ""
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
        motion: from a lift.
        options: how.
        mesh: the body at the motion's shape; without it the armature goes alone.
        camera: an existing camera object of the same video, used instead of a new one.

    Raises:
        LiftError: the motion holds no frames or values that are not finite.
    """
    options = options or WriteOptions()
    _check(motion)
    with undone_on_failure(context), put_back_on_failure(options.rigid_object):
        return _write(context, motion, options, mesh, camera)


def _write(
    context: Any, motion: LiftedMotion, options: WriteOptions, mesh: BodyMesh | None, camera: Any | None
) -> WrittenMotion:
    scene, name = context.scene, options.name
    if options.rate == "CLIP":
        set_scene_fps(scene, motion.fps)
    fps = motion.fps if options.rate == "CLIP" else scene_fps(scene)
    timing = Timing(len(motion), motion.fps, fps, options.start)
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    lift = _rest_height(motion, mesh)
    armature = new_armature(context, motion, name, collection, lift)
    curves = key_motion(armature, motion, timing, f"{name} lifted")
    key_quality(armature, motion, timing, curves)
    limit = options.most_error * float(np.hypot(*motion.camera.image_size))
    doubtful = mark_doubtful(curves, motion, timing, options.least_confidence, limit) if options.markers else 0
    write_record(curves.action, motion, timing, options.source, options.track, _summary(motion, doubtful))
    body = None
    if options.body and mesh is not None:
        body = new_body(mesh, motion, armature, f"{name} Body", collection, lift)
    if options.camera and camera is None:
        camera = _camera(scene, motion, options, timing, collection)
    objects = tuple(
        key_object(options.rigid_object, rigid_object, timing) if options.rigid_object is not None and i == 0
        else new_object(rigid_object, timing, collection)
        for i, rigid_object in enumerate(motion.objects)
    )  # fmt: skip
    if options.set_range:
        scene.frame_start, scene.frame_end = int(np.ceil(options.start)), int(np.floor(timing.frames[-1]))
    context.view_layer.update()
    return WrittenMotion(collection, armature, curves, timing, body, camera, objects, doubtful)


def _camera(scene: Any, motion: LiftedMotion, options: WriteOptions, timing: Timing, collection: Any) -> Any:
    camera = new_camera(motion.camera, f"{options.name} Camera", collection)
    if options.video is not None:
        set_background(camera, options.video, motion.first_frame, int(options.start), len(timing.frames))
    set_render_size(scene, motion.camera.image_size)
    scene.camera = camera
    return camera


def _summary(motion: LiftedMotion, doubtful: int) -> str:
    seconds = f"{len(motion)} frames, {len(motion) / float(motion.fps):.1f} s"
    error = f"{float(np.median(frame_error(motion))):.1f} pixels from the keypoints (median)"
    check = f"{doubtful} doubtful parts are marked" if doubtful else "no doubtful parts"
    return "\n".join([seconds, error, check])


def _rest_height(motion: LiftedMotion, mesh: BodyMesh | None) -> float:
    """Metres that bring the rest body's soles (or its lowest joint) to the floor."""
    if mesh is not None:
        return -mesh.lowest(motion.body)
    return -float((motion.rest_joints @ rig_data(motion.body).to_armature[2]).min())


def _check(motion: LiftedMotion) -> None:
    if len(motion) == 0:
        raise LiftError("The motion holds no frames.", "Lift a clip that has some.")
    for field in ("translation", "rotations", "rest_joints"):
        if not np.isfinite(getattr(motion, field)).all():
            raise LiftError(f"The motion's {field} hold values that are not numbers.", "Lift the clip again.")
