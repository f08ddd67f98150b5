"""What pickles of scripts hold, after the restricted unpickler: arrays by name, or lists and objects as in json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError

__all__ = ["named_arrays", "plain_document"]

_MOST: Final = 4_000_000
"""Values of a document, of which those in arrays count a tenth. A pickle can name one list many times, and so unfold
to any size."""
_DEEPEST: Final = 40


def named_arrays(value: object) -> dict[str, NDArray[Any]]:
    """The arrays of an object {name: array}, as of an npz; of an object that holds one such object too.

    An object {name: array} in it becomes an array of that one object, as numpy saves it.
    """
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):
        value = inner
    if not isinstance(value, dict):
        return {}
    arrays = {str(k): v for k, v in value.items() if isinstance(v, np.ndarray)}
    for key, inner in value.items():
        if isinstance(inner, dict) and any(isinstance(v, np.ndarray) for v in inner.values()):
            arrays[str(key)] = np.array(inner, dtype=object)
    return arrays


def _size(value: object, known: dict[int, int], depth: int = 0) -> int:
    """Values that a document unfolds to; those of one object are counted once, however often it is named."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return 1 + value.size // 10
    parts: Iterable[object] = ()
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    elif isinstance(value, np.ndarray):
        parts = value.reshape(-1).tolist()
    else:
        return 1
    if id(value) not in known:
        known[id(value)] = _MOST  # until it is known: whoever is in itself unfolds without end
        known[id(value)] = _MOST if depth > _DEEPEST else 1 + sum(_size(v, known, depth + 1) for v in parts)
    return known[id(value)]


def plain_document(value: object, name: str) -> object:
    """A value of arrays, numbers, texts, lists and objects as json would hold it.

    Raises:
        KeypointError: it is too large or too deep.
    """
    if _size(value, {}) >= _MOST:
        raise KeypointError(f"{name} unfolds to too many values.", "Export the keypoints as json or npz.")

    def plain(one: object) -> object:
        if isinstance(one, np.ndarray):
            return plain(one.tolist()) if one.dtype.hasobject else one.tolist()
        if isinstance(one, dict):
            return {str(k): plain(v) for k, v in one.items()}
        if isinstance(one, list | tuple):
            return [plain(v) for v in one]
        return one.item() if isinstance(one, np.generic) else one

    return plain(value)
