"""Correct the 3D: keep poses, pin joints in space, and lift again so that both are met."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from mvlift.errors import LiftError

from ..cleanup.curves import unit_of
from ..engine.queue import Request
from ..lifting.correct import keep_pose, plan_correction, write_corrected
from ..lifting.jobs import why_busy
from ..lifting.write import Lifted
from ..scene.animation import current_curves, selected_bones
from ..scene.motion_curves import rest_skeleton
from ..scene.pins import new_pin, pins_of
from ..scene.selected import lifted_armature, why_no_record
from .engine import EngineOperator
from .reports import report_error

__all__ = ["CLASSES"]

_PINNED = (
    ("left_wrist", "Left Hand", "The left wrist"),
    ("right_wrist", "Right Hand", "The right wrist"),
    ("left_ankle", "Left Foot", "The left ankle"),
    ("right_ankle", "Right Foot", "The right ankle"),
    ("pelvis", "Hips", "The pelvis"),
)
_ACTIVE = ("ACTIVE", "Active Bone", "The bone that is active in Pose Mode")
_items: list[tuple[str, str, str]] = []


class _OfLift:
    """An operator on a lifted armature, while no lift runs."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature, and no lift that is about to change it."""
        reason = why_busy(context) or why_no_record(context, with_source=True)
        cls.poll_message_set(reason)
        return not reason


class MVLIFT_OT_keep_pose(_OfLift, bpy.types.Operator):
    """Key the pose of this frame and keep it when the motion is lifted again: the selected and moved bones, or all"""

    bl_idname = "mvlift.keep_pose"
    bl_label = "Keep This Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        """Key and mark."""
        try:
            said = keep_pose(lifted_armature(context), context.scene.frame_current_final)
        except Exception as error:
            return report_error(self, context, error, "keeping a pose")
        self.report({"INFO"}, said)
        return {"FINISHED"}


def _poses(context: Any) -> Any:
    curves = current_curves(lifted_armature(context))
    return curves.action.mvlift_poses if curves is not None else ()


class MVLIFT_OT_forget_pose(_OfLift, bpy.types.Operator):
    """Take the selected pose off the list: the next lift may change it"""

    bl_idname = "mvlift.forget_pose"
    bl_label = "Forget Pose"
    bl_options = {"REGISTER", "UNDO"}

    all: BoolProperty(name="All", description="Take every pose off the list", default=False)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A pose is on the list."""
        if not super().poll(context):
            return False
        cls.poll_message_set("No pose is kept")
        return len(_poses(context)) > 0

    def execute(self, context: Any) -> set[str]:
        """Take it off."""
        action = current_curves(lifted_armature(context)).action  # type: ignore[union-attr]  # poll has looked
        if self.all:
            action.mvlift_poses.clear()
        else:
            action.mvlift_poses.remove(min(action.mvlift_pose, len(action.mvlift_poses) - 1))
        action.mvlift_pose = max(0, min(action.mvlift_pose, len(action.mvlift_poses) - 1))
        return {"FINISHED"}


