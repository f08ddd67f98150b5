"""Settings of the retargeting panel, stored in the scene."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .roles import roles, split_key

__all__ = ["CLASSES", "BoneRow", "RetargetSettings", "add_properties", "remove_properties"]

ROOTS = (
    ("HIPS", "Hips", "The hips bone carries the path"),
    ("ROOT", "Root Bone", "The root bone carries the path on the floor and the heading; the hips carry the rest"),
    ("IN_PLACE", "In Place", "The path on the floor is removed"),
)
BAKES = (
    ("FK", "FK", "Key the bones (a control rig's FK controls)"),
    ("IK", "IK Controls", "Key the rig's IK controls of hands and feet and their poles, where the bone map has them"),
)
DIRECTIONS = (
    ("LIMBS", "Limbs", "Arms and legs point as in the source; spine, neck, shoulders and feet keep the rig's posture"),
    ("ALL", "All Bones", "Every bone points as in the source, including spine, neck and feet"),
)
RESULTS = (
    ("ACTION", "Action", "A new Action becomes the rig's active one"),
    ("NLA", "NLA Strip", "A new Action on a new NLA track; the active one stays"),
)


def _is_armature(_self: Any, item: Any) -> bool:
    return item.type == "ARMATURE"


def _changed(self: Any, context: Any) -> None:
    from .live import refresh

    refresh(context)


def _target_changed(self: Any, context: Any) -> None:
    from .table import fill_by_detection

    fill_by_detection(self)


class BoneRow(bpy.types.PropertyGroup):
    """One part of the body and its bone."""

    key: StringProperty(name="Part", description="The part of the body that this row maps")
    body: StringProperty(name="Body", description="Kind of body that the part belongs to")
    bone: StringProperty(
        name="Bone", description="The bone that is keyed for this part; empty to leave the part out", update=_changed
    )
    geometry: StringProperty(
        name="Place", description="The bone that gives the part's position, if it is not the keyed bone"
    )

    @property
    def label(self) -> str:
        """What the table calls the part."""
        role, side, index = split_key(self.key)
        label = roles(self.body)[role].label
        return " ".join(str(part) for part in (label, side, "" if index is None else index + 1) if part != "")


class RetargetSettings(bpy.types.PropertyGroup):
    """The panel's settings."""

    source: PointerProperty(
        name="From",
        description="The armature whose motion is retargeted",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_changed,
    )
    target: PointerProperty(
        name="To",
        description="The rig that receives the motion",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_target_changed,
    )
    root: EnumProperty(name="Root Motion", description="Which bone carries the path", items=ROOTS, update=_changed)
    bake: EnumProperty(name="Key", description="What is keyed", items=BAKES)
    feet: BoolProperty(
        name="Plant Feet",
        description="Place the feet where the source's are and on the floor, by IK with the rig's leg lengths",
        default=True,
        update=_changed,
    )
    directions: EnumProperty(
        name="Match", description="Which bones point in the source's directions", items=DIRECTIONS, update=_changed
    )
    use_scale: BoolProperty(
        name="Own Scale",
        description="Scale the path by a custom factor instead of the ratio of the leg lengths",
        update=_changed,
    )
    scale: FloatProperty(
        name="Scale", description="Factor on the length of the path", default=1.0, min=0.01, max=100.0, update=_changed
    )
    result: EnumProperty(name="Result", description="Where the new Action is put", items=RESULTS)
    keep_place: BoolProperty(
        name="Keep Place",
        description="Start at the rig's position and heading instead of the motion's",
        update=_changed,
    )
    rows: CollectionProperty(type=BoneRow)
    active: IntProperty(name="Row", description="The selected row of the bone map")
    map_data: StringProperty(options={"HIDDEN"})
    confidence: FloatProperty(options={"HIDDEN"}, default=1.0)
    checked: BoolProperty(
        name="Bone Map Checked", description="Confirm that you have checked the bone map and corrected it where needed"
    )
    recognition: StringProperty(name="Recognised As", description="Which rig was recognised, and with what confidence")
    map_title: StringProperty(name="Map Name", description="Name under which the bone map is saved")
    previewing: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})


CLASSES = (BoneRow, RetargetSettings)


def add_properties() -> None:
    """Attach the settings to scenes."""
    bpy.types.Scene.mvlift_retarget = PointerProperty(type=RetargetSettings)


def remove_properties() -> None:
    """Undo ``add_properties``."""
    from .live import forget

    forget()
    del bpy.types.Scene.mvlift_retarget
