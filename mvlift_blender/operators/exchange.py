"""Export for other programs, and import of motion files."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..exchange.export import FORMATS, export_rig
from ..exchange.importing import import_motion
from .reports import report_error

__all__ = ["CLASSES"]

_FORMATS = (
    ("FBX_UNREAL", "FBX for Unreal", "Axes and units of Unreal Engine, with the path on a root bone"),
    ("FBX_UNITY", "FBX for Unity", "Axes and units of Unity"),
    ("FBX_MAYA", "FBX for Maya", "Y up, bones along X"),
    ("GLB", "glTF Binary", "For the web and game engines"),
    ("USD", "USD", "Universal Scene Description"),
    ("BVH", "BVH", "Skeleton and motion as text"),
    ("NPZ_SMPL", "AMASS, SMPL", "SMPL poses with the keys of AMASS"),
    ("NPZ_SMPLH", "AMASS, SMPL-H", "SMPL-H poses with the keys of AMASS, fingers at rest"),
    ("NPZ_SMPLX", "AMASS, SMPL-X", "SMPL-X poses with the keys of AMASS, fingers and face at rest"),
    ("NPZ", "MVLift", "MVLift's own format, which can be imported again"),
)


class MVLIFT_OT_export(bpy.types.Operator):
    """Write the active armature, its meshes and motion, and the camera for another program"""

    bl_idname = "mvlift.export"
    bl_label = "Export"

    filepath: StringProperty(name="File", description="Where to write", subtype="FILE_PATH")
    form: EnumProperty(name="Format", description="The program that will read the file", items=_FORMATS)
    camera: BoolProperty(name="Camera", description="Write the scene's camera too", default=True)
    bvh_up: EnumProperty(
        name="Up",
        description="The axis that points up in the file",
        items=(
            ("Y", "Y", "As in motion capture files and most programs"),
            ("Z", "Z", "As in Blender"),
        ),
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """An armature is active."""
        cls.poll_message_set("Select an armature in Object Mode")
        active = context.view_layer.objects.active
        return active is not None and active.type == "ARMATURE" and context.mode == "OBJECT"

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file."""
        name = bpy.path.clean_name(context.view_layer.objects.active.name)
        self.filepath = self.filepath or f"{name}{FORMATS[self.form]}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, _context: Any) -> None:
        """What the chosen format leaves open."""
        self.layout.use_property_split = True
        self.layout.prop(self, "bvh_up" if self.form == "BVH" else "camera")

    def execute(self, context: Any) -> set[str]:
        """Write."""
        path = Path(bpy.path.abspath(self.filepath))
        try:
            path = export_rig(context, context.view_layer.objects.active, path, self.form, self.camera, self.bvh_up)
        except Exception as error:
            return report_error(self, context, error, "exporting")
        self.report({"INFO"}, f"{path.name} written")
        return {"FINISHED"}


class MVLIFT_OT_import_motion(bpy.types.Operator):
    """Read a motion file: AMASS (SMPL, SMPL-H, SMPL-X) or MVLift's own"""

    bl_idname = "mvlift.import_motion"
    bl_label = "Import Motion"
    bl_options = {"UNDO"}

    filepath: StringProperty(name="File", description="Motion file (.npz)", subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    body: BoolProperty(name="Body", description="With the body's mesh", default=True)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Write it into the scene."""
        try:
            written = import_motion(context, Path(bpy.path.abspath(self.filepath)), self.body)
        except Exception as error:
            return report_error(self, context, error, "importing a motion")
        context.scene.mvlift.result = written.armature
        self.report({"INFO"}, f"{written.armature.name}: {written.timing.count} frames")
        return {"FINISHED"}


CLASSES = (MVLIFT_OT_export, MVLIFT_OT_import_motion)
