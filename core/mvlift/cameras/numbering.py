"""Frame numbers of poses: from the names of pictures, or from time stamps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import CameraError
from mvlift.keypoints.numbering import last_number
from mvlift.typing import F64

__all__ = ["frame_numbers", "numbers_of_times"]


def frame_numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """(T,) 0-based frame numbers of pictures, from the last digits of their names.

    Numbers that begin with 1, as FFmpeg writes them, count from 1. Names without digits are counted in their order.
    """
    last_digits = [last_number(name) for name in names]
    if any(n is None for n in last_digits) or len(set(last_digits)) < len(last_digits):
        return np.argsort(np.argsort(np.array(names), kind="stable"), kind="stable").astype(np.int64)
    numbers = np.array(last_digits, dtype=np.int64)
    return numbers - 1 if numbers.min() == 1 else numbers


def numbers_of_times(times: F64, fps: Fraction | None, name: str) -> NDArray[np.int64]:
    """(T,) frame numbers of time stamps in seconds, or of whole numbers, which are frame numbers already.

    Raises:
        CameraError: the stamps are seconds and nobody says the frame rate, or two fall into one frame.
    """
    are_frame_numbers = (
        np.abs(times - np.round(times)).max() < 1e-6 and len(times) > 1 and np.diff(times).min() >= 1 - 1e-6
    )
    if are_frame_numbers and (times.max() - times.min()) < 50 * len(times):
        return np.round(times).astype(np.int64)
    if fps is None:
        raise CameraError(f"{name} has time stamps, and the frame rate is not known.", "Give --fps.")
    seconds = times - times[0]
    if len(times) > 1 and np.median(np.diff(seconds)) > 1e3:  # nanoseconds
        seconds = seconds / 1e9
    numbers = np.round(seconds * float(fps)).astype(np.int64)
    if (np.diff(numbers) <= 0).any():
        raise CameraError(
            f"{name}: at {float(fps):.5g} frames per second two poses fall into one frame.",
            "Give the rate that the camera was solved at.",
        )
    return numbers
