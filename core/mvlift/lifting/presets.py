"""Presets: how much work a lift does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from mvlift.errors import LiftError
from mvlift.lifting.sampling.in_loop import SampleOptions

__all__ = ["PRESETS", "Preset", "PresetName", "get_preset"]

PresetName = Literal["fast", "paper"]


@dataclass(frozen=True)
class Preset:
    """One trade-off between speed and quality.

    Attributes:
        sampling: of the multi-view model.
        refinement_passes: most passes after the first, which sample again with the fitted body's depth and gravity;
            they end once these agree with what sampling started from.
        fit_iterations: damped Gauss-Newton steps of the body fit.
        as_published: triangulate and fit by gradient descent, as the paper does.
    """

    sampling: SampleOptions
    fit_iterations: int = 12
    refinement_passes: int = 0
    as_published: bool = False


# One step from noise estimates the mean of all motions that fit the picture, which errs least; more steps draw one of
# them (docs/method.md).
PRESETS: Final[dict[PresetName, Preset]] = {
    "fast": Preset(SampleOptions("ddim", steps=1), fit_iterations=9, refinement_passes=3),
    "paper": Preset(SampleOptions("ancestral", steps=1000, window=120, stride=60), as_published=True),
}


def get_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        LiftError: there is none of that name.
    """
    for key, preset in PRESETS.items():
        if key == name:
            return preset
    raise LiftError(f"There is no preset {name!r}.", f"Presets: {', '.join(PRESETS)}.")
