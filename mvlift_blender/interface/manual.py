"""*Online Manual* in the context menu of every button: the page of the guide, and the place in it."""

from __future__ import annotations

from typing import Final

__all__ = ["PAGES", "add_manual", "manual_map", "remove_manual"]

_ADDRESS: Final = "https://extensions.blender.org/add-ons/mvlift/"
PAGES: Final = (
    ("keep_pose|forget_pose|pose_jump|pin_here|remove_pin|select_pin|lift_with_poses", "fix-it-there"),
    ("doubt_.*", "doubtful-parts"),
    ("move_keypoint|see_keypoint|copy_keypoints|track_keypoint|swap_sides|forget_corrections", "correct-the-keypoints"),
    ("relift_corrected|export_keypoints", "correct-the-keypoints"),
    ("pick_person|.*_person|.*_people", "people"),
    ("clean_.*|snap_floor|smooth|reduce_keys|hold_joints|lock_joint|set_contact|relift.*|play_overlay", "clean-up"),
    ("match_scene|remove_lift|add_ground", "what-a-lift-writes"),
    (".*video.*", "from-a-video"),
    ("test_engine|preferences", "the-engine"),
    (".*", "first-lift"),
)
"""Pattern of an operator's name behind "mvlift." -> heading of the guide; the first that fits counts."""


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """What Blender asks for: the address, and rows of pattern and the address's end."""
    rows = [(rf"bpy\.ops\.mvlift\.({names})\Z", f"#{heading}") for names, heading in PAGES]
    rows += [(r"bpy\.types\.LiftSettings\..*", "#what-to-set-before")]
    return _ADDRESS, tuple(rows)


def add_manual() -> None:
    """Let Blender know."""
    import bpy

    bpy.utils.register_manual_map(manual_map)


def remove_manual() -> None:
    """Undo ``add_manual``."""
    import bpy

    bpy.utils.unregister_manual_map(manual_map)
