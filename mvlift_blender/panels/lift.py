"""How to lift, the button, and the progress of what runs."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy
from mvlift.lifting.subjects import get_subject

from ..importing.people import why_not
from ..interface.text import paragraph
from ..operators.presets import draw_presets
from ..scene.lift_parts import earlier_lifts
from ..settings.options import generated_options
from .people import SidebarPanel

__all__ = ["CLASSES"]


def _subject(context: Any) -> str:
    person = context.scene.mvlift.person()
    return str(person.subject) if person is not None else "human"


class MVLIFT_PT_lift(SidebarPanel, bpy.types.Panel):
    """The button."""

    bl_idname = "MVLIFT_PT_lift"
    bl_label = "Lift"

    def draw(self, context: Any) -> None:
        """Subject, height, hands, contacts, and the button or the progress bar."""
        layout, settings, job = self.layout, context.scene.mvlift, context.window_manager.mvlift_job
        if job.running:
            _progress(layout, job)
            return
        layout.use_property_decorate = False
        draw_presets(layout)
        column = layout.column()
        column.use_property_split = True
        person = settings.person()
        if person is not None:
            column.prop(person, "subject_choice")
        row = column.row(heading="Height")
        row.prop(settings, "use_stature", text="")
        part = row.row()
        part.enabled = settings.use_stature
        part.prop(settings, "stature", text="")
        column.prop(settings, "hands")
        column.prop(settings, "pin_contacts")
        if has_earlier_lifts(context.scene):
            layout.row().prop(settings, "previous", expand=True)
        row = layout.row()
        row.scale_y = 1.5
        row.operator("mvlift.lift", icon="ARMATURE_DATA")
        paragraph(context, layout, why_not(settings) if settings.people else "", "INFO")


def has_earlier_lifts(scene: Any) -> bool:
    """Whether one of the selected people was lifted in this scene before."""
    return any(earlier_lifts(scene, person.source, person.track) for person in scene.mvlift.chosen())


def _progress(layout: Any, job: Any) -> None:
    column = layout.column(align=True)
    left = f"  {job.left}" if job.left else ""
    column.progress(factor=job.fraction, text=f"{job.stage}  {100 * job.fraction:.0f} %{left}")
    column.operator("mvlift.cancel", text="Cancelling" if job.cancel else "Cancel (Esc)", icon="CANCEL")


class _Part(SidebarPanel):
    bl_parent_id = "MVLIFT_PT_lift"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Not while a lift runs: nothing could be changed, and whatever is shown then is drawn with every progress."""
        return not context.window_manager.mvlift_job.running

    def draw(self, context: Any) -> None:
        """The settings of this part."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.settings(layout, context.scene.mvlift)


class MVLIFT_PT_rigid_object(_Part, bpy.types.Panel):
    """The object of a subject that has one."""

    bl_idname = "MVLIFT_PT_rigid_object"
    bl_label = "Object"
    bl_options: ClassVar[Any] = set()

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only where the subject has an object."""
        return super().poll(context) and get_subject(_subject(context)).rigid_object is not None

    def settings(self, layout: Any, settings: Any) -> None:
        """The object of the scene, its keypoints, its size."""
        layout.prop(settings, "rigid_object")
        layout.prop(settings, "rigid_object_source")
        layout.prop(settings, "rigid_object_known")
        if settings.rigid_object_known and settings.rigid_object is None:
            layout.prop(settings, "rigid_object_size")


class MVLIFT_PT_camera(_Part, bpy.types.Panel):
    """The lens and the movement."""

    bl_idname = "MVLIFT_PT_camera"
    bl_label = "Camera"

    def settings(self, layout: Any, settings: Any) -> None:
        """What is known about the camera."""
        layout.prop(settings, "lens")
        if settings.lens == "FOV":
            layout.prop(settings, "fov")
        elif settings.lens == "PIXELS":
            layout.prop(settings, "focal")
        layout.prop(settings, "movement")
        if settings.movement == "FILE":
            layout.prop(settings, "track_file")
        elif settings.movement in {"SCENE", "CLIP"}:
            layout.prop(settings, "track_camera" if settings.movement == "SCENE" else "track_clip")
            layout.prop(settings, "track_world")
            if settings.movement == "SCENE":
                layout.prop(settings, "track_begins")
        layout.prop(settings, "gravity")
        if settings.gravity == "TILT":
            layout.prop(settings, "tilt")
        elif settings.gravity in {"HORIZON", "VERTICALS"}:
            layout.operator("mvlift.draw_gravity", icon="GREASEPENCIL").kind = settings.gravity
        layout.prop(settings, "write_camera")


class MVLIFT_PT_time(_Part, bpy.types.Panel):
    """Which frames, and where they go."""

    bl_idname = "MVLIFT_PT_time"
    bl_label = "Frames"

    def settings(self, layout: Any, settings: Any) -> None:
        """Range, start and rate."""
        row = layout.row(heading="Range")
        row.prop(settings, "use_range", text="")
        part = row.row(align=True)
        part.enabled = settings.use_range
        part.prop(settings, "range_first", text="")
        part.prop(settings, "range_last", text="")
        layout.prop(settings, "scene_setup")
        layout.prop(settings, "rate")
        layout.prop(settings, "start_at")
        if settings.start_at == "FRAME":
            layout.prop(settings, "start")


class MVLIFT_PT_engine(_Part, bpy.types.Panel):
    """How the engine works."""

    bl_idname = "MVLIFT_PT_engine"
    bl_label = "Engine"

    def settings(self, layout: Any, settings: Any) -> None:
        """Device, method, smoothing, seed, body."""
        layout.prop(settings, "device")
        for name in generated_options():
            layout.prop(settings, name)
        layout.prop(settings, "write_body")


CLASSES = (MVLIFT_PT_lift, MVLIFT_PT_rigid_object, MVLIFT_PT_camera, MVLIFT_PT_time, MVLIFT_PT_engine)
