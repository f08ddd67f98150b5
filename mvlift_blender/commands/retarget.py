"""`mvlift retarget`: motions onto rigs without a window, and what a rig is recognised as."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import bpy
import tyro
from mvlift.errors import MvliftError

from .rig_files import RIG_SUFFIXES, open_rig, split_rig

if TYPE_CHECKING:
    from ..retargeting.rig_map import RigMap

__all__ = ["Retarget", "run_retarget", "with_every_rig"]

_EXPORTS = {".fbx": "FBX_UNREAL", ".glb": "GLB", ".usd": "USD", ".bvh": "BVH"}


@dataclass(frozen=True)
class Retarget:
    """Retarget motions to your rigs and write each result to a file, or print what a rig is recognised as."""

    motions: tyro.conf.Positional[list[Path]] = field(default_factory=list)
    """Motions: MVLift's own .npz, or AMASS .npz (SMPL, SMPL-H, SMPL-X)."""
    rig: tyro.conf.UseAppendAction[list[str]] = field(default_factory=list)
    """A file with a rig (.blend, .fbx, .glb, .vrm, .bvh), or FILE:OBJECT. Repeat the option for several rigs."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """A .blend, .fbx, .glb, .usd or .bvh file, or a folder. In a folder, files are named after rig and motion."""
    inspect: bool = False
    """Only print what each rig is recognised as: program, confidence, bones and notes."""
    json: bool = False
    """With --inspect: one JSON object for each rig, on standard output."""
    root: Literal["hips", "root", "in-place"] = "hips"
    """Which bone carries the path through the world."""
    bake: Literal["fk", "ik"] = "fk"
    """Key the bones, or the IK controls of Rigify and Auto-Rig Pro rigs."""
    feet: bool = True
    """Place the feet where the source's are, by IK with the rig's leg lengths."""
    directions: Literal["limbs", "all"] = "limbs"
    """Match the directions of arms and legs and keep the rig's posture, or match every bone."""
    keep_place: bool = False
    """Start at the rig's position and heading instead of the motion's."""
    scale: float | None = None
    """Scale of the path. By default, the ratio of the leg lengths."""
    map: Path | None = None
    """A bone map file to use instead of recognising the rig."""
    preset: Literal["unreal", "unity", "maya"] = "unreal"
    """Target program of an .fbx file."""
    extension: Literal["blend", "fbx", "glb", "usd", "bvh"] = "blend"
    """File format when the output is a folder."""
    overwrite: bool = False
    """Replace existing files when there are several results or the output is a folder."""


def with_every_rig(arguments: Sequence[str]) -> list[str]:
    """Arguments in which each rig has its own --rig: `--rig A B` is as good as `--rig A --rig B`."""
    expanded: list[str] = []
    for i, argument in enumerate(arguments):
        after_rig = len(expanded) > 1 and expanded[-2] == "--rig" and not argument.startswith("-")
        path = argument.split(":")[0] if argument[1:2] != ":" else argument[:2] + argument[2:].split(":")[0]
        if after_rig and i and path.lower().endswith(RIG_SUFFIXES):
            expanded.append("--rig")
        expanded.append(argument)
    return expanded


def run_retarget(command: Retarget, console: Any) -> int:
    """Retarget every motion to every rig, or report the rigs; the rig files are not changed. Returns the exit code.

    Raises:
        MvliftError: the output is of no known kind, or something that is needed was not given.
    """
    if not command.rig:
        raise MvliftError("No rig was given.", "Give it with --rig FILE.")
    if command.inspect:
        with _only_ours_on_stdout() as write:
            return max([_inspect(command, rig, write, console) for rig in command.rig])
    if not command.motions or command.output is None:
        raise MvliftError("Retargeting needs motions and --output.", "Or give --inspect to see what a rig is.")
    failed = 0
    for rig, motion, output in _results(command, command.output):
        if output.is_file() and not command.overwrite and _is_several(command):
            console.print(f"{output} exists: skipped", markup=False, soft_wrap=True)
            continue
        try:
            for line in _one(command, rig, motion, output):
                console.print(line, markup=False, soft_wrap=True)
        except MvliftError as error:
            failed = 1
            about = f"{Path(rig).name}: " if len(command.rig) > 1 or len(command.motions) > 1 else ""
            console.print(f"mvlift: {about}{error}", markup=False, soft_wrap=True)
    return failed


def _is_several(command: Retarget) -> bool:
    return len(command.rig) * len(command.motions) > 1 or (command.output is not None and not command.output.suffix)


