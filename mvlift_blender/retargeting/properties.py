"""What the retargeting panel holds, kept with the scene."""

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
    ("HIPS", "Hips", "The hips carry the whole path"),
    ("ROOT", "Root Bone", "The root bone carries the path over the floor and the heading, the hips what is left"),
    ("IN_PLACE", "In Place", "The path over the floor is taken away"),
)
BAKES = (
    ("FK", "FK", "Key the bones (a control rig's FK controls)"),
    ("IK", "IK Controls", "Key the rig's IK controls of hands and feet, with poles, where the bone map knows them"),
)
DIRECTIONS = (
    ("LIMBS", "Limbs", "Arms and legs point as in the source; the character keeps its own posture"),
    ("ALL", "All Bones", "Every bone points as in the source, the spine, neck and feet too"),
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

    key: StringProperty(name="Part", description="Which part of the body this row is")
    body: StringProperty(name="Body", description="Kind of body that the part belongs to")
    bone: StringProperty(
        name="Bone", description="The bone that is keyed for this part; empty leaves it alone", update=_changed
    )
    geometry: StringProperty(name="Place", description="The bone that shows where the part is, when it is another")

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
        description="The armature whose motion is taken",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_changed,
    )
    target: PointerProperty(
        name="To",
        description="The rig that is to move so",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_target_changed,
    )
    root: EnumProperty(name="Root Motion", description="Which bone carries the path", items=ROOTS, update=_changed)
    bake: EnumProperty(name="Key", description="What is keyed", items=BAKES)
    feet: BoolProperty(
        name="Plant Feet",
        description="Keep the feet where the source's are and on the floor, by IK on the rig's own leg lengths",
        default=True,
        update=_changed,
    )
    directions: EnumProperty(
        name="Match", description="Which bones point as the source's do", items=DIRECTIONS, update=_changed
    )
    use_scale: BoolProperty(
        name="Own Scale",
        description="Scale the path by a number of your own instead of the legs' lengths",
        update=_changed,
    )
    scale: FloatProperty(
        name="Scale", description="How much longer the path becomes", default=1.0, min=0.01, max=100.0, update=_changed
    )
    result: EnumProperty(name="Result", description="Where the motion goes", items=RESULTS)
    keep_place: BoolProperty(
        name="Keep Place",
        description="Begin where the rig stands, facing as it does, instead of where the motion begins",
        update=_changed,
    )
    rows: CollectionProperty(type=BoneRow)
    active: IntProperty(name="Row", description="The selected row of the bone map")
    map_data: StringProperty(options={"HIDDEN"})
    confidence: FloatProperty(options={"HIDDEN"}, default=1.0)
    checked: BoolProperty(
        name="Bone Map Is Right", description="You have looked at the bone map, and corrected it where it was wrong"
    )
    recognition: StringProperty(name="Recognised As", description="Which rig was recognised, and with what confidence")
    map_title: StringProperty(name="Map Name", description="Under which name the bone map is saved")
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
