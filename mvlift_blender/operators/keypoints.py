"""Correct the 2D keypoints of the active person over the video: drag, hide, copy, track, exchange sides."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..importing import corrections
from ..importing.people import why_no_people
from ..lifting.jobs import why_busy
from ..viewport import overlay
from ..viewport.preview import current_video_frame, shown_at
from .reports import report_error

__all__ = ["CLASSES"]

_REACH = 24.0  # pixels at a scale of 1, from the mouse to a keypoint
_STEPS = (("PREVIOUS", "Previous Frame", "The frame before"), ("NEXT", "Next Frame", "The frame after"))


def _under_mouse(context: Any, event: Any) -> tuple[Any, Any, Any] | None:
    """What is shown, the map from video to region, and the mouse in region pixels; None where nothing is shown."""
    shown = shown_at(context)
    if shown is None:
        return None
    mouse = np.array([event.mouse_region_x, event.mouse_region_y], np.float64)
    return shown, overlay.screen_frame(context, shown.size, shown.inset), mouse


def _named_under_mouse(context: Any, event: Any) -> str | None:
    target = _under_mouse(context, event)
    if target is None:
        return None
    return overlay.nearest_keypoint(*target, _REACH * context.preferences.system.ui_scale)


class _Correction:
    """A correction of the person that is active in the list. Subclasses give ``correct``."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There is a person, and no lift that reads the list."""
        reason = why_busy(context) or why_no_people(context)
        cls.poll_message_set(reason)
        return not reason

    def correct(self, settings: Any, person: Any) -> str:
        """Do it; returns a report."""
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        """Correct and report."""
        settings = context.scene.mvlift
        try:
            text = self.correct(settings, settings.person())
        except Exception as error:
            return report_error(self, context, error, self.bl_label.lower())
        overlay.redraw()
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Take the shown frame, and the keypoint under the mouse where one is wanted."""
        frame = current_video_frame(context)
        if frame is not None and hasattr(self, "frame") and not self.properties.is_property_set("frame"):
            self.frame = frame
        if hasattr(self, "keypoint") and not getattr(self, "keypoint", ""):
            name = _named_under_mouse(context, event)
            if name is None:
                self.report({"INFO"}, "No keypoint is under the mouse. Show the keypoints in the viewport first")
                return {"CANCELLED"}
            self.keypoint = name
        return self.execute(context)


class MVLIFT_OT_move_keypoint(_Correction, bpy.types.Operator):
    """Drag a keypoint of the active person to its correct position over the video"""

    bl_idname = "mvlift.move_keypoint"
    bl_label = "Move Keypoint"

    frame: IntProperty(name="Frame", description="Frame of the video", min=0)
    keypoint: StringProperty(name="Keypoint", description="Name of the keypoint", options={"SKIP_SAVE"})
    x: FloatProperty(name="X", description="Place in the video in pixels, from the left")
    y: FloatProperty(name="Y", description="Place in the video in pixels, from the top")

    def correct(self, settings: Any, person: Any) -> str:
        """Put the keypoint there."""
        corrections.place_keypoint(settings, person, self.frame, self.keypoint, (self.x, self.y))
        return f"{self.keypoint} of {person.name} corrected in frame {self.frame}"

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Take hold of the keypoint under the mouse, else pick the person there; ``modal`` goes on."""
        name = _named_under_mouse(context, event)
        if name is None:  # somebody else may be there
            bpy.ops.mvlift.pick_person("INVOKE_DEFAULT")
            return {"CANCELLED"}
        self.keypoint, self.frame = name, current_video_frame(context)
        self._before = context.scene.mvlift.person().corrections
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Follow the mouse; a right click or Esc puts the keypoint back."""
        person = context.scene.mvlift.person()
        if event.type in {"ESC", "RIGHTMOUSE"}:
            person.corrections = self._before
            overlay.redraw()
            return {"CANCELLED"}
        target = _under_mouse(context, event)
        if event.type == "MOUSEMOVE" and target is not None:
            self.x, self.y = (float(v) for v in overlay.to_video(target[1], target[2]))
            corrections.place_keypoint(context.scene.mvlift, person, self.frame, self.keypoint, (self.x, self.y))
            overlay.redraw()
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            return {"FINISHED"} if person.corrections != self._before else {"CANCELLED"}
        return {"RUNNING_MODAL"}


class MVLIFT_OT_see_keypoint(_Correction, bpy.types.Operator):
    """Mark a keypoint as hidden in a frame, so that it is ignored there, or as visible"""

    bl_idname = "mvlift.see_keypoint"
    bl_label = "Hide or Show Keypoint"

    frame: IntProperty(name="Frame", description="Frame of the video", min=0)
    keypoint: StringProperty(name="Keypoint", description="Name of the keypoint", options={"SKIP_SAVE"})
    seen: BoolProperty(
        name="Seen",
        description="The keypoint is visible at the drawn position; off if it cannot be seen",
        default=False,
    )

    def correct(self, settings: Any, person: Any) -> str:
        """Mark it."""
        corrections.see_keypoint(settings, person, self.frame, self.keypoint, self.seen)
        return f"{self.keypoint} is {'seen' if self.seen else 'hidden'} in frame {self.frame}"


class MVLIFT_OT_copy_keypoints(_Correction, bpy.types.Operator):
    """Copy the keypoints of a neighbouring frame, where the detector failed in this one"""

    bl_idname = "mvlift.copy_keypoints"
    bl_label = "Copy from Neighbouring Frame"

    frame: IntProperty(name="Frame", description="Frame of the video to change", min=0)
    step: EnumProperty(name="From", description="Which frame to copy", items=_STEPS)

    def correct(self, settings: Any, person: Any) -> str:
        """Copy all."""
        step = -1 if self.step == "PREVIOUS" else 1
        count = corrections.copy_keypoints(settings, person, self.frame, step)
        return f"{count} keypoints copied from frame {self.frame + step} to {self.frame}"


class MVLIFT_OT_track_keypoint(_Correction, bpy.types.Operator):
    """Correct a keypoint in all frames between two in which it was corrected, following the detector's path"""

    bl_idname = "mvlift.track_keypoint"
    bl_label = "Track Between Corrections"

    frame: IntProperty(name="Frame", description="A frame of the video between the two corrections", min=0)
    keypoint: StringProperty(name="Keypoint", description="Name of the keypoint", options={"SKIP_SAVE"})

    def correct(self, settings: Any, person: Any) -> str:
        """Track."""
        first, last = corrections.track_keypoint(settings, person, self.frame, self.keypoint)
        return f"{self.keypoint} corrected from frame {first} to {last}"


