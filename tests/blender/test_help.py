"""Every control says what it is for, and every button that is grey says why."""

from __future__ import annotations

import ast
from pathlib import Path

import bpy
import pytest

import mvlift_blender

pytestmark = pytest.mark.usefixtures("extension")

OPERATORS = sorted(cls.bl_idname for cls in mvlift_blender.classes() if issubclass(cls, bpy.types.Operator))
SETTINGS = (bpy.types.AddonPreferences, bpy.types.PropertyGroup)


@pytest.mark.parametrize("name", OPERATORS)
def test_buttons_have_help(name):
    module, function = name.split(".")
    rna = getattr(getattr(bpy.ops, module), function).get_rna_type()
    assert rna.description
    assert rna.description != "(undocumented operator)"
    unsaid = {p.identifier for p in rna.properties if not p.is_hidden and not p.description}
    assert unsaid <= {"rna_type"}


def test_settings_and_their_choices_have_help():
    # lists of rows, and what the program keeps for itself
    kept = {"people", "rows", "running", "stage", "fraction", "left", "cancel", "report"}
    for cls in (cls for cls in mvlift_blender.classes() if issubclass(cls, SETTINGS)):
        for name in cls.__annotations__:
            control = cls.bl_rna.properties[name]
            if name in kept or control.is_hidden:
                continue
            assert control.description, (cls, name)
            if control.type == "ENUM":
                assert all(item.description for item in control.enum_items), (cls, name)


def test_whatever_can_be_grey_says_why():
    package = Path(mvlift_blender.__file__).parent
    for path in (package / "operators").glob("*.py"):
        polls = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef) and n.name == "poll"
        ]
        for poll in polls:
            assert "poll_message_set" in ast.unparse(poll), (path.name, poll.lineno)
