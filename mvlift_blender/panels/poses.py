"""Correct the 3D: kept poses, pins, and the button that lifts with them."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene.animation import current_curves
from ..scene.pins import pins_of
from ..scene.selected import lifted_armature
from .people import SidebarPanel

__all__ = ["CLASSES"]


class MVLIFT_UL_poses(bpy.types.UIList):
    """A row for each kept pose: its frame, and the bones."""

    bl_idname = "MVLIFT_UL_poses"

    def draw_item(
        self, _context: Any, layout: Any, _data: Any, pose: Any, _icon: int, _active: Any, _property: str
    ) -> None:
        """One row."""
        row = layout.row(align=True)
        row.label(text=f"{pose.frame:g}", icon="ARMATURE_DATA", translate=False)
        bones = pose.bones.split("\n") if pose.bones else []
        if not bones:
            row.label(text="All Bones")
        else:
            more = f" + {len(bones) - 1}" if len(bones) > 1 else ""
            row.label(text=bones[0].replace("_", " ") + more, translate=False)


class MVLIFT_PT_poses(SidebarPanel, bpy.types.Panel):
    """What the user says of the motion, and the button that makes the motion follow."""

    bl_idname = "MVLIFT_PT_poses"
    bl_label = "Correct the 3D"
    bl_parent_id = "MVLIFT_PT_result"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Poses, pins, the button."""
        layout, armature = self.layout, lifted_armature(context)
        curves = current_curves(armature)
        if armature is None or curves is None:
            return
        action = curves.action
        row = layout.row(align=True)
        row.operator("mvlift.keep_pose", icon="KEYTYPE_KEYFRAME_VEC")
        row.operator_menu_enum("mvlift.pin_here", "joint", text="Pin Here", icon="PINNED")
        if len(action.mvlift_poses):
            row = layout.row()
            row.template_list("MVLIFT_UL_poses", "", action, "mvlift_poses", action, "mvlift_pose", rows=3)
            column = row.column(align=True)
            column.operator("mvlift.pose_jump", text="", icon="VIEWZOOM")
            column.operator("mvlift.forget_pose", text="", icon="X")
        for pin in pins_of(context.scene, armature):
            self._pin(layout, pin)
        layout.operator("mvlift.lift_with_poses", icon="FILE_REFRESH")

    @staticmethod
    def _pin(layout: Any, pin: Any) -> None:
        facts = pin.mvlift_pin
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator(
            "mvlift.select_pin", text=facts.bone.replace("_", " "), icon="PINNED", translate=False
        ).pin = pin.name
        row.operator("mvlift.remove_pin", text="", icon="X").pin = pin.name
        row = column.row(align=True)
        row.prop(facts, "first")
        row.prop(facts, "last")
        column.prop(facts, "weight", slider=True)


CLASSES = (MVLIFT_UL_poses, MVLIFT_PT_poses)
