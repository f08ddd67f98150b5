"""A person with an object: the keypoints parted, the object solved beside the body, both in one motion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.fit import BodyFit
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.errors import LiftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics import quaternions
from mvlift.lifting.objects.fit import ObjectFit, ObjectOptions, ObjectTargets, fit_object
from mvlift.lifting.objects.keypoints import ObjectClip, object_clip
from mvlift.lifting.objects.shape import ObjectShape, shape_of
from mvlift.lifting.objects.wrists import ARMS, snap_wrists_to_object
from mvlift.lifting.prepared import PreparedClip
from mvlift.lifting.sampling.lift_points import LiftedPoints
from mvlift.lifting.size import rescale
from mvlift.lifting.subjects import Subject
from mvlift.motion import LiftedMotion, ObjectMotion
from mvlift.typing import F64

__all__ = [
    "GivenObject",
    "body_part",
    "given_object",
    "held_body",
    "measured",
    "points_part",
    "solve_object",
    "with_object",
]

TOGETHER = 1.5
"""Factor on the error of a lifted object keypoint: all of an object's are wrong in the same direction."""
SURE = 0.35
"""Metres of such an error, so that keypoints of unknown depth are not taken for known."""
LARGER = 1.7
"""Most that a person may differ from an average one in size."""
AVERAGE = 1.7
"""Metres."""


@dataclass(frozen=True, eq=False)
class GivenObject:
    """The object of a lift.

    Attributes:
        shape: of it.
        seen: its keypoints.
        measures: its true size is the unit of ``shape``, and sets the scale of the scene.
    """

    shape: ObjectShape
    seen: ObjectClip
    measures: bool


def given_object(
    subject: Subject, rigid_object: ObjectShape | None, clip: KeypointClip, height: float | None, smoothing: float
) -> GivenObject | None:
    """What a lift knows of the subject's object, None for a subject without one.

    Args:
        subject: who is lifted.
        rigid_object: the object as the user gives it.
        clip: of person and object, with its frame rate.
        height: of the person, which sets the scale before a known object does.
        smoothing: strength of the cleaning.

    Raises:
        LiftError: subject, object and clip do not fit together.
    """
    known = shape_of(subject, rigid_object)
    if known is None:
        return None
    shape = known.loosened() if height is None else known
    return GivenObject(shape, object_clip(clip, shape, smoothing), shape is not known)


def _columns(subject: Subject) -> list[int]:
    return [subject.layout.index(n) for n in subject.alone.layout.names]


def body_part(prepared: PreparedClip, subject: Subject) -> PreparedClip:
    """The clip without the object's keypoints."""
    if not subject.rigid:
        return prepared
    columns, layout = _columns(subject), subject.alone.layout

    def part(clip: KeypointClip) -> KeypointClip:
        return replace(clip, points=clip.points[:, columns], confidence=clip.confidence[:, columns], layout=layout)

    return replace(prepared, raw=part(prepared.raw), clip=part(prepared.clip))


def points_part(lifted: LiftedPoints, subject: Subject) -> LiftedPoints:
    """The lifted keypoints without the object's."""
    if not subject.rigid:
        return lifted
    columns = _columns(subject)
    disagreement = None if lifted.disagreement is None else lifted.disagreement[:, columns]
    return replace(lifted, points=lifted.points[:, columns], sigma=lifted.sigma[:, columns], disagreement=disagreement)


def solve_object(
    shape: ObjectShape,
    seen: ObjectClip,
    prepared: PreparedClip,
    fitted: BodyFit,
    lifted: LiftedPoints | None,
    subject: Subject,
    options: ObjectOptions,
) -> ObjectFit:
    """The object's path in the camera's axes, with the body as it was fitted.

    Args:
        shape: of the object.
        seen: its 2D keypoints.
        prepared: the clip.
        fitted: the person.
        lifted: 3D keypoints of person and object, or None where only the person's were lifted.
        subject: person with object.
        options: of the fit.
    """
    names = subject.alone.layout.names
    root = fitted.points[:, [names.index(n) for n in subject.root]].mean(1)
    points3d = sigma3d = None
    if lifted is not None and subject.rigid:
        columns = [subject.layout.index(n) for n in seen.names]
        points3d = root[:, None] + lifted.points[:, columns] * fitted.size
        sigma3d = np.minimum(TOGETHER * lifted.sigma[:, columns], SURE)
    hands = [n for n in ARMS if n in names]
    targets = ObjectTargets(
        pixels=seen.pixels,
        confidence=seen.confidence,
        K=prepared.K,
        fps=float(prepared.fps),
        depth=np.maximum(root[:, 2], 0.3),
        points3d=points3d,
        sigma3d=sigma3d,
        hands=fitted.points[:, [names.index(n) for n in hands]],
        up=fitted.up,
        floor=fitted.floor,
    )
    return fit_object(shape, targets, options)


def held_body(fitted: BodyFit, object_fit: ObjectFit, skeleton: BodySkeleton, fps: float) -> BodyFit:
    """The person with hands that stay on the object while they hold it."""
    hands = tuple(n for n in ARMS if n in skeleton.keypoint_names)
    targets = object_fit.position[:, None] + np.einsum("tab,thb->tha", object_fit.rotation, object_fit.grips)
    return snap_wrists_to_object(fitted, skeleton, hands, targets, object_fit.grip_probability, fps)


def measured(motion: LiftedMotion, object_fit: ObjectFit, skeleton: BodySkeleton) -> LiftedMotion:
    """The motion at the scale at which an object of known size has that size.

    Raises:
        LiftError: the person would be a giant or a dwarf.
    """
    factor = 1 / float(object_fit.size[0])
    if not 1 / LARGER < factor < LARGER:
        raise LiftError(
            f"With an object of that size the person would be about {AVERAGE * factor:.2g} m tall.",
            "Give the object's size in metres, or the person's height beside it.",
        )
    return rescale(motion, skeleton, factor)


def with_object(motion: LiftedMotion, object_fit: ObjectFit, shape: ObjectShape, seen: ObjectClip) -> LiftedMotion:
    """The motion with the object in it: among its keypoints, and as an ``ObjectMotion``.

    Args:
        motion: of the person, in the world.
        object_fit: the object in the camera's axes.
        shape: of the object.
        seen: its 2D keypoints.
    """
    R, t = motion.camera.R.astype(np.float64), motion.camera.t.astype(np.float64)
    position = (object_fit.position - t) @ R
    quaternion = quaternions.continuous(quaternions.from_matrix(R.T @ object_fit.rotation))
    points = (object_fit.points - t) @ R
    error = np.linalg.norm(motion.camera.project(points.astype(np.float32)) - seen.raw, axis=-1)
    error = np.where(seen.confidence > 0, error, np.nan)
    local_points = shape.points * object_fit.size
    rigid_object = ObjectMotion(
        name=shape.name,
        position=position.astype(np.float32),
        rotation=quaternion.astype(np.float32),
        size=(object_fit.size * np.ptp(shape.points, axis=0)).astype(np.float32),
        points=local_points.astype(np.float32),
        point_names=shape.names,
    )

    def beside(person: NDArray[np.float32], object_points: F64) -> NDArray[np.float32]:
        return np.concatenate([person, object_points.astype(np.float32)], 1)

    return replace(
        motion,
        keypoints=beside(motion.keypoints, points),
        keypoint_names=(*motion.keypoint_names, *shape.names),
        keypoint_confidence=beside(motion.keypoint_confidence, seen.confidence),
        reprojection_error=beside(motion.reprojection_error, error),
        objects=(*motion.objects, rigid_object),
    )
