"""Detectors by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mvlift.detection.options import DetectionOptions
from mvlift.detection.poses import PoseDetector
from mvlift.errors import DetectionError

__all__ = ["DetectorEntry", "describe_detectors", "detector_names", "make_detector", "register_detector"]

Factory = Callable[[DetectionOptions, int], PoseDetector]
"""Makes a detector from the options and a number of threads."""


@dataclass(frozen=True)
class DetectorEntry:
    """A detector that can be asked for.

    Attributes:
        name: of the registry.
        title: one line for people.
        make: makes it.
        hands: it can find the points of the hands.
    """

    name: str
    title: str
    make: Factory
    hands: bool


_registry: dict[str, DetectorEntry] = {}


def register_detector(entry: DetectorEntry) -> None:
    """Add a detector; a name that is there already is replaced."""
    _registry[entry.name] = entry


def detector_names() -> tuple[str, ...]:
    """Names of the detectors, the default first."""
    return tuple(_registry)


def describe_detectors() -> tuple[DetectorEntry, ...]:
    """Every detector."""
    return tuple(_registry.values())


def make_detector(options: DetectionOptions) -> PoseDetector:
    """The detector that the options ask for.

    Raises:
        DetectionError: there is none of that name, it finds no hands, or something that it needs is not installed.
    """
    entry = _registry.get(options.detector)
    if entry is None:
        raise DetectionError(f"There is no detector {options.detector!r}.", f"Known: {', '.join(_registry)}.")
    if options.hands and not entry.hands:
        able = ", ".join(e.name for e in _registry.values() if e.hands)
        raise DetectionError(f"Detector {entry.name} finds no hands.", f"These do: {able}.")
    return entry.make(options, options.threads or min(4, os.cpu_count() or 1))


def _blazepose(landmarks: str) -> Factory:
    def make(options: DetectionOptions, threads: int) -> PoseDetector:
        from mvlift.detection.blazepose_detector import BlazePoseDetector

        return BlazePoseDetector(landmarks, options.hands, options.max_people, threads)

    return make


def _rtmlib(kind: str) -> Factory:
    def make(options: DetectionOptions, threads: int) -> PoseDetector:
        from mvlift.detection.rtmlib_detector import make_rtmlib

        return make_rtmlib(kind, options, threads)

    return make


_BUNDLED: Final = (
    DetectorEntry("blazepose", "BlazePose full: fast, bundled", _blazepose("pose_landmark_full"), True),
    DetectorEntry("blazepose-heavy", "BlazePose heavy: slower, steadier", _blazepose("pose_landmark_heavy"), True),
    DetectorEntry("rtmpose", "RTMPose body with feet (26 points) through rtmlib", _rtmlib("rtmpose"), False),
    DetectorEntry("rtmw", "RTMW whole body with hands (133 points) through rtmlib", _rtmlib("rtmw"), True),
)
for _entry in _BUNDLED:
    register_detector(_entry)
