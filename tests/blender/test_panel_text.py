"""Sentences in narrow panels."""

from __future__ import annotations

import pytest

from mvlift_blender.interface.text import broken


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("The frame rate is unknown", ["The frame", "rate is", "unknown"]),
        ("one\ntwo three four", ["one", "two three", "four"]),
        ("incomprehensibilities are rare", ["incomprehensibilities", "are rare"]),
        ("", []),
    ],
)
def test_lines_are_no_wider_than_the_panel(text: str, lines: list[str]) -> None:
    assert broken(text, 9, len) == lines
