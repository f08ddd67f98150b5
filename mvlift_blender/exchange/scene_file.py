"""Saving what was lifted as a file of another program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import bpy
from mvlift.errors import MvliftError
from mvlift.files import whole_file

__all__ = ["export_file", "reason_of"]

_EXCEPTION: Final = re.compile(r"^\w+(Error|Exception): (\[Errno \d+\] )?")
_ADDONS: Final = {".fbx": "io_scene_fbx", ".glb": "io_scene_gltf2"}


def export_file(path: Path) -> None:
    """Write the scene; the extension says how.

    Args:
        path: .blend, .fbx, .glb or .usd, or .png for a picture.

    Raises:
        MvliftError: the extension is none of these, this Blender lacks the exporter, or the folder cannot be written.
    """
    writers = {".blend": _blend, ".fbx": _fbx, ".glb": _glb, ".usd": _usd, ".png": _picture}
    suffix = path.suffix.lower()
    if suffix not in writers:
        raise MvliftError(f"{path.name}: {suffix or 'no extension'} cannot be written.", f"Use {' '.join(writers)}.")
    try:
        with whole_file(path) as part:
            _enable(suffix)
            writers[suffix](str(part))
    except OSError as error:
        raise MvliftError(f"{path} cannot be written ({error.strerror}).", "Choose another folder.") from error
    except (RuntimeError, AttributeError) as error:  # what Blender's operators raise
        raise MvliftError(f"Blender did not write {path.name}: {reason_of(error)}", "Use another format.") from error


def reason_of(error: Exception) -> str:
    """Why a Blender exporter failed, in a sentence."""
    text = str(error).strip()
    if "could not be found" in text:
        return "this Blender is built without that exporter."
    # of an exporter's traceback its last line, without the place in Blender's own code that follows
    lines = [line.strip() for line in text.splitlines() if not line.startswith(("Location:", "  "))]
    if not lines:
        return "it does not say why."
    return _EXCEPTION.sub("", lines[-1].removeprefix("Error: "))


def _enable(suffix: str) -> None:
    """Exporters that are extensions of Blender's own may be switched off."""
    import addon_utils

    module = _ADDONS.get(suffix)
    if module is not None and not addon_utils.check(module)[1]:
        addon_utils.enable(module)


def _blend(path: str) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True, compress=True, relative_remap=False)


def _fbx(path: str) -> None:
    # one take, every frame keyed: other programs interpolate rotations in other ways
    bpy.ops.export_scene.fbx(
        filepath=path,
        object_types={"ARMATURE", "MESH", "CAMERA", "EMPTY"},
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
    )


def _glb(path: str) -> None:
    bpy.ops.export_scene.gltf(filepath=path, export_format="GLB", export_cameras=True)


def _usd(path: str) -> None:
    operator: Any = bpy.ops.wm.usd_export
    operator(filepath=path, export_animation=True)


def _picture(path: str) -> None:
    from .picture import render_picture

    render_picture(Path(path))
