"""Reading SMPL-family body files (.npz, .pkl) without running what they contain.

The official .pkl files hold chumpy objects and scipy matrices; both are read here as plain data, so that neither
package is needed and no code of the file runs. An allow-list names all that a file may ask for.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import BodyFileError
from mvlift.safe_pickle import Function, load_pickle

__all__ = ["KEYS", "read_body_file"]

KEYS: Final = ("v_template", "f", "J_regressor", "weights", "kintree_table", "shapedirs")
_MAX_BYTES: Final = 2 << 30
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
        data, indices, pointers = (np.asarray(self.state[k]) for k in ("data", "indices", "indptr"))
        rows, columns = self.state["_shape"] if "_shape" in self.state else self.state["shape"]
        if rows * columns > 1 << 26:
            raise BodyFileError("A matrix in the file is too large.", _REMEDY)
        dense = np.zeros((rows, columns))
        along = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
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


def _unpickle(data: bytes, name: str) -> dict[str, object]:
    try:
        content = load_pickle(data, _allowed)
    except Exception as error:  # a hostile or damaged pickle can raise anything
        raise BodyFileError(f"{name} was refused: {error}.", _REMEDY) from error
    if not isinstance(content, dict):
        raise BodyFileError(f"{name} holds a {type(content).__name__}, not a body model.", _REMEDY)
    return {str(k): v for k, v in content.items()}


def _npz(path: Path) -> dict[str, object]:
    arrays: dict[str, object] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.filename.endswith(".npy"):
                    continue
                if info.file_size > _MAX_BYTES:
                    raise BodyFileError(f"{path.name}: {info.filename} has {info.file_size >> 20} MB.", _REMEDY)
                arrays[info.filename[:-4]] = _npy(archive.read(info), f"{path.name}[{info.filename}]")
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        MemoryError,
    ) as error:
        raise BodyFileError(f"{path.name} is not a readable npz file ({error}).", _REMEDY) from error
    return arrays


def _npy(data: bytes, name: str) -> object:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream)
    if dtype.hasobject:  # a sparse matrix or a string in an object array
        try:
            value = load_pickle(data[stream.tell() :], _allowed)
        except Exception as error:
            raise BodyFileError(f"{name} was refused: {error}.", _REMEDY) from error
        return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if count * dtype.itemsize > len(data) - stream.tell():
        raise BodyFileError(f"{name} is cut off.", _REMEDY)
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def read_body_file(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an SMPL-family file, dense, by key.

    Args:
        path: .npz or .pkl.

    Raises:
        BodyFileError: it does not exist, is refused, or lacks a key.
    """
    if not path.is_file():
        raise BodyFileError(f"{path} does not exist.", _REMEDY)
    if path.stat().st_size > _MAX_BYTES:
        raise BodyFileError(f"{path.name} has {path.stat().st_size >> 20} MB.", _REMEDY)
    with path.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"
    raw = _npz(path) if is_zip else _unpickle(path.read_bytes(), path.name)
    missing = [k for k in KEYS if k not in raw]
    if missing:
        found = ", ".join(sorted(raw)[:12]) or "nothing"
        raise BodyFileError(f"{path.name} lacks {', '.join(missing)}; it holds {found}.", _REMEDY)
    arrays: dict[str, NDArray[Any]] = {}
    for key, value in raw.items():
        array = np.asarray(_plain(value))
        if array.dtype.kind in "fiub":
            arrays[key] = array
    missing = [k for k in KEYS if k not in arrays]
    if missing:
        raise BodyFileError(f"{path.name}: {', '.join(missing)} are not numbers.", _REMEDY)
    return arrays
