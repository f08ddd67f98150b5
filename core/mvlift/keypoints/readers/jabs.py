"""JABS pose files (mice): ``poseest/points`` in (y, x), 12 keypoints, one mouse (v2) or several (v3 and later)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.damage import reports_damage
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_NAMES: Final = (
    "nose", "left_ear", "right_ear", "neck_base", "left_front_paw", "right_front_paw", "center_spine",
    "left_rear_paw", "right_rear_paw", "tail_base", "mid_tail", "tail_tip",
)  # fmt: skip
_IDS: Final = ("poseest/instance_track_id", "poseest/instance_embed_id")


@reports_damage
def _recognise(source: Source) -> str | None:
    return "h5 with poseest/points" if source.hdf5 and "poseest/points" in source.hdf5 else None


@reader("jabs", "JABS", _recognise, rank=10)
@reports_damage
def _read(source: Source) -> Detections:
    file, name = source.hdf5, source.path.name
    points = file.array("poseest/points") if file else np.zeros(0)
    if points.ndim == 3:
        points = points[:, None]
    if file is None or points.ndim != 4 or points.shape[3] != 2 or not points.size or points.dtype.kind not in "fiu":
        raise KeypointError(f"{name}: poseest/points has shape {points.shape}.", "Export JABS's pose file again.")
    frames, mice, joints, _ = points.shape
    score = np.ones(points.shape[:3])
    if "poseest/confidence" in file:
        score = file.array("poseest/confidence").reshape(points.shape[:3]).astype(np.float64)
    there: NDArray[np.bool_] = np.asarray((score > 0).any(-1))
    if "poseest/instance_count" in file:
        count = file.array("poseest/instance_count").reshape(-1)[:frames]
        there[: len(count)] &= np.arange(mice) < count[:, None]
    frame, mouse = np.nonzero(there)
    detections = Detections(
        frame=frame.astype(np.int64),
        points=points[frame, mouse, :, ::-1].astype(np.float64),  # written as y, x
        confidence=score[frame, mouse],
        names=_NAMES if joints == len(_NAMES) else tuple(f"point_{i + 1}" for i in range(joints)),
        span=(0, frames - 1),
        units="pixels",
    )
    key = next((k for k in _IDS if k in file and file.array(k).shape == there.shape), None)
    if mice == 1:
        detections.person, detections.ids_certain = np.full(len(frame), "0"), True
    elif key is not None:
        detections.person = file.array(key)[frame, mouse].astype(np.str_)
    return detections
