"""What was lifted, and its clean-up."""

from __future__ import annotations

from typing import Any

import bpy

from ..interface.text import paragraph
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
        """Facts, and the clean-up."""
        layout, armature = self.layout, lifted_armature(context)
        record = record_of(armature)
        layout.label(text=armature.name, icon="ARMATURE_DATA")
        paragraph(context, layout, record.summary)
        paragraph(context, layout, context.scene.mvlift.said, "INFO")
        column = layout.column(align=True)
        column.operator("mvlift.clean_feet", icon="CON_FLOOR")
        column.operator("mvlift.snap_floor", icon="TRIA_DOWN_BAR")
        column.operator("mvlift.smooth", icon="MOD_SMOOTH")
        row = column.row(align=True)
        row.operator("mvlift.hold_joints", icon="PINNED")
        row.operator("mvlift.lock_joint", icon="LOCKED")
        column.operator("mvlift.reduce_keys", icon="KEYFRAME")
        layout.operator("mvlift.relift_range", icon="FILE_REFRESH")
        row = layout.row(align=True)
        row.operator("mvlift.match_scene", icon="SCENE_DATA")
        row.operator("mvlift.remove_lift", text="", icon="TRASH")


CLASSES = (MVLIFT_PT_result,)
