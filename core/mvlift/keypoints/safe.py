"""Reading numpy archives, HDF5 and XML without running, fetching or unfolding anything that they contain."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.safe_pickle import load_pickle

__all__ = ["Hdf5", "load_npy", "load_npz", "parse_xml", "unpickle"]

_MAX_BYTES: Final = 2 << 30
_REMEDY: Final = "Export the keypoints again, as json or csv if the program can."


def unpickle(data: bytes, name: str) -> object:
    """A pickled value of arrays, numbers, strings, lists, tuples and dictionaries; anything else is refused.

    Raises:
        KeypointError: the pickle is damaged or asks for anything outside the allow-list.
    """
    try:
        return load_pickle(data)
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
    except Exception as error:  # numpy parses the header as Python, whose parser has errors of many kinds
        raise KeypointError(f"{name} is not a numpy array ({error}).", _REMEDY) from error
    if any(n < 0 for n in shape):
        raise KeypointError(f"{name} is not a numpy array (its shape is {shape}).", _REMEDY)
    if dtype.hasobject:
        value = unpickle(data[stream.tell() :], name)
        array = np.empty((), dtype=object)
        if isinstance(value, np.ndarray):
            if value.size != int(np.prod(shape, dtype=object)):
                raise KeypointError(
                    f"{name} is cut off: {shape} values are announced, {value.size} are there.", _REMEDY
                )
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
        raise KeypointError(f"{name} is not a readable npz archive ({error}).", _REMEDY) from error


def _heap_of_texts_ends(data: bytes, at: int) -> bool:
    """Whether the objects of an HDF5 heap (``GCOL``, texts of any length) lead from its beginning to its end.

    The library walks on by each object's size and does not notice sizes of which the sum is none, or beyond the heap.
    """
    if at + 16 > len(data) or data[at + 4 : at + 8] != b"\x01\0\0\0":
        return True  # four letters that are no heap
    end = at + int.from_bytes(data[at + 8 : at + 16], "little")
    place = at + 16
    while place + 16 <= min(end, len(data)):
        index, size = int.from_bytes(data[place : place + 2], "little"), data[place + 8 : place + 16]
        step = int.from_bytes(size, "little")
        step = step if index == 0 else 16 + (step + 7) // 8 * 8
        if step == 0 or place + step > end:
            return False
        place += step
    return True


def _endless_heap(data: bytes) -> bool:
    at = data.find(b"GCOL")
    while at >= 0 and _heap_of_texts_ends(data, at):
        at = data.find(b"GCOL", at + 4)
    return at >= 0


class Hdf5:
    """An HDF5 file in memory. Links to other files are not followed, and sizes are bounded.

    Args:
        data: the file's content.
        name: for messages.

    Raises:
        KeypointError: h5py is not installed, or the file is damaged.
    """

    def __init__(self, data: bytes, name: str) -> None:
        try:
            import h5py
        except ImportError as error:
            raise KeypointError(
                f"{name} is an HDF5 file, and the package h5py that reads it is not installed.",
                "Install h5py, or export csv (DeepLabCut, SLEAP) instead.",
            ) from error
        if _endless_heap(data):
            raise KeypointError(f"{name} is a damaged HDF5 file (its texts do not end).", _REMEDY)
        self.name = name
        self._links = (h5py.ExternalLink, h5py.SoftLink)
        self._group = h5py.Group
        try:
            self._file: Any = h5py.File(io.BytesIO(data), "r")
        except (OSError, RuntimeError, ValueError) as error:
            raise KeypointError(f"{name} is not a readable HDF5 file ({error}).", _REMEDY) from error

    def _find(self, path: str) -> Any:
        """The group or dataset at a path such as ``poseest/points``, None where there is none."""
        found = self._file
        for part in path.strip("/").split("/"):
            if not isinstance(found, self._group) or isinstance(found.get(part, getlink=True), self._links):
                return None
            found = found.get(part)
        return found

    def keys(self, path: str = "") -> list[str]:
        """Names in a group."""
        group = self._find(path) if path else self._file
        return list(group) if isinstance(group, self._group) else []

    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    def array(self, path: str) -> NDArray[Any]:
        """A dataset's values.

        Raises:
            KeypointError: there is none, it lies outside the file, is too large or damaged.
        """
        found = self._find(path)
        if found is None or isinstance(found, self._group):
            raise KeypointError(f"{self.name} has no data called {path}.", _REMEDY)
        try:
            if found.external or found.is_virtual:
                raise KeypointError(f"{self.name}: {path} lies in another file.", _REMEDY)
            if found.nbytes > _MAX_BYTES:
                raise KeypointError(f"{self.name}: {path} has more than 2 GB.", "Cut the clip into shorter ones.")
            return np.asarray(found[()])
        except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise KeypointError(f"{self.name}: {path} cannot be read ({error}).", _REMEDY) from error

    def attributes(self, path: str = "") -> dict[str, Any]:
        """What is attached to a group or dataset, bytes for text; attributes that cannot be read are left out."""
        found = self._find(path) if path else self._file
        values: dict[str, Any] = {}
        for key in list(found.attrs) if found is not None else ():
            try:
                values[str(key)] = found.attrs[key]
            except (OSError, RuntimeError, ValueError, TypeError, KeyError):
                continue
        return values


def parse_xml(data: bytes, name: str) -> Element:
    """An XML document without a document type, hence without entities that could unfold or be fetched.

    Raises:
        KeypointError: it is not XML, or it declares a document type.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise KeypointError(f"{name} declares a document type or entities, which are refused.", _REMEDY)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise KeypointError(f"{name} is not valid XML ({error}).", _REMEDY) from error
