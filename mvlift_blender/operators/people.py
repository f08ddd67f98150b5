"""Import keypoints (file browser, drag and drop), and the list of people."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty
from mvlift.errors import MvliftError

from ..importing.people import assumed, forget_person, import_sources, mend, sources_of, why_no_people
from ..lifting.jobs import why_busy
from .reports import report_error

__all__ = ["CLASSES"]

_EXTENSIONS = ".json;.jsonl;.npz;.npy;.h5;.hdf5;.slp;.csv;.tsv;.txt;.xml;.nk;.pkl;.pickle;.yml;.yaml;.gz;.zip"


class MVLIFT_OT_import_keypoints(bpy.types.Operator):
    """Read 2D keypoints of a video: a file, a folder with one file per frame, or a zip; several at once"""

    bl_idname = "mvlift.import_keypoints"
    bl_label = "Import Keypoints"
    bl_options = {"UNDO"}

    filepath: StringProperty(name="File", description="Keypoint file or folder", subtype="FILE_PATH")
    directory: StringProperty(name="Folder", description="Folder of the chosen files", subtype="DIR_PATH")
    files: CollectionProperty(name="Files", type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(
        default=";".join(f"*{e}" for e in _EXTENSIONS.split(";")), options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    replace: BoolProperty(
        name="Replace the List",
        description="Remove the people that were imported before; otherwise, the new people are added",
        default=False,
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Not while a lift reads the list."""
        reason = why_busy(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Read and list."""
        settings = context.scene.mvlift
        chosen = [Path(self.directory) / f.name for f in self.files if f.name]
        paths = chosen or ([Path(self.filepath)] if self.filepath else [Path(self.directory)])
        try:
            sources = sources_of([Path(bpy.path.abspath(str(p))) for p in paths])
            clips = import_sources(settings, sources, replace=self.replace)
        except MvliftError as error:
            return report_error(self, context, error, "importing keypoints")
        said = assumed(settings, settings.person())
        people = f"{len(clips)} {'person' if len(clips) == 1 else 'people'}"
        self.report({"INFO"}, f"{clips[0].source_format}: {people}. {said}".strip())
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Open the file browser; files that were dropped are read at once."""
        if self.files or self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class MVLIFT_FH_keypoints(bpy.types.FileHandler):
    """Keypoint files dropped onto a 3D viewport."""

    bl_idname = "MVLIFT_FH_keypoints"
    bl_label = "MVLift Keypoints"
    bl_import_operator = "mvlift.import_keypoints"
    bl_file_extensions = _EXTENSIONS

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        """Only 3D viewports take them."""
        return context.area is not None and context.area.type == "VIEW_3D"


class MVLIFT_OT_forget_people(bpy.types.Operator):
    """Remove people from the list; files and lifted armatures are kept"""

    bl_idname = "mvlift.forget_people"
    bl_label = "Remove from List"
    bl_options = {"UNDO"}

    everybody: BoolProperty(name="All", description="Empty the list", default=False, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There are people, and no lift that uses them."""
        reason = why_busy(context) or why_no_people(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Remove the active person, or all."""
        settings = context.scene.mvlift
        if self.everybody:
            settings.people.clear()
            settings.sources.clear()
        else:
            forget_person(settings, settings.active)
        settings.active = max(0, min(settings.active, len(settings.people) - 1))
        return {"FINISHED"}


class MVLIFT_OT_choose_people(bpy.types.Operator):
    """Select everybody in the list for lifting, or nobody"""

    bl_idname = "mvlift.choose_people"
    bl_label = "Select All or None"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There are people."""
        reason = why_no_people(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """All, unless all are selected."""
        people = context.scene.mvlift.people
        everybody = not all(person.chosen for person in people)
        for person in people:
            person.chosen = everybody
        return {"FINISHED"}


class MVLIFT_OT_mend_source(bpy.types.Operator):
    """Set the picture size or frame rate that makes keypoints and video fit together"""

    bl_idname = "mvlift.mend_source"
    bl_label = "Apply Suggestion"
    bl_options = {"UNDO"}

    index: IntProperty(name="Finding", description="Index of the suggestion", default=0, min=0)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A file with findings, and no lift that reads it."""
        settings = context.scene.mvlift
        source = settings.source_of(settings.person())
        reason = why_busy(context) or ("" if source is not None and len(source.findings) else "Everything fits")
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Set what the finding says."""
        settings = context.scene.mvlift
        source = settings.source_of(settings.person())
        if self.index >= len(source.findings):
            self.report({"ERROR"}, "This suggestion no longer applies")
            return {"CANCELLED"}
        self.report({"INFO"}, mend(settings, source, self.index))
        return {"FINISHED"}


CLASSES = (
    MVLIFT_OT_import_keypoints,
    MVLIFT_FH_keypoints,
    MVLIFT_OT_forget_people,
    MVLIFT_OT_choose_people,
    MVLIFT_OT_mend_source,
)
