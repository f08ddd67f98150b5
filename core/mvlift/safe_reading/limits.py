"""How much memory a file may need, counted over all of its parts."""

from __future__ import annotations

import os
from typing import Final

from mvlift.errors import DamagedFileError

__all__ = ["ARRAY_FACTOR", "TEXT_FACTOR", "MemoryBudget", "memory_limit"]

TEXT_FACTOR: Final = 4
"""Bytes of memory for each byte of a text that is parsed whole (json, tables, xml)."""
ARRAY_FACTOR: Final = 4
"""Bytes of memory for each byte of an array: it is converted, turned round and sorted into people."""
_GIGABYTE: Final = 1 << 30
_DEFAULT: Final = 2.0
_VARIABLE: Final = "MVLIFT_MEMORY_LIMIT"


def memory_limit() -> int:
    """Bytes that the content of one input may take: 2 GB, or the number of GB in MVLIFT_MEMORY_LIMIT."""
    try:
        gigabytes = float(os.environ.get(_VARIABLE, "")[:20])
    except ValueError:
        gigabytes = _DEFAULT
    return int((gigabytes if 0.01 <= gigabytes <= 4096 else _DEFAULT) * _GIGABYTE)


class MemoryBudget:
    """Counts what the parts of one input take; more than the limit is refused before it is unpacked.

    Args:
        name: of the file, for messages.
        factor: bytes of memory for each byte that is spent.
    """

    def __init__(self, name: str, factor: int = 1) -> None:
        self._name, self._factor, self._limit = name, factor, memory_limit()
        self._spent = 0

    @property
    def left(self) -> int:
        """Bytes that may still be spent."""
        return max(self._limit - self._spent, 0) // self._factor

    def spend(self, amount: int, what: str = "it") -> None:
        """Count bytes before they are taken.

        Raises:
            DamagedFileError: the sum is above the limit.
        """
        self._spent += max(amount, 0) * self._factor
        if self._spent > self._limit:
            raise DamagedFileError(
                f"{self._name}: with {what}, its content needs {_size(self._spent)} of memory; "
                f"the limit is {_size(self._limit)}.",
                f"Cut the clip into shorter ones, or set {_VARIABLE} to more GB.",
            )


def _size(amount: int) -> str:
    if amount > 1 << 60:
        return "millions of GB"
    return f"{amount / _GIGABYTE:.3g} GB" if amount >= _GIGABYTE else f"{amount / (1 << 20):.3g} MB"
