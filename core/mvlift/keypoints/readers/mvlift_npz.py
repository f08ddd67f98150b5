"""The 2D npz of the MVLift release: ``body_pose`` (T, J, 2), x by the picture's width, y by its height."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LAYOUTS: Final = {18: ("openpose18",), 20: ("animalpose20",), 17: ("ap10k17", "coco17")}


def _recognise(source: Source) -> str | None:
    return "npz with body_pose" if "body_pose" in source.arrays else None


@reader("mvlift", "MVLift npz", _recognise, rank=10)
def _read(source: Source) -> Detections:
    poses = source.arrays["body_pose"]
    if poses.ndim != 3 or poses.shape[-1] not in (2, 3) or not len(poses) or poses.dtype.kind not in "fiu":
        raise KeypointError(
            f"{source.path.name}: body_pose has shape {poses.shape}, expected (frames, keypoints, 2).",
            "Save it as the release does.",
        )
    values = poses.astype(np.float64)
    return Detections(
        frame=np.arange(len(values)),
        points=values[..., :2],
        confidence=values[..., 2] if values.shape[-1] == 3 else None,
        layouts=_LAYOUTS.get(values.shape[1], ()),
        span=(0, len(values) - 1),
        units="fraction",
    )
