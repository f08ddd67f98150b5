"""Retargeting: source, rig, bone map, button."""

from __future__ import annotations

from typing import Any

import bpy

from ..interface.text import paragraph
from ..operators.retarget import why_not
from ..retargeting.detect import LEAST_CONFIDENCE
from .people import SidebarPanel

__all__ = ["CLASSES"]


class MVLIFT_UL_bones(bpy.types.UIList):
    """The bone map's rows."""

    bl_idname = "MVLIFT_UL_bones"

    def draw_item(
        self, context: Any, layout: Any, _data: Any, item: Any, _icon: int, _active: Any, _property: str
    ) -> None:
        """A part and its bone."""
        target = context.scene.mvlift_retarget.target
        row = layout.split(factor=0.42)
        row.label(text=item.label)
        if target is not None:
            lost = bool(item.bone) and item.bone not in target.data.bones
            part = row.row()
            part.alert = lost
            part.prop_search(item, "bone", target.data, "bones", text="")


def draw_bone_map(layout: Any, settings: Any) -> None:
    """The table, and what can be done with it."""
    layout.template_list("MVLIFT_UL_bones", "", settings, "rows", settings, "active", rows=8)
    row = layout.row(align=True)
    row.operator("mvlift.retarget_detect", text="Recognise", icon="VIEWZOOM")
    row.operator("mvlift.map_mirror", text="Mirror", icon="MOD_MIRROR")
    row.operator("mvlift.map_load", text="Load", icon="FILE_FOLDER")
    row = layout.row(align=True)
    row.prop(settings, "map_title", text="")
    row.operator("mvlift.map_save", text="Save", icon="FILE_TICK")


class MVLIFT_PT_retarget(SidebarPanel, bpy.types.Panel):
    """From which armature to which rig."""

    bl_idname = "MVLIFT_PT_retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Source, rig, how, and the buttons."""
        layout, settings = self.layout, context.scene.mvlift_retarget
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "source")
        column.prop(settings, "target")
        paragraph(context, column, settings.recognition, "INFO")
        column.prop(settings, "root")
        column.prop(settings, "bake")
        column.prop(settings, "feet")
        column.prop(settings, "directions")
        row = column.row(heading="Scale")
        row.prop(settings, "use_scale", text="")
        part = row.row()
        part.enabled = settings.use_scale
        part.prop(settings, "scale", text="")
        column.prop(settings, "keep_place")
        column.prop(settings, "result")
        if settings.confidence < LEAST_CONFIDENCE and settings.target is not None:
            draw_bone_map(layout, settings)
            layout.prop(settings, "checked")
        paragraph(context, layout, why_not(context), "INFO")
        layout.operator("mvlift.retarget_preview", depress=settings.previewing, icon="HIDE_OFF")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("mvlift.retarget", icon="CON_ARMATURE")
        layout.operator("mvlift.retarget_batch", icon="DUPLICATE")


class MVLIFT_PT_bone_map(SidebarPanel, bpy.types.Panel):
    """The table."""

    bl_idname = "MVLIFT_PT_bone_map"
    bl_label = "Bone Map"
    bl_parent_id = "MVLIFT_PT_retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Rows, and what can be done with them."""
        draw_bone_map(self.layout, context.scene.mvlift_retarget)


CLASSES = (MVLIFT_UL_bones, MVLIFT_PT_retarget, MVLIFT_PT_bone_map)
