"""The command `blender --background --command mvlift lift | inspect | convert | write | retarget`."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any

__all__ = ["add_commands", "remove_commands", "run"]

_commands: list[Any] = []


def run(arguments: Sequence[str]) -> int:
    """Run a command; the exit code is 0 when everything worked, 1 when something failed, 2 for wrong arguments."""
    from .headless import run_command

    try:
        return run_command(list(arguments))
    except SystemExit as end:  # how the parser says --help and wrong arguments
        return end.code if isinstance(end.code, int) else 2
    except Exception:
        traceback.print_exc()
        return 1


def add_commands() -> None:
    """Let Blender's command line know ``mvlift``."""
    import bpy

    _commands.append(bpy.utils.register_cli_command("mvlift", run))


def remove_commands() -> None:
    """Undo ``add_commands``."""
    import bpy

    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
