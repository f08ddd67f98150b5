"""The npz in which MVLift keeps detected people and hands a clip to its engine (`mvlift.keypoints.clip_file`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import is_clip_file, load_clips
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source
from mvlift.typing import F64

__all__: list[str] = []


def _recognise(source: Source) -> str | None:
    return "npz of a clip" if is_clip_file(source.arrays) else None


def _hands(clip: KeypointClip, seen: NDArray[np.bool_]) -> F64:
    """(N, 2, 21, 4) hands of the frames that show the person."""
    rows = np.full((int(seen.sum()), 2, HAND_KEYPOINTS, 4), np.nan)
    rows[..., 2] = 0
    if clip.hands is not None:
        rows[..., :2], rows[..., 2] = clip.hands.points[seen], clip.hands.confidence[seen]
        if clip.hands.depth is not None:
            rows[..., 3] = clip.hands.depth[seen]
    return rows


@reader("mvlift-clip", "MVLift clip", _recognise, rank=8)
def _read(source: Source) -> Detections:
    clips = load_clips(source.path)
    if not clips:
        raise KeypointError(f"{source.path.name} holds no people.", "Run the detector again.")
    best = clips[0]
    people = [(c, np.asarray(c.seen.any(1))) for c in clips if c.layout.names == best.layout.names]
    return Detections(
        frame=np.concatenate([c.frames[seen] for c, seen in people]),
        points=np.concatenate([c.points[seen].astype(np.float64) for c, seen in people]),
        confidence=np.concatenate([c.confidence[seen].astype(np.float64) for c, seen in people]),
        layout=best.layout,
        person=np.concatenate([np.full(int(seen.sum()), c.track_id) for c, seen in people]),
        ids_certain=True,
        units="pixels",
        image_size=best.image_size,
        fps=best.fps,
        notes=list(dict.fromkeys(note for clip, _ in people for note in clip.assumptions)),
        metadata={k: v for k, v in best.metadata.items() if k != "shot"},
        hands=np.concatenate([_hands(c, seen) for c, seen in people])
        if any(c.hands is not None for c, _ in people)
        else None,
    )
