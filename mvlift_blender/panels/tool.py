"""The tool in the 3D viewport's toolbar: correct keypoints over the video, and click on people."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

__all__ = ["add_tools", "remove_tools"]


class _KeypointTool(bpy.types.WorkSpaceTool):
    """Drag keypoints with the left button; click on a person to make them the active one."""

    bl_space_type = "VIEW_3D"
    bl_context_mode = "OBJECT"
    bl_idname = "mvlift.keypoint_tool"
    bl_label = "Correct Keypoints"
    bl_description = (
        "Correct the keypoints of the active person over the video.\n"
        "Drag: move, X: hide, Shift X: seen, T: track between corrections, click on another person: select that person"
    )
    bl_icon = "ops.generic.select_circle"
    bl_keymap: ClassVar[Any] = (
        ("mvlift.pick_person", {"type": "LEFTMOUSE", "value": "PRESS", "ctrl": True}, None),
        ("mvlift.move_keypoint", {"type": "LEFTMOUSE", "value": "PRESS"}, None),
        ("mvlift.see_keypoint", {"type": "X", "value": "PRESS"}, {"properties": [("seen", False)]}),
        ("mvlift.see_keypoint", {"type": "X", "value": "PRESS", "shift": True}, {"properties": [("seen", True)]}),
        ("mvlift.track_keypoint", {"type": "T", "value": "PRESS"}, None),
    )

    @staticmethod
    def draw_settings(context: Any, layout: Any, _tool: Any) -> None:
        """Whether the keypoints are drawn, in the tool's header."""
        layout.prop(context.scene.mvlift, "overlay", text="Show Keypoints")


def add_tools() -> None:
    """Put the tool into the toolbar, after those for selecting."""
    bpy.utils.register_tool(_KeypointTool, after={"builtin.cursor"}, separator=True)


def remove_tools() -> None:
    """Undo ``add_tools``."""
    bpy.utils.unregister_tool(_KeypointTool)
