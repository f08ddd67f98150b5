"""Reading SMPL-family body files (.npz, .pkl) without running what they contain.

The official .pkl files hold chumpy objects and scipy matrices; both are read here as plain data, so that neither
package is needed and no code of the file runs. An allow-list names all that a file may ask for.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import BodyFileError, DamagedFileError
from mvlift.safe_reading import MemoryBudget, load_npz, unpickle
from mvlift.safe_reading.pickles import Function

__all__ = ["KEYS", "read_body_file"]

KEYS: Final = ("v_template", "f", "J_regressor", "weights", "kintree_table", "shapedirs")
_REMEDY: Final = "Choose a model file as downloaded, such as SMPL_NEUTRAL.pkl or SMPLH_MALE.npz."


class _Chumpy:
    """Any chumpy object: its state is kept, its code is not there."""

    def __init__(self, *_: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}

    def value(self) -> NDArray[Any]:
        """The array that the object stands for (``Ch`` or ``Select``)."""
        if "x" in self.state:
            return np.asarray(_plain(self.state["x"]))
        if {"a", "idxs"} <= self.state.keys():
            chosen = np.ravel(_plain(self.state["a"]))[np.asarray(_plain(self.state["idxs"]))]
            shape = self.state.get("preferred_shape")
            return np.asarray(chosen if shape is None else chosen.reshape(shape))
        raise BodyFileError("A chumpy object in the file holds no numbers.", _REMEDY)


class _Sparse:
    """A scipy compressed sparse matrix, as data."""

    column_major = True

    def __init__(self, *_: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}

    def value(self) -> NDArray[Any]:
        """Dense."""
        parts = [np.asarray(self.state.get(k)) for k in ("data", "indices", "indptr")]
        shape = self.state.get("_shape", self.state.get("shape"))
        if not isinstance(shape, tuple) or len(shape) != 2 or not all(type(n) is int and n >= 0 for n in shape):
            raise BodyFileError("A sparse matrix in the file has no shape.", _REMEDY)
        if shape[0] * shape[1] > 1 << 26:
            raise BodyFileError("A sparse matrix in the file is too large.", _REMEDY)
        data, indices, pointers = parts
        numbers = data.dtype.kind in "fiub" and indices.dtype.kind in "iu" and pointers.dtype.kind in "iu"
        if not numbers or any(p.ndim != 1 for p in parts) or len(data) != len(indices) or not len(pointers):
            raise BodyFileError("A sparse matrix in the file lacks its numbers.", _REMEDY)
        rows, columns = shape
        lines, width = (columns, rows) if self.column_major else (rows, columns)
        steps = np.asarray(np.diff(pointers.astype(np.int64)), dtype=np.int64)
        ordered = len(pointers) == lines + 1 and (steps >= 0).all() and pointers[0] == 0 and pointers[-1] == len(data)
        if not ordered or (len(indices) and not (indices.min() >= 0 and indices.max() < width)):
            raise BodyFileError("A sparse matrix in the file points outside of itself.", _REMEDY)
        dense = np.zeros((rows, columns))
        along = np.repeat(np.arange(lines), steps)
        dense[(indices, along) if self.column_major else (along, indices)] = data
        return dense


class _SparseRows(_Sparse):
    column_major = False


_OBJECT: Final = Function(lambda *_: None)
"""The class ``object``, which copy_reg names as the base."""


def _reconstruct(cls: object, base: object, state: object) -> object:
    """copy_reg's way to make an object, for the shims alone."""
    if isinstance(cls, type) and issubclass(cls, _Chumpy | _Sparse):
        return cls()
    raise pickle.UnpicklingError(f"it makes a {cls!r}")


_ALLOWED: Final[dict[tuple[str, str], object]] = {
    (module, name): value
    for modules, name, value in (
        (("copy_reg", "copyreg"), "_reconstructor", Function(_reconstruct)),
        (("__builtin__", "builtins"), "object", _OBJECT),
        (("__builtin__", "builtins"), "set", Function(set)),
        (("__builtin__", "builtins"), "slice", Function(slice)),
    )
    for module in modules
}


def _allowed(module: str, name: str) -> object | None:
    """What models name beside arrays: chumpy's and scipy's objects, by their shims."""
    if module.split(".")[0] == "chumpy":
        return _Chumpy
    if module.startswith("scipy.sparse"):
        if name in ("csc_matrix", "csc_array"):
            return _Sparse
        if name in ("csr_matrix", "csr_array"):
            return _SparseRows
    return _ALLOWED.get((module, name))


def _plain(value: object) -> Any:
    return value.value() if isinstance(value, _Chumpy | _Sparse) else value


def _content(path: Path) -> dict[str, object]:
    """What an npz or a pickle holds, by key.

    Raises:
        BodyFileError: it holds no dictionary.
        DamagedFileError: it is refused.
    """
    MemoryBudget(path.name).spend(path.stat().st_size, "the file read")
    data = path.read_bytes()
    if data[:2] == b"PK":
        return {k: _single(v) for k, v in load_npz(data, path.name, _allowed).items()}
    content = unpickle(data, path.name, _allowed)
    if not isinstance(content, dict):
        raise BodyFileError(f"{path.name} holds a {type(content).__name__}, not a body model.", _REMEDY)
    return {str(k): v for k, v in content.items()}


def _single(array: NDArray[Any]) -> object:
    """What an array of one object holds: a sparse matrix or a text."""
    return array.item() if array.dtype.hasobject and array.size == 1 else array


def _array(value: object, name: str, key: str) -> NDArray[Any] | None:
    """Numbers of a value, dense; None where it holds others than numbers, which only needed keys must not.

    Raises:
        BodyFileError: a needed key is damaged.
    """
    try:
        array = np.asarray(_plain(value))
    except BodyFileError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        if key not in KEYS:
            return None
        raise BodyFileError(
            f"{name}: {key} is damaged ({type(error).__name__}: {str(error)[:120]}).", _REMEDY
        ) from error
    return array if array.dtype.kind in "fiub" else None


def read_body_file(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an SMPL-family file, dense, by key.

    Args:
        path: .npz or .pkl.

    Raises:
        BodyFileError: it does not exist, is refused, or lacks a key.
    """
    if not path.is_file():
        raise BodyFileError(f"{path} does not exist or is not a file.", _REMEDY)
    try:
        raw = _content(path)
    except DamagedFileError as error:
        raise BodyFileError(error.message, _REMEDY) from error
    except OSError as error:
        raise BodyFileError(f"{path} cannot be read ({error.strerror}).", "Check that it may be read.") from error
    missing = [k for k in KEYS if k not in raw]
    if missing:
        present = ", ".join(sorted(raw)[:12]) or "nothing"
        raise BodyFileError(f"{path.name} lacks {', '.join(missing)}; it holds {present}.", _REMEDY)
    arrays: dict[str, NDArray[Any]] = {}
    for key, value in raw.items():
        array = _array(value, path.name, key)
        if array is not None:
            arrays[key] = array
    missing = [k for k in KEYS if k not in arrays]
    if missing:
        raise BodyFileError(f"{path.name}: {', '.join(missing)} are not numbers.", _REMEDY)
    return arrays
