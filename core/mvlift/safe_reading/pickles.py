"""Reading pickles of numpy arrays and plain values without running anything, whatever the bytes are.

numpy's ``__setstate__`` does not check its argument: a damaged state of an array or of a dtype can crash the process.
Here stand-ins take both states, check them, and only then make the array. Arrays as joblib writes them, in the midst
of the pickle, are read too. The standard library's unpickler in C sets memory aside for any number that a file names;
the one in Python does not.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError
from mvlift.safe_reading.limits import memory_limit

__all__ = ["Allowed", "Function", "load_pickle", "nothing_else", "unfolded_size"]

_CODE: Final = re.compile(r"[|=<>]?(b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|O8?|[SUV][1-9][0-9]{0,8})")
_MOST_AXES: Final = 32
_ITEM: Final = 64
"""Bytes of memory that any value takes."""
_DEEPEST: Final = 100
_ENDLESS: Final = 1 << 62
Allowed = Callable[[str, str], object | None]
"""What else a pickle may name, by module and name; None for what it may not."""
References = Callable[[object], object]


class Function:
    """What a pickle may call. It cannot be changed by the pickle, unlike a bare function.

    Args:
        call: is called with the pickle's arguments.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *arguments: object) -> object:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a function")


class _Kind:
    """Stands for a dtype: a code such as "f8", then a state with the order of bytes.

    Args:
        code: of numpy, without fields.
    """

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"no type of numbers or texts is called {str(code)[:40]!r}")
        self.dtype: np.dtype[Any] = np.dtype("O" if code.endswith("O8") else code)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 8 or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("not the state of a type")
        order, size = state[1], state[5]
        if any(part is not None for part in state[2:5]) or size not in (-1, self.dtype.itemsize):
            raise pickle.UnpicklingError("a type with fields, or of two sizes")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


def _dtype(kind: object) -> np.dtype[Any]:
    if not isinstance(kind, _Kind):
        raise pickle.UnpicklingError("numbers of no type")
    return kind.dtype


def _numbers(data: object, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """A flat array of its own from bytes, which texts of Python 2 hold too."""
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(data, bytes | bytearray) or dtype.hasobject or len(data) != count * dtype.itemsize:
        raise pickle.UnpicklingError("an array's bytes are not as many as its shape and type say")
    return np.frombuffer(bytes(data), dtype=dtype).copy()


def _count(shape: object) -> int:
    if not isinstance(shape, tuple) or len(shape) > _MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise pickle.UnpicklingError("not the shape of an array")
    return math.prod(shape)


class _Array(np.ndarray):  # type: ignore[type-arg]
    """An array whose content follows as a state, which is checked before numpy sees it."""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("not the state of an array")
        _, shape, kind, fortran, data = state
        count, dtype = _count(shape), _dtype(kind)
        content: Any = list(data) if dtype.hasobject and isinstance(data, list) else None
        if content is None:
            content = _numbers(data, dtype, count).tobytes()
        elif len(content) != count:
            raise pickle.UnpicklingError("an array of objects with more or fewer of them than its shape says")
        checked: Any = (1, shape, dtype, bool(fortran), content)
        super().__setstate__(checked)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).view(np.ndarray).__reduce_ex__(protocol)


_NDARRAY: Final = Function(lambda *_: None)
"""The class of arrays, as the pickle names it; nothing is made by calling it."""


def _empty_array(kind: object, shape: object, code: object) -> NDArray[Any]:
    """What numpy's pickles start from: always an empty array, whose content follows."""
    if kind is not _NDARRAY or shape != (0,):
        raise pickle.UnpicklingError("not an array as numpy writes it")
    return _Array((0,), dtype="b")


def _scalar(kind: object, data: object) -> object:
    return _numbers(data, _dtype(kind), 1)[0]


def _from_buffer(data: object, kind: object, shape: object, order: object, axes: object = None) -> NDArray[Any]:
    """An array as pickles of protocol 5 hold it."""
    if not isinstance(shape, tuple):
        shape = (shape,)
    flat = _numbers(data, _dtype(kind), _count(shape))
    if isinstance(axes, tuple):
        return flat.reshape(shape).transpose(axes)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _dictionary(*_: object) -> dict[object, object]:
    """An empty dictionary; the factory of a ``defaultdict`` is not needed for what is there."""
    return {}


def _latin(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


# everything that a pickled array of arrays, numbers, strings, lists and dictionaries needs
_ALLOWED: Final = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): Function(_Kind),
    ("_codecs", "encode"): Function(_latin),
    ("__builtin__", "bytes"): Function(lambda: b""),  # how old protocols write no bytes
    ("builtins", "bytes"): Function(lambda: b""),
    ("builtins", "dict"): Function(_dictionary),
    ("__builtin__", "dict"): Function(_dictionary),
    ("collections", "defaultdict"): Function(_dictionary),
} | {
    (f"numpy.{core}.{module}", name): Function(function)
    for core in ("core", "_core")
    for module, name, function in (
        ("multiarray", "_reconstruct", _empty_array),
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _from_buffer),
    )
}


