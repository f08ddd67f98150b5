"""Reading numpy archives without running anything that they contain."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError

__all__ = ["load_npy", "load_npz", "unpickle"]

_MAX_BYTES: Final = 2 << 30
_REMEDY: Final = "Export the keypoints again, as json or csv if the program can."


def _empty_array(kind: object, shape: object, code: object) -> NDArray[np.generic]:
    """What numpy's pickles start from: always an empty array, whose content follows."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("not an array as numpy writes it")
    return np.ndarray((0,), dtype="b")


def _scalar(dtype: np.dtype[np.generic], data: bytes) -> object:
    if dtype.hasobject or len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("not a numpy number")
    return np.frombuffer(data, dtype=dtype)[0]


def _latin(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


# everything that a pickled array of arrays, numbers, strings, lists and dictionaries needs
_ALLOWED: Final[dict[tuple[str, str], object]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin,
} | {
    (f"numpy.{core}.multiarray", name): function
    for core in ("core", "_core")
    for name, function in (("_reconstruct", _empty_array), ("scalar", _scalar))
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def unpickle(data: bytes, name: str) -> object:
    """A pickled value of arrays, numbers, strings, lists, tuples and dictionaries; anything else is refused.

    Raises:
        KeypointError: the pickle is damaged or asks for anything outside the allow-list.
    """
    try:
        return _Restricted(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a hostile or damaged pickle can raise anything
        raise KeypointError(f"{name}: the pickled data in it was refused ({error}).", _REMEDY) from error


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    readers: dict[tuple[int, int], Callable[..., tuple[tuple[int, ...], bool, np.dtype[np.generic]]]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    return readers.get(version, np.lib.format.read_array_header_2_0)(stream)


def load_npy(data: bytes, name: str) -> NDArray[np.generic]:
    """One ``.npy`` file. Arrays of objects go through the restricted unpickler.

    Raises:
        KeypointError: it is damaged, or refused.
    """
    stream = io.BytesIO(data)
    try:
        shape, fortran, dtype = _header(stream)
    except ValueError as error:
        raise KeypointError(f"{name} is not a numpy array ({error}).", _REMEDY) from error
    if dtype.hasobject:
        value = unpickle(data[stream.tell() :], name)
        array = np.empty((), dtype=object)
        if isinstance(value, np.ndarray):
            return value.reshape(shape, order="F" if fortran else "C")
        array[()] = value
        return array
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if count * dtype.itemsize > len(data) - stream.tell():
        raise KeypointError(f"{name} is cut off: {shape} numbers are announced, fewer are there.", _REMEDY)
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def load_npz(data: bytes, name: str) -> dict[str, NDArray[np.generic]]:
    """The arrays of an ``.npz`` file by name; sizes are bounded, objects restricted.

    Raises:
        KeypointError: it is damaged, too large or refused.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [i for i in archive.infolist() if i.filename.endswith(".npy")]
            if sum(i.file_size for i in infos) > _MAX_BYTES:
                raise KeypointError(f"{name} would unpack to more than 2 GB.", "Cut the clip into shorter ones.")
            return {i.filename[:-4]: load_npy(archive.read(i), f"{name}[{i.filename[:-4]}]") for i in infos}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise KeypointError(f"{name} is not a readable npz archive ({error}).", _REMEDY) from error
