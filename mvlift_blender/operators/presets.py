"""Presets of the settings of a lift, by Blender's own system."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bl_operators.presets import AddPresetBase, ExecutePreset
from bpy.props import StringProperty
from mvlift.lifting.options import RETIRED_PRESETS

from ..settings.options import generated_options

__all__ = ["CLASSES", "PRESET_FOLDER"]

PRESET_FOLDER = "mvlift/lift"
_BESIDE = (
    "use_stature", "stature", "device", "lens", "fov", "focal", "scene_setup", "rate", "start_at", "write_body",
    "write_camera", "previous",
)  # fmt: skip
"""Settings of a lift that the panel asks for in its own way and that do not belong to one clip."""


class MVLIFT_MT_lift_presets(bpy.types.Menu):
    """Settings of a lift that were kept under a name"""

    bl_idname = "MVLIFT_MT_lift_presets"
    bl_label = "Lift Presets"
    preset_subdir = PRESET_FOLDER
    preset_operator = "mvlift.lift_preset_apply"
    draw = bpy.types.Menu.draw_preset  # type: ignore[assignment]  # the API's own way, which its stubs do not know


class MVLIFT_OT_lift_preset_apply(ExecutePreset):
    """Take the settings of the lift that were kept under this name"""

    bl_idname = "mvlift.lift_preset_apply"
    bl_label = "Apply Lift Preset"

    filepath: StringProperty(
        name="File Path", description="The preset's file", subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )

    def execute(self, context: Any) -> Any:
        """Values of earlier versions are replaced in the file first, which could not be set any more."""
        path = Path(self.filepath)
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
        text = old
        for name, current in RETIRED_PRESETS.items():
            text = text.replace(f"settings.preset = '{name}'", f"settings.preset = '{current}'")
        if text != old:
            path.write_text(text, encoding="utf-8")
            self.report({"INFO"}, "A method that is no longer there was replaced by Fast.")
        return super().execute(context)


class MVLIFT_OT_lift_preset_add(AddPresetBase, bpy.types.Operator):
    """Keep the settings of the lift under a name, or remove the preset that is shown"""

    bl_idname = "mvlift.lift_preset_add"
    bl_label = "Add Lift Preset"
    preset_menu = "MVLIFT_MT_lift_presets"
    preset_subdir = PRESET_FOLDER
    preset_defines: ClassVar[list[str]] = ["settings = bpy.context.scene.mvlift"]

    @property
    def preset_values(self) -> list[str]:
        """What is kept."""
        return [f"settings.{name}" for name in (*generated_options(), *_BESIDE)]


def draw_presets(layout: Any) -> None:
    """The menu of presets, with buttons to add and to remove one."""
    row = layout.row(align=True)
    row.menu("MVLIFT_MT_lift_presets", text=bpy.types.MVLIFT_MT_lift_presets.bl_label)
    row.operator("mvlift.lift_preset_add", text="", icon="ADD")
    row.operator("mvlift.lift_preset_add", text="", icon="REMOVE").remove_active = True


CLASSES = (MVLIFT_MT_lift_presets, MVLIFT_OT_lift_preset_apply, MVLIFT_OT_lift_preset_add)
