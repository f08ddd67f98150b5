"""MVLift: the 2D keypoints of a video become 3D motion in the world.

    import mvlift

    clips = mvlift.read_keypoints("dance_keypoints/")
    motion = mvlift.lift(clips[0], height=1.72)
    motion.save("dance.npz")

Importing it is light; torch is loaded by the first lift.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mvlift.errors import MvliftError
    from mvlift.keypoints.clip import KeypointClip
    from mvlift.keypoints.reading import inspect_keypoints, read_keypoints
    from mvlift.lifting.pipeline import lift
    from mvlift.motion import LiftedMotion
    from mvlift.motion_files import load_motion

__all__ = ["KeypointClip", "LiftedMotion", "MvliftError", "inspect_keypoints", "lift", "load_motion", "read_keypoints",
           "version"]  # fmt: skip

_HOMES: Final = {
    "KeypointClip": "mvlift.keypoints.clip",
    "LiftedMotion": "mvlift.motion",
    "MvliftError": "mvlift.errors",
    "inspect_keypoints": "mvlift.keypoints.reading",
    "lift": "mvlift.lifting.pipeline",
    "load_motion": "mvlift.motion_files",
    "read_keypoints": "mvlift.keypoints.reading",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return version()
    if name not in _HOMES:
        raise AttributeError(f"module 'mvlift' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def version() -> str:
    """Version of MVLift."""
    from importlib import metadata

    try:
        return metadata.version("mvlift")
    except metadata.PackageNotFoundError:
        return "unknown"
