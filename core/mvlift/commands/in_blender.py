"""Commands that Blender does: they are handed on, with their options, to a Python or a Blender that has the add-on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from mvlift.commands.outputs import blender_command
from mvlift.errors import MvliftError

__all__ = ["run_in_blender"]


def run_in_blender(arguments: Sequence[str]) -> int:
    """Run a command by Blender; what it prints goes where this process prints. Gives its exit code.

    Args:
        arguments: as typed; ``--blender PATH`` names a Python with Blender as a module, or a Blender with the add-on.

    Raises:
        MvliftError: there is no Blender, or it cannot be started.
    """
    rest, blender = list(arguments), None
    for i, argument in enumerate(arguments):
        if argument == "--blender" and i + 1 < len(arguments):
            blender, rest = Path(arguments[i + 1]), [*arguments[:i], *arguments[i + 2 :]]
        elif argument.startswith("--blender="):
            blender, rest = Path(argument.partition("=")[2]), [*arguments[:i], *arguments[i + 1 :]]
    command = blender_command(blender)
    try:
        return subprocess.run([*command, *rest], check=False).returncode
    except OSError as error:
        raise MvliftError(f"{command[0]} cannot be started ({error.strerror}).", "Check --blender.") from error
