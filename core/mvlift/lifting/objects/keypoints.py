"""The 2D keypoints of an object: found in a clip by name, put beside a person's, cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mvlift.errors import LiftError
from mvlift.keypoints.cleaning import clean_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout
from mvlift.keypoints.naming import keypoint_name
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.typing import F64

__all__ = ["ObjectClip", "object_clip", "seen_points", "with_object_points"]


@dataclass(frozen=True, eq=False)
class ObjectClip:
    """The 2D keypoints of an object beside a clip's frames.

    Attributes:
        names: (P,).
        pixels: (T, P, 2) cleaned.
        raw: (T, P, 2) as given.
        confidence: (T, P), 0 = missing.
    """

    names: tuple[str, ...]
    pixels: F64
    raw: F64
    confidence: F64


def _columns(clip: KeypointClip, names: Sequence[str]) -> dict[str, int]:
    """Which column each of an object's keypoints has, for those that the clip has."""
    written = {keypoint_name(n): i for i, n in reversed(list(enumerate(clip.layout.names)))}
    written |= {n: i for i, n in enumerate(clip.layout.names)}
    return {n: written[key] for n in names for key in [n if n in written else keypoint_name(n)] if key in written}


def seen_points(clip: KeypointClip, names: Sequence[str]) -> int:
    """How many of an object's keypoints are seen in a tenth of a clip or more."""
    columns = list(_columns(clip, names).values())
    return int((clip.seen[:, columns].mean(0) >= 0.1).sum()) if columns else 0


def with_object_points(clip: KeypointClip, track: KeypointClip, names: Sequence[str]) -> KeypointClip:
    """A person's clip with an object's keypoints from another clip of the same video beside it.

    Args:
        clip: of the person.
        track: of the object (another person of the same file, or point tracks of their own); frames are matched by
            their numbers in the video.
        names: of the object's keypoints.

    Raises:
        LiftError: the track lacks the keypoints, or is of another rate or picture.
    """
    columns = _columns(track, names)
    if len(columns) < 4:
        raise LiftError(
            f"{track.source or 'The track'} has {len(columns)} of the object's keypoints {', '.join(names[:8])}; "
            f"it has {', '.join(track.layout.names[:8])}.",
            "Name at least four of its points like the object's.",
        )
    if clip.fps is not None and track.fps is not None and clip.fps != track.fps:
        raise LiftError(
            f"The person has {float(clip.fps):g} frames a second, the object {float(track.fps):g}.",
            "Give both from one video.",
        )
    if clip.image_size is not None and track.image_size is not None and clip.image_size != track.image_size:
        raise LiftError(
            f"The person was seen in {clip.image_size}, the object in {track.image_size} pixels.",
            "Scale the tracks to the video.",
        )
    points = np.zeros((len(clip), len(names), 2), np.float32)
    confidence = np.zeros((len(clip), len(names)), np.float32)
    rows = np.flatnonzero((clip.frames >= track.first_frame) & (clip.frames < track.first_frame + len(track)))
    theirs = clip.frames[rows] - track.first_frame
    for i, name in enumerate(names):
        if name in columns:
            points[rows, i] = track.points[theirs, columns[name]]
            confidence[rows, i] = track.confidence[theirs, columns[name]]
    kept = [i for i, n in enumerate(clip.layout.names) if n not in names and keypoint_name(n) not in names]
    layout = replace(
        clip.layout, name="named", names=(*(clip.layout.names[i] for i in kept), *names), mirror=(), bones=()
    )
    return replace(
        clip,
        points=np.concatenate([clip.points[:, kept], points], 1),
        confidence=np.concatenate([clip.confidence[:, kept], confidence], 1),
        layout=layout,
        fps=clip.fps if clip.fps is not None else track.fps,
        image_size=clip.image_size if clip.image_size is not None else track.image_size,
    )


def object_clip(clip: KeypointClip, shape: ObjectShape, smoothing: float) -> ObjectClip:
    """An object's keypoints out of a clip that has them.

    Args:
        clip: of person and object, with its frame rate.
        shape: whose keypoints are wanted.
        smoothing: strength of the cleaning, 0 for none.

    Raises:
        LiftError: too few are there, or too few are seen.
    """
    columns = _columns(clip, shape.names)
    if len(columns) < 4:
        raise LiftError(
            f"The clip has {len(columns)} of the object's keypoints {', '.join(shape.names[:8])}; it has "
            f"{', '.join(clip.layout.names[:8])}...",
            "Give the object's keypoints from a second file, or lift the person alone with the subject human.",
        )
    points = np.zeros((len(clip), len(shape.names), 2), np.float32)
    confidence = np.zeros((len(clip), len(shape.names)), np.float32)
    for i, name in enumerate(shape.names):
        if name in columns:
            points[:, i], confidence[:, i] = clip.points[:, columns[name]], clip.confidence[:, columns[name]]
    layout = Layout("object", shape.names, title=shape.name, family="other")
    raw = replace(clip, points=points, confidence=confidence, layout=layout)
    if ((confidence > 0).sum(1) >= 3).sum() < max(4, len(clip) // 20):
        raise LiftError(
            f"The keypoints of the object ({', '.join(shape.names[:4])}...) are hardly seen.",
            "Check their names, or lift the person alone with the subject human.",
        )
    clean = clean_clip(raw, smoothing=smoothing) if smoothing > 0 else raw
    return ObjectClip(
        names=shape.names,
        pixels=clean.points.astype(np.float64),
        raw=points.astype(np.float64),
        confidence=clean.confidence.astype(np.float64),
    )
