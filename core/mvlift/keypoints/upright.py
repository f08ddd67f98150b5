"""Files in which y points up or stands before x, found by how people hold themselves."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.keypoints.layouts import Layout
from mvlift.typing import F64

__all__ = ["upright"]

_LEAST: Final = 5
"""Detections with a whole trunk that are needed to say anything."""
_NEARLY_ALL: Final = 0.95
_ALONG: Final = 0.8
"""Cosine between the trunk and an axis of the picture, from which on it lies along that axis."""


def upright(
    points: F64,
    score: F64,
    layout: Layout,
    units: str,
    size: tuple[int, int] | None,
    loose: bool,
    notes: list[str],
) -> F64:
    """The points with x right and y down, where nearly everybody's trunk shows that they are written otherwise.

    Args:
        points: (N, J, 2) in ``units``.
        score: (N, J), 0 = missing.
        layout: only people have a trunk to go by.
        units: "pixels", "fraction", "percent" or "centred".
        size: of the picture, where it is known.
        loose: a script's own format, which is put right; in others only a note is added, because the video may be so.
        notes: sentences for the user.
    """
    corners = ("l_shoulder", "r_shoulder", "l_hip", "r_hip")
    if layout.family != "human" or not all(c in layout.names for c in corners):
        return points
    at = [layout.index(c) for c in corners]
    whole = (score[:, at] > 0).all(1)
    trunk = points[whole][:, at[2:]].mean(1) - points[whole][:, at[:2]].mean(1)
    length = np.linalg.norm(trunk, axis=1)
    trunk = trunk[length > 0] / length[length > 0, None]
    if len(trunk) < _LEAST:
        return points
    if (trunk[:, 1] < -_ALONG).mean() > _NEARLY_ALL:
        return _turned_over(points, score, units, size, notes) if loose else _noted(points, "upside down", notes)
    if (np.abs(trunk[:, 0]) > _ALONG).mean() > _NEARLY_ALL:
        as_movenet = loose and units == "fraction" and points.shape[1] == 17 and (trunk[:, 0] > 0).all()
        if not as_movenet:
            return _noted(points, "on their side", notes)
        notes.append("Everybody lies on their side: y was taken to stand before x, as MoveNet writes it.")
        return points[..., ::-1]
    return points


def _noted(points: F64, how: str, notes: list[str]) -> F64:
    notes.append(f"Everybody is {how}. If they are not so in the video, it was turned before detection: turn it back.")
    return points


def _turned_over(points: F64, score: F64, units: str, size: tuple[int, int] | None, notes: list[str]) -> F64:
    y = points[..., 1]
    seen = score > 0
    both_ends = {"fraction": 1.0, "percent": 100.0, "centred": 0.0}.get(units)
    if both_ends is None:
        both_ends = float(size[1]) if size else float(y[seen].max())
    notes.append(
        "Everybody stands on their head: y was taken to point up."
        + (
            ""
            if units != "pixels" or size
            else " The picture's height is unknown: the highest point is its upper edge."
        )
    )
    return np.stack([points[..., 0], np.where(seen, both_ends - y, 0.0)], -1)