def _results(command: Retarget, output: Path) -> Iterator[tuple[str, Path, Path]]:
    """Rig, motion and file of each result."""
    folder = output.is_dir() or not output.suffix
    suffix = f".{command.extension}" if folder else output.suffix.lower()
    if suffix not in (".blend", *_EXPORTS):
        known = ", ".join([".blend", *_EXPORTS])
        raise MvliftError(f"{output.name} cannot be written.", f"Use one of {known}, or a folder.")
    for rig in command.rig:
        for motion in command.motions:
            labels = [_stem(rig)] if len(command.rig) > 1 or folder else []
            labels += [motion.stem] if len(command.motions) > 1 or folder else []
            name = ".".join(labels if folder else [output.stem, *labels]) + suffix
            yield rig, motion, ((output if folder else output.parent) / name).resolve()


def _stem(rig: str) -> str:
    try:
        path, name = split_rig(rig)
    except MvliftError:
        return Path(rig).stem
    return f"{path.stem}.{bpy.path.clean_name(name)}" if name else path.stem


@contextmanager
def _only_ours_on_stdout() -> Iterator[Any]:
    """A function that writes a line to standard output; output of Blender and its importers goes to standard error."""
    _flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        # what Python prints may go another way than file number 1
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as out, redirect_stdout(sys.stderr):
            yield lambda text: print(text, file=out, flush=True)
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    """Flush the buffers of standard output in Python and C."""
    sys.stdout.flush()
    library = ctypes.CDLL(None) if os.name == "posix" else ctypes.CDLL("ucrtbase")
    library.fflush(None)


def _inspect(command: Retarget, rig: str, write: Any, console: Any) -> int:
    from ..retargeting.report import refused_report, report_text, rig_report

    try:
        bone_map = _map_of(command, open_rig(rig))
    except MvliftError as error:
        if command.json:
            write(json.dumps(refused_report(str(error)), ensure_ascii=False))
        console.print(f"mvlift: {error}", markup=False, soft_wrap=True)
        return 1
    write(json.dumps(rig_report(bone_map), ensure_ascii=False) if command.json else report_text(bone_map))
    return 0


def _map_of(command: Retarget, armature: Any) -> RigMap:
    """The rig's map: the user's, or as recognised.

    Raises:
        MvliftError: none can be used.
    """
    from ..retargeting.bone_map import load_map
    from ..retargeting.checks import usable
    from ..retargeting.detect import candidates
    from ..retargeting.rig import detect_rig, shape_of

    if command.map is None:
        return usable(armature, detect_rig(armature))
    shape = shape_of(armature)
    return usable(armature, candidates(shape, [load_map(command.map)])[0].rig, confirmed=True)


def _one(command: Retarget, rig: str, motion: Path, output: Path) -> Iterator[str]:
    """Retarget and write one result; yields notes for the user."""
    from ..exchange.importing import import_motion
    from ..retargeting.detect import how_sure
    from ..retargeting.retarget import RetargetOptions, retarget
    from ..retargeting.solve import SolveOptions

    if not motion.is_file():
        raise MvliftError(f"{motion} does not exist.", "Give a motion as .npz.")
    target = open_rig(rig)
    bone_map = _map_of(command, target)
    yield f"{target.name}: {how_sure(bone_map)}" if command.map is None else f"{target.name}: map {command.map.name}"
    source = import_motion(bpy.context, motion.resolve(), body=False, camera=False)
    modes: Any = {"hips": "HIPS", "root": "ROOT", "in-place": "IN_PLACE"}
    directions: Any = command.directions.upper()
    bake: Any = command.bake.upper()
    solve_options = SolveOptions(modes[command.root], command.feet, directions, command.scale, command.keep_place)
    result = retarget(
        bpy.context, source.armature, target, RetargetOptions(solve_options, bake, name=motion.stem), bone_map
    )
    target = result.armature
    yield from (f"  {note}" for note in (*bone_map.notes, *result.notes))
    for data in (source.armature, source.armature.data, source.curves.action, source.collection):
        bpy.data.batch_remove([data])
    bpy.context.view_layer.update()  # else the view layer still holds what was removed
    yield f"{_write(command, target, output)} written"


def _write(command: Retarget, target: Any, output: Path) -> Path:
    from ..exchange.export import export_rig
    from ..exchange.scene_file import export_file

    suffix = output.suffix.lower()
    if suffix == ".blend":
        export_file(output)
        return output
    form = f"FBX_{command.preset.upper()}" if suffix == ".fbx" else _EXPORTS[suffix]
    return export_rig(bpy.context, target, output, form)
