"""How far a lift is: one fraction of the whole, and the name of the stage that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["STAGES", "Fraction", "LiftProgress", "Progress", "Stage"]

Progress = Callable[[str, float], None]
"""Takes the title of the stage that runs and the fraction of the whole lift that is done."""
Fraction = Callable[[float], None]
"""Takes the fraction of a part that is done."""


@dataclass(frozen=True)
class Stage:
    """A stage of a lift: its title for people, and where it begins and ends in the whole, measured with ``fast``."""

    title: str
    begin: float
    end: float


STAGES: Final = {
    "prepare": Stage("Preparing", 0.0, 0.02),
    "sample": Stage("Generating views", 0.02, 0.37),
    "fit": Stage("Fitting the body", 0.37, 0.5),
    "refine": Stage("Refining depth and gravity", 0.5, 0.97),
    "write": Stage("Writing", 0.97, 1.0),
}
SAMPLING: Final = 0.7
"""Share of a refinement pass's time that sampling takes."""


class LiftProgress:
    """Reports the progress of a lift's stages as a fraction of the whole, which never falls.

    Args:
        report: called with a stage's title and the overall fraction; an exception from it ends the lift.
    """

    def __init__(self, report: Progress | None) -> None:
        self._report, self._reached = report, 0.0

    def at(self, stage: str, fraction: float) -> None:
        """A stage is done to a fraction."""
        span = STAGES[stage]
        self._reached = max(self._reached, span.begin + (span.end - span.begin) * fraction)
        if self._report is not None:
            self._report(span.title, self._reached)

    def part(self, stage: str, number: int = 0, passes: int = 1) -> Fraction:
        """Takes the fraction of one pass's "sample" or "fit"; all refinement passes together are one stage."""
        if number == 0:
            return lambda fraction: self.at(stage, fraction)
        begin, width = (0.0, SAMPLING) if stage == "sample" else (SAMPLING, 1 - SAMPLING)
        return lambda fraction: self.at("refine", (number - 1 + begin + width * fraction) / (passes - 1))
