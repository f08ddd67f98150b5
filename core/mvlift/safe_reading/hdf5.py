"""HDF5 files, read from memory: links to other files are not followed, and sizes are bounded by their sum."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError
from mvlift.safe_reading.limits import ARRAY_FACTOR, MemoryBudget

__all__ = ["Hdf5"]

_REMEDY: Final = "Export the keypoints again, as json or csv if the program can."
_MOST_ATTRIBUTES: Final = 10_000


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
        DamagedFileError: h5py is not installed, or the file is damaged.
    """

    def __init__(self, data: bytes, name: str) -> None:
        try:
            import h5py
        except ImportError as error:
            raise DamagedFileError(
                f"{name} is an HDF5 file, and the package h5py that reads it is not installed.",
                "Install h5py, or export csv (DeepLabCut, SLEAP) instead.",
            ) from error
        if _endless_heap(data):
            raise DamagedFileError(f"{name} is a damaged HDF5 file (its texts do not end).", _REMEDY)
        self.name, self._budget = name, MemoryBudget(name, ARRAY_FACTOR)
        self._links = (h5py.ExternalLink, h5py.SoftLink)
        self._group = h5py.Group
        try:
            self._file: Any = h5py.File(io.BytesIO(data), "r")
        except (OSError, RuntimeError, ValueError) as error:
            raise DamagedFileError(f"{name} is not a readable HDF5 file ({error}).", _REMEDY) from error

    def _find(self, path: str) -> Any:
        """The group or dataset at a path such as ``poseest/points``, None where there is none."""
        node = self._file
        for part in path.strip("/").split("/"):
            if not isinstance(node, self._group) or isinstance(node.get(part, getlink=True), self._links):
                return None
            node = node.get(part)
        return node

    def keys(self, path: str = "") -> list[str]:
        """Names in a group."""
        group = self._find(path) if path else self._file
        return list(group) if isinstance(group, self._group) else []

    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    def array(self, path: str) -> NDArray[Any]:
        """A dataset's values.

        Raises:
            DamagedFileError: there is none, it lies outside the file, is too large or damaged.
        """
        node = self._find(path)
        if node is None or isinstance(node, self._group):
            raise DamagedFileError(f"{self.name} has no data called {path}.", _REMEDY)
        try:
            if node.external or node.is_virtual:
                raise DamagedFileError(f"{self.name}: {path} lies in another file.", _REMEDY)
            self._budget.spend(max(node.nbytes, 8 * node.size), path)
            return np.asarray(node[()])
        except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise DamagedFileError(f"{self.name}: {path} cannot be read ({error}).", _REMEDY) from error

    def attributes(self, path: str = "") -> dict[str, Any]:
        """What is attached to a group or dataset, bytes for text; attributes that cannot be read are left out."""
        node = self._find(path) if path else self._file
        values: dict[str, Any] = {}
        for key in list(node.attrs)[:_MOST_ATTRIBUTES] if node is not None else ():
            try:
                self._budget.spend(node.attrs.get_id(key).get_storage_size(), f"the attribute {str(key)[:80]}")
                values[str(key)] = node.attrs[key]
            except (OSError, RuntimeError, ValueError, TypeError, KeyError):
                continue
        return values
