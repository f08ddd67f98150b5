"""Reports that a user can copy into a bug report, with versions in and the home folder out."""

from __future__ import annotations

import platform
import traceback
from pathlib import Path

import bpy

__all__ = ["bug_report", "masked"]


def masked(text: str) -> str:
    """The text with the user's home folder written as ~."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def bug_report(error: BaseException, doing: str) -> str:
    """Versions, what was being done, and the traceback."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("mvlift")
    except PackageNotFoundError:
        own = "unknown"
    lines = [
        f"MVLift {own}, Blender {bpy.app.version_string}, Python {platform.python_version()}, {platform.platform()}",
        f"While: {doing}",
        "".join(traceback.format_exception(error)),
    ]
    return masked("\n".join(lines))
