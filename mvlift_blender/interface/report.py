"""Error reports to copy, with versions and without the name of the home folder."""

from __future__ import annotations

import platform
import traceback
from pathlib import Path

import bpy
from mvlift.errors import EngineError, MvliftError

__all__ = ["bug_report", "explain", "masked"]


def masked(text: str) -> str:
    """The text with the user's home folder written as ~."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def bug_report(error: BaseException, doing: str) -> str:
    """Versions, what was being done, and the traceback."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("mvlift")
    except PackageNotFoundError:
        release = "unknown"
    lines = [
        f"MVLift {release}, Blender {bpy.app.version_string}, "
        f"Python {platform.python_version()}, {platform.platform()}",
        f"While: {doing}",
        "".join(traceback.format_exception(error)),
    ]
    return masked("\n".join(lines))


def explain(error: BaseException) -> str | None:
    """The sentence for an expected error, or None for a bug."""
    if isinstance(error, EngineError) and "No module named" in error.message:
        missing = error.message.rpartition("No module named")[2].strip(" ').")
        return (
            f"The engine's Python has no {missing}. In the extension's preferences choose an interpreter that has "
            "it, or Blender's Python; Test Engine says what is missing."
        )
    return str(error) if isinstance(error, MvliftError) else None
