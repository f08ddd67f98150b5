"""Presets of the settings of a lift, by Blender's own system."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any, ClassVar

import bpy
from bl_operators.presets import AddPresetBase

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
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset  # type: ignore[assignment]  # the API's own way, which its stubs do not know


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


CLASSES = (MVLIFT_MT_lift_presets, MVLIFT_OT_lift_preset_add)
