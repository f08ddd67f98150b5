"""Retarget, preview, and the bone map's table."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..retargeting import live
from ..retargeting.batch import actions_of, retarget_many
from ..retargeting.retarget import retarget
from ..retargeting.table import (
    fill_by_detection,
    is_unsure,
    load_rows,
    map_of,
    mirror_row,
    options_of,
    save_rows,
    user_folder,
)
from .reports import report_error

__all__ = ["CLASSES"]


def why_not(context: Any) -> str:
    """Why nothing can be retargeted, or ""."""
    settings = context.scene.mvlift_retarget
    if settings.source is None:
        return "Choose the armature whose motion is retargeted"
    if settings.target is None:
        return "Choose the target rig"
    if settings.source == settings.target:
        return "Source and rig are the same armature"
    if settings.target.mode == "EDIT":
        return f"{settings.target.name} is in Edit Mode: leave it first"
    if is_unsure(settings):
        return "The rig was not recognised with confidence: check its bone map below, and confirm it"
    animation = settings.source.animation_data
    if animation is None or animation.action is None:
        return f"{settings.source.name} has no Action"
    return ""


class _RetargetOperator:
    """An operator that is grey, with the reason, as long as source and rig are not chosen."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Source and rig are there."""
        reason = why_not(context)
        cls.poll_message_set(reason)
        return not reason


class MVLIFT_OT_retarget(_RetargetOperator, bpy.types.Operator):
    """Put the motion on the rig, as a new Action"""

    bl_idname = "mvlift.retarget"
    bl_label = "Retarget"
    bl_options = {"UNDO"}

    def execute(self, context: Any) -> set[str]:
        """Retarget with the panel's settings."""
        settings = context.scene.mvlift_retarget
        try:
            live.stop(context)
            result = retarget(context, settings.source, settings.target, options_of(settings), map_of(settings))
        except Exception as error:
            return report_error(self, context, error, "retargeting")
        for note in result.notes:
            self.report({"WARNING"}, note)
        frames = len(result.solved.turns)
        self.report({"INFO"}, f"{result.action.name}: {frames} frames, path scaled by {result.scale:.2f}")
        return {"FINISHED"}


class MVLIFT_OT_retarget_batch(_RetargetOperator, bpy.types.Operator):
    """Retarget to every selected rig, and every lifted Action of the source"""

    bl_idname = "mvlift.retarget_batch"
    bl_label = "Retarget Many"
    bl_options = {"REGISTER", "UNDO"}

    all_rigs: BoolProperty(
        name="Selected Rigs",
        description="Retarget to every selected armature, not only to the chosen rig",
        default=True,
    )
    all_actions: BoolProperty(
        name="All Actions", description="Retarget every lifted Action of the source, not only the active one"
    )

    def execute(self, context: Any) -> set[str]:
        """Retarget each to each."""
        settings = context.scene.mvlift_retarget
        targets = [o for o in context.selected_objects if o.type == "ARMATURE" and o != settings.source]
        targets = targets if self.all_rigs and targets else [settings.target]
        actions = actions_of(settings.source, bpy.data.actions) if self.all_actions else []
        try:
            live.stop(context)
            chosen = map_of(settings)
            maps = {settings.target.name: chosen} if chosen is not None else {}
            made, failed = retarget_many(context, settings.source, targets, actions, options_of(settings), maps)
        except Exception as error:
            return report_error(self, context, error, "retargeting many")
        for sentence in failed:
            self.report({"WARNING"}, sentence)
        self.report({"INFO"}, f"{len(made)} Actions created, {len(failed)} failed")
        return {"FINISHED"} if made else {"CANCELLED"}


class MVLIFT_OT_retarget_preview(_RetargetOperator, bpy.types.Operator):
    """Show the retargeted motion live while you change the settings, until it is switched off"""

    bl_idname = "mvlift.retarget_preview"
    bl_label = "Preview"

    def execute(self, context: Any) -> set[str]:
        """Switch the preview on or off."""
        try:
            if context.scene.mvlift_retarget.previewing:
                live.stop(context)
            else:
                live.start(context)
        except Exception as error:
            return report_error(self, context, error, "previewing")
        return {"FINISHED"}


class MVLIFT_OT_retarget_detect(bpy.types.Operator):
    """Recognise the rig and fill in the bone map"""

    bl_idname = "mvlift.retarget_detect"
    bl_label = "Recognise Rig"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A rig is chosen."""
        cls.poll_message_set("Choose the target rig")
        return context.scene.mvlift_retarget.target is not None

    def execute(self, context: Any) -> set[str]:
        """Fill the table."""
        settings = context.scene.mvlift_retarget
        try:
            fill_by_detection(settings)
        except Exception as error:
            return report_error(self, context, error, "recognising a rig")
        self.report({"INFO"}, settings.recognition)
        return {"FINISHED"}


class MVLIFT_OT_map_mirror(bpy.types.Operator):
    """Set the part on the other side to the mirrored bone of this row"""

    bl_idname = "mvlift.map_mirror"
    bl_label = "Mirror Row"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A row is selected."""
        settings = context.scene.mvlift_retarget
        cls.poll_message_set("Choose a target rig and a row of its bone map")
        return settings.target is not None and 0 <= settings.active < len(settings.rows)

    def execute(self, context: Any) -> set[str]:
        """Mirror the selected row."""
        settings = context.scene.mvlift_retarget
        try:
            self.report({"INFO"}, mirror_row(settings, settings.active))
        except Exception as error:
            return report_error(self, context, error, "mirroring a row")
        return {"FINISHED"}


class MVLIFT_OT_map_save(bpy.types.Operator):
    """Save the bone map under its name among your maps, which are tried on every rig from then on"""

    bl_idname = "mvlift.map_save"
    bl_label = "Save Map"

    def execute(self, context: Any) -> set[str]:
        """Write the file."""
        try:
            path = save_rows(context.scene.mvlift_retarget)
        except Exception as error:
            return report_error(self, context, error, "saving a bone map")
        self.report({"INFO"}, f"Saved as {path.name}")
        return {"FINISHED"}


class MVLIFT_OT_map_load(bpy.types.Operator):
    """Load a bone map from a file"""

    bl_idname = "mvlift.map_load"
    bl_label = "Load Map"
    bl_options = {"UNDO"}

    filepath: StringProperty(name="File", description="Bone map (.json)", subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file, in the folder of the user's maps."""
        folder = user_folder()
        if folder is not None:
            self.filepath = f"{folder}/"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Show it in the table."""
        try:
            load_rows(context.scene.mvlift_retarget, Path(self.filepath))
        except Exception as error:
            return report_error(self, context, error, "loading a bone map")
        return {"FINISHED"}


CLASSES = (
    MVLIFT_OT_retarget,
    MVLIFT_OT_retarget_batch,
    MVLIFT_OT_retarget_preview,
    MVLIFT_OT_retarget_detect,
    MVLIFT_OT_map_mirror,
    MVLIFT_OT_map_save,
    MVLIFT_OT_map_load,
)
