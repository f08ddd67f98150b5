"""Files in which y points up or stands before x, detected by the direction of people's trunks."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.layouts import Layout
from mvlift.typing import F64

__all__ = ["Axes", "find_axes", "with_axes"]

Axes = Literal["x right, y down", "y up", "y before x"]
_LEAST: Final = 5
"""Detections with a whole trunk that are needed to say anything."""
_NEARLY_ALL: Final = 0.95
_ALONG: Final = 0.8
"""Cosine between the trunk and an axis of the picture, from which on it lies along that axis."""
_SHOULDERS: Final = ("l_shoulder", "r_shoulder")
_HIPS: Final = ("l_hip", "r_hip")
_HEAD: Final = ("nose", "l_eye", "r_eye", "l_ear", "r_ear", "head", "head_top")


def _downward(points: F64, score: F64, layout: Layout) -> F64:
    """(M, 2) unit vectors from the shoulders to the hips, or from the head to the shoulders where hips are missing."""

    def middle(names: tuple[str, ...], least: int) -> tuple[F64, NDArray[np.bool_]]:
        at = [layout.index(n) for n in names if n in layout.names]
        seen = (score[:, at] > 0).astype(np.float64)
        count = seen.sum(1)
        mean = (points[:, at] * seen[..., None]).sum(1) / np.maximum(count, 1)[:, None]
        return mean, np.asarray(count >= least)

    shoulders, has_shoulders = middle(_SHOULDERS, 2)
    hips, has_hips = middle(_HIPS, 2)
    head, has_head = middle(_HEAD, 1)
    trunk, neck = (hips - shoulders)[has_shoulders & has_hips], (shoulders - head)[has_shoulders & has_head]
    vectors = trunk if len(trunk) >= _LEAST else neck
    length = np.linalg.norm(vectors, axis=1)
    return vectors[length > 0] / length[length > 0, None]


def find_axes(points: F64, score: F64, layout: Layout, units: str, axes_uncertain: bool, notes: list[str]) -> Axes:
    """Axis convention of a file, where the trunks of nearly all people agree on it.

    Args:
        points: (N, J, 2) in ``units``.
        score: (N, J), 0 = missing.
        layout: only people have a trunk to go by.
        units: "pixels", "fraction", "percent" or "centred".
        axes_uncertain: a script's own format, which is put right; in others only a note is added, because the video
            may be so.
        notes: sentences for the user.
    """
    if layout.family != "human" or not all(c in layout.names for c in _SHOULDERS):
        return "x right, y down"
    down = _downward(points, score, layout)
    if len(down) < _LEAST:
        return "x right, y down"
    if (down[:, 1] < -_ALONG).mean() > _NEARLY_ALL:
        if axes_uncertain:
            notes.append("All poses were upside down; y was read as pointing up.")
            return "y up"
        notes.append(_turned("upside down"))
    elif (np.abs(down[:, 0]) > _ALONG).mean() > _NEARLY_ALL:
        if axes_uncertain and units == "fraction" and points.shape[1] == 17 and (down[:, 0] > 0).all():
            notes.append("All poses lay on their side; y was read as standing before x, as MoveNet writes it.")
            return "y before x"
        notes.append(_turned("on their side"))
    return "x right, y down"


def _turned(orientation: str) -> str:
    return (
        f"All poses are {orientation}. If they are not so in the video, the video was rotated before detection, or the "
        "file's axes are not x right and y down: rotate it back, or export it again."
    )


def with_axes(points: F64, axes: Axes, units: str, size: tuple[int, int] | None, notes: list[str]) -> F64:
    """The points with x right and y down.

    Args:
        points: (..., 2) in ``units``, 0 where missing.
        axes: as found.
        units: of the points.
        size: of the picture, where it is known.
        notes: sentences for the user.
    """
    if axes == "x right, y down":
        return points
    seen = (points != 0).any(-1)
    if axes == "y before x":
        return points[..., ::-1]
    y = points[..., 1]
    height = {"fraction": 1.0, "percent": 100.0, "centred": 0.0}.get(units)
    if height is None:
        height = float(size[1]) if size else float(y[seen].max(initial=0.0))
        if not size:
            notes.append("The picture's height is unknown: the highest point is its upper edge.")
    return np.stack([points[..., 0], np.where(seen, height - y, 0.0)], -1)
