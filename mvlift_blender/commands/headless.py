"""Lifting without a window: what the commands do."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import bpy
import tyro
from mvlift.cli import Convert, Inspect, Lift
from mvlift.errors import LiftError, MvliftError, UsageError
from mvlift.files import DISK_ERRORS, temporary_folder
from mvlift.lifting.subjects import get_subject
from mvlift.motion import LiftedMotion

from ..lifting.write import WritePlan, write_lifted
from ..scene.objects import shape_of_object
from ..scene.write import WriteOptions, WrittenMotion
from .retarget import Retarget, run_retarget, with_every_rig

if TYPE_CHECKING:
    from mvlift.commands.outputs import People

__all__ = ["new_scene", "run_command", "write_blender_file", "write_people"]


@dataclass(frozen=True)
class _Named:
    """Name and source of a person, as ``LiftRequest`` has them, for motions that were lifted before."""

    name: str
    source: str
    track: str
    subject: str = ""


@dataclass(frozen=True)
class LiftInScene(Lift):
    """Lift 2D keypoints to 3D motion."""

    object: str = ""
    """Name of the scene object that the person handles. It is keyed; vertex groups or its box give the keypoints."""
    scene: Path | None = None
    """The .blend file to add the result to. With --object and without --scene, the open file is used."""


@dataclass(frozen=True)
class Write:
    """Write lifted motions to a Blender format, or render a picture of them."""

    motions: tyro.conf.Positional[list[Path]]
    """Motions as .npz, people of one video."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Output file: .blend, .fbx, .glb, .usd, or .png for a picture."""
    body: Path | None = None
    """An SMPL model file of your own instead of the default body."""
    object: str = ""
    """Name of the object in the scene that receives the motion's object keys."""
    scene: Path | None = None
    """The .blend file to add the result to. With --object and without --scene, the open file is used."""


_Command = (
    Annotated[LiftInScene, tyro.conf.subcommand("lift")]
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

    command = tyro.cli(_Command, prog="mvlift", args=with_every_rig(arguments))
    console = Console(stderr=True, highlight=False)
    try:
        if isinstance(command, LiftInScene):
            return _lift(command, console)
        if isinstance(command, Write):
            _write(command)
            return 0
        if isinstance(command, Retarget):
            return run_retarget(command, console)
        from mvlift.commands import inspect

        if isinstance(command, Inspect):
            return inspect.run_inspect(command, console)
        return inspect.run_convert(command, console)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        console.print(f"mvlift: {error.filename or 'A file'} cannot be written ({error.strerror}).", markup=False)
        return 1
    except MvliftError as error:
        console.print(f"mvlift: {error}", markup=False, soft_wrap=True)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        console.print("mvlift: interrupted; no partial file was left")
        return 130


def _lift(command: Any, console: Any) -> int:
    from mvlift.commands.lift import run_lift
    from mvlift.worker.client import EngineClient

    from ..settings.preferences import body_file, engine_source

    source = engine_source(bpy.context)
    body = command.body or body_file(bpy.context)
    place = _Place.of(command)

    def engine() -> EngineClient:
        return EngineClient(source.python, source.pythonpath)

    folder = temporary_folder()
    try:
        if place.rigid_object:
            shape = folder / "object.json"
            place.open()
            points = shape_of_object(place.object(), get_subject(command.subject).rigid).to_json()
            shape.write_text(json.dumps(points), encoding="utf-8")
            command = replace(command, object_shape=shape, object_name=place.rigid_object)
        return run_lift(command, console, engine, lambda people, output: write_people(people, output, body, place))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Place:
    """Where motions are written: a new scene, or a .blend with an object of the user's.

    Attributes:
        scene: the .blend, None for a new scene.
        rigid_object: name of the object in it, "" for none.
    """

    scene: Path | None = None
    rigid_object: str = ""

    @staticmethod
    def of(command: LiftInScene | Write) -> _Place:
        """As typed.

        Raises:
            LiftError: an object without a scene.
        """
        opened = Path(bpy.data.filepath) if command.object and bpy.data.filepath else None
        scene = command.scene or opened
        if command.object and scene is None:
            raise LiftError(f"--object {command.object}: no .blend is open.", "Give it with --scene FILE.blend.")
        return _Place(scene.resolve() if scene is not None else None, command.object)

    def open(self) -> None:
        """The scene as it was before anything was written."""
        if self.scene is None:
            new_scene()
            return
        try:
            bpy.ops.wm.open_mainfile(filepath=str(self.scene))
        except RuntimeError as error:
            raise LiftError(f"{self.scene} cannot be opened ({str(error).strip()}).", "Check --scene.") from error

    def object(self) -> Any | None:
        """The object in the open scene, None where none was named.

        Raises:
            LiftError: there is none of that name.
        """
        target = bpy.context.scene.objects.get(self.rigid_object) if self.rigid_object else None
        if self.rigid_object and target is None:
            names = ", ".join(o.name for o in bpy.context.scene.objects)
            raise LiftError(f"{self.scene} has no object {self.rigid_object!r}.", f"Its objects: {names}.")
        return target


def write_people(people: People, output: Path, body: Path | None = None, destination: _Place | None = None) -> None:
    """Write the lifted people of one clip to a file of any format.

    Raises:
        MvliftError: the format is not known, or the file cannot be written.
    """
    from mvlift.commands.outputs import BLENDER_FORMATS, labelled, write_motion

    if output.suffix.lower() in (*BLENDER_FORMATS, ".png"):
        write_blender_file([labelled(*pair) for pair in people], output, body, destination)
    else:
        write_motion(people, output)


def _write(command: Write) -> None:
    motions = [LiftedMotion.load(path) for path in command.motions]
    write_blender_file(motions, command.output, command.body, _Place.of(command))


def write_blender_file(
    motions: list[LiftedMotion], output: Path, body: Path | None = None, destination: _Place | None = None
) -> None:
    """Write motions to .blend, .fbx, .glb or .usd, or draw them as .png; the open scene is lost.

    Args:
        motions: people of one video.
        output: its extension says how.
        body: the user's body model.
        destination: the scene to open and the object in it to key, None for a new scene.

    Raises:
        MvliftError: the format is not known, or the file cannot be written.
    """
    from ..exchange.scene_file import export_file

    destination = destination or _Place()
    destination.open()
    place(motions, body, destination.object())
    export_file(output.resolve())


def new_scene() -> None:
    """An empty scene with factory settings; extensions stay enabled."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


def place(
    motions: list[LiftedMotion], body: Path | None = None, rigid_object: Any | None = None
) -> list[WrittenMotion]:
    """Write people of one video into the scene, as the button does."""
    people = []
    for motion in motions:
        facts = motion.metadata
        name, source, track = (str(facts.get(key, "")) for key in ("name", "source", "track"))
        people.append((_Named(name or "Person", source, track), motion))
    plan = WritePlan(WriteOptions(), body, rigid_object.name if rigid_object is not None else "")
    return write_lifted(bpy.context, plan, people)


def main() -> None:
    """Run the command line with Blender as a module, and exit without Blender's own clean-up.

    Before 5.0 it hangs or crashes there once a class of an extension was registered.
    """
    from .. import register
    from ..engine.process import close_engine
    from .cli import run

    register()
    code = run(sys.argv[1:])
    close_engine()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
