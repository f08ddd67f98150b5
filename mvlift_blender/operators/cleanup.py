"""Clean-up of a lifted armature; every operator can be adjusted afterwards in the Adjust Last Operation panel."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty
from mvlift.errors import LiftError

from ..cleanup import cleaning, contacts
from ..cleanup.curves import unit_of
from ..cleanup.lifted import CONTACT
from ..cleanup.repair import mix
from ..lifting.jobs import why_busy
from ..motion.feet import FootOptions
from ..motion.limbs_mask import LIMB_ITEMS, limb_bones
from ..retargeting.rig_cleanup import rig_joints
from ..scene.animation import selected_bones
from ..scene.motion_curves import rest_skeleton
from ..scene.selected import lifted_armature, why_no_record
from .reports import report_error

__all__ = ["CLASSES"]

FEET = (
    ("OFF", "Off", "Leave the feet as lifted"),
    (
        "AUTO",
        "Automatic",
        "Plant a foot during the contacts that the lift detected, unless it slides further than Maximum Slide",
    ),
    (
        "ALWAYS",
        "Always",
        "Plant a foot during every detected contact and whenever it is low and slow, however far it slides",
    ),
)
_SELECTED = ("SELECTED", "Selected Bones", "The bones that are selected in Pose Mode")

_items: list[tuple[str, str, str]] = []


def _joints(_self: Any, context: Any) -> list[tuple[str, str, str]]:
    # Blender keeps only pointers to these strings, so they must live as long as it does
    armature = lifted_armature(context) if context is not None else None
    names = (rig_joints(armature) or rest_skeleton(armature).names) if armature is not None else ()
    _items[:] = [_SELECTED, *((name, name.replace("_", " ").title(), f"The {name} bone") for name in names)]
    return _items


_feet_items: list[tuple[str, str, str]] = []


def _feet(_self: Any, context: Any) -> list[tuple[str, str, str]]:
    armature = lifted_armature(context) if context is not None else None
    names = contacts.feet_of(armature) if armature is not None else ()
    _feet_items[:] = [(n, n.replace("_", " ").title(), f"The foot under {n}") for n in names] or [
        ("NONE", "None", "There is no foot")
    ]
    return _feet_items


class _CleanUp:
    """An operator that changes a lifted armature's Action. Subclasses give ``clean``."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature, and no lift that is about to change it."""
        reason = why_busy(context) or why_no_record(context)
        cls.poll_message_set(reason)
        return not reason

    def clean(self, context: Any, armature: Any) -> str:
        """Do it; returns a report of the change."""
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        """Clean and report."""
        try:
            text = self.clean(context, lifted_armature(context))
        except Exception as error:
            return report_error(self, context, error, f"{self.bl_label.lower()}")
        self.report({"INFO"}, text)
        return {"FINISHED"}


class MVLIFT_OT_clean_feet(_CleanUp, bpy.types.Operator):
    """Keep feet in contact with the floor in place: they roll from heel to toe without slipping"""

    bl_idname = "mvlift.clean_feet"
    bl_label = "Clean Foot Contacts"

    mode: EnumProperty(name="Contacts", description="Which feet are planted", items=FEET, default="AUTO")
    threshold: FloatProperty(
        name="Minimum Contact",
        description="A foot is in contact with the floor from this probability on",
        default=CONTACT, min=0.05, max=0.95, subtype="FACTOR",
    )  # fmt: skip
    most_travel: FloatProperty(
        name="Maximum Slide",
        description="With Automatic, a foot that travels further during a contact is assumed to slide on purpose",
        default=0.3, min=0.0, soft_max=2.0, unit="LENGTH",
    )  # fmt: skip
    blend: IntProperty(
        name="Blend", description="Frames over which a planted foot is released", default=4, min=0, max=30
    )
    on_floor: BoolProperty(
        name="On the Floor", description="Bring the soles of feet in contact to the floor", default=True
    )

    def clean(self, _context: Any, armature: Any) -> str:
        """Plant the feet."""
        metres = self.most_travel * unit_of(armature)
        options = FootOptions(self.mode, metres, self.blend, self.on_floor)
        return contacts.clean_feet(armature, options, self.threshold)