class MVLIFT_OT_pose_jump(_OfLift, bpy.types.Operator):
    """Go to the frame of the selected pose"""

    bl_idname = "mvlift.pose_jump"
    bl_label = "Go to Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        """Go."""
        poses = _poses(context)
        if not len(poses):
            return {"CANCELLED"}
        action = current_curves(lifted_armature(context)).action  # type: ignore[union-attr]  # poll has looked
        context.scene.frame_set(round(poses[min(action.mvlift_pose, len(poses) - 1)].frame))
        return {"FINISHED"}


def _joints(_self: Any, context: Any) -> list[tuple[str, str, str]]:
    # Blender keeps only pointers to these strings, so they must live as long as it does
    armature = lifted_armature(context) if context is not None else None
    names = rest_skeleton(armature).names if armature is not None else ()
    usual = [item for item in _PINNED if item[0] in names]
    rest = [(n, n.replace("_", " ").title(), f"The {n} bone") for n in names if n not in {i[0] for i in usual}]
    _items[:] = [_ACTIVE, *usual, *rest]
    return _items


class MVLIFT_OT_pin_here(_OfLift, bpy.types.Operator):
    """Pin a hand, a foot, the hips or any joint where it is now, over a range of frames: an empty that you can move"""

    bl_idname = "mvlift.pin_here"
    bl_label = "Pin Here"
    bl_options = {"REGISTER", "UNDO"}

    joint: EnumProperty(name="Joint", description="Which joint is pinned", items=_joints)
    first: IntProperty(name="First", description="First scene frame in which the joint is at the pin", default=1)
    last: IntProperty(name="Last", description="Last scene frame in which the joint is at the pin", default=1)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Take the preview range, or else a few frames around the playhead."""
        scene = context.scene
        if not self.properties.is_property_set("first"):
            preview, now = scene.use_preview_range, scene.frame_current
            self.first = scene.frame_preview_start if preview else now - 3
            self.last = scene.frame_preview_end if preview else now + 3
        if self.joint == "ACTIVE" and not self._active(lifted_armature(context)):
            self.joint = _joints(self, context)[1][0]
        return self.execute(context)

    @staticmethod
    def _active(armature: Any) -> str:
        bone = armature.data.bones.active if armature.mode == "POSE" else None
        chosen = selected_bones(armature) if armature.mode == "POSE" else []
        return bone.name if bone is not None else chosen[0] if chosen else ""

    def execute(self, context: Any) -> set[str]:
        """Make the empty."""
        armature = lifted_armature(context)
        bone = self._active(armature) if self.joint == "ACTIVE" else self.joint
        if not bone or self.last < self.first:
            what = "No bone is active." if not bone else f"Frames {self.first} to {self.last} are no range."
            return report_error(self, context, LiftError(what, "Choose another one."), "pinning a joint")
        pin = new_pin(armature, bone, (self.first, self.last), 1 / unit_of(armature))
        if context.mode == "OBJECT":
            for other in context.view_layer.objects:
                other.select_set(other == pin)
        self.report({"INFO"}, f"{pin.name}: {bone} pinned in frames {self.first} to {self.last}")
        return {"FINISHED"}


class MVLIFT_OT_remove_pin(_OfLift, bpy.types.Operator):
    """Take a pin out of the scene"""

    bl_idname = "mvlift.remove_pin"
    bl_label = "Remove Pin"
    bl_options = {"REGISTER", "UNDO"}

    pin: StringProperty(name="Pin", description="Name of the empty")

    def execute(self, context: Any) -> set[str]:
        """Remove it."""
        pin = next((p for p in pins_of(context.scene, lifted_armature(context)) if p.name == self.pin), None)
        if pin is None:
            return {"CANCELLED"}
        bpy.data.objects.remove(pin)
        return {"FINISHED"}


class MVLIFT_OT_select_pin(_OfLift, bpy.types.Operator):
    """Select a pin in the viewport, to move it"""

    bl_idname = "mvlift.select_pin"
    bl_label = "Select Pin"
    bl_options = {"REGISTER", "UNDO"}

    pin: StringProperty(name="Pin", description="Name of the empty")

    def execute(self, context: Any) -> set[str]:
        """Leave Pose Mode, and select it."""
        pin = next((p for p in pins_of(context.scene, lifted_armature(context)) if p.name == self.pin), None)
        if pin is None or pin.name not in context.view_layer.objects:
            return {"CANCELLED"}
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for other in context.view_layer.objects:
            other.select_set(other == pin)
        context.scene.mvlift.result = lifted_armature(context)
        context.view_layer.objects.active = pin
        return {"FINISHED"}


class MVLIFT_OT_lift_with_poses(EngineOperator, bpy.types.Operator):
    """Change the motion so that the poses and pins are met exactly, and all else follows the video"""

    bl_idname = "mvlift.lift_with_poses"
    bl_label = "Lift Again with My Poses"
    bl_options = {"UNDO"}
    doing = "lifting again with poses"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature whose keypoints are known; whether something was posed is looked up with the click."""
        reason = why_busy(context) or why_no_record(context, with_source=True)
        cls.poll_message_set(reason)
        return not reason

    def requests(self, context: Any) -> Sequence[Request]:
        """The motion with its constraints."""
        self._plan = plan_correction(context, lifted_armature(context))
        return [self._plan.request]

    def write(self, context: Any, lifted: Lifted) -> str:
        """A new Action, or the cleaned one, with the motion changed."""
        said = write_corrected(self._plan, lifted[0][1])
        context.scene.frame_set(context.scene.frame_current)
        return f"{said}; written"


CLASSES = (
    MVLIFT_OT_keep_pose,
    MVLIFT_OT_forget_pose,
    MVLIFT_OT_pose_jump,
    MVLIFT_OT_pin_here,
    MVLIFT_OT_remove_pin,
    MVLIFT_OT_select_pin,
    MVLIFT_OT_lift_with_poses,
)
