"""Import and export panel."""

from __future__ import annotations

from typing import Any

import bpy

from .people import SidebarPanel

__all__ = ["CLASSES"]


class MVLIFT_PT_exchange(SidebarPanel, bpy.types.Panel):
    """Import and export of motion."""

    bl_idname = "MVLIFT_PT_exchange"
    bl_label = "Files"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, _context: Any) -> None:
        """The two buttons."""
        column = self.layout.column(align=True)
        column.operator("mvlift.import_motion", icon="IMPORT")
        column.operator_menu_enum("mvlift.export", "form", text="Export", icon="EXPORT")


CLASSES = (MVLIFT_PT_exchange,)
