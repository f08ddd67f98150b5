"""`mvlift retarget`: motions onto rigs without a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import bpy
import tyro
from mvlift.errors import MvliftError

__all__ = ["Retarget", "run_retarget"]

_EXPORTS = {".fbx": "FBX_UNREAL", ".glb": "GLB", ".usd": "USD", ".bvh": "BVH"}


@dataclass(frozen=True)
class Retarget:
    """Put motions on rigs of your own and write each result to a file."""

    motions: tyro.conf.Positional[list[Path]]
    """Motions: MVLift's own .npz, or AMASS .npz (SMPL, SMPL-H, SMPL-X)."""
    rig: list[str]
    """Blender files with a rig, RIG.blend or RIG.blend:object; several are each given every motion."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """A .blend .fbx .glb .usd or .bvh file; with several rigs or motions, their names are added to its name."""
    root: Literal["hips", "root", "in-place"] = "hips"
    """Which bone carries the path through the world."""
    bake: Literal["fk", "ik"] = "fk"
    """Key the bones, or the IK controls of Rigify and Auto-Rig Pro rigs."""
    feet: bool = True
    """Keep the feet where the source's are, by IK on the rig's own leg lengths."""
    directions: Literal["limbs", "all"] = "limbs"
    """Match arms and legs and keep the rig's posture, or match every bone."""
    map: Path | None = None
    """A bone map of your own, instead of recognising the rig."""
    preset: Literal["unreal", "unity", "maya"] = "unreal"
    """What an .fbx is for."""


def run_retarget(command: Retarget) -> list[Path]:
    """Every motion to every rig; the files written. The rigs' own files stay as they are.

    Raises:
        MvliftError: a file cannot be read or written, or holds no rig.
    """
    if command.output.suffix.lower() not in (".blend", *_EXPORTS):
        known = ", ".join([".blend", *_EXPORTS])
        raise MvliftError(f"{command.output.name} cannot be written.", f"Use one of {known}.")
    written = []
    for rig in command.rig:
        for motion in command.motions:
            labels = [Path(_split(rig)[0]).stem] if len(command.rig) > 1 else []
            labels += [motion.stem] if len(command.motions) > 1 else []
            output = command.output.with_stem(".".join([command.output.stem, *labels]))
            written.append(_one(command, rig, motion, output.resolve()))
    return written


def _split(rig: str) -> tuple[str, str]:
    """File and object name; a colon may also follow a drive letter."""
    file, colon, name = rig.rpartition(":")
    return (file, name) if colon and file.lower().endswith(".blend") else (rig, "")


def _one(command: Retarget, rig: str, motion: Path, output: Path) -> Path:
    from ..exchange.importing import import_motion
    from ..retargeting.detect import candidates
    from ..retargeting.retarget import RetargetOptions, retarget
    from ..retargeting.rig import shape_of
    from ..retargeting.solve import SolveOptions

    target = _open(*_split(rig))
    source = import_motion(bpy.context, motion.resolve(), body=False, camera=False)
    modes: Any = {"hips": "HIPS", "root": "ROOT", "in-place": "IN_PLACE"}
    directions: Any = command.directions.upper()
    bake: Any = command.bake.upper()
    options = RetargetOptions(SolveOptions(modes[command.root], command.feet, directions), bake, name=motion.stem)
    target_map = None
    if command.map is not None:
        from ..retargeting.bone_map import load_map

        target_map = candidates(shape_of(target), [load_map(command.map)])[0].rig
    target = retarget(bpy.context, source.armature, target, options, target_map).armature
    for thing in (source.armature, source.armature.data, source.curves.action, source.collection):
        bpy.data.batch_remove([thing])
    return _write(command, target, output)


def _open(file: str, name: str) -> Any:
    """The rig of a Blender file, which becomes the open one."""
    path = Path(file).resolve()
    if not path.is_file():
        raise MvliftError(f"{path} does not exist.", "Give a .blend file with a rig.")
    bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    found = [o for o in bpy.context.scene.objects if o.type == "ARMATURE" and (not name or o.name == name)]
    shown = [o for o in found if o.visible_get()]
    if not shown:
        raise MvliftError(f"{path.name} holds no armature {name!r} that is shown.", "Give RIG.blend:object.")
    if len(shown) > 1:
        names = ", ".join(o.name for o in shown)
        raise MvliftError(f"{path.name} holds several rigs: {names}.", f"Choose one: {path.name}:{shown[0].name}")
    return shown[0]


def _write(command: Retarget, target: Any, output: Path) -> Path:
    from ..exchange.export import export_rig
    from ..exchange.scene_file import export_file

    suffix = output.suffix.lower()
    if suffix == ".blend":
        export_file(output)
        return output
    form = f"FBX_{command.preset.upper()}" if suffix == ".fbx" else _EXPORTS[suffix]
    return export_rig(bpy.context, target, output, form)
