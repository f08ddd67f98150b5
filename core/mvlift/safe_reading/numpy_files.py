"""Numpy's files, read without running what they contain: pickled parts go through the restricted unpickler."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError
from mvlift.safe_reading.limits import ARRAY_FACTOR, MemoryBudget
from mvlift.safe_reading.pickles import Allowed, load_pickle, nothing_else

__all__ = ["load_npy", "load_npz", "unpickle"]

_REMEDY: Final = "Export it again, as json or csv if the program can."
_Header = tuple[tuple[int, ...], bool, np.dtype[np.generic]]


def unpickle(data: bytes, name: str, also: Allowed = nothing_else) -> Any:
    """A pickled value of arrays, numbers, strings, lists, tuples and dictionaries; anything else is refused.

    Args:
        data: the pickle.
        name: of the file, for messages.
        also: what else it may name, as for `load_pickle`.

    Raises:
        DamagedFileError: the pickle is damaged or asks for anything outside the allow-list.
    """
    try:
        return load_pickle(data, also)
    except DamagedFileError as error:
        raise DamagedFileError(f"{name}: {error.message}", error.remedy) from error
    except Exception as error:  # a hostile or damaged pickle can raise anything
        raise DamagedFileError(f"{name}: the pickled data in it was refused ({error}).", _REMEDY) from error


def _header(stream: io.BytesIO) -> _Header:
    version = np.lib.format.read_magic(stream)
    readers: dict[tuple[int, int], Callable[..., _Header]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    return readers.get(version, np.lib.format.read_array_header_2_0)(stream)


def load_npy(data: bytes, name: str, also: Allowed = nothing_else, budget: MemoryBudget | None = None) -> NDArray[Any]:
    """One ``.npy`` file. Arrays of objects go through the restricted unpickler.

    Args:
        data: the file.
        name: for messages.
        also: what else pickled objects may name.
        budget: of the file that this one is a part of.

    Raises:
        DamagedFileError: it is damaged, refused or needs too much memory.
    """
    stream = io.BytesIO(data)
    try:
        shape, fortran, dtype = _header(stream)
    except Exception as error:  # numpy parses the header as Python, whose parser has errors of many kinds
        raise DamagedFileError(f"{name} is not a numpy array ({error}).", _REMEDY) from error
    if any(n < 0 for n in shape) or len(shape) > 32:
        raise DamagedFileError(f"{name} is not a numpy array (its shape is {str(shape)[:80]}).", _REMEDY)
    count = int(np.prod(shape, dtype=object)) if shape else 1
    (budget or MemoryBudget(name, ARRAY_FACTOR)).spend(
        count * max(dtype.itemsize, 8), f"an array of shape {str(shape)[:80]}"
    )
    if dtype.hasobject:
        return _objects(data[stream.tell() :], name, shape, fortran, also)
    if dtype.itemsize == 0 and count:
        raise DamagedFileError(f"{name} holds values of no length.", _REMEDY)
    if count * dtype.itemsize > len(data) - stream.tell():
        raise DamagedFileError(f"{name} is cut off: {shape} numbers are announced, fewer are there.", _REMEDY)
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _objects(data: bytes, name: str, shape: tuple[int, ...], fortran: bool, also: Allowed) -> NDArray[Any]:
    value = unpickle(data, name, also)
    if isinstance(value, np.ndarray):
        if value.size != int(np.prod(shape, dtype=object)):
            raise DamagedFileError(f"{name} is cut off: {shape} values are announced, {value.size} are there.", _REMEDY)
        return value.reshape(shape, order="F" if fortran else "C")
    array = np.empty((), dtype=object)
    array[()] = value
    return array


def load_npz(data: bytes, name: str, also: Allowed = nothing_else) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file by name; their sum is bounded, objects are restricted.

    Raises:
        DamagedFileError: it is damaged, too large or refused.
    """
    budget, members = MemoryBudget(name, ARRAY_FACTOR), MemoryBudget(name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [i for i in archive.infolist() if i.filename.endswith(".npy")]
            for info in infos:
                members.spend(info.file_size, info.filename[:80])
            parts = ((i.filename[:-4], archive.read(i)) for i in infos)
            return {key: load_npy(part, f"{name}[{key[:80]}]", also, budget) for key, part in parts}
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
    ) as error:
        raise DamagedFileError(f"{name} is not a readable npz archive ({error}).", _REMEDY) from error
