"""Frame rates: a clip lasts as many seconds in the scene as it does in the video, whatever the two rates are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from mvlift.kinematics.quaternions import continuous, slerp
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["RateMode", "Timing", "resample_rotations", "resample_values"]

RateMode = Literal["CLIP", "SCENE"]


@dataclass(frozen=True)
class Timing:
    """Where a clip's samples lie in the scene.

    Attributes:
        count: samples in the clip.
        clip_fps: the clip's rate.
        fps: the scene's rate.
        start: scene frame of the first sample; a fraction where people of one video begin at different frames.
    """

    count: int
    clip_fps: Fraction
    fps: Fraction
    start: float

    @property
    def frames(self) -> F64:
        """(N,) scene frames to key: one a sample at equal rates, else whole ones and the clip's exact ends."""
        if self.clip_fps == self.fps:
            return self.start + np.arange(self.count, dtype=np.float64)
        last = self.start + float((self.count - 1) / self.clip_fps * self.fps)
        full_frames = np.arange(np.ceil(self.start), np.floor(last + 1e-9) + 1)
        ends = [f for f in (self.start, last) if not len(full_frames) or np.abs(full_frames - f).min() > 1e-9]
        return np.sort(np.append(full_frames, ends))

    def sample_at(self, frame: float) -> float:
        """Place of a scene frame in the clip, in samples; outside the clip too."""
        return (frame - self.start) * float(self.clip_fps / self.fps)

    def frame_at(self, sample: float) -> float:
        """Scene frame of a place in the clip."""
        return self.start + sample * float(self.fps / self.clip_fps)

    @property
    def samples(self) -> F64:
        """(N,) place of each of ``frames`` in the clip, in samples."""
        if self.clip_fps == self.fps:
            return np.arange(self.count, dtype=np.float64)
        return np.clip((self.frames - self.start) * float(self.clip_fps / self.fps), 0, self.count - 1)


def resample_values(values: F64, samples: F64) -> F64:
    """(T, ...) at fractional rows (N,), linearly."""
    lower, t = _split(values.shape[0], samples)
    t = t.reshape(-1, *[1] * (values.ndim - 1))
    return values[lower] * (1 - t) + values[np.minimum(lower + 1, len(values) - 1)] * t


def resample_rotations(q: F64, samples: F64) -> F64:
    """(T, ..., 4) quaternions at fractional rows (N,), spherically, signs continuous."""
    lower, t = _split(q.shape[0], samples)
    if not t.any():
        return q[lower]
    upper = np.minimum(lower + 1, len(q) - 1)
    share = np.broadcast_to(t.reshape(-1, *[1] * (q.ndim - 2)), q[lower].shape[:-1])
    return continuous(slerp(q[lower], q[upper], share))


def _split(count: int, samples: F64) -> tuple[NDArray[np.int64], F64]:
    lower = np.clip(np.floor(samples).astype(np.int64), 0, count - 1)
    return lower, samples - lower
