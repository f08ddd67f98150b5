"""Operators on a result: remove it, match the scene to it, lift a part again."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from ..lifting.jobs import why_busy
from ..lifting.relift import corrected_frames
from ..motion.limbs_mask import LIMB_ITEMS
from ..scene.ground import add_ground
from ..scene.lift_parts import adopt, remove_lift
from ..scene.selected import lifted_armature, why_no_record
from .reports import report_error

__all__ = ["CLASSES"]


class MVLIFT_OT_remove_lift(bpy.types.Operator):
    """Remove a lift from the file: its armature, body, camera, objects, Actions and collection"""

    bl_idname = "mvlift.remove_lift"
    bl_label = "Remove Lift"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature, in Object Mode, and no lift that runs."""
        reason = why_busy(context) or why_no_record(context)
        if not reason and context.mode != "OBJECT":
            reason = "Switch to Object Mode first"
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Remove."""
        try:
            said = remove_lift(lifted_armature(context))
        except Exception as error:
            return report_error(self, context, error, "removing a lift")
        self.report({"INFO"}, said)
        return {"FINISHED"}


class MVLIFT_OT_match_scene(bpy.types.Operator):
    """Set the scene's camera, render size and frame range from the selected lift"""

    bl_idname = "mvlift.match_scene"
    bl_label = "Match Scene to Lift"
    bl_options = {"REGISTER", "UNDO"}

    camera: BoolProperty(name="Camera", description="Make the lift's camera the active one", default=True)
    size: BoolProperty(name="Render Size", description="Render at the video's size in pixels", default=True)
    frames: BoolProperty(name="Frame Range", description="Make the frame range that of the motion", default=True)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature."""
        reason = why_busy(context) or why_no_record(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Set what is ticked."""
        try:
            said = adopt(context.scene, lifted_armature(context), self.camera, self.size, self.frames)
        except Exception as error:
            return report_error(self, context, error, "matching the scene")
        context.scene.mvlift.said = said
        self.report({"INFO"}, said)
        return {"FINISHED"}


class MVLIFT_OT_add_ground(bpy.types.Operator):
    """Add a sun and a ground under the lifted person, which catches the shadow over the video, or is seen"""

    bl_idname = "mvlift.add_ground"
    bl_label = "Add Light and Ground"
    bl_options = {"REGISTER", "UNDO"}

    light: BoolProperty(name="Light", description="Add a sun", default=True)
    ground: BoolProperty(name="Ground", description="Add a plane at the height of the floor", default=True)
    catcher: BoolProperty(
        name="Shadow Catcher",
        description="The ground shows nothing but shadows in Cycles, over a transparent background",
        default=True,
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature."""
        reason = why_busy(context) or why_no_record(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Add what is ticked."""
        made = add_ground(context.scene, lifted_armature(context), self.light, self.ground, self.catcher)
        self.report({"INFO"}, f"{', '.join(o.name for o in made) or 'Nothing'} added")
        return {"FINISHED"}


class MVLIFT_OT_relift_range(bpy.types.Operator):
    """Lift a part of a lifted motion again with another seed or smoothing and blend it in, beside your work"""

    bl_idname = "mvlift.relift_range"
    bl_label = "Lift Range Again"
    bl_options = {"INTERNAL"}

    first: IntProperty(name="First", description="First scene frame to lift again", default=1)
    last: IntProperty(name="Last", description="Last scene frame to lift again", default=250)
    blend: IntProperty(
        name="Blend",
        description="Frames on either side over which old and new motion are blended",
        default=8,
        min=0,
        max=100,
    )
    seed: IntProperty(name="Seed", description="Another seed gives another solution", default=1, min=0)
    smoothing: FloatProperty(
        name="Smoothing", description="Multiplier on the temporal smoothing of the new part", default=1.0, min=0, max=10
    )

    limbs: EnumProperty(
        name="Parts",
        description="Exchange these parts of the body only, over the Action as it is; none means all",
        items=LIMB_ITEMS,
        options={"ENUM_FLAG"},
        default=set(),
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature whose keypoints are known."""
        reason = why_busy(context) or why_no_record(context, with_source=True)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask; begin with the scene's preview range, else its whole range."""
        scene = context.scene
        if not self.properties.is_property_set("first"):
            preview = scene.use_preview_range
            self.first = scene.frame_preview_start if preview else scene.frame_start
            self.last = scene.frame_preview_end if preview else scene.frame_end
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, _context: Any) -> set[str]:
        """Hand over to the operator that waits for the engine without blocking the window."""
        way = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        bpy.ops.mvlift.relift(
            way,
            first=self.first,
            last=self.last,
            blend=self.blend,
            seed=self.seed,
            smoothing=self.smoothing,
            limbs=self.limbs,
        )
        return {"FINISHED"}


class MVLIFT_OT_relift_corrected(bpy.types.Operator):
    """Lift the frames affected by corrected keypoints again, with the corrections at full weight, and blend them in"""

    bl_idname = "mvlift.relift_corrected"
    bl_label = "Lift Corrections"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature whose keypoints are known."""
        reason = why_busy(context) or why_no_record(context, with_source=True)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Hand over to the operator that waits for the engine without blocking the window."""
        settings = context.scene.mvlift
        try:
            first, last = corrected_frames(settings, lifted_armature(context))
        except Exception as error:
            return report_error(self, context, error, "lifting corrections")
        way = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        options = {"seed": settings.seed, "smoothing": settings.smoothing}
        bpy.ops.mvlift.relift(way, first=first, last=last, blend=4, **options)
        return {"FINISHED"}


CLASSES = (
    MVLIFT_OT_add_ground,
    MVLIFT_OT_relift_corrected,
    MVLIFT_OT_remove_lift,
    MVLIFT_OT_match_scene,
    MVLIFT_OT_relift_range,
)
