"""From one keypoint layout to another, by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout, get_layout

__all__ = ["map_clip"]


def map_clip(clip: KeypointClip, layout: Layout | str) -> KeypointClip:
    """The clip in another layout.

    A keypoint that the wanted layout derives from others (the neck from the shoulders) is their mean with the least
    of their confidences, because detectors disagree on where such points lie; where a part is missing, the clip's own
    keypoint of that name serves. Keypoints that the clip has not are missing.

    Args:
        clip: any clip.
        layout: the wanted layout or its name.

    Raises:
        KeypointError: the layouts belong to different families or share fewer than three keypoints.
    """
    target = get_layout(layout) if isinstance(layout, str) else layout
    if target.names == clip.layout.names:
        return replace(clip, layout=target)
    if clip.layout.family not in (target.family, "other"):
        raise KeypointError(
            f"The clip has {clip.layout.family} keypoints ({clip.layout.name}); {target.name} is for {target.family}.",
            f"Choose a subject for {clip.layout.family} keypoints.",
        )
    shape = (len(clip), len(target.names))
    points, confidence = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    derived = {**clip.layout.derived, **target.derived}
    for column, name in enumerate(target.names):
        if name in clip.layout.names:
            source_column = clip.layout.index(name)
            points[:, column], confidence[:, column] = clip.points[:, source_column], clip.confidence[:, source_column]
        parts = [p for p in derived.get(name, ()) if p in clip.layout.names]
        if parts and len(parts) == len(derived[name]):
            index = [clip.layout.index(p) for p in parts]
            least = clip.confidence[:, index].min(1)
            complete = least > 0
            points[complete, column] = clip.points[complete][:, index].mean(1)
            confidence[complete, column] = least[complete]
    if len(set(target.names) & set(clip.layout.names)) < min(3, len(target.names)):
        raise KeypointError(
            f"Layout {clip.layout.name} ({', '.join(clip.layout.names[:8])}...) shares almost no keypoint with "
            f"{target.name}.",
            f"Rename the keypoints to {', '.join(target.names[:5])}... or name the right layout.",
        )
    return replace(clip, points=points, confidence=confidence, layout=target)
