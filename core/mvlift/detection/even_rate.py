"""Time stamps of videos: are they times, is the rate variable, and keypoints on a grid of equal steps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.video import VideoInfo
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.keypoints.rates import exact_rate, grid_rate
from mvlift.typing import F32, F64

__all__ = ["RESAMPLED", "at_constant_rate", "frame_rate", "is_variable", "usable_times"]

RESAMPLED: Final = "variable_rate"
"""Name in a clip's metadata that says that its rows are equal steps in time and not the frames of the video."""
_JITTER: Final = 0.6
"""Time stamps may be off by so many frames before the rate counts as variable."""
_LONGEST_STEP: Final = 0.25
"""Seconds between two frames over which keypoints are interpolated."""
_STUCK: Final = 0.1
"""Share of the stamps that may not increase; files whose stamps are no times have more."""
_MISLED: Final = 1.6
"""Factor over the fastest and under the mean rate of the stamps beyond which a header's rate is not believed."""


def usable_times(times: F64) -> F64 | None:
    """Stamps (N,) in seconds that never decrease; None where they are missing or stand still and are no times."""
    if len(times) < 2 or not np.isfinite(times).all():
        return None
    increasing = np.maximum.accumulate(times)
    stuck = float((np.diff(increasing) <= 0).mean())
    return None if stuck > _STUCK else increasing


def frame_rate(times: F64 | None, info: VideoInfo, wanted: Fraction | None) -> Fraction | None:
    """The rate of the clips: as asked, or nominal, or from the time stamps.

    Args:
        times: (N,) usable stamps of the frames; None where there are none.
        info: of the video. Its header is not believed where the stamps contradict it: recordings of browsers say
            1000 frames a second.
        wanted: what the user says.
    """
    if wanted is not None or times is None:
        return wanted or info.fps
    steps = np.diff(times)
    fastest, mean = 1 / float(np.quantile(steps[steps > 0], 0.1)), 1 / float(steps.mean())
    if info.fps is not None and mean / _MISLED < info.fps < fastest * _MISLED:
        return info.fps
    return grid_rate(times - times[0]) or exact_rate(1 / float(np.median(steps[steps > 0])))


def is_variable(times: F64 | None, fps: Fraction | None) -> bool:
    """True where frames (N,) are not where a constant rate would have them."""
    if fps is None or times is None or len(times) < 2:
        return False
    steps = np.diff(times) * float(fps)
    drift = (times - times[0]) * float(fps) - np.arange(len(times))
    return bool(np.abs(drift).max() > _JITTER or (steps > 1 + _JITTER).any())


def at_constant_rate(clip: KeypointClip, numbers: NDArray[np.int64], times: F64, fps: Fraction) -> KeypointClip:
    """The clip on a grid of equal steps from the video's first frame, interpolated in time, hands too.

    Args:
        clip: a row for each frame number of the video.
        numbers, times: (N,) of the video's frames; seconds.
        fps: of the result.
    """
    time = times[np.searchsorted(numbers, clip.frames)]
    first, last = int(np.ceil(time[0] * fps - 0.5)), int(np.floor(time[-1] * fps + 0.5))
    grid = np.clip(np.arange(first, max(last, first) + 1) / float(fps), time[0], time[-1])
    points, confidence = _between_frames(clip.points, clip.confidence, time, grid)
    return replace(
        clip,
        points=points,
        confidence=confidence,
        first_frame=first,
        fps=fps,
        hands=None if clip.hands is None else _hands_between_frames(clip.hands, time, grid),
        metadata={**clip.metadata, RESAMPLED: True},
    )


def _hands_between_frames(hands: HandKeypoints, time: F64, grid: F64) -> HandKeypoints:
    count, shape = len(hands), hands.points.shape[1:3]
    points, confidence = _between_frames(
        hands.points.reshape(count, -1, 2), hands.confidence.reshape(count, -1), time, grid
    )
    nearest = np.abs(time[:, None] - grid).argmin(0) if hands.depth is not None else None
    depth = None if hands.depth is None or nearest is None else hands.depth[nearest]
    return HandKeypoints(points.reshape(len(grid), *shape, 2), confidence.reshape(len(grid), *shape), depth)


def _between_frames(points: F32, confidence: F32, time: F64, grid: F64) -> tuple[F32, F32]:
    """(G, K, 2) points and (G, K) confidence at other times.

    Args:
        points, confidence: (N, K, 2) and (N, K) at the times (N,), which do not decrease.
        time: seconds.
        grid: (G,) seconds, between the first and the last time.
    """
    seen = confidence > 0
    after = np.clip(np.searchsorted(time, grid, side="left"), min(1, len(time) - 1), len(time) - 1)
    before = np.maximum(after - 1, 0)
    step = np.maximum(time[after] - time[before], 1e-9)
    share = np.clip((grid - time[before]) / step, 0, 1)[:, None, None]
    both = (seen[before] & seen[after])[..., None] & (step < _LONGEST_STEP)[:, None, None]
    nearest = np.where(share[:, 0, 0] < 0.5, before, after)
    at = np.where(both, (1 - share) * points[before] + share * points[after], points[nearest])
    close = np.abs(time[nearest] - grid) < 0.5 * _LONGEST_STEP
    alone = np.where(close[:, None], confidence[nearest], 0)
    sure = np.where(both[..., 0], np.minimum(confidence[before], confidence[after]), alone)
    return at.astype(np.float32), sure.astype(np.float32)
