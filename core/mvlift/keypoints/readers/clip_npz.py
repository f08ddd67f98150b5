"""The npz in which MVLift hands a clip to its engine (`mvlift.keypoints.clip_file`)."""

from __future__ import annotations

import numpy as np

from mvlift.keypoints.clip_file import load_clip
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []


def _recognise(source: Source) -> str | None:
    own = {"points", "confidence", "clip"} <= set(source.arrays)
    return "npz of a clip" if own else None


@reader("mvlift-clip", "MVLift clip", _recognise, rank=8)
def _read(source: Source) -> Detections:
    clip = load_clip(source.path)
    seen = clip.seen.any(1)
    return Detections(
        frame=clip.frames[seen],
        points=clip.points[seen].astype(np.float64),
        confidence=clip.confidence[seen].astype(np.float64),
        layout=clip.layout,
        person=np.full(int(seen.sum()), clip.track_id),
        ids_certain=True,
        units="pixels",
        image_size=clip.image_size,
        fps=clip.fps,
        metadata=dict(clip.metadata),
    )
