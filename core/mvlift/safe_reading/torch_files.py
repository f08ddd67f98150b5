"""Tensors that ``torch.save`` wrote, read with numpy alone and without running what the file contains."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError
from mvlift.safe_reading.limits import ARRAY_FACTOR, MemoryBudget
from mvlift.safe_reading.pickles import Function, load_pickle

__all__ = ["load_torch"]

_REMEDY: Final = "Save it again as an npz: numpy.savez(path, keypoints=tensor.cpu().numpy())."
_KINDS: Final = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _StorageKind:
    """Stands for a class of torch's storages; a pickle cannot change it."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a class")


def _tensor(
    storage: object, offset: object, shape: object, stride: object, *_: object
) -> NDArray[Any]:  # what torch rebuilds a tensor from
    if not isinstance(storage, np.ndarray) or storage.ndim != 1:
        raise pickle.UnpicklingError("a tensor without numbers")
    sizes, steps = tuple(shape) if isinstance(shape, tuple) else (), tuple(stride) if isinstance(stride, tuple) else ()
    are_sizes = all(type(n) is int and n >= 0 for n in (*sizes, *steps, offset))
    if not are_sizes or len(sizes) != len(steps) or not isinstance(offset, int):
        raise pickle.UnpicklingError("not the shape of a tensor")
    if 0 in sizes:
        return np.zeros(sizes, storage.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
    if last >= len(storage) or math.prod(sizes) > max(len(storage), 1):
        raise pickle.UnpicklingError("a tensor that reaches beyond its numbers")
    itemsize = storage.dtype.itemsize
    view = np.lib.stride_tricks.as_strided(storage[offset:], sizes, tuple(step * itemsize for step in steps))
    return np.array(view)


def _parameter(data: object, *_: object) -> object:
    return data


def _dictionary(*arguments: object) -> dict[Any, Any]:
    pairs = arguments[0] if arguments and isinstance(arguments[0], list | tuple) else ()
    return dict(pairs)


_ALLOWED: Final[dict[tuple[str, str], object]] = {
    ("torch._utils", "_rebuild_tensor_v2"): Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): Function(_parameter),
    ("collections", "OrderedDict"): Function(_dictionary),
} | {("torch", name): _StorageKind(code) for name, code in _KINDS.items()}


def load_torch(data: bytes, name: str) -> Any:
    """What ``torch.save`` wrote (since torch 1.6): tensors as arrays, in lists and dictionaries.

    Raises:
        DamagedFileError: it is no such file, is damaged, too large, or holds anything but data.
    """
    budget = MemoryBudget(name, ARRAY_FACTOR)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = {i.filename: i for i in archive.infolist()}
            main = next((n for n in infos if n.endswith("/data.pkl")), None)
            if main is None:
                raise DamagedFileError(f"{name} is not a file of torch.save.", _REMEDY)
            root = main[: -len("data.pkl")]

            def storage(key: object) -> NDArray[Any]:
                match key:
                    case ("storage", _StorageKind() as kind, str(number), _, int(count)):
                        info = infos.get(f"{root}data/{number}")
                        if info is None:
                            raise pickle.UnpicklingError("numbers that are not there")
                        budget.spend(info.file_size, f"tensor {number[:20]}")
                        flat = np.frombuffer(archive.read(info), dtype=kind.code)
                        return flat[: max(count, 0)]
                raise pickle.UnpicklingError("not a tensor's numbers")

            budget.spend(infos[main].file_size)
            return load_pickle(archive.read(main), lambda module, what: _ALLOWED.get((module, what)), storage)
    except DamagedFileError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, MemoryError) as error:
        raise DamagedFileError(f"{name} is not a readable file of torch.save ({error}).", _REMEDY) from error
    except Exception as error:  # a hostile or damaged pickle can raise anything
        raise DamagedFileError(f"{name}: the pickled data in it was refused ({error}).", _REMEDY) from error
