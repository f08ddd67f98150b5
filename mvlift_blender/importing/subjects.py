"""Which subjects a person's keypoints can be lifted as: what was recognised decides."""

from __future__ import annotations

from functools import cache
from typing import Any

from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.subjects import Subject, get_subject, subject_names

__all__ = ["likely_subject", "subject_title", "subjects_for", "subjects_of"]

_OTHER = "other"
"""Family of layouts of which nothing is known but their names."""


def subject_title(name: str) -> str:
    """A subject's name for people."""
    return get_subject(name).title


def subjects_of(person: Any) -> tuple[str, ...]:
    """The subjects that a listed person can be lifted as, the most likely first."""
    return subjects_for(person.family, tuple(person.keypoint_names.split("\n")))


def likely_subject(clip: KeypointClip) -> str:
    """The subject that a clip's keypoints are of."""
    return subjects_for(clip.layout.family, tuple(clip.layout.names))[0]


@cache
def subjects_for(family: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The subjects that keypoints of these names can be lifted as, the most likely first; all of them if none fits.

    Args:
        family: of the keypoints' layout, such as human or quadruped.
        names: of the keypoints.
    """
    subjects = [get_subject(name) for name in subject_names()]
    fitting = [s for s in subjects if family in ("", _OTHER, s.layout.family)]
    return tuple(s.name for s in sorted(fitting or subjects, key=lambda s: _rank(s, names)))


def _rank(subject: Subject, names: tuple[str, ...]) -> tuple[bool, float, int, str]:
    """Smaller is more likely: no keypoint of its object missing, most of its keypoints there, few of them."""
    wanted, known = set(subject.layout.names), set(names)
    rigid_object = subject.rigid_object
    lacks = rigid_object is not None and not (rigid_object.points and set(rigid_object.points) <= known)
    return lacks, -len(wanted & known) / len(wanted), -len(wanted & known), subject.name