class MVLIFT_OT_snap_floor(_CleanUp, bpy.types.Operator):
    """Move the whole person up or down so that the feet in contact stand on the floor"""

    bl_idname = "mvlift.snap_floor"
    bl_label = "Snap to Floor"

    drift: BoolProperty(
        name="Follow Drift",
        description="Remove a vertical drift over time; otherwise, move the whole motion by one height",
        default=False,
    )
    period: FloatProperty(
        name="Period", description="Time over which the drift is averaged", default=1.0, min=0.1, soft_max=10,
        unit="TIME_ABSOLUTE",
    )  # fmt: skip
    strength: FloatProperty(
        name="Strength",
        description="Fraction of the correction that is applied",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def clean(self, _context: Any, armature: Any) -> str:
        """Move the root."""
        return contacts.snap_floor(armature, self.drift, self.period, self.strength)


class MVLIFT_OT_set_contact(_CleanUp, bpy.types.Operator):
    """Say that a foot rests on the floor in a range of frames, or that it does not; then clean the contacts"""

    bl_idname = "mvlift.set_contact"
    bl_label = "Set Foot Contact"

    foot: EnumProperty(name="Foot", description="Which foot", items=_feet)
    rests: BoolProperty(name="Rests", description="The foot rests on the floor; off: it is in the air", default=True)
    first: IntProperty(name="First", description="First scene frame of the range", default=1)
    last: IntProperty(name="Last", description="Last scene frame of the range", default=1)
    fade: IntProperty(
        name="Fade", description="Scene frames on either side over which the contact comes and goes", default=2, min=0,
        max=30,
    )  # fmt: skip
    clean: BoolProperty(name="Clean", description="Clean the foot contacts at once", default=True)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask; begin with the preview range, or else a few frames around the playhead."""
        scene = context.scene
        if not self.properties.is_property_set("first"):
            preview, now = scene.use_preview_range, scene.frame_current
            self.first = scene.frame_preview_start if preview else now - 3
            self.last = scene.frame_preview_end if preview else now + 3
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: Any) -> set[str]:
        """Change the contacts, and clean."""
        armature = lifted_armature(context)
        try:
            said = contacts.set_contact(armature, self.foot, (self.first, self.last), self.rests, self.fade)
            if self.clean:
                said = f"{said}. {contacts.clean_feet(armature, FootOptions('AUTO', 0.3 * unit_of(armature), 4, True))}"
        except Exception as error:
            return report_error(self, context, error, "setting a contact")
        self.report({"INFO"}, said)
        return {"FINISHED"}


class MVLIFT_OT_smooth(_CleanUp, bpy.types.Operator):
    """Smooth the motion in time"""

    bl_idname = "mvlift.smooth"
    bl_label = "Smooth"

    strength: FloatProperty(
        name="Strength", description="Strength of the smoothing; 1 averages over about a tenth of a second",
        default=1.0, min=0.0, soft_max=5.0, max=25.0,
    )  # fmt: skip
    only_selected: BoolProperty(
        name="Selected Bones Only", description="Smooth the bones that are selected in Pose Mode", default=False
    )
    limbs: EnumProperty(
        name="Parts", description="Smooth these parts of the body; none means all", items=LIMB_ITEMS,
        options={"ENUM_FLAG"}, default=set(),
    )  # fmt: skip
    path: BoolProperty(name="Path", description="Smooth the path through the world too", default=True)
    keep_feet: BoolProperty(name="Keep Feet", description="Feet in contact stay where they were", default=True)

    def clean(self, _context: Any, armature: Any) -> str:
        """Smooth."""
        joints = selected_bones(armature) if self.only_selected else []
        if self.only_selected and not joints:
            raise LiftError("No bone is selected.", "Select bones in Pose Mode, or smooth all.")
        path = self.path
        if self.limbs:
            bones, root = limb_bones(rest_skeleton(armature), self.limbs), rest_skeleton(armature).root
            joints = [b for b in joints if b in bones] if self.only_selected else list(bones)
            path = path and root in bones
        return cleaning.smooth(armature, self.strength, joints, path, self.keep_feet)


class MVLIFT_OT_reduce_keys(_CleanUp, bpy.types.Operator):
    """Remove keys so that no joint moves by more than the given distance"""

    bl_idname = "mvlift.reduce_keys"
    bl_label = "Reduce Keys"

    bound: FloatProperty(
        name="Error (mm)", description="Largest distance in millimetres that any joint may move in any frame",
        default=3.0, min=0.1, soft_max=50.0, max=1000.0,
    )  # fmt: skip

    def clean(self, _context: Any, armature: Any) -> str:
        """Thin out."""
        return cleaning.reduce_keys(armature, 0.001 * self.bound)


class MVLIFT_OT_clean_strength(_CleanUp, bpy.types.Operator):
    """Blend between the motion as lifted and the cleaned motion"""

    bl_idname = "mvlift.clean_strength"
    bl_label = "Clean-up Strength"

    strength: FloatProperty(
        name="Strength", description="0 is the motion as lifted, 1 as cleaned", default=1.0, min=0.0, max=1.0,
        subtype="FACTOR",
    )  # fmt: skip

    def clean(self, _context: Any, armature: Any) -> str:
        """Mix."""
        return mix(armature, self.strength)


class _OfJoint(_CleanUp):
    """A clean-up of one joint over a range of frames, as it is in one of them."""

    joint: EnumProperty(name="Joint", description="Which bone", items=_joints)
    at: IntProperty(name="As in Frame", description="Scene frame whose pose is kept", default=1)
    first: IntProperty(name="First", description="First scene frame to keep it in", default=1)
    last: IntProperty(name="Last", description="Last scene frame to keep it in", default=250)
    blend: IntProperty(
        name="Blend", description="Frames over which the change fades in and out", default=8, min=0, max=100
    )

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Take the present frame, and the preview range or else half a second around it."""
        scene = context.scene
        if not self.properties.is_property_set("at"):
            self.at = scene.frame_current
        if not self.properties.is_property_set("first"):
            half = round(0.5 * scene.render.fps / scene.render.fps_base)
            preview = scene.use_preview_range
            self.first = scene.frame_preview_start if preview else self.at - half
            self.last = scene.frame_preview_end if preview else self.at + half
        return self.execute(context)

    def joints(self, armature: Any) -> list[str]:
        """The chosen bones."""
        return selected_bones(armature) if self.joint == "SELECTED" else [self.joint]


class MVLIFT_OT_hold_joints(_OfJoint, bpy.types.Operator):
    """Hold joints: they keep the rotation of one frame over a range of frames"""

    bl_idname = "mvlift.hold_joints"
    bl_label = "Hold"

    def clean(self, _context: Any, armature: Any) -> str:
        """Hold."""
        return cleaning.hold_joints(armature, self.joints(armature), self.at, (self.first, self.last), self.blend)


class MVLIFT_OT_lock_joint(_OfJoint, bpy.types.Operator):
    """Lock hands or feet: they keep the world position of one frame over a range of frames"""

    bl_idname = "mvlift.lock_joint"
    bl_label = "Lock"

    keep_turn: BoolProperty(
        name="Keep Orientation", description="The hand or foot keeps its orientation in the world", default=True
    )

    def clean(self, _context: Any, armature: Any) -> str:
        """Lock each."""
        frames = (self.first, self.last)
        said = [
            cleaning.lock_joint(armature, joint, self.at, frames, self.blend, self.keep_turn)
            for joint in self.joints(armature) or [""]
        ]
        return "; ".join(said)


CLASSES = (
    MVLIFT_OT_clean_feet,
    MVLIFT_OT_set_contact,
    MVLIFT_OT_snap_floor,
    MVLIFT_OT_smooth,
    MVLIFT_OT_reduce_keys,
    MVLIFT_OT_clean_strength,
    MVLIFT_OT_hold_joints,
    MVLIFT_OT_lock_joint,
)
