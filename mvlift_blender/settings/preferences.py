"""The extension's preferences, and what follows from them: which engine, which body, which folder."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
import tempfile
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..engine.process import EngineSource, bundled_packages, portable_package
from ..interface.text import paragraph
from .lift import DEVICES
from .options import option_properties

__all__ = ["CLASSES", "MVLiftPreferences", "body_file", "cache_folder", "engine_source", "preferences_of"]

PACKAGE = (__package__ or "mvlift_blender.settings").rpartition(".")[0]
_PAGE = 60  # pixels beside the text on the preferences page


def _body_changed(self: Any, _context: Any) -> None:
    from ..scene.body_files import describe_body_file

    self.body_is_good, self.body_report = describe_body_file(self.body_file)


def _engine_changed(self: Any, _context: Any) -> None:
    from ..engine.process import close_engine

    self.engine_report = ""
    close_engine()


class MVLiftPreferences(bpy.types.AddonPreferences):
    """Settings that hold for every file."""

    bl_idname = PACKAGE

    engine: EnumProperty(
        name="Engine",
        description="The Python interpreter that runs the engine",
        items=(
            ("BUNDLED", "Blender's Python", "Blender's own Python, with the packages that came with this extension"),
            ("OTHER", "Another Python", "Another interpreter, such as one with torch for your GPU"),
        ),
        update=_engine_changed,
    )
    interpreter: StringProperty(
        name="Interpreter",
        description="A Python executable with numpy, safetensors and onnxruntime (and torch for CUDA). "
        "MVLift itself need not be installed in it",
        subtype="FILE_PATH",
        update=_engine_changed,
    )
    engine_report: StringProperty(name="Engine", description="Result of the last engine test")
    body_file: StringProperty(
        name="SMPL Model",
        description="Your SMPL, SMPL-H or SMPL-X model file (.npz or .pkl), used instead of MVLift's mannequin. "
        "It is checked when you choose it",
        subtype="FILE_PATH",
        update=_body_changed,
    )
    body_is_good: BoolProperty(options={"HIDDEN"})
    body_report: StringProperty(
        name="Body", description="Description of the chosen body file, or why it cannot be used"
    )
    cache: StringProperty(
        name="Cache Folder",
        description="Folder for MVLift's files; empty for the extension's user folder",
        subtype="DIR_PATH",
    )
    device: EnumProperty(name="Device", description="The engine's device in new scenes", items=DEVICES)

    def draw(self, context: Any) -> None:
        """The preferences page."""
        layout = self.layout
        layout.use_property_split = True
        column = layout.column(heading="Engine")
        column.prop(self, "engine", text="Run In")
        if self.engine == "OTHER":
            column.prop(self, "interpreter")
        row = column.row()
        row.operator("mvlift.test_engine", icon="CHECKMARK")
        paragraph(context, column, self.engine_report, "INFO", _PAGE)
        column = layout.column(heading="Body")
        column.prop(self, "body_file")
        paragraph(context, column, self.body_report, "CHECKMARK" if self.body_is_good else "ERROR", _PAGE)
        column = layout.column(heading="Defaults")
        column.prop(self, "device")
        column.prop(self, "preset")
        column.prop(self, "cache")


def preferences_of(context: Any) -> Any | None:
    """The extension's preferences, or None where MVLift is used as a package without being enabled."""
    addon = context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon is not None else None


def cache_folder(context: Any) -> Path:
    """The folder for MVLift's own files: the preferences', else the extension's, else a temporary one."""
    preferences = preferences_of(context)
    if preferences is not None and preferences.cache:
        return Path(bpy.path.abspath(preferences.cache))
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="cache", create=True))
    except ValueError:  # not installed as an extension
        return Path(tempfile.gettempdir()) / "mvlift-cache"


def engine_source(context: Any) -> EngineSource:
    """The Python interpreter that runs the engine, by the preferences."""
    preferences = preferences_of(context)
    if preferences is not None and preferences.engine == "OTHER" and preferences.interpreter:
        python = Path(bpy.path.abspath(preferences.interpreter))
        return EngineSource(python, (portable_package(cache_folder(context)),))
    return EngineSource(None, (bundled_packages(),))


def body_file(context: Any) -> Path | None:
    """The user's body model file, or None for the mannequin."""
    preferences = preferences_of(context)
    if preferences is None or not preferences.body_file:
        return None
    return Path(bpy.path.abspath(preferences.body_file))


MVLiftPreferences.__annotations__["preset"] = option_properties()["preset"]
CLASSES = (MVLiftPreferences,)
