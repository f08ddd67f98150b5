"""The object of `mvlift lift`: its shape as typed, and its keypoints beside a person's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mvlift.commands.shared import read_inputs
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.objects.keypoints import seen_points, with_object_points
from mvlift.lifting.objects.shape import ObjectShape, box_shape, load_shape
from mvlift.lifting.subjects import Subject, get_subject

if TYPE_CHECKING:
    from mvlift.cli import Lift

__all__ = ["object_of", "with_object_of"]


def object_of(command: Lift) -> ObjectShape | None:
    """The object as typed, None for a subject without one.

    Raises:
        MvliftError: the subject has no object, or its points are missing.
    """
    subject = get_subject(command.subject)
    if subject.rigid_object is None:
        _refuse(command)
        return None
    if command.object_shape is not None:
        shape = load_shape(command.object_shape, command.object_name)
    elif subject.rigid_object.points:
        shape = box_shape(subject, name=command.object_name)
    else:
        raise MvliftError(
            f"Subject {subject.name} needs the object's points.", "Give --object-shape (.json, .csv or .obj)."
        )
    if command.object_size is None:
        return shape
    if shape.kind != "box":
        raise MvliftError("--object-size is for boxes.", "The points in --object-shape are in metres already.")
    return replace(shape, size=np.array(command.object_size, dtype=np.float64))


def _refuse(command: Lift) -> None:
    options = {"--object-points": command.object_points, "--object-shape": command.object_shape,
             "--object-size": command.object_size}  # fmt: skip
    for option, value in options.items():
        if value is not None:
            raise MvliftError(
                f"{option}: subject {command.subject} has no object.", "Add --subject human+box or human+object."
            )


def with_object_of(
    people: list[KeypointClip], clips: tuple[KeypointClip, ...], shape: ObjectShape | None, command: Lift
) -> list[KeypointClip]:
    """The people's clips with the object's keypoints in them.

    Args:
        people: who is lifted.
        clips: everybody in their file; one of them may be the object.
        shape: of the object, None for people alone.
        command: says where the object's keypoints are.

    Raises:
        MvliftError: they are nowhere.
    """
    if shape is None:
        return people
    if command.object_points is not None:
        clips = read_inputs(command.object_points, command.video).clips
    track = max(clips, key=lambda clip: seen_points(clip, shape.names))
    if command.object_points is None and seen_points(track, shape.names) < 4:
        subject: Subject = get_subject(command.subject)
        raise MvliftError(
            f"The file has no keypoints of the {shape.name} ({', '.join(shape.names[:4])}...).",
            f"Give them with --object-points, or lift with --subject {subject.alone.name}.",
        )
    return [with_object_points(clip, track, shape.names) for clip in people]
