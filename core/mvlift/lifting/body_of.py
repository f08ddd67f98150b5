"""The body, rig and pose prior that a subject is fitted with."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from mvlift.bodies.kinematic_model import KinematicModel, get_kinematic_model
from mvlift.bodies.loading import load_body
from mvlift.bodies.pose_prior import VPoserPrior, load_prior
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.skeletons import (
    default_human_skeleton,
    default_human_skeleton_with_fingers,
    default_quadruped_skeleton,
)
from mvlift.errors import BodyFileError, LiftError
from mvlift.lifting.subjects import Subject
from mvlift.models import model_names

__all__ = ["body_of", "has_fingers"]


_DEFAULTS: Final = {"smpl": default_human_skeleton, "smal": default_quadruped_skeleton}


def _length(skeleton: BodySkeleton, kinematic_model: KinematicModel) -> float:
    """Metres of the rig's size bones together, at rest."""
    place = dict(zip(skeleton.keypoint_names, skeleton.rest_points, strict=True))
    return float(sum(np.linalg.norm(place[a] - place[b]) for a, b in kinematic_model.size))


def _skeleton(subject: Subject, file: str | None, fingers: bool) -> BodySkeleton:
    if file:
        return load_body(file).skeleton(fingers=fingers)
    return default_human_skeleton_with_fingers() if fingers else _DEFAULTS[subject.body]()


def has_fingers(subject: Subject, file: str | None = None) -> bool:
    """Whether a subject's body has SMPL-H's finger joints.

    Raises:
        BodyFileError: the file cannot be used.
    """
    return load_body(file).has_fingers if file else subject.body == "smpl"


@lru_cache(maxsize=8)
def body_of(
    subject: Subject, file: str | None = None, fingers: bool = False
) -> tuple[BodySkeleton, KinematicModel, VPoserPrior | None]:
    """Skeleton with the subject's keypoints, its rig, and the pose prior if its weights are there.

    Args:
        subject: who.
        file: a user's SMPL-family file, instead of the default body.
        fingers: with SMPL-H's 52 joints instead of SMPL's 24.

    Raises:
        LiftError: there is no body of that kind.
        BodyFileError: the file cannot be used.
    """
    if subject.body not in _DEFAULTS:
        raise LiftError(
            f"Subject {subject.name} has a {subject.body} body, which is not known.", f"Use {' or '.join(_DEFAULTS)}."
        )
    skeleton = _skeleton(subject, file, fingers)
    if skeleton.kind != subject.body:
        raise BodyFileError(
            f"{file} is a {skeleton.kind} body, but a {subject.title.lower()} needs a {subject.body} one.",
            "Choose another model file, or another subject.",
        )
    kinematic_model = get_kinematic_model(subject.kinematic_model)
    skeleton = skeleton.with_keypoints(subject.layout.names)
    if kinematic_model.standard:
        skeleton = skeleton.scaled_for_fit(kinematic_model.standard / _length(skeleton, kinematic_model))
    skeleton = skeleton.with_keypoint_offsets(subject.keypoint_offsets)
    name = subject.models.get("prior")
    prior = load_prior(name) if name is not None and name in model_names() else None
    return skeleton, kinematic_model, prior
