"""Files that rigs come from: Blender's own, and those of other programs, which are imported into an empty scene."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Final

import bpy
from mvlift.errors import MvliftError

__all__ = ["RIG_SUFFIXES", "open_rig", "split_rig"]

_ADDONS: Final = {".fbx": "io_scene_fbx", ".glb": "io_scene_gltf2", ".gltf": "io_scene_gltf2", ".bvh": "io_anim_bvh"}
_OPERATORS: Final = {
    ".fbx": ("import_scene", "fbx"),
    ".glb": ("import_scene", "gltf"),
    ".gltf": ("import_scene", "gltf"),
    ".vrm": ("import_scene", "vrm"),
    ".bvh": ("import_anim", "bvh"),
}
RIG_SUFFIXES: Final = (".blend", *_OPERATORS)


def split_rig(rig: str) -> tuple[Path, str]:
    """File and object name of FILE or FILE:OBJECT; both may have colons.

    Raises:
        MvliftError: there is no such file.
    """
    ends = [len(rig), *(i for i in range(len(rig) - 1, 0, -1) if rig[i] == ":")]
    for end in ends:
        if Path(rig[:end]).is_file():
            return Path(rig[:end]).resolve(), rig[end + 1 :]
    named = rig if len(ends) == 1 or len(rig.split(":")[0]) == 1 else rig.rpartition(":")[0]
    raise MvliftError(f"{named} does not exist.", "Give a file with a rig, or FILE:OBJECT.")


def open_rig(rig: str) -> Any:
    """The armature of a file, which becomes the open scene.

    Raises:
        MvliftError: the file is missing, damaged or of another kind, or it holds no armature or several.
    """
    path, name = split_rig(rig)
    suffix = path.suffix.lower()
    if suffix not in RIG_SUFFIXES:
        raise MvliftError(
            f"{path.name} is not a rig file that can be opened.", f"Use one of {', '.join(RIG_SUFFIXES)}."
        )
    if suffix == ".blend":
        _open_blend(path)
    else:
        _import(path, suffix)
    return _armature(path, name)


def _open_blend(path: Path) -> None:
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    except RuntimeError as error:
        raise MvliftError(
            f"{path.name} cannot be opened: {_sentence(error)}", "Save it again in a Blender of this version."
        ) from error


def _import(path: Path, suffix: str) -> None:
    import addon_utils

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    module = _ADDONS.get(suffix)
    if module is not None and not addon_utils.check(module)[1]:
        addon_utils.enable(module)
    group, name = _OPERATORS[suffix]
    operator = getattr(getattr(bpy.ops, group), name)
    try:
        operator.get_rna_type()
    except (KeyError, AttributeError, RuntimeError) as error:
        raise MvliftError(
            f"This Blender has no importer for {suffix} files.", "Install its add-on, or save the rig as .blend."
        ) from error
    try:
        # the importers print a traceback of their own of a damaged file
        with redirect_stderr(io.StringIO()):
            operator(filepath=str(path))
    except Exception as error:  # importers let every kind of error of a damaged file through
        raise MvliftError(
            f"{path.name} cannot be imported: {_sentence(error)}",
            "Import it in Blender, save it as .blend and use that file.",
        ) from error


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines[-1] if lines else type(error).__name__).removeprefix("Error: ")
    return text if text.endswith(".") else f"{text}."


def _armature(path: Path, name: str) -> Any:
    armatures = [o for o in bpy.context.scene.objects if o.type == "ARMATURE"]
    if not armatures:
        raise MvliftError(f"{path.name} contains no armature.", "Give a file with a rig.")
    names = ", ".join(o.name for o in armatures)
    if name:
        armatures = [o for o in armatures if o.name == name]
        if not armatures:
            raise MvliftError(f"{path.name} contains no armature {name!r}.", f"It contains: {names}.")
    shown = [o for o in armatures if o.visible_get()] or armatures
    if path.suffix.lower() != ".blend":  # props that come with a character are small armatures of their own
        shown = [max(shown, key=lambda o: len(o.data.bones))]
    if len(shown) > 1:
        raise MvliftError(f"{path.name} contains several rigs: {names}.", f"Choose one: {path.name}:{shown[0].name}")
    return shown[0]
