"""MVLift's tab in the sidebar of 3D viewports: its name and its redraw."""

from __future__ import annotations

from typing import Any, Final

import bpy

__all__ = ["TAB", "redraw_tab"]

TAB: Final = "MVLift"


def redraw_tab(manager: Any) -> None:
    """Redraw the visible sidebar tabs only, because drawing blocks the window.

    Args:
        manager: Blender's window manager.
    """
    if bpy.app.background:  # nothing is drawn there
        return
    viewports = (a for window in manager.windows for a in window.screen.areas if a.type == "VIEW_3D")
    for region in (region for area in viewports for region in area.regions):
        # a sidebar that is folded away is one pixel wide
        if region.type == "UI" and region.width > 1 and region.active_panel_category == TAB:
            region.tag_redraw()
