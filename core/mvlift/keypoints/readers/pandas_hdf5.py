"""Data frames that pandas wrote to HDF5, read without pandas: ``table`` and ``fixed`` format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.safe_reading import Hdf5, unpickle

__all__ = ["Frame", "frame_keys", "read_frame"]

_REMEDY: Final = "Export csv instead of h5."


@dataclass(frozen=True)
class Frame:
    """A data frame of numbers.

    Attributes:
        columns: labels of each column, one for each level.
        values: (T, columns), NaN where missing.
        index: labels of each row, one for each level.
    """

    columns: list[tuple[str, ...]]
    values: NDArray[np.float64]
    index: list[tuple[object, ...]]


def _text(value: object) -> str:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _unpickled(file: Hdf5, attribute: object) -> Any:
    """An attribute that PyTables pickled."""
    value: Any = attribute.item() if isinstance(attribute, np.ndarray) and attribute.ndim == 0 else attribute
    data = value.encode("latin1", "replace") if isinstance(value, str) else value if isinstance(value, bytes) else b""
    return unpickle(data, file.name)


def frame_keys(file: Hdf5) -> list[str]:
    """Groups that hold a data frame."""
    return [k for k in file.keys() if _text(file.attributes(k).get("pandas_type", "")).startswith("frame")]  # noqa: SIM118


def read_frame(file: Hdf5, key: str) -> Frame:
    """The data frame in a group.

    Raises:
        KeypointError: its parts do not fit together, or it holds no numbers.
    """
    try:
        frame = _table(file, key) if f"{key}/table" in file else _fixed(file, key)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise KeypointError(f"{file.name}: the table {key} cannot be read ({error!r}).", _REMEDY) from error
    if frame.values.shape != (len(frame.index), len(frame.columns)):
        raise KeypointError(
            f"{file.name}: {key} has {frame.values.shape} numbers for {len(frame.index)} rows and "
            f"{len(frame.columns)} columns.",
            _REMEDY,
        )
    return frame


def _labels(columns: Sequence[object]) -> list[tuple[str, ...]]:
    return [tuple(map(_text, c)) if isinstance(c, tuple | list) else (_text(c),) for c in columns]


def _table(file: Hdf5, key: str) -> Frame:
    """``format="table"``: rows with an index and blocks of columns."""
    rows = file.array(f"{key}/table")
    facts, kinds = file.attributes(key), file.attributes(f"{key}/table")
    wanted = _labels(_unpickled(file, facts["non_index_axes"])[0][1])
    fields = rows.dtype.names or ()
    values_of: dict[tuple[str, ...], NDArray[np.float64]] = {}
    for field in fields:
        if field.startswith("values_block_"):
            labels = _labels(_unpickled(file, kinds[f"{field}_kind"]))
            block = rows[field].reshape(len(rows), -1).astype(np.float64)
            values_of |= {label: block[:, i] for i, label in enumerate(labels) if i < block.shape[1]}
    index = [f for f in fields if not f.startswith("values_block_")]
    cells = [[_text(v) if isinstance(v, bytes) else v for v in rows[f].tolist()] for f in index]
    columns = [c for c in wanted if c in values_of]
    values = np.stack([values_of[c] for c in columns], 1) if columns else np.zeros((len(rows), 0))
    return Frame(columns, values, list(zip(*cells, strict=True)) if cells else [(i,) for i in range(len(rows))])


def _axis(file: Hdf5, path: str) -> list[tuple[object, ...]]:
    """Labels of an axis, of one level or several."""
    if f"{path}_level0" not in file:
        return [(v.decode("utf-8", "replace") if isinstance(v, bytes) else v,) for v in file.array(path).tolist()]
    levels: list[list[object]] = []
    for number in count():
        if f"{path}_level{number}" not in file:
            break
        values = [
            v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in file.array(f"{path}_level{number}")
        ]
        levels.append([values[i] if 0 <= i < len(values) else "" for i in file.array(f"{path}_label{number}").tolist()])
    return list(zip(*levels, strict=True))


def _fixed(file: Hdf5, key: str) -> Frame:
    """``format="fixed"``: axes and blocks of values."""
    index = _axis(file, f"{key}/axis1")
    values_of: dict[tuple[str, ...], NDArray[np.float64]] = {}
    for number in count():
        if f"{key}/block{number}_values" not in file:
            break
        block = file.array(f"{key}/block{number}_values").astype(np.float64)
        labels = _labels(_axis(file, f"{key}/block{number}_items"))
        block = block if block.shape == (len(index), len(labels)) else block.T
        values_of |= {label: block[:, i] for i, label in enumerate(labels)}
    columns = [c for c in _labels(_axis(file, f"{key}/axis0")) if c in values_of]
    values = np.stack([values_of[c] for c in columns], 1) if columns else np.zeros((len(index), 0))
    return Frame(columns, values, index)
