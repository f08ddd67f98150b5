"""What the numbers of a file mean: pixels, fractions or percent, and whether they fit the picture's size."""

from __future__ import annotations

from typing import Final

import numpy as np

from mvlift.keypoints.detections import Detections
from mvlift.typing import F64

__all__ = ["ASSUMED_SIZE", "check_size", "find_units", "to_pixels"]

ASSUMED_SIZE: Final = (1280, 720)
_USUAL_SIZES: Final = ((640, 360), (640, 480), (854, 480), (960, 540), (1280, 720), (1920, 1080), (2560, 1440))
_OUTSIDE: Final = 0.25
"""Share of keypoints outside the picture that makes its size doubtful."""
_SMALL: Final = 0.5
"""If a person stays within this share of width and height for the clip, the pixels are likely those of a smaller
picture."""
_LONG: Final = 10


def _is_percent(values: F64, size: tuple[int, int] | None) -> bool:
    """Whether coordinates of unknown unit lie within 0 to 100 although the picture is larger, hence are percent."""
    inside = bool(((values >= -5) & (values <= 105)).mean() > 0.99 and values.max() < 150)
    return inside and bool(np.ptp(values) > 15) and (size is None or min(size) > 150)


def find_units(detections: Detections, points: F64, score: F64, size: tuple[int, int] | None, notes: list[str]) -> str:
    """ "pixels", "fraction", "percent" or "centred" (-1 to 1).

    Args:
        detections: of the reader.
        points: (N, J, 2) as written.
        score: (N, J), 0 = missing.
        size: of the picture, where it is known.
        notes: sentences for the user.
    """
    if detections.units != "unknown":
        return detections.units
    values = points[score > 0]
    if not len(values):
        return "pixels"
    if np.mean((values >= -0.5) & (values <= 1.5)) > 0.95 and np.ptp(values) < 8:
        low = np.quantile(values, 0.02, axis=0)
        often = (values < -0.02).mean(0) > 0.1  # of both axes: nobody is filmed who is beyond two edges for so long
        centred = ((low < -0.12).all() or often.all()) and np.abs(values).max() <= 1.001
        return "centred" if centred else "fraction"
    if np.mean((values >= -1.001) & (values <= 1.001)) > 0.99:
        return "centred"
    if detections.axes_uncertain and _is_percent(values, size):
        notes.append("No coordinate is far above 100: they were taken for percent of the picture.")
        return "percent"
    return "pixels"


def to_pixels(points: F64, units: str, size: tuple[int, int] | None) -> F64:
    """The points in pixels of a picture of a size, which is assumed where it is not known."""
    if units == "pixels":
        return points
    share = {"fraction": points, "percent": points / 100, "centred": (points + 1) / 2}[units]
    return share * np.array(size or ASSUMED_SIZE, dtype=np.float64)


def check_size(points: F64, score: F64, units: str, size: tuple[int, int] | None) -> str | None:
    """A sentence for the user where the keypoints do not fit the size of the picture, else None.

    Args:
        points: (N, J, 2) pixels.
        score: (N, J), 0 = missing.
        units: as found in the file.
        size: of the picture.
    """
    values = points[score > 0]
    if size is None or units != "pixels" or not len(values):
        return None
    width, height = size
    outside = float(((values < -0.02 * max(size)) | (values > 1.02 * np.array(size))).any(-1).mean())
    reach = np.quantile(values, 0.995, axis=0)
    if outside > _OUTSIDE:
        return (
            f"{100 * outside:.0f} % of the keypoints lie outside of the picture of {width}x{height}: is that the size "
            f"that they were detected in? They reach {reach[0]:.0f}, {reach[1]:.0f}."
        )
    if len(points) >= _LONG and (reach < _SMALL * np.array(size)).all() and (reach > 0).all():
        fits = next((s for s in _sizes_like(size) if (reach <= s).all()), None)
        if fits is not None:
            return (
                f"All keypoints lie in the upper left of the picture of {width}x{height}: they seem to be in pixels of "
                f"a smaller picture, such as {fits[0]}x{fits[1]}. Give the size that they were detected in."
            )
    return None


def _sizes_like(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Usual sizes of the same shape that are clearly smaller, small ones first."""
    usual = [*_USUAL_SIZES, *((h, w) for w, h in _USUAL_SIZES)]
    shape = size[0] / size[1]
    return sorted(s for s in usual if abs(s[0] / s[1] / shape - 1) < 0.02 and s[0] < 0.9 * size[0])
