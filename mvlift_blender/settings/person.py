"""Properties of each person in the keypoint files."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

__all__ = ["CLASSES", "Person"]

_items: list[tuple[str, str, str]] = []


def _subjects(self: Any, _context: Any) -> Sequence[tuple[str, str, str]]:
    """The subjects that a person's keypoints can be lifted as, the most likely first."""
    from ..importing.subjects import subject_title, subjects_of

    names = subjects_of(self)
    # Blender keeps only pointers to these strings, so they must live as long as it does
    _items[:] = [(name, subject_title(name), f"Lift a {subject_title(name).lower()}") for name in names]
    return _items


def _get_subject(self: Any) -> int:
    from ..importing.subjects import subjects_of

    names = subjects_of(self)
    return names.index(self.subject) if self.subject in names else 0


def _set_subject(self: Any, value: int) -> None:
    from ..importing.subjects import subjects_of

    self.subject = subjects_of(self)[value]


class Person(bpy.types.PropertyGroup):
    """One track of a keypoint file."""

    name: StringProperty(name="Name", description="Name of this person's armature")
    chosen: BoolProperty(name="Lift", description="Lift this person", default=True)
    source: StringProperty(name="Source", description="Keypoint file or folder", subtype="FILE_PATH")
    track: StringProperty(name="Track", description="The person's track in the file")
    format: StringProperty(name="Format", description="The detector format that was recognised")
    layout: StringProperty(name="Layout", description="The detector's keypoint layout")
    first: IntProperty(name="First", description="First frame in the video")
    last: IntProperty(name="Last", description="Last frame in the video")
    fps: StringProperty(name="Frame Rate", description="Frames per second stated in the file, empty if not stated")
    width: IntProperty(name="Width", description="Width of the video stated in the file, 0 if not stated")
    height: IntProperty(name="Height", description="Height of the video stated in the file, 0 if not stated")
    confidence: FloatProperty(name="Confidence", description="Mean confidence of the keypoints", min=0, max=1)
    missing: FloatProperty(name="Missing", description="Fraction of the keypoints that were not detected", min=0, max=1)
    gaps: IntProperty(name="Gaps", description="Runs of frames in which the person was not detected")
    why: StringProperty(name="Detected As", description="How the format was recognised")
    units: StringProperty(name="Units", description="Unit of the file's coordinates")
    subject: StringProperty(options={"HIDDEN"})
    subject_choice: EnumProperty(
        name="Subject",
        description="Person, animal, or person with object",
        items=_subjects,
        get=_get_subject,
        set=_set_subject,
    )
    keypoint_names: StringProperty(options={"HIDDEN"})
    family: StringProperty(options={"HIDDEN"})
    corrections: StringProperty(options={"HIDDEN"})
    notes: StringProperty(name="Notes", description="Values that the file does not state and that were assumed")

    @property
    def frames(self) -> int:
        """Number of video frames from the first to the last."""
        return self.last - self.first + 1


CLASSES = (Person,)
