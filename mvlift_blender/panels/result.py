"""What was lifted, and its clean-up."""

from __future__ import annotations

from typing import Any

import bpy

from ..cleanup.repair import can_mix
from ..interface.text import paragraph
from ..operators.doubts import doubtful_action
from ..scene.selected import lifted_armature, record_of
from .people import SidebarPanel

__all__ = ["CLASSES"]


class MVLIFT_PT_result(SidebarPanel, bpy.types.Panel):
    """The lifted armature that the buttons work on."""

    bl_idname = "MVLIFT_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Something was lifted, and no lift runs."""
        return not context.window_manager.mvlift_job.running and lifted_armature(context) is not None

    def draw(self, context: Any) -> None:
        """Facts, and what can be done with the whole."""
        layout, armature = self.layout, lifted_armature(context)
        record = record_of(armature)
        layout.label(text=armature.name, icon="ARMATURE_DATA")
        paragraph(context, layout, record.summary)
        paragraph(context, layout, context.scene.mvlift.said, "INFO")
        layout.operator("mvlift.play_overlay", icon="PLAY")
        row = layout.row(align=True)
        row.operator("mvlift.match_scene", icon="SCENE_DATA")
        row.operator("mvlift.add_ground", text="", icon="LIGHT_SUN")
        row.operator("mvlift.remove_lift", text="", icon="TRASH")


class MVLIFT_UL_doubts(bpy.types.UIList):
    """A row for each doubtful part: why, where, how bad."""

    bl_idname = "MVLIFT_UL_doubts"

    def draw_item(
        self, _context: Any, layout: Any, _data: Any, part: Any, _icon: int, _active: Any, _property: str
    ) -> None:
        """One row."""
        icons = {"JUMP": "SORT_ASC", "CONFIDENCE": "QUESTION", "ERROR": "DRIVER_DISTANCE", "FLOOR": "TRIA_DOWN_BAR"}
        row = layout.row(align=True)
        row.label(text=layout.enum_item_name(part, "kind", part.kind), icon=icons[part.kind])
        row.label(text=f"{part.first:.0f}-{part.last:.0f}", translate=False)
        row.label(text=_how_bad(part), translate=False)


def _how_bad(part: Any) -> str:
    """The value of a doubtful part with its unit, and the joint."""
    values = {
        "JUMP": part.joint.replace("_", " "),
        "CONFIDENCE": f"{100 * part.value:.0f} %",
        "ERROR": f"{part.value:.0f} px",
        "FLOOR": f"{100 * part.value:.0f} cm",
    }
    return values[part.kind]


class MVLIFT_PT_doubts(SidebarPanel, bpy.types.Panel):
    """The doubtful parts of the result."""

    bl_idname = "MVLIFT_PT_doubts"
    bl_label = "Doubtful Parts"
    bl_parent_id = "MVLIFT_PT_result"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Where there are some."""
        action = doubtful_action(context)
        return action is not None and len(action.mvlift_doubts) > 0

    def draw(self, context: Any) -> None:
        """The list, and what can be done with its selected part."""
        layout, action = self.layout, doubtful_action(context)
        layout.template_list("MVLIFT_UL_doubts", "", action, "mvlift_doubts", action, "mvlift_doubt", rows=4)
        row = layout.row(align=True)
        row.operator("mvlift.doubt_jump", text="", icon="TRIA_LEFT").step = "PREVIOUS"
        row.operator("mvlift.doubt_jump", text="Go There", icon="VIEWZOOM").step = "HERE"
        row.operator("mvlift.doubt_jump", text="", icon="TRIA_RIGHT").step = "NEXT"
        column = layout.column(align=True)
        column.operator("mvlift.doubt_relift", icon="FILE_REFRESH")
        column.operator("mvlift.doubt_interpolate", icon="IPO_EASE_IN_OUT")
        column.operator("mvlift.doubt_good", icon="CHECKMARK")


class MVLIFT_PT_clean_up(SidebarPanel, bpy.types.Panel):
    """The clean-up of the result."""

    bl_idname = "MVLIFT_PT_clean_up"
    bl_label = "Clean-up"
    bl_parent_id = "MVLIFT_PT_result"

    def draw(self, context: Any) -> None:
        """How much of it is shown, and the buttons."""
        layout, armature = self.layout, lifted_armature(context)
        if armature is not None and can_mix(armature):
            layout.prop(armature.animation_data.action, "mvlift_strength", slider=True)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("mvlift.clean_feet", icon="CON_FLOOR")
        row.operator("mvlift.set_contact", text="", icon="GREASEPENCIL")
        column.operator("mvlift.snap_floor", icon="TRIA_DOWN_BAR")
        column.operator("mvlift.smooth", icon="MOD_SMOOTH")
        row = column.row(align=True)
        row.operator("mvlift.hold_joints", icon="PINNED")
        row.operator("mvlift.lock_joint", icon="LOCKED")
        column.operator("mvlift.reduce_keys", icon="KEYFRAME")
        layout.operator("mvlift.relift_range", icon="FILE_REFRESH")


CLASSES = (MVLIFT_PT_result, MVLIFT_UL_doubts, MVLIFT_PT_doubts, MVLIFT_PT_clean_up)
