"""The bundled example, and playback with the video and keypoints over the result."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty
from mvlift.errors import KeypointError

from ..importing.people import import_sources
from ..lifting.jobs import why_busy
from ..scene.lift_parts import parts_of
from ..scene.selected import lifted_armature, why_no_record
from .reports import report_error

__all__ = ["CLASSES", "example_clip"]


def example_clip() -> Path:
    """The clip that comes with the extension; of a source tree, the one in its examples.

    Raises:
        KeypointError: it is not there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package, package.parent):
        bundled = folder / "examples" / "walk.zip"
        if bundled.is_file():
            return bundled
    raise KeypointError("The example is missing from the installation.", "Install the extension again.")


class MVLIFT_OT_try_example(bpy.types.Operator):
    """Import the walking clip that comes with MVLift and lift it: a character in one click"""

    bl_idname = "mvlift.try_example"
    bl_label = "Try the Example"
    bl_options = {"UNDO"}

    lift: BoolProperty(name="Lift", description="Lift it at once; otherwise it is only imported", default=True)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Not while something else is lifted, and in Object Mode."""
        reason = why_busy(context)
        if not reason and context.mode != "OBJECT":
            reason = "Switch to Object Mode first"
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Import, and lift."""
        settings = context.scene.mvlift
        try:
            import_sources(settings, [example_clip()])
        except Exception as error:
            return report_error(self, context, error, "importing the example")
        for person in settings.people:
            person.chosen = person.source == settings.person().source
        settings.fps, settings.image_width, settings.image_height = "30", 1280, 720
        settings.use_range = False
        if self.lift:
            bpy.ops.mvlift.lift("EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT")
        return {"FINISHED"}


class MVLIFT_OT_play_overlay(bpy.types.Operator):
    """Look through the video's camera, with the keypoints over it, and play; press again to stop"""

    bl_idname = "mvlift.play_overlay"
    bl_label = "Play with Overlay"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature, and a viewport to look at it in."""
        reason = why_no_record(context)
        if not reason and (context.area is None or context.area.type != "VIEW_3D"):
            reason = "Put the mouse over a 3D viewport"
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Show, and play or stop."""
        scene, view = context.scene, context.space_data
        lift_camera = next((p for p in parts_of(lifted_armature(context)) if p.type == "CAMERA"), None)
        if lift_camera is not None and scene.camera != lift_camera and not view.use_local_camera:
            view.use_local_camera, view.camera = True, lift_camera  # this viewport's, the scene's stays
        view.region_3d.view_perspective = "CAMERA"
        scene.mvlift.overlay = True
        bpy.ops.screen.animation_play()
        return {"FINISHED"}


CLASSES = (MVLIFT_OT_try_example, MVLIFT_OT_play_overlay)
