"""The 2D keypoints of one person (or animal, or person with object) over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.keypoints.layouts import Layout
from mvlift.typing import F32

__all__ = ["KeypointClip"]


@dataclass(frozen=True, eq=False)
class KeypointClip:
    """One track of 2D keypoints, one row per video frame, gaps kept.

    Attributes:
        points: (T, J, 2) x right, y down, in square pixels; any value where ``confidence`` is 0 (readers write 0).
        confidence: (T, J) in [0, 1]; 0 means missing.
        layout: which keypoint each column is.
        fps: exact frame rate, or None when neither the file nor the user says it.
        image_size: (width, height) in pixels, or None when unknown.
        first_frame: number of row 0 in the video (0-based).
        track_id: which person of the file this is.
        source: file or folder that was read, or None.
        source_format: name of the reader that recognised it ("openpose", "alphapose", ...).
        assumptions: sentences for the user, one for each value that the file did not say and the reader decided.
        hands: 21 keypoints of each hand in the same frames, where the detector gave them.
        metadata: further facts of the file, by name, values that JSON can hold.

    Raises:
        KeypointError: a shape or value is outside the above.
    """

    points: F32
    confidence: F32
    layout: Layout
    fps: Fraction | None = None
    image_size: tuple[int, int] | None = None
    first_frame: int = 0
    track_id: str = "0"
    source: Path | None = None
    source_format: str = ""
    assumptions: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    hands: HandKeypoints | None = None

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float32)
        confidence = np.asarray(self.confidence, dtype=np.float32)
        name = str(self.source) if self.source is not None else "keypoints"
        joints = len(self.layout.names)
        if points.ndim != 3 or points.shape[1:] != (joints, 2):
            raise KeypointError(
                f"{name}: keypoints have shape {points.shape}, expected (frames, {joints}, 2) "
                f"for layout {self.layout.name}.",
                "Check the layout.",
            )
        if confidence.shape != points.shape[:2]:
            raise KeypointError(
                f"{name}: confidence has shape {confidence.shape}, expected {points.shape[:2]}.",
                "Give one confidence for each keypoint.",
            )
        if self.fps is not None and not 0 < self.fps <= 10_000:
            raise KeypointError(f"{name}: {self.fps} frames per second is not a frame rate.", "Give the video's rate.")
        if self.image_size is not None and min(self.image_size) <= 0:
            raise KeypointError(f"{name}: image size {self.image_size} is not positive.", "Give width and height.")
        if self.hands is not None and len(self.hands) != len(points):
            raise KeypointError(
                f"{name}: the hands have {len(self.hands)} frames, the body {len(points)}.",
                "Give hands for each frame.",
            )
        missing = ~(np.isfinite(points).all(-1) & np.isfinite(confidence) & (confidence > 0))
        object.__setattr__(self, "points", np.where(missing[..., None], np.float32(0), points))
        object.__setattr__(self, "confidence", np.where(missing, np.float32(0), np.clip(confidence, 0, 1)))
        self.points.setflags(write=False)
        self.confidence.setflags(write=False)

    def __len__(self) -> int:
        return int(self.points.shape[0])

    @property
    def frames(self) -> NDArray[np.int64]:
        """(T,) frame numbers in the video."""
        return np.arange(self.first_frame, self.first_frame + len(self), dtype=np.int64)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T, J) True where a keypoint was detected."""
        return self.confidence > 0

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the detected keypoints, 0 when there are none."""
        seen = self.seen
        return float(self.confidence[seen].mean()) if seen.any() else 0.0

    def gaps(self) -> list[tuple[int, int]]:
        """Runs of frames without any keypoint, as inclusive (first, last) frame numbers in the video."""
        empty = np.concatenate([[False], ~self.seen.any(1), [False]])
        edges = np.flatnonzero(np.diff(empty.astype(np.int8)))
        return [(int(a) + self.first_frame, int(b) - 1 + self.first_frame) for a, b in edges.reshape(-1, 2)]

    def restricted(self, first: int, last: int) -> KeypointClip:
        """The frames ``first`` to ``last`` (numbers in the video, inclusive) that the clip has.

        Raises:
            KeypointError: no frame of the clip lies in the range.
        """
        start, stop = max(first - self.first_frame, 0), min(last - self.first_frame + 1, len(self))
        if start >= stop:
            raise KeypointError(
                f"Frames {first} to {last} are outside the clip, which has frames {self.first_frame} "
                f"to {self.first_frame + len(self) - 1}.",
                "Choose a range inside it.",
            )
        return replace(
            self,
            points=self.points[start:stop],
            confidence=self.confidence[start:stop],
            first_frame=self.first_frame + start,
            hands=None if self.hands is None else self.hands.frames(slice(start, stop)),
        )
