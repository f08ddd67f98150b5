"""HDF5 files that are damaged in places, where the library raises errors of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from mvlift.errors import KeypointError
from mvlift.keypoints.sources import Source

__all__ = ["reports_damage"]

Result = TypeVar("Result")


def reports_damage(function: Callable[[Source], Result]) -> Callable[[Source], Result]:
    """The function, whose errors from a damaged HDF5 file become a KeypointError."""

    @wraps(function)
    def checked(source: Source) -> Result:
        try:
            return function(source)
        except (
            RuntimeError,
            OSError,
            KeyError,
            IndexError,
            TypeError,
            ValueError,
            OverflowError,
            MemoryError,
        ) as error:
            raise KeypointError(
                f"{source.path.name} is a damaged HDF5 file ({type(error).__name__}: {error}).",
                "Export it again, as csv if the program can.",
            ) from error

    return checked
