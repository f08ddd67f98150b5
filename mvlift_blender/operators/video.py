"""Import Video: the engine detects the people of a video, and they come into the list with it."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from ..engine.queue import Request
from ..importing.video import MOVIES
from ..lifting.detect import detection_requests, list_detected, videos_of
from ..lifting.jobs import why_busy
from .engine import EngineOperator

__all__ = ["CLASSES"]


class MVLIFT_OT_import_video(EngineOperator, bpy.types.Operator):
    """Detect the people in a video with MVLift's detector; works offline"""

    bl_idname = "mvlift.import_video"
    bl_label = "Import Video"
    bl_options = {"UNDO"}
    doing = "importing a video"

    filepath: StringProperty(name="File", description="Video file", subtype="FILE_PATH")
    directory: StringProperty(name="Folder", description="Folder of the chosen videos", subtype="DIR_PATH")
    files: CollectionProperty(name="Files", type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(default=";".join(f"*{e}" for e in sorted(MOVIES)), options={"HIDDEN", "SKIP_SAVE"})
    hands: BoolProperty(name="Hands", description="Detect fingers too; this takes longer", default=True)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Not while the engine works."""
        reason = why_busy(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Open the file browser; videos that were dropped are detected at once."""
        if self.files or self.filepath:
            return EngineOperator.invoke(self, context, event)
        self._asked = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Detect: beside the window's work after the file browser, waiting in scripts."""
        if getattr(self, "_asked", False) and not bpy.app.background:
            return EngineOperator.invoke(self, context, None)
        return EngineOperator.execute(self, context)

    def requests(self, context: Any) -> Sequence[Request]:
        """The chosen videos."""
        chosen = [Path(self.directory) / f.name for f in self.files if f.name]
        paths = chosen or ([Path(self.filepath)] if self.filepath else [])
        videos = videos_of([Path(bpy.path.abspath(str(p))) for p in paths])
        return detection_requests(context, videos, self.hands)

    def write(self, context: Any, lifted: Any) -> str:
        """List the people."""
        return list_detected(context.scene.mvlift, lifted)


class MVLIFT_FH_video(bpy.types.FileHandler):
    """Videos dropped onto a 3D viewport."""

    bl_idname = "MVLIFT_FH_video"
    bl_label = "MVLift Video"
    bl_import_operator = "mvlift.import_video"
    bl_file_extensions = ";".join(sorted(MOVIES))

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        """Only 3D viewports take them."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (MVLIFT_OT_import_video, MVLIFT_FH_video)
