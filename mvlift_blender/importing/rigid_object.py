"""The rigid object of a lift from the panel's settings: its shape and keypoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.objects.keypoints import seen_points, with_object_points
from mvlift.lifting.objects.shape import ObjectShape, box_shape
from mvlift.lifting.subjects import get_subject

from ..scene.objects import shape_of_object
from ..scene.units import metres_per_unit
from .sources import read_clips

__all__ = ["clip_with_rigid_object", "rigid_object_shape", "why_no_rigid_object"]


def why_no_rigid_object(settings: Any, person: Any) -> str:
    """Why the object of a person's subject is not settled yet, or ""."""
    rigid_object = get_subject(person.subject).rigid_object
    if rigid_object is not None and not rigid_object.points and settings.rigid_object is None:
        return "Choose the object of the scene that the person handles"
    if rigid_object is not None and settings.rigid_object is None and not settings.rigid_object_source:
        missing = set(rigid_object.points) - set(person.keypoint_names.split("\n"))
        if missing:
            return f"{person.name} has no keypoints of a {rigid_object.name}: pick the file that has them under Object"
    if rigid_object is not None and settings.rigid_object is not None and settings.rigid_object.parent is not None:
        return f"{settings.rigid_object.name} has a parent: clear the parent, or choose the parent object instead"
    return ""


def rigid_object_shape(settings: Any, subject_name: str) -> ObjectShape | None:
    """The object as the panel has it; None for a subject without one.

    Args:
        settings: of the scene.
        subject_name: of the person that handles it.

    Raises:
        LiftError: the object of the scene does not serve.
    """
    subject = get_subject(subject_name)
    if subject.rigid_object is None:
        return None
    if settings.rigid_object is not None:
        return shape_of_object(
            settings.rigid_object, subject.rigid, settings.rigid_object_known, metres_per_unit(settings.id_data)
        )
    shape = box_shape(subject)
    return (
        replace(shape, size=np.array(settings.rigid_object_metres, np.float64))
        if settings.rigid_object_known
        else shape
    )


def clip_with_rigid_object(settings: Any, person: Any, clip: KeypointClip, shape: ObjectShape) -> KeypointClip:
    """A listed person's clip with the object's keypoints: from the panel's second file, or from the person's own.

    Raises:
        KeypointError: the file is gone or none that MVLift reads.
        LiftError: it lacks the object's keypoints.
    """
    source = settings.rigid_object_source or person.source
    clips = read_clips(source, *settings.video_facts(person))
    track = max(clips, key=lambda c: seen_points(c, shape.names))
    if seen_points(track, shape.names) < 4:
        raise LiftError(
            f"{source} has no keypoints of {shape.name} ({', '.join(shape.names[:4])}...).",
            "Pick the file with the object's keypoints, or name the vertex groups like the file's keypoints.",
        )
    return with_object_points(clip, track, shape.names)
