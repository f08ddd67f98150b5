"""Lifting without a window: Blender's command line, or `python -m mvlift_blender.headless` with Blender as a module."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import bpy
import tyro
from mvlift.cli import Convert, Inspect, Lift
from mvlift.errors import MvliftError
from mvlift.motion import LiftedMotion

from .lifting import LiftPlan, write_lifted
from .retargeting.command import Retarget, run_retarget
from .scene.write import WriteOptions, WrittenMotion

if TYPE_CHECKING:
    from mvlift.commands.outputs import People

__all__ = ["new_scene", "run_command", "write_blender_file", "write_people"]


@dataclass(frozen=True)
class _Named:
    """What the scene remembers of a person besides the motion; stands for the request of a lift."""

    name: str
    source: str
    track: str


@dataclass(frozen=True)
class Write:
    """Write motions that were lifted before as a file of Blender's, or draw them."""

    motions: tyro.conf.Positional[list[Path]]
    """Motions as .npz, people of one video."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The file: .blend .fbx .glb .usd, or .png for a picture."""
    body: Path | None = None
    """An SMPL model file of your own instead of the default body."""


_Command = (
    Annotated[Lift, tyro.conf.subcommand("lift")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Write, tyro.conf.subcommand("write")]
    | Annotated[Retarget, tyro.conf.subcommand("retarget")]
)


def run_command(arguments: list[str]) -> int:
    """Run `lift`, `inspect`, `convert`, `write` or `retarget`; gives the exit code.

    Raises:
        SystemExit: the arguments are wrong, or ask for help.
    """
    from rich.console import Console

    command = tyro.cli(_Command, prog="mvlift", args=arguments)
    console = Console(stderr=True, highlight=False)
    try:
        if isinstance(command, Lift):
            return _lift(command, console)
        if isinstance(command, Write):
            _write(command)
            return 0
        if isinstance(command, Retarget):
            for path in run_retarget(command):
                console.print(f"{path} written", markup=False, soft_wrap=True)
            return 0
        from mvlift.commands import inspect

        run = inspect.run_inspect if isinstance(command, Inspect) else inspect.run_convert
        return run(command, console)
    except MvliftError as error:
        console.print(f"mvlift: {error}", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("mvlift: interrupted; nothing half-written is left")
        return 130


def _lift(command: Any, console: Any) -> int:
    from mvlift.commands.lift import run_lift
    from mvlift.worker.client import EngineClient

    from .preferences import body_file, engine_source

    source = engine_source(bpy.context)
    body = command.body or body_file(bpy.context)

    def engine() -> EngineClient:
        return EngineClient(source.python, source.pythonpath)

    return run_lift(command, console, engine, lambda people, output: write_people(people, output, body))


def write_people(people: People, output: Path, body: Path | None = None) -> None:
    """Write the lifted people of one clip to a file of any format.

    Raises:
        MvliftError: the format is not known, or the file cannot be written.
    """
    from mvlift.commands.outputs import BLENDER_FORMATS, labelled, write_motion

    if output.suffix.lower() in (*BLENDER_FORMATS, ".png"):
        write_blender_file([labelled(*pair) for pair in people], output, body)
    else:
        write_motion(people, output)


def _write(command: Write) -> None:
    write_blender_file([LiftedMotion.load(path) for path in command.motions], command.output, command.body)


def write_blender_file(motions: list[LiftedMotion], output: Path, body: Path | None = None) -> None:
    """Write motions to .blend, .fbx, .glb or .usd, or draw them as .png; the open scene is lost.

    Raises:
        MvliftError: the format is not known, or the file cannot be written.
    """
    from .exporting import export_file

    new_scene()
    place(motions, body)
    export_file(output.resolve())


def new_scene() -> None:
    """An empty scene with factory settings; extensions stay enabled."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


def place(motions: list[LiftedMotion], body: Path | None = None) -> list[WrittenMotion]:
    """Write people of one video into the scene, as the button does."""
    people = []
    for motion in motions:
        facts = motion.metadata
        name, source, track = (str(facts.get(key, "")) for key in ("name", "source", "track"))
        people.append((_Named(name or "Person", source, track), motion))
    # the requests of a plan are what the engine is asked for; here it has answered already
    return write_lifted(bpy.context, LiftPlan((), WriteOptions(), body), people)


def main() -> None:
    """With Blender as a module: register, run, and leave without Blender's own exit.

    Before 5.0 it hangs or crashes there once a class of an extension was registered.
    """
    from . import register
    from .cli import run
    from .engine import close_engine

    register()
    code = run(sys.argv[1:])
    close_engine()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
