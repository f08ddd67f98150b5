"""Numbers in texts of unknown origin: bounded in length and size before they are converted."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

__all__ = ["parse_fraction"]

_DECIMAL: Final = re.compile(r"[+-]?(\d{1,15}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
_RATIO: Final = re.compile(r"[+-]?\d{1,15}/\d{1,15}", re.ASCII)
_LONGEST: Final = 60


def parse_fraction(text: str) -> Fraction | None:
    """The exact number of a text such as 25, 29.97, 3e1 or 30000/1001; None for what is none.

    Python's own conversion works out any exponent, so that a few letters can take hours and all of the memory.
    """
    if len(text) > _LONGEST:
        return None
    text = text.strip()
    if not _DECIMAL.fullmatch(text) and not _RATIO.fullmatch(text):
        return None
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None
