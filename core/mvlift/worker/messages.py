"""What the engine reports about a job, as the client gives it to the caller."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlift import errors
from mvlift.errors import EngineError, MvliftError
from mvlift.motion import LiftedMotion

__all__ = [
    "Cancelled",
    "DetectionResult",
    "EngineWarning",
    "Failure",
    "LiftResult",
    "Message",
    "Progress",
    "error_of",
]


@dataclass(frozen=True)
class Progress:
    """Title of the stage that runs, and the fraction of the job that is done."""

    job: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class EngineWarning:
    """A sentence for the user about a job that goes on."""

    job: int
    message: str


@dataclass(frozen=True, eq=False)
class LiftResult:
    """A finished job."""

    job: int
    motion: LiftedMotion


@dataclass(frozen=True)
class DetectionResult:
    """A video whose keypoints are in a file."""

    job: int
    file: Path


@dataclass(frozen=True)
class Failure:
    """A job that failed."""

    job: int
    error: MvliftError


@dataclass(frozen=True)
class Cancelled:
    """A job that was cancelled."""

    job: int


Message = Progress | EngineWarning | LiftResult | DetectionResult | Failure | Cancelled


def error_of(message: dict[str, Any]) -> MvliftError:
    """The exception that an error message of the engine stands for; of an unknown kind, an `EngineError`."""
    kind = getattr(errors, str(message.get("kind")), EngineError)
    if not (isinstance(kind, type) and issubclass(kind, MvliftError)):
        kind = EngineError
    return kind(str(message.get("message", "")), str(message.get("remedy", "")))
