"""Draw the horizon or two verticals over the video: what the picture shows of gravity."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty, FloatVectorProperty
from mvlift.typing import F64

from ..importing.people import why_no_people
from ..lifting.jobs import why_busy
from ..viewport import overlay
from ..viewport.preview import shown_at

__all__ = ["CLASSES"]

_KINDS = (
    ("HORIZON", "Horizon", "One line along the horizon"),
    ("VERTICALS", "Two Verticals", "Two lines along what is vertical in the scene, such as door frames"),
)
_LINES = {"HORIZON": 1, "VERTICALS": 2}


class MVLIFT_OT_draw_gravity(bpy.types.Operator):
    """Draw the horizon, or two verticals, over the video: drag from one end of each line to the other"""

    bl_idname = "mvlift.draw_gravity"
    bl_label = "Draw over the Video"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(name="Lines", description="What the lines are in the scene", items=_KINDS)
    points: FloatVectorProperty(
        name="Points", description="Ends of the lines in pixels of the video, x and y in turns", size=8
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There is a person over whose video it is drawn."""
        reason = why_busy(context) or why_no_people(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Take the lines."""
        settings = context.scene.mvlift
        count = 4 * _LINES[self.kind]
        ends = np.array(self.points[:count]).reshape(-1, 2, 2)
        if (np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) < 1).any():
            self.report({"ERROR"}, "A line has no length. Drag from one end of it to the other")
            return {"CANCELLED"}
        if self.kind == "HORIZON":
            settings.horizon = self.points[:count]
        else:
            settings.verticals = self.points[:count]
        settings.gravity = self.kind
        overlay.redraw()
        self.report({"INFO"}, "Gravity is taken from the drawn lines")
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Follow the mouse over a 3D viewport that shows the video."""
        if self._target(context) is None:
            self.report({"ERROR"}, "The video is not shown. Show the keypoints in a 3D viewport first")
            return {"CANCELLED"}
        self._ends: list[F64] = []
        self._mouse: F64 | None = None
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (context,), "WINDOW", "POST_PIXEL")
        context.window.cursor_modal_set("CROSSHAIR")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def _target(self, context: Any) -> tuple[Any, F64] | None:
        shown = shown_at(context) if context.area is not None and context.area.type == "VIEW_3D" else None
        return None if shown is None else (shown, overlay.screen_frame(context, shown.size, shown.inset))

    def modal(self, context: Any, event: Any) -> set[str]:
        """Press at one end, release at the other; Esc or a right click gives up."""
        target = self._target(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or target is None:
            self._end(context)
            return {"CANCELLED"}
        if event.type in {"MOUSEMOVE", "LEFTMOUSE"}:
            mouse = np.array([event.mouse_region_x, event.mouse_region_y], np.float64)
            self._mouse = overlay.to_video(target[1], mouse)
            overlay.redraw()
        if event.type == "LEFTMOUSE" and self._mouse is not None:
            if (event.value == "PRESS") == (len(self._ends) % 2 == 0):
                self._ends.append(self._mouse)
            if len(self._ends) == 2 * _LINES[self.kind]:
                self._end(context)
                self.points = [*np.concatenate(self._ends), *[0.0] * (8 - 4 * _LINES[self.kind])]
                return self.execute(context)
        return {"RUNNING_MODAL"} if event.type in {"MOUSEMOVE", "LEFTMOUSE"} else {"PASS_THROUGH"}

    def _end(self, context: Any) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        context.window.cursor_modal_restore()
        overlay.redraw()

    def _draw(self, context: Any) -> None:
        target = self._target(context)
        ends = [*self._ends, *([self._mouse] if len(self._ends) % 2 and self._mouse is not None else [])]
        if target is None or len(ends) < 2:
            return
        overlay.draw_lines(np.array(ends[: len(ends) // 2 * 2]) @ target[1][:, :2].T + target[1][:, 2])


CLASSES = (MVLIFT_OT_draw_gravity,)
