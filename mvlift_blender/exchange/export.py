"""``export_rig``: an armature with its meshes, its motion and the camera as a file of another program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import bpy
from mvlift.amass import save_amass
from mvlift.errors import MvliftError
from mvlift.files import whole_file
from mvlift.motion_files import save_motion

from ..scene.frame_rate import scene_fps
from ..scene.preserve import active_only
from .bvh import BvhUp, armature_bvh
from .glb_times import exact_times
from .motion_of import motion_of
from .pose_samples import sample_pose
from .scene_file import reason_of
from .stand_in import StandIn, stand_in

__all__ = ["FORMATS", "ExportOptions", "export_rig", "fbx_presets"]

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
_ADDONS: Final = {".fbx": "io_scene_fbx", ".glb": "io_scene_gltf2"}


@cache
def fbx_presets() -> dict[str, Any]:
    """Options of the FBX exporter by program."""
    return dict(json.loads(Path(__file__).with_name("fbx_presets.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class ExportOptions:
    """How an armature is written.

    Attributes:
        form: one of ``FORMATS``.
        camera: the scene's camera goes into the file too, where it can.
        bvh_up: axis that points up in BVH files.
    """

    form: str
    camera: bool = True
    bvh_up: BvhUp = "Y"


def export_rig(context: Any, armature: Any, path: Path, form: str, camera: bool = True, bvh_up: BvhUp = "Y") -> Path:
    """Write one armature and what moves with it; the scene stays as it is.

    Args:
        context: of Blender.
        armature: with an Action.
        path: its extension is made the format's.
        form: one of ``FORMATS``.
        camera: the scene's camera goes into the file too, where it can.
        bvh_up: axis that points up in BVH files.

    Raises:
        MvliftError: the format does not fit the armature, Blender lacks the exporter, or nothing can be written there.
    """
    if form not in FORMATS:
        raise MvliftError(f"{form} is not a known format.", f"Use one of {', '.join(FORMATS)}.")
    path = path.with_suffix(FORMATS[form])
    if form == "NPZ":
        return save_motion(motion_of(context, armature), path)
    if form.startswith("NPZ_"):
        variant: Any = form.removeprefix("NPZ_").lower()
        return save_amass(motion_of(context, armature), path, variant)
    _enable(path.suffix)
    try:
        with whole_file(path) as part:
            write = _fbx if form.startswith("FBX_") else _WRITERS[form]
            write(context, armature, str(part), ExportOptions(form, camera, bvh_up))
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


@contextmanager
def _selected(context: Any, twin: StandIn) -> Iterator[None]:
    """Inside, just what is exported is selected."""
    with active_only(context, twin.armature):
        for exported in twin.objects:
            exported.select_set(True)
        yield


def _fbx(context: Any, armature: Any, path: str, options: ExportOptions) -> None:
    preset = fbx_presets()[options.form.removeprefix("FBX_").lower()]
    unit = context.scene.unit_settings
    before = unit.scale_length
    name = preset["armature_name"]
    with (
        stand_in(
            context, armature, scale=preset["scale"], root_bone=preset["root_bone"], name=name, camera=options.camera
        ) as twin,
        _selected(context, twin),
    ):
        # what is that much larger in the file is in units that are that much smaller
        unit.scale_length = 1 / preset["scale"]
        try:
            bpy.ops.export_scene.fbx(
                filepath=path,
                use_selection=True,
                object_types={"ARMATURE", "MESH", "CAMERA"},
                add_leaf_bones=False,
                bake_anim=True,
                # the one take is a strip: it has the motion's name and begins at time 0
                bake_anim_use_nla_strips=True,
                bake_anim_use_all_actions=False,
                bake_anim_force_startend_keying=True,
                # every frame keyed: other programs interpolate rotations in other ways
                bake_anim_simplify_factor=0.0,
                **preset["options"],
            )
        finally:
            unit.scale_length = before


def _glb(context: Any, armature: Any, path: str, options: ExportOptions) -> None:
    with stand_in(context, armature, camera=options.camera) as twin, _selected(context, twin):
        bpy.ops.export_scene.gltf(
            filepath=path,
            export_format="GLB",
            use_selection=True,
            export_cameras=True,
            export_animation_mode="NLA_TRACKS",
            # else Blender 4.2 lays every armature's Action of the file over this one's
            export_anim_single_armature=False,
            export_force_sampling=True,
            export_optimize_animation_size=False,
        )
        exact_times(Path(path), twin.name, len(twin.frames), scene_fps(context.scene))


def _usd(context: Any, armature: Any, path: str, options: ExportOptions) -> None:
    operator: Any = bpy.ops.wm.usd_export
    scene = context.scene
    frames = scene.frame_start, scene.frame_end
    with stand_in(context, armature, camera=options.camera, strip=False) as twin, _selected(context, twin):
        scene.frame_start, scene.frame_end = int(twin.frames[0]), int(twin.frames[-1])
        try:
            operator(
                filepath=path,
                selected_objects_only=True,
                export_animation=True,
                export_armatures=True,
                export_cameras=True,
            )
        finally:
            scene.frame_start, scene.frame_end = frames


def _bvh(context: Any, armature: Any, path: str, options: ExportOptions) -> None:
    samples = sample_pose(context, armature)
    Path(path).write_text(armature_bvh(armature, samples, scene_fps(context.scene), options.bvh_up), encoding="utf-8")


_WRITERS: Final = {"GLB": _glb, "USD": _usd, "BVH": _bvh}
