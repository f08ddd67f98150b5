"""What a detection is asked for, and what it reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mvlift.errors import DetectionError

__all__ = ["DEFAULT_DETECTOR", "DetectionOptions", "DetectionProgress", "Report"]

DEFAULT_DETECTOR: Final = "blazepose"


@dataclass(frozen=True)
class DetectionOptions:
    """Options of `detect_keypoints`.

    Attributes:
        detector: a name of the registry.
        hands: detect 21 points of each hand too.
        max_people: at most so many people a frame, the largest first; 0 for no limit.
        frames: first and last frame number (0-based, inclusive), None for all.
        fps: of a folder of pictures, or where the video's own rate is wrong.
        threads: of the networks; 0 takes what the machine has, at most 4.

    Raises:
        DetectionError: a value is outside the above.
    """

    detector: str = DEFAULT_DETECTOR
    hands: bool = False
    max_people: int = 0
    frames: tuple[int, int] | None = None
    fps: Fraction | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        if self.frames is not None and not 0 <= self.frames[0] <= self.frames[1]:
            raise DetectionError(
                f"{self.frames[0]}-{self.frames[1]} is not a frame range.", "Give first and last frame."
            )
        if self.fps is not None and not 0 < self.fps <= 10_000:
            raise DetectionError(f"{self.fps} frames per second is not a frame rate.", "Give the video's rate.")
        if self.max_people < 0 or self.threads < 0:
            raise DetectionError("The number of people and of threads cannot be negative.", "Give 0 for no limit.")


@dataclass(frozen=True)
class DetectionProgress:
    """Where a detection stands.

    Attributes:
        frame: frames that are done.
        frame_count: frames of the video as far as its header tells, None when unknown.
        people: in the last frame.
        frames_per_second: since this run began.
        seconds_left: estimate, None when the number of frames is unknown.
    """

    frame: int
    frame_count: int | None
    people: int
    frames_per_second: float
    seconds_left: float | None

    @property
    def fraction(self) -> float:
        """Share that is done, 0 when the number of frames is unknown."""
        return min(self.frame / self.frame_count, 1.0) if self.frame_count else 0.0


Report = Callable[[DetectionProgress], None]
