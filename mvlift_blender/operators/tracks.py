"""Correct the people found: split, join, exchange from a frame on, trim."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty

from ..importing import track_editing as editing
from ..importing.people import why_no_people
from ..lifting.jobs import why_busy
from ..viewport.preview import video_frame
from .reports import report_error

__all__ = ["CLASSES"]

_items: list[tuple[str, str, str]] = []


def _others(_self: Any, context: Any) -> list[tuple[str, str, str]]:
    # Blender keeps only pointers to these strings, so they must live as long as it does
    settings = context.scene.mvlift
    source = settings.person().source if settings.person() is not None else ""
    _items[:] = [
        (str(i), person.name, f"Frames {person.first} to {person.last}")
        for i, person in enumerate(settings.people)
        if i != settings.active and person.source == source
    ]
    return _items


def _frame(context: Any) -> int:
    """The video's frame under the playhead."""
    settings = context.scene.mvlift
    return round(video_frame(context, settings, settings.person(), context.scene.frame_current_final))


class _OfPerson:
    """A correction of the person that is active in the list. Subclasses give ``correct``."""

    bl_options = {"REGISTER", "UNDO"}
    others = False

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There is a person (and another of the same file, where two are needed), and no lift that reads the list."""
        reason = why_busy(context) or why_no_people(context)
        if not reason and cls.others and not _others(None, context):
            reason = "There is no other person of the same file"
        cls.poll_message_set(reason)
        return not reason

    def correct(self, settings: Any) -> str:
        """Do it; returns a report."""
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        """Correct and report."""
        try:
            text = self.correct(context.scene.mvlift)
        except Exception as error:
            return report_error(self, context, error, self.bl_label.lower())
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask, with the frame under the playhead."""
        if hasattr(self, "frame") and not self.properties.is_property_set("frame"):
            self.frame = _frame(context)
        return context.window_manager.invoke_props_dialog(self)


class MVLIFT_OT_split_person(_OfPerson, bpy.types.Operator):
    """Split a person in two, where the tracker jumped from one person to another"""

    bl_idname = "mvlift.split_person"
    bl_label = "Split Person"

    frame: IntProperty(name="Frame", description="First frame of the second part, in the video", min=0)

    def correct(self, settings: Any) -> str:
        """Split."""
        new = editing.split_person(settings, settings.active, self.frame)
        return f"Created {new.name}"


class MVLIFT_OT_join_people(_OfPerson, bpy.types.Operator):
    """Join two people, where the tracker lost a person and later tracked them as another"""

    bl_idname = "mvlift.join_people"
    bl_label = "Join People"
    others = True

    other: EnumProperty(name="With", description="The person that is joined to the active person", items=_others)

    def correct(self, settings: Any) -> str:
        """Join."""
        name = settings.people[int(self.other)].name
        editing.join_people(settings, settings.active, int(self.other))
        return f"Joined {name} to {settings.person().name}"


class MVLIFT_OT_swap_people(_OfPerson, bpy.types.Operator):
    """Swap two people from a frame on, where the tracker confused them"""

    bl_idname = "mvlift.swap_people"
    bl_label = "Swap People from Here"
    others = True

    other: EnumProperty(name="With", description="The person that is swapped with the active person", items=_others)
    frame: IntProperty(name="Frame", description="Frame of the video from which the two people are swapped", min=0)

    def correct(self, settings: Any) -> str:
        """Exchange."""
        editing.swap_people(settings, settings.active, int(self.other), self.frame)
        return f"Exchanged with {settings.people[int(self.other)].name} from frame {self.frame} on"


class MVLIFT_OT_trim_person(_OfPerson, bpy.types.Operator):
    """Keep only a part of a person's frames"""

    bl_idname = "mvlift.trim_person"
    bl_label = "Trim Person"

    first: IntProperty(name="First", description="First frame of the video to keep", min=0)
    last: IntProperty(name="Last", description="Last frame of the video to keep", min=0, default=250)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask, with the person's own frames."""
        person = context.scene.mvlift.person()
        if not self.properties.is_property_set("first"):
            self.first, self.last = person.first, person.last
        return super().invoke(context, event)

    def correct(self, settings: Any) -> str:
        """Trim."""
        editing.trim_person(settings, settings.active, self.first, self.last)
        person = settings.person()
        return f"{person.name} now has frames {person.first} to {person.last}"


CLASSES = (MVLIFT_OT_split_person, MVLIFT_OT_join_people, MVLIFT_OT_swap_people, MVLIFT_OT_trim_person)
