"""Properties of scenes, and of the window manager for the running job."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
import bpy
from bpy.props import BoolProperty, FloatProperty, PointerProperty, StringProperty

from . import doubt, lift, person, pose, source

__all__ = ["CLASSES", "JobState", "add_properties", "remove_properties"]


class JobState(bpy.types.PropertyGroup):
    """What the running job shows in the panel."""

    running: BoolProperty(options={"SKIP_SAVE"})
    stage: StringProperty(options={"SKIP_SAVE"})
    fraction: FloatProperty(options={"SKIP_SAVE"}, min=0, max=1)
    left: StringProperty(options={"SKIP_SAVE"})
    cancel: BoolProperty(options={"SKIP_SAVE"})
    report: StringProperty(options={"SKIP_SAVE"})


CLASSES = (*doubt.CLASSES, *pose.CLASSES, *source.CLASSES, *person.CLASSES, *lift.CLASSES, JobState)


def add_properties() -> None:
    """Attach the settings to scenes and the job to the window manager."""
    bpy.types.Scene.mvlift = PointerProperty(type=lift.LiftSettings)
    bpy.types.WindowManager.mvlift_job = PointerProperty(type=JobState)
    doubt.add_properties()
    pose.add_properties()


def remove_properties() -> None:
    """Undo ``add_properties``."""
    pose.remove_properties()
    doubt.remove_properties()
    del bpy.types.WindowManager.mvlift_job
    del bpy.types.Scene.mvlift
