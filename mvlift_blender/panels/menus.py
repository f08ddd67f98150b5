"""Menu entries in File > Import and Export, Object and Pose, and a shortcut."""

from __future__ import annotations

from typing import Any, Final

import bpy

__all__ = ["CLASSES", "add_menus", "remove_menus"]

_CLEAN_UP: Final = ("clean_feet", "set_contact", "snap_floor", "smooth", "hold_joints", "lock_joint", "reduce_keys")
_POSES: Final = ("keep_pose", "pin_here", "lift_with_poses")
_WHOLE: Final = ("relift_range", "relift_corrected", "match_scene", "add_ground", "remove_lift")
_keys: list[tuple[Any, Any]] = []


class MVLIFT_MT_menu(bpy.types.Menu):
    """Actions on a lifted armature."""

    bl_idname = "MVLIFT_MT_menu"
    bl_label = "MVLift"

    def draw(self, _context: Any) -> None:
        """Lift, look, repair, clean up."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for name in ("import_keypoints", "lift", "try_example"):
            layout.operator(f"mvlift.{name}")
        layout.separator()
        layout.operator("mvlift.play_overlay")
        layout.operator("mvlift.doubt_jump", text="Next Doubtful Part").step = "NEXT"
        layout.operator("mvlift.doubt_interpolate")
        for group in (_POSES, _CLEAN_UP, _WHOLE):
            layout.separator()
            for name in group:
                layout.operator(f"mvlift.{name}")


def _import(self: Any, _context: Any) -> None:
    self.layout.operator("mvlift.import_keypoints", text="2D Keypoints of a Video (MVLift)")
    self.layout.operator("mvlift.import_motion", text="SMPL Motion (.npz, MVLift)")


def _export(self: Any, _context: Any) -> None:
    self.layout.operator_menu_enum("mvlift.export", "form", text="Character and Motion (MVLift)")
    self.layout.operator("mvlift.export_keypoints", text="2D Keypoints (MVLift)")


def _menu(self: Any, _context: Any) -> None:
    self.layout.separator()
    self.layout.menu("MVLIFT_MT_menu")


def _places() -> tuple[tuple[Any, Any], ...]:
    types = bpy.types
    return (
        (types.TOPBAR_MT_file_import, _import),
        (types.TOPBAR_MT_file_export, _export),
        (types.VIEW3D_MT_object, _menu),
        (types.VIEW3D_MT_pose, _menu),
    )


def add_menus() -> None:
    """Add the entries, and the shortcut: Shift Alt P plays with the overlay."""
    for menu, draw in _places():
        menu.append(draw)
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is not None:  # there is none in background mode
        keymap = configuration.keymaps.new(name="3D View", space_type="VIEW_3D")
        _keys.append((keymap, keymap.keymap_items.new("mvlift.play_overlay", "P", "PRESS", shift=True, alt=True)))


def remove_menus() -> None:
    """Undo ``add_menus``."""
    while _keys:
        keymap, item = _keys.pop()
        keymap.keymap_items.remove(item)
    for menu, draw in reversed(_places()):
        menu.remove(draw)


CLASSES = (MVLIFT_MT_menu,)
