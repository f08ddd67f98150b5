"""What pickles of scripts hold, after the restricted unpickler: arrays by name, or lists and objects as in json."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvlift.safe_reading.limits import TEXT_FACTOR, MemoryBudget
from mvlift.safe_reading.pickles import unfolded_size

__all__ = ["named_arrays", "plain_document"]


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


def plain_document(value: object, name: str) -> object:
    """A value of arrays, numbers, texts, lists and objects as json would hold it.

    Raises:
        DamagedFileError: it is too large or too deep.
    """
    MemoryBudget(name, TEXT_FACTOR).spend(unfolded_size(value, {}), "every reference written out")

    def plain(one: object) -> object:
        if isinstance(one, np.ndarray):
            return plain(one.tolist()) if one.dtype.hasobject else one.tolist()
        if isinstance(one, dict):
            return {str(k): plain(v) for k, v in one.items()}
        if isinstance(one, list | tuple):
            return [plain(v) for v in one]
        return one.item() if isinstance(one, np.generic) else one

    return plain(value)
