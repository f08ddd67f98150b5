"""What the user says of a lifted motion: poses that are kept, with the Action; pins, with their empties."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

__all__ = ["CLASSES", "KeptPose", "Pin", "add_properties", "remove_properties"]


class KeptPose(bpy.types.PropertyGroup):
    """A frame whose pose is right."""

    frame: FloatProperty(name="Frame", description="Scene frame whose pose is kept")
    bones: StringProperty(name="Bones", description="Names of the bones that are kept, one a line; empty for all")
    place: BoolProperty(name="Place", description="The place of the whole body is kept too")


def _is_armature(_self: Any, candidate: Any) -> bool:
    return bool(candidate.type == "ARMATURE")


class Pin(bpy.types.PropertyGroup):
    """The joint that an empty pins."""

    armature: PointerProperty(
        name="Armature", description="Whose joint is pinned", type=bpy.types.Object, poll=_is_armature
    )
    bone: StringProperty(name="Bone", description="Whose head is where the pin is")
    first: IntProperty(name="First", description="First scene frame in which the joint is at the pin")
    last: IntProperty(name="Last", description="Last scene frame in which the joint is at the pin")
    weight: FloatProperty(
        name="Strength", description="1 holds the joint at the pin; less is a wish that the video may go against",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR",
    )  # fmt: skip


CLASSES = (KeptPose, Pin)


def add_properties() -> None:
    """Attach kept poses to Actions and pins to objects."""
    bpy.types.Action.mvlift_poses = CollectionProperty(type=KeptPose)
    bpy.types.Action.mvlift_pose = IntProperty(name="Kept Pose", description="The selected pose of the list")
    bpy.types.Object.mvlift_pin = PointerProperty(type=Pin)


def remove_properties() -> None:
    """Undo ``add_properties``."""
    del bpy.types.Object.mvlift_pin
    del bpy.types.Action.mvlift_pose
    del bpy.types.Action.mvlift_poses
