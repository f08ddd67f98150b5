"""The colours of left, right and middle, and of people: the same in the viewport, in lists and on bones."""

from __future__ import annotations

import re
from typing import Final, Literal

__all__ = ["PEOPLE", "SIDES", "Colour", "Side", "person_colour", "side_colour", "side_of"]

Colour = tuple[float, float, float]
Side = Literal["left", "right", "middle"]

SIDES: Final[dict[Side, Colour]] = {
    "left": (0.184, 0.494, 0.847),
    "right": (0.851, 0.329, 0.169),
    "middle": (0.95, 0.90, 0.35),
}
"""sRGB; left and right as in the previews of `mvlift lift`."""
PEOPLE: Final[tuple[Colour, ...]] = (
    (0.40, 0.80, 0.35), (0.75, 0.45, 0.95), (0.20, 0.80, 0.80), (0.95, 0.45, 0.70), (0.95, 0.70, 0.20),
    (0.55, 0.60, 1.00), (0.70, 0.85, 0.20), (0.85, 0.85, 0.85),
)  # fmt: skip
"""sRGB; person n has colour n, and so on round."""
_SIDE: Final = re.compile(r"(?:(left|Left|[lL])|(?:right|Right|[rR]))(?:_|(?=[A-Z]))")


def side_of(name: str) -> Side:
    """The side of a keypoint, joint or bone by its name: ``l_knee``, ``left_knee``, ``LLegBack1``."""
    match = _SIDE.match(name)
    if match is None:
        return "middle"
    return "left" if match[1] else "right"


def side_colour(name: str) -> Colour:
    """Colour of a keypoint, joint or bone by its name."""
    return SIDES[side_of(name)]


def person_colour(number: int) -> Colour:
    """Colour of a person by their place in the list."""
    return PEOPLE[number % len(PEOPLE)]
