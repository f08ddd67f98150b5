"""``export_rig``: an armature with its meshes, its motion and the camera as a file of another program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import bpy
from mvlift.amass import save_amass
from mvlift.errors import MvliftError
from mvlift.files import whole_file
from mvlift.motion_files import save_motion

from ..scene.preserve import active_only
from .motion_of import motion_of
from .root_bone import with_root_bone
from .scene_file import reason_of

__all__ = ["FORMATS", "export_rig", "fbx_presets"]

FORMATS: Final = {
    "FBX_UNREAL": ".fbx",
    "FBX_UNITY": ".fbx",
    "FBX_MAYA": ".fbx",
    "GLB": ".glb",
    "USD": ".usd",
    "BVH": ".bvh",
    "NPZ_SMPL": ".npz",
    "NPZ_SMPLH": ".npz",
    "NPZ_SMPLX": ".npz",
    "NPZ": ".npz",
}
_ADDONS: Final = {".fbx": "io_scene_fbx", ".glb": "io_scene_gltf2", ".bvh": "io_anim_bvh"}


@cache
def fbx_presets() -> dict[str, Any]:
    """Options of the FBX exporter by program."""
    return dict(json.loads(Path(__file__).with_name("fbx_presets.json").read_text(encoding="utf-8")))


def export_rig(context: Any, armature: Any, path: Path, form: str, camera: bool = True) -> Path:
    """Write one armature and what moves with it; the scene stays as it is.

    Args:
        context: of Blender.
        armature: with an Action.
        path: its extension is made the format's.
        form: one of ``FORMATS``.
        camera: the scene's camera goes into the file too, where it can.

    Raises:
        MvliftError: the format does not fit the armature, Blender lacks the exporter, or nothing can be written there.
    """
    if form not in FORMATS:
        raise MvliftError(f"{form} is no format.", f"Use one of {', '.join(FORMATS)}.")
    path = path.with_suffix(FORMATS[form])
    if form == "NPZ":
        return save_motion(motion_of(context, armature), path)
    if form.startswith("NPZ_"):
        variant: Any = form.removeprefix("NPZ_").lower()
        return save_amass(motion_of(context, armature), path, variant)
    _enable(path.suffix)
    try:
        with whole_file(path) as part:
            if form.startswith("FBX_"):
                _fbx(context, armature, str(part), fbx_presets()[form.removeprefix("FBX_").lower()], camera)
            else:
                with _only(context, armature, camera):
                    {"GLB": _glb, "USD": _usd, "BVH": _bvh}[form](context, armature, str(part))
    except OSError as error:
        raise MvliftError(f"{path} cannot be written ({error.strerror}).", "Choose another folder.") from error
    except (RuntimeError, AttributeError) as error:  # what Blender's operators raise
        raise MvliftError(f"Blender did not write {path.name}: {reason_of(error)}", "Use another format.") from error
    return path


def _enable(suffix: str) -> None:
    import addon_utils

    module = _ADDONS.get(suffix)
    if module is not None and not addon_utils.check(module)[1]:
        addon_utils.enable(module)


def parts_of(context: Any, armature: Any) -> list[Any]:
    """The armature and the meshes that it moves."""
    scene = context.view_layer.objects
    return [armature, *(o for o in scene if o.type == "MESH" and o.find_armature() == armature)]


@contextmanager
def _only(context: Any, armature: Any, camera: bool) -> Iterator[None]:
    """Inside, just what is exported is selected."""
    with active_only(context, armature):
        wanted = parts_of(context, armature)
        if camera and context.scene.camera is not None:
            wanted.append(context.scene.camera)
        for thing in wanted:
            thing.select_set(True)
        yield


def _fbx(context: Any, armature: Any, path: str, preset: dict[str, Any], camera: bool) -> None:
    with with_root_bone(context, armature, preset["root_bone"]) as rig, _only(context, rig, camera):
        bpy.ops.export_scene.fbx(
            filepath=path,
            use_selection=True,
            object_types={"ARMATURE", "MESH", "CAMERA"},
            add_leaf_bones=False,
            bake_anim=True,
            # one take, every frame keyed: other programs interpolate rotations in other ways
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_force_startend_keying=True,
            bake_anim_simplify_factor=0.0,
            **preset["options"],
        )


def _glb(context: Any, armature: Any, path: str) -> None:
    bpy.ops.export_scene.gltf(
        filepath=path,
        export_format="GLB",
        use_selection=True,
        export_cameras=True,
        export_animation_mode="ACTIVE_ACTIONS",
        # else Blender 4.2 lays every armature's Action of the file over this one's
        export_anim_single_armature=False,
        export_force_sampling=True,
        export_optimize_animation_size=False,
    )


def _usd(context: Any, armature: Any, path: str) -> None:
    operator: Any = bpy.ops.wm.usd_export
    operator(
        filepath=path, selected_objects_only=True, export_animation=True, export_armatures=True, export_cameras=True
    )


def _bvh(context: Any, armature: Any, path: str) -> None:
    scene = context.scene
    bpy.ops.export_anim.bvh(
        filepath=path,
        frame_start=scene.frame_start,
        frame_end=scene.frame_end,
        # Blender writes bones in the object's space: an object in centimetres would be a hundred metres tall
        global_scale=armature.matrix_world.median_scale,
        # bones of control rigs are moved by constraints, beside their parents too
        root_transform_only=not any(len(bone.constraints) for bone in armature.pose.bones),
    )
