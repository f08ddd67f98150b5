"""Line breaks for text in panels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import bpy

__all__ = ["broken", "paragraph"]

_MARGINS: Final = 62  # tabs and margins of a sidebar and its sub-panels, in pixels at a scale of 1
_ICON: Final = 24


def broken(text: str, room: float, width_of: Callable[[str], float]) -> list[str]:
    """The text in lines that are no wider than the room, unless a word alone is.

    Args:
        text: lines of their own stay so.
        room: width of a line.
        width_of: gives a string's width.
    """
    lines: list[str] = []
    for paragraph_text in text.splitlines():
        line = ""
        for word in paragraph_text.split():
            longer = f"{line} {word}" if line else word
            if line and width_of(longer) > room:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def paragraph(context: Any, layout: Any, text: str, icon: str = "NONE", margins: float = _MARGINS) -> None:
    """Labels for a text, one below the other, as wide as the region.

    Args:
        context: of the panel that draws.
        layout: that the labels go into.
        text: may have several lines.
        icon: of the first line; the others stand below its text.
        margins: what the region's width is less for, in pixels at a scale of 1.
    """
    if not text:
        return
    scale = context.preferences.system.ui_scale
    room = context.region.width / scale - margins - (_ICON if icon != "NONE" else 0)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(broken(text, room, lambda t: _width(context, t) / scale)):
        column.label(text=line, icon=icon if number == 0 or icon == "NONE" else "BLANK1")


def _width(context: Any, text: str) -> float:
    """Pixels that a label's text takes."""
    if bpy.app.background:
        return 7.0 * len(text)
    import blf

    preferences = context.preferences
    blf.size(0, preferences.ui_styles[0].widget.points * preferences.system.ui_scale)
    return float(blf.dimensions(0, text)[0])
