"""Import, what was recognised, and the people found."""

from __future__ import annotations

from typing import Any

import bpy

from ..importing.corrections import corrections_text
from ..importing.people import assumed, describe
from ..interface.sidebar import TAB
from ..interface.text import paragraph
from ..viewport.thumbnails import thumbnail_of

__all__ = ["CLASSES", "SidebarPanel"]


class SidebarPanel:
    """Where all of MVLift's panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB


class MVLIFT_UL_people(bpy.types.UIList):
    """A row for each person: outline, tick, name, duration, confidence."""

    bl_idname = "MVLIFT_UL_people"

    def draw_item(
        self, _context: Any, layout: Any, settings: Any, person: Any, _icon: int, _active: Any, _property: str
    ) -> None:
        """One row."""
        row = layout.row(align=True)
        row.prop(person, "chosen", text="")
        row.label(text="", icon_value=thumbnail_of(settings, person))
        row.prop(person, "name", text="", emboss=False)
        facts = row.row(align=True)
        facts.alignment = "RIGHT"
        facts.label(text=f"{person.frames / float(settings.clip_fps(person)):.1f} s")
        facts.label(text=f"{100 * person.confidence:.0f} %")


class MVLIFT_MT_correct(bpy.types.Menu):
    """Corrections of the active person."""

    bl_idname = "MVLIFT_MT_correct"
    bl_label = "Correct People"
    bl_description = "Split, join, swap or trim people where the tracker failed"

    def draw(self, _context: Any) -> None:
        """One entry for each."""
        for name in ("split_person", "join_people", "swap_people", "trim_person"):
            self.layout.operator(f"mvlift.{name}")


class MVLIFT_PT_people(SidebarPanel, bpy.types.Panel):
    """Keypoints of a video and the people in it."""

    bl_idname = "MVLIFT_PT_people"
    bl_label = "Keypoints"

    def draw(self, context: Any) -> None:
        """Import button, list, facts of the active person."""
        layout, settings = self.layout, context.scene.mvlift
        row = layout.row(align=True)
        row.scale_y = 1.3
        row.operator("mvlift.import_video", icon="FILE_MOVIE")
        row.operator("mvlift.import_keypoints", icon="IMPORT")
        row.operator("mvlift.preferences", text="", icon="PREFERENCES")
        if not settings.people:
            layout.label(text="Or drop files here", icon="INFO")
            if not context.window_manager.mvlift_job.running:
                layout.operator("mvlift.try_example", icon="PLAY")
            return
        row = layout.row()
        rows = 3 if len(settings.people) < 6 else 6
        row.template_list(MVLIFT_UL_people.bl_idname, "", settings, "people", settings, "active", rows=rows)
        buttons = row.column(align=True)
        buttons.operator("mvlift.choose_people", text="", icon="CHECKBOX_HLT")
        buttons.operator("mvlift.forget_people", text="", icon="REMOVE")
        buttons.operator("mvlift.forget_people", text="", icon="TRASH").everybody = True
        buttons.separator()
        buttons.menu(MVLIFT_MT_correct.bl_idname, text="", icon="DOWNARROW_HLT")
        person = settings.person()
        if person is not None and not context.window_manager.mvlift_job.running:
            _video(context, layout, settings, person)
        layout.prop(settings, "overlay", text="Show Keypoints in Viewport", icon="OVERLAY")


def _video(context: Any, layout: Any, settings: Any, person: Any) -> None:
    """The video of the active person's file, what was assumed of it, and what does not fit."""
    source = settings.source_of(person)
    if source is None:
        return
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(source, "video")
    paragraph(context, layout, source.video_problem, "ERROR")
    paragraph(context, layout, assumed(settings, person), "INFO")
    for index, finding in enumerate(source.findings):
        box = layout.box()
        paragraph(context, box, finding.text, "ERROR")
        if finding.fix:
            box.operator("mvlift.mend_source", text=finding.fix, icon="CHECKMARK").index = index


class _OfPerson(SidebarPanel):
    """A part that is closed at first, once there are people, and while no lift runs."""

    bl_parent_id = "MVLIFT_PT_people"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There is an active person."""
        return context.scene.mvlift.person() is not None and not context.window_manager.mvlift_job.running


class MVLIFT_PT_details(_OfPerson, bpy.types.Panel):
    """What was recognised."""

    bl_idname = "MVLIFT_PT_details"
    bl_label = "Details"

    def draw(self, context: Any) -> None:
        """Facts of the active person, and what the file did not say."""
        settings = context.scene.mvlift
        person = settings.person()
        paragraph(context, self.layout, "\n".join(describe(settings, person)))
        for note in person.notes.splitlines():
            paragraph(context, self.layout, note, "INFO")


class MVLIFT_PT_video(_OfPerson, bpy.types.Panel):
    """What the keypoint files do not say about the video."""

    bl_idname = "MVLIFT_PT_video"
    bl_label = "Size and Rate"

    def draw(self, context: Any) -> None:
        """Size, rate and pixels of the active person's keypoint file."""
        layout, settings = self.layout, context.scene.mvlift
        person = settings.person()
        source = settings.source_of(person)
        if source is None:
            return
        layout.use_property_split = True
        layout.use_property_decorate = False
        size = settings.size_facts(person)[0] or (0, 0)
        sizes = layout.column(align=True)
        sizes.prop(source, "image_width")
        sizes.prop(source, "image_height")
        if min(source.image_width, source.image_height) <= 0:
            sizes.label(text=f"0: {size[0]} x {size[1]}", translate=False)
        rate = layout.column()
        rate.alert = bool(source.fps_problem)
        rate.prop(source, "fps", placeholder=f"{float(settings.clip_fps(person)):.5g}")
        paragraph(context, layout, source.fps_problem, "ERROR")
        picture = layout.column()
        picture.prop(source, "pixel_aspect")
        picture.prop(source, "mirrored")
        paragraph(context, layout, source.picture_problem, "ERROR")


class MVLIFT_PT_correct(_OfPerson, bpy.types.Panel):
    """Corrections of the active person's keypoints."""

    bl_idname = "MVLIFT_PT_correct"
    bl_label = "Correct Keypoints"

    def draw(self, context: Any) -> None:
        """What can be done to keypoints, and the lift of what was corrected."""
        layout, settings = self.layout, context.scene.mvlift
        person = settings.person()
        layout.operator("wm.tool_set_by_id", text="Drag Keypoints", icon="EMPTY_AXIS").name = "mvlift.keypoint_tool"
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("mvlift.copy_keypoints", text="Copy Previous", icon="TRIA_LEFT").step = "PREVIOUS"
        row.operator("mvlift.copy_keypoints", text="Copy Next", icon="TRIA_RIGHT").step = "NEXT"
        column.operator("mvlift.swap_sides", icon="MOD_MIRROR")
        column.operator("mvlift.forget_corrections", icon="X")
        if person is not None and person.corrections:
            layout.label(text=corrections_text(person), icon="INFO")
        layout.operator("mvlift.relift_corrected", icon="FILE_REFRESH")
        layout.operator("mvlift.export_keypoints", icon="EXPORT")


CLASSES = (MVLIFT_UL_people, MVLIFT_MT_correct, MVLIFT_PT_people, MVLIFT_PT_details, MVLIFT_PT_video, MVLIFT_PT_correct)
