"""Tables as text: comma, semicolon, tab or space between cells, blanks and words such as ``NaN`` for missing."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.sources import Source

__all__ = ["TABLES", "cell_number", "first_rows", "frame_numbers", "numbers", "rows_of"]

TABLES: Final = (".csv", ".tsv", ".txt")
_WORDS: Final = frozenset(["", "nan", "na", "n/a", "none", "null", "-", "--", "inf", "-inf", "<na>", "#n/a"])
_HEAD: Final = 1 << 16


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def first_rows(source: Source, count: int = 8) -> list[list[str]]:
    """The first rows of a single text file; none for other files.

    Args:
        source: any source.
        count: how many at most.
    """
    if source.suffix not in TABLES or source.is_series:
        return []
    lines = list(islice(_lines(source.text[:_HEAD]), count))
    return _cells(lines, _delimiter(lines[0])) if lines else []


def rows_of(source: Source) -> list[list[str]]:
    """Every row of a text file that is neither blank nor a comment (``#``)."""
    lines = _lines(source.text)
    return _cells(lines, _delimiter(lines[0])) if lines else []


def _cells(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        rows = [[c.strip() for c in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)]
    except csv.Error:  # a quote that never ends, a cell of megabytes
        rows = [[c.strip().strip('"') for c in line.split(delimiter)] for line in lines]
    if delimiter != ",":  # then a comma is that of a number
        return [[c.replace(",", ".") if c[:1].isdigit() or c[:1] == "-" else c for c in row] for row in rows]
    return rows


def cell_number(text: str) -> float:
    """The number in a cell; NaN where it is blank or a word for missing.

    Raises:
        ValueError: it is neither.
    """
    try:
        return float(text)
    except ValueError:
        if text.lower() in _WORDS:
            return np.nan
        raise


def numbers(rows: Sequence[Sequence[str]], columns: Sequence[int]) -> NDArray[np.float64]:
    """(rows, columns) numbers of some columns; NaN where a cell is blank, absent or a word for missing.

    Raises:
        ValueError: a cell is neither.
    """
    made = np.full((len(rows), len(columns)), np.nan)
    for values, row in zip(made, rows, strict=True):
        cells = [row[c] if c < len(row) else "" for c in columns]
        try:
            values[:] = cells
        except ValueError:
            values[:] = [cell_number(c) for c in cells]
    return made


def frame_numbers(cells: Sequence[str], notes: list[str]) -> NDArray[np.int64] | None:
    """Frame numbers from the cells of a column: numbers, or names of pictures; None where they are neither.

    A column that counts 1, 2, 3, ... without a gap begins with the first frame.
    """
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        numbers_in_cells = [last_number(c) for c in cells]
        if any(n is None for n in numbers_in_cells):
            return None
        values = np.array(numbers_in_cells, dtype=np.float64)
    if not np.isfinite(values).all() or (np.abs(values) > 1e15).any() or (values != np.round(values)).any():
        return None
    frame = values.astype(np.int64)
    once = np.unique(frame)
    if len(once) > 1 and once[0] == 1 and once[-1] == len(once):
        notes.append("The frames are numbered from 1: 1 is the first frame.")
        return frame - 1
    return frame
