"""Where the commands report: on stderr, and with names and errors as they are, brackets included."""

from __future__ import annotations

from mvlift.errors import MvliftError
from rich.console import Console

__all__ = ["failed", "stderr_console"]


def stderr_console() -> Console:
    """A console that does not wrap long paths, and without markup, which would drop the brackets of ``[first,
    second]``."""
    return Console(stderr=True, markup=False, soft_wrap=True)


def failed(error: MvliftError) -> int:
    """Show the error that ends a command; returns its exit code."""
    console = stderr_console()
    console.print("error:", style="red", end=" ")
    console.print(str(error))
    return 1
