"""Where MVLift is found outside of its tab, the example in one click, and that all of it goes away again."""

from __future__ import annotations

import bpy
import pytest

pytestmark = pytest.mark.usefixtures("extension")
MENUS = ("TOPBAR_MT_file_import", "TOPBAR_MT_file_export", "VIEW3D_MT_object", "VIEW3D_MT_pose")


def own_entries():
    draws = [getattr(bpy.types, name).draw._draw_funcs for name in MENUS]
    return [sum("mvlift" in f.__module__ for f in functions) for functions in draws]


def test_each_menu_has_one_entry_and_none_without_the_extension():
    from mvlift_blender.panels.menus import add_menus, remove_menus

    assert own_entries() == [1, 1, 1, 1]
    remove_menus()
    assert own_entries() == [0, 0, 0, 0]
    add_menus()
    assert own_entries() == [1, 1, 1, 1]


def test_whatever_the_menus_offer_is_there():
    import ast
    from pathlib import Path

    import mvlift_blender.panels as panels

    offered = set()
    for path in Path(panels.__file__).parent.glob("*.py"):
        tree = ast.walk(ast.parse(path.read_text()))
        texts = [n.value for n in tree if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        offered |= {text for text in texts if text.startswith("mvlift.") and text != "mvlift.keypoint_tool"}
    known = {f"mvlift.{name}" for name in dir(bpy.ops.mvlift)}
    assert {text for text in offered if text != "mvlift."} <= known
    assert len(offered) > 30


def test_the_example_is_a_character_in_one_click():
    scene = bpy.context.scene
    scene.mvlift.preset, scene.mvlift.device = "fast", "cpu"
    assert bpy.ops.mvlift.try_example() == {"FINISHED"}
    assert scene.mvlift.result is not None
    assert bpy.context.view_layer.objects.active == scene.mvlift.result
    assert (scene.frame_end, scene.render.fps) == (150, 30)


def test_playing_needs_a_viewport_and_a_lift():
    assert not bpy.ops.mvlift.play_overlay.poll()
