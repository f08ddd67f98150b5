"""The list of doubtful parts, kept with the Action that they are of."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

__all__ = ["CLASSES", "DoubtfulPart", "add_properties", "remove_properties"]

_KINDS = (
    ("JUMP", "Jump", "A hand, foot or joint moves faster than is possible"),
    ("CONFIDENCE", "Low Confidence", "The detector's confidence is low"),
    ("ERROR", "Far from the Keypoints", "The body is far from the detected keypoints"),
    ("FLOOR", "Below the Floor", "A part of the body is below the floor"),
)


class DoubtfulPart(bpy.types.PropertyGroup):
    """A part of a lifted motion to look at."""

    kind: EnumProperty(name="Why", description="Why this part is doubtful", items=_KINDS)
    first: FloatProperty(name="First", description="First scene frame")
    last: FloatProperty(name="Last", description="Last scene frame")
    worst: FloatProperty(name="Worst", description="The scene frame in which it is worst")
    value: FloatProperty(name="Value", description="The measured value there")
    joint: StringProperty(name="Joint", description="The joint or keypoint concerned, empty for the whole body")


CLASSES = (DoubtfulPart,)


def _strength_changed(self: Any, context: Any) -> None:
    from ..scene.selected import lifted_armature

    armature = lifted_armature(context)
    if armature is not None and armature.animation_data.action == self:
        bpy.ops.mvlift.clean_strength(strength=self.mvlift_strength)


def add_properties() -> None:
    """Attach the list and the strength of the clean-up to Actions."""
    bpy.types.Action.mvlift_strength = FloatProperty(
        name="Clean-up",
        description="Fraction of the clean-up that is shown: 0 is the motion as lifted, 1 as cleaned",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR", update=_strength_changed, options=set(),
    )  # fmt: skip
    bpy.types.Action.mvlift_doubts = CollectionProperty(type=DoubtfulPart)
    bpy.types.Action.mvlift_doubt = IntProperty(name="Doubtful Part", description="The selected part of the list")


def remove_properties() -> None:
    """Undo ``add_properties``."""
    del bpy.types.Action.mvlift_strength
    del bpy.types.Action.mvlift_doubt
    del bpy.types.Action.mvlift_doubts
