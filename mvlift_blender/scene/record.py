"""What an Action remembers of the lift that made it, so that clean-up works in a reopened file too."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from mvlift.motion import LiftedMotion
from numpy.typing import NDArray

from .timing import Timing

__all__ = ["LiftRecord", "read_record", "write_record"]

_KEY: Final = "mvlift"
_VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class LiftRecord:
    """A lift's facts.

    Attributes:
        body: kind of body.
        timing: where its samples lie in the scene.
        first_frame: number in the video of the first sample.
        contacts: (T, C) contact probabilities.
        contact_names: (C,).
        source: keypoint file, "" when unknown.
        track: which person of the file.
    """

    body: str
    timing: Timing
    first_frame: int
    contacts: NDArray[np.float64]
    contact_names: tuple[str, ...]
    source: str
    track: str


def write_record(action: Any, motion: LiftedMotion, timing: Timing, source: str, track: str) -> None:
    """Keep a lift's facts as a custom property of its Action."""
    action[_KEY] = {
        "version": _VERSION,
        "body": motion.body,
        "count": timing.count,
        "clip_fps": str(timing.clip_fps),
        "scene_fps": str(timing.fps),
        "start": timing.start,
        "first_frame": motion.first_frame,
        "contact_names": "\n".join(motion.contact_names),
        "contacts": np.asarray(motion.contacts, dtype=np.float64).ravel().tolist() or [0.0],
        "source": source,
        "track": track,
    }


def read_record(action: Any) -> LiftRecord | None:
    """The facts that an Action carries, or None when no lift made it."""
    data = action.get(_KEY) if action is not None else None
    if data is None or data.get("version") != _VERSION:
        return None
    names = tuple(data["contact_names"].split("\n")) if data["contact_names"] else ()
    count = int(data["count"])
    contacts = np.array(data["contacts"], dtype=np.float64)[: count * len(names)].reshape(count, len(names))
    timing = Timing(count, Fraction(data["clip_fps"]), Fraction(data["scene_fps"]), int(data["start"]))
    return LiftRecord(
        data["body"], timing, int(data["first_frame"]), contacts, names, data["source"], data["track"]
    )  # fmt: skip