class _InlineArray:
    """Stands for joblib's mark that the bytes of an array follow in the file, after its type and shape."""

    def __init__(self, *_: object) -> None:
        self.facts: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.facts = state if isinstance(state, dict) else {}

    def read(self, stream: io.BytesIO, also: Allowed) -> object:
        """The array, read from where the stream is."""
        shape: Any = self.facts.get("shape")
        count, dtype = _count(shape), _dtype(self.facts.get("dtype"))
        if dtype.hasobject:
            return _Restricted(stream, also, no_references).load()
        if self.facts.get("numpy_array_alignment_bytes") is not None:
            stream.read(int.from_bytes(stream.read(1), "little"))
        size = count * dtype.itemsize
        if size > len(stream.getbuffer()) - stream.tell():
            raise pickle.UnpicklingError("an array's bytes are not as many as its shape and type say")
        flat = np.frombuffer(stream.read(size), dtype=dtype).copy()
        return flat.reshape(shape, order="F" if self.facts.get("order") == "F" else "C")


class _Restricted(pickle._Unpickler):  # type: ignore[misc, name-defined]
    def __init__(self, stream: io.BytesIO, also: Allowed, references: References) -> None:
        super().__init__(stream, encoding="latin1")
        self._stream, self._also, self._references = stream, also, references

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def load_bytearray8(self: Any) -> None:
        """As in the standard library, which takes the memory before it looks whether the bytes are there."""
        (size,) = struct.unpack("<Q", self.read(8))
        if size > len(self._stream.getbuffer()):
            raise pickle.UnpicklingError("more bytes are announced than there are")
        self.append(bytearray(self.read(size)))

    def load_build(self: Any) -> None:
        """As in the standard library; joblib's arrays follow in the stream."""
        pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]
        if isinstance(self.stack[-1], _InlineArray):
            self.stack[-1] = self.stack[-1].read(self._stream, self._also)

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.BUILD[0]] = load_build

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return _InlineArray
        replacement = _ALLOWED.get((module, name)) or self._also(module, name)
        if replacement is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return replacement

    def persistent_load(self, reference: object) -> object:
        return self._references(reference)


def no_references(reference: object) -> object:
    """Refuses what lies outside of a pickle."""
    raise pickle.UnpicklingError("it refers to what is not in it")


def nothing_else(module: str, name: str) -> object | None:
    """No further names."""
    return None


def load_pickle(data: bytes, also: Allowed = nothing_else, references: References = no_references) -> Any:
    """A pickled value of arrays, numbers, strings, lists, tuples and dictionaries.

    Args:
        data: the pickle.
        also: gives what else a pickle may name, by module and name, or None. Classes among it have ``__setstate__``,
            so that a pickle cannot change them; functions are ``Function``.
        references: gives what lies outside of the pickle by its reference, as the numbers of torch's tensors do.

    Raises:
        DamagedFileError: references make it unfold to more than the memory limit.
        Exception: of any kind, where the pickle is damaged, hostile, or asks for anything else.
    """
    value = _Restricted(io.BytesIO(data), also, references).load()
    if 2 * unfolded_size(value, {}) > memory_limit():
        raise DamagedFileError(
            f"References in it make {len(data)} bytes unfold to more than half of the limit of "
            f"{memory_limit() >> 20} MB.",
            "Export it again, as json or npz.",
        )
    return value


def unfolded_size(value: object, known: dict[int, int], depth: int = 0) -> int:
    """Bytes that a value takes when every reference is written out; what refers to itself has no end.

    Args:
        value: of arrays, numbers, texts, lists, objects and what an allow-list made.
        known: sizes of containers so far, by identity.
        depth: of the value in its container.
    """
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.nbytes + _ITEM
    if isinstance(value, str | bytes | bytearray):
        return len(value) + _ITEM
    parts: Iterable[object]
    if isinstance(value, dict):
        parts = (part for pair in value.items() for part in pair)
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif isinstance(value, np.ndarray):
        parts = value.reshape(-1).tolist()
    elif isinstance(getattr(value, "state", None), dict):
        parts = value.state.values()  # type: ignore[attr-defined]
    else:
        return _ITEM
    if id(value) not in known:
        known[id(value)] = _ENDLESS  # until it is known: a container that contains itself has no finite size
        size = _ENDLESS if depth > _DEEPEST else _ITEM + sum(unfolded_size(v, known, depth + 1) for v in parts)
        known[id(value)] = min(size, _ENDLESS)
    return known[id(value)]