class _OverRange(_Correction):
    """A correction of a range of frames, asked for in a dialog that begins with the frame under the playhead."""

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask."""
        frame = current_video_frame(context)
        if frame is not None and not self.properties.is_property_set("first"):
            self.first = self.last = frame
        return context.window_manager.invoke_props_dialog(self)


class MVLIFT_OT_swap_sides(_OverRange, bpy.types.Operator):
    """Swap left and right of the active person in a range of frames where the detector confused them"""

    bl_idname = "mvlift.swap_sides"
    bl_label = "Swap Left and Right"

    first: IntProperty(name="First", description="First frame of the video", min=0)
    last: IntProperty(name="Last", description="Last frame of the video", min=0)

    def correct(self, settings: Any, person: Any) -> str:
        """Exchange."""
        corrections.swap_sides(settings, person, self.first, self.last)
        return f"Left and right of {person.name} exchanged in frames {self.first} to {self.last}"


class MVLIFT_OT_forget_corrections(_OverRange, bpy.types.Operator):
    """Remove the corrections in a range of frames; the detector's keypoints are used again"""

    bl_idname = "mvlift.forget_corrections"
    bl_label = "Remove Corrections"

    first: IntProperty(name="First", description="First frame of the video", min=0)
    last: IntProperty(name="Last", description="Last frame of the video", min=0)

    def correct(self, settings: Any, person: Any) -> str:
        """Remove."""
        corrections.forget_corrections(settings, person, self.first, self.last)
        return f"Corrections of frames {self.first} to {self.last} removed"


class MVLIFT_OT_pick_person(bpy.types.Operator):
    """Make the person under the mouse the active one of the list"""

    bl_idname = "mvlift.pick_person"
    bl_label = "Pick Person"
    bl_options = {"UNDO"}

    index: IntProperty(name="Person", description="Place in the list", default=-1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There are people."""
        reason = why_no_people(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Look who is under the mouse."""
        target = _under_mouse(context, event)
        nearest = overlay.nearest_person(*target, _REACH * context.preferences.system.ui_scale) if target else None
        if nearest is None:
            return {"PASS_THROUGH"}
        self.index = nearest
        return self.execute(context)

    def execute(self, context: Any) -> set[str]:
        """Make them active."""
        settings = context.scene.mvlift
        if not 0 <= self.index < len(settings.people):
            self.report({"ERROR"}, "There is no such person in the list")
            return {"CANCELLED"}
        settings.active = self.index
        return {"FINISHED"}


class MVLIFT_OT_export_keypoints(bpy.types.Operator):
    """Write the keypoints of the selected people with their corrections: CSV, JSON (COCO) or one file for each frame"""

    bl_idname = "mvlift.export_keypoints"
    bl_label = "Export Keypoints"

    filepath: StringProperty(name="File", description="Where to write: .csv, .json, or a folder", subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Somebody is selected."""
        reason = why_no_people(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file."""
        person = context.scene.mvlift.person()
        self.filepath = self.filepath or f"{bpy.path.clean_name(person.name)}_keypoints.csv"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Write."""
        from mvlift.keypoints.writing import write_keypoints

        from ..importing.sources import clip_of

        settings = context.scene.mvlift
        try:
            clips = [clip_of(settings, person) for person in settings.chosen() or [settings.person()]]
            path = write_keypoints(clips, bpy.path.abspath(self.filepath))
        except Exception as error:
            return report_error(self, context, error, "exporting keypoints")
        self.report({"INFO"}, f"{path.name} written")
        return {"FINISHED"}


CLASSES = (
    MVLIFT_OT_move_keypoint,
    MVLIFT_OT_see_keypoint,
    MVLIFT_OT_copy_keypoints,
    MVLIFT_OT_track_keypoint,
    MVLIFT_OT_swap_sides,
    MVLIFT_OT_forget_corrections,
    MVLIFT_OT_pick_person,
    MVLIFT_OT_export_keypoints,
)
