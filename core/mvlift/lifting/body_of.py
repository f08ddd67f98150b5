"""The body, rig and pose prior that a subject is fitted with."""

from __future__ import annotations

from functools import lru_cache

from mvlift.bodies.model import load_body
from mvlift.bodies.pose_prior import PosePrior, load_prior
from mvlift.bodies.rig import BodyRig, get_rig
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.errors import LiftError
from mvlift.lifting.subjects import Subject
from mvlift.models import model_names

__all__ = ["body_of"]


@lru_cache(maxsize=8)
def body_of(subject: Subject, file: str | None = None) -> tuple[BodySkeleton, BodyRig, PosePrior | None]:
    """Skeleton with the subject's keypoints, its rig, and the pose prior if its weights are there.

    Args:
        subject: who.
        file: a user's SMPL-family file, instead of the default body.

    Raises:
        LiftError: there is no body of that kind.
        BodyFileError: the file cannot be used.
    """
    if subject.body != "smpl":
        raise LiftError(f"Subject {subject.name} has a {subject.body} body, which is not known.", "Use smpl.")
    skeleton = load_body(file).skeleton(subject.layout.names) if file else default_human_skeleton()
    skeleton = skeleton.with_keypoints(subject.layout.names).with_notions(subject.notions)
    name = subject.models.get("prior")
    prior = load_prior(name) if name is not None and name in model_names() else None
    return skeleton, get_rig("human"), prior
