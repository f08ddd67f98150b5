"""What a clip lacks and can be given: frames of a single picture, hips that are outside of the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from mvlift.keypoints.clip import KeypointClip

__all__ = ["never_seen", "repeated_to", "with_guessed_hips"]

GUESSED: Final = 0.2
"""Confidence of a guessed keypoint."""
_TRUNK: Final = 1.57
"""Distance from shoulders to hips over the distance between the shoulders, of keypoints as detectors place them."""
_HIPS: Final = 0.55
"""Distance between the hips over the distance between the shoulders."""
_SHOULDERS: Final = ("l_shoulder", "r_shoulder")


def repeated_to(clip: KeypointClip, frames: int) -> KeypointClip:
    """A clip whose last frame stands until it has so many frames; a longer clip as it is."""
    if len(clip) >= frames or not len(clip):
        return clip
    rows = np.minimum(np.arange(frames), len(clip) - 1)
    what = "is one picture, whose pose" if len(clip) == 1 else f"has only {len(clip)} frames, of which the last"
    return replace(
        clip,
        points=clip.points[rows],
        confidence=clip.confidence[rows],
        hands=None if clip.hands is None else clip.hands.frames(rows),
        assumptions=(*clip.assumptions, f"The clip {what} was repeated to {frames} frames."),
    )


def never_seen(clip: KeypointClip, names: tuple[str, ...]) -> bool:
    """Whether none of some keypoints, of which the layout has at least one, is seen in any frame."""
    columns = [clip.layout.index(n) for n in names if n in clip.layout.names]
    return bool(columns) and not clip.seen[:, columns].any()


def with_guessed_hips(clip: KeypointClip) -> KeypointClip:
    """A clip in which the hips are never seen, with hips straight below the shoulders; others as they are.

    A webcam shows people down to the chest. The trunk's length in the picture is taken from the widest shoulders, which
    are those seen from the front.
    """
    names = clip.layout.names
    if not {"l_hip", "r_hip", *_SHOULDERS} <= set(names) or not never_seen(clip, ("l_hip", "r_hip")):
        return clip
    left, right = (clip.layout.index(n) for n in _SHOULDERS)
    both = clip.seen[:, left] & clip.seen[:, right]
    if not both.any():
        return clip
    across = clip.points[:, left] - clip.points[:, right]
    width = max(float(np.quantile(np.linalg.norm(across[both], axis=1), 0.9)), 1.0)
    middle = (clip.points[:, left] + clip.points[:, right]) / 2
    points, confidence = clip.points.copy(), clip.confidence.copy()
    for name, side in (("l_hip", 0.5), ("r_hip", -0.5)):
        column = clip.layout.index(name)
        sideways = side * _HIPS * across * [1.0, 0.0]
        points[:, column] = np.where(both[:, None], middle + sideways + [0.0, _TRUNK * width], 0.0)
        confidence[:, column] = np.where(both, GUESSED, 0.0)
    note = "The hips are never seen: they were guessed below the shoulders. Film the person down to the hips."
    return replace(clip, points=points, confidence=confidence, assumptions=(*clip.assumptions, note))
