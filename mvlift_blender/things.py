"""The object of a lift as the panel has it: its shape, and its keypoints beside a person's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.object_points import seen_points, with_object_points
from mvlift.lifting.object_shape import ObjectShape, box_shape
from mvlift.lifting.subjects import get_subject

from .scene.objects import shape_of_object
from .sources import read_clips

__all__ = ["clip_with_thing", "thing_shape", "why_no_thing"]


def why_no_thing(settings: Any) -> str:
    """Why the object of the subject is not settled yet, or ""."""
    thing = get_subject(settings.subject).thing
    if thing is not None and not thing.points and settings.thing is None:
        return "Choose the object of the scene that the person handles"
    if thing is not None and settings.thing is not None and settings.thing.parent is not None:
        return f"{settings.thing.name} has a parent: clear it, or choose the parent"
    return ""


def thing_shape(settings: Any) -> ObjectShape | None:
    """The object as the panel has it; None for a subject without one.

    Raises:
        LiftError: the object of the scene does not serve.
    """
    subject = get_subject(settings.subject)
    if subject.thing is None:
        return None
    if settings.thing is not None:
        return shape_of_object(settings.thing, subject.rigid, settings.thing_known)
    shape = box_shape(subject)
    return replace(shape, size=np.array(settings.thing_size, np.float64)) if settings.thing_known else shape


def clip_with_thing(settings: Any, person: Any, clip: KeypointClip, shape: ObjectShape) -> KeypointClip:
    """A listed person's clip with the object's keypoints: from the panel's second file, or from the person's own.

    Raises:
        KeypointError: the file is gone or none that MVLift reads.
        LiftError: it lacks the object's keypoints.
    """
    source = settings.thing_source or person.source
    clips = read_clips(source, settings.clip_fps(person), settings.clip_size(person))
    track = max(clips, key=lambda c: seen_points(c, shape.names))
    if seen_points(track, shape.names) < 4:
        raise LiftError(
            f"{source} has no keypoints of {shape.name} ({', '.join(shape.names[:4])}...).",
            "Pick the file with the object's keypoints, or name the vertex groups like the file's keypoints.",
        )
    return with_object_points(clip, track, shape.names)
