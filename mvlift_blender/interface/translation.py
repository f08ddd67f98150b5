"""The labels in other languages, for Blender's own system of translation: one file for each language."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["LANGUAGES", "UNTRANSLATED", "add_translations", "remove_translations", "translations"]

_FOLDER: Final = Path(__file__).parent / "translations"
LANGUAGES: Final = {"de_DE": ("de_DE",), "ja_JP": ("ja_JP",), "zh_HANS": ("zh_HANS", "zh_CN")}
"""File -> names of the language in the versions of Blender."""
UNTRANSLATED: Final = frozenset(
    {"AMASS, SMPL", "AMASS, SMPL-H", "AMASS, SMPL-X", "BVH", "CUDA", "FK", "MVLift", "Metal", "USD", "X", "Y", "Z"}
)
"""Labels that are names or the same in every language."""
_CONTEXTS: Final = ("*", "Operator")


@cache
def translations(language: str) -> dict[str, str]:
    """Label -> translation of a language, by the name of its file."""
    table: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return table


def add_translations() -> None:
    """Register the translated labels with Blender."""
    import bpy

    table: dict[str, Any] = {}
    for file, names in LANGUAGES.items():
        labels = {(context, text): other for text, other in translations(file).items() for context in _CONTEXTS}
        table.update(dict.fromkeys(names, labels))
    bpy.app.translations.register(__name__, table)


def remove_translations() -> None:
    """Undo ``add_translations``."""
    import bpy

    bpy.app.translations.unregister(__name__)
