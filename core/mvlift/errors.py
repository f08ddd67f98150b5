"""Errors that a user can act on. Every message says what was found, what was expected and what to do."""

from __future__ import annotations

__all__ = [
    "BodyFileError",
    "CameraError",
    "DamagedFileError",
    "DetectionError",
    "EngineError",
    "KeypointError",
    "LiftError",
    "ModelError",
    "MvliftError",
    "UsageError",
]


class MvliftError(Exception):
    """Base of every error that MVLift raises on purpose.

    Args:
        message: what was wrong, with the file or key and the value that was found.
        remedy: what the user can do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message if not remedy else f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class KeypointError(MvliftError):
    """A keypoint file or clip cannot be used."""


class DamagedFileError(MvliftError):
    """A file of any kind is damaged, is not what its name says, or needs more memory than the limit."""


class CameraError(MvliftError):
    """A camera track cannot be used."""


class DetectionError(MvliftError):
    """A video cannot be read, or its people cannot be detected."""


class BodyFileError(MvliftError):
    """A body model file (SMPL, SMAL, pose prior) cannot be used."""


class ModelError(MvliftError):
    """Network weights are missing, damaged or do not fit the request."""


class LiftError(MvliftError):
    """A clip cannot be lifted to 3D."""


class EngineError(MvliftError):
    """The engine process failed, was killed or speaks another protocol version."""


class UsageError(MvliftError):
    """An argument of a command is wrong, whatever its input holds; the command ends with exit code 2."""
