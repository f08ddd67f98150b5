"""Every label of the extension has a translation in every language that MVLift speaks, and Blender shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import mvlift_blender
from mvlift_blender.interface.translation import LANGUAGES, UNTRANSLATED, translations

pytestmark = pytest.mark.usefixtures("extension")
KEPT = {"people", "rows", "running", "stage", "fraction", "left", "cancel", "report", "bl_options"}


def rna_of(cls):
    if not issubclass(cls, bpy.types.Operator):
        return cls.bl_rna
    module, name = cls.bl_idname.split(".")
    return getattr(getattr(bpy.ops, module), name).get_rna_type()


def labels_of_classes() -> Iterator[str]:
    for cls in mvlift_blender.classes():
        if issubclass(cls, (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu)):
            yield cls.bl_label
        ours = [base for base in cls.__mro__ if base.__module__.startswith("mvlift")]  # Blender translates its own
        names = {name for base in ours for name in getattr(base, "__annotations__", {})} - KEPT
        for name in names & set(rna_of(cls).properties.keys()):
            control = rna_of(cls).properties[name]
            if not control.is_hidden:
                yield control.name
                if control.type == "ENUM" and name != "subject_choice" and name not in ("joint", "other"):
                    yield from (item.name for item in control.enum_items)


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def labels_of_panels() -> Iterator[str]:
    for path in (Path(mvlift_blender.__file__).parent / "panels").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in ("text", "heading"):
                yield from texts(node.value)


def labels() -> set[str]:
    shown = {*labels_of_classes(), *labels_of_panels(), bpy.types.Action.bl_rna.properties["mvlift_strength"].name}
    return {text for text in shown if text and text not in UNTRANSLATED}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_label_is_missing(language):
    table = translations(language)
    assert sorted(labels() - set(table)) == []
    assert len(labels()) > 180
    assert all(table.values())


@pytest.mark.parametrize(
    ("language", "text"), [("de_DE", "In 3D liften"), ("ja_JP", "3Dにリフト"), ("zh_HANS", "提升为 3D")]
)
def test_blender_shows_them(language, text):
    view = bpy.context.preferences.view
    before = view.language, view.use_translate_interface
    known = {item.identifier for item in view.bl_rna.properties["language"].enum_items}
    if language not in known:
        pytest.skip(f"this Blender has no {language}")
    try:
        view.language, view.use_translate_interface = language, True
        assert bpy.app.translations.pgettext_iface("Lift to 3D", "Operator") == text
    finally:
        view.language, view.use_translate_interface = before


@pytest.mark.skipif(not bpy.app.build_options.international, reason="this Blender is built without languages")
def test_it_goes_away_with_the_extension():
    from mvlift_blender.interface.translation import add_translations, remove_translations

    with pytest.raises(ValueError, match=r"registered|already contains"):  # it is there; versions differ
        add_translations()
    remove_translations()
    add_translations()
