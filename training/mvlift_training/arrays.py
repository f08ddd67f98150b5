"""Data sets as npz files: all arrays at once, and errors that name the file and what is wrong with it."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.errors import KeypointError
from numpy.typing import NDArray

__all__ = ["read_arrays"]


def read_arrays(path: Path, needed: Collection[str], kind: str, remedy: str) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file by key.

    Args:
        path: the file.
        needed: keys that it must have.
        kind: what the file should be, for messages, such as "2D data set".
        remedy: what a user without such a file can do.

    Raises:
        KeypointError: there is no such file, it is damaged or something else, or a key is missing.
    """
    if not path.is_file():
        raise KeypointError(f"{path}: there is no such {kind}.", remedy)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise KeypointError(f"{path}: not a {kind} ({error}).", remedy) from error
    missing = sorted(set(needed) - set(arrays))
    if missing:
        raise KeypointError(f"{path}: keys {missing} are missing in this {kind}.", remedy)
    return arrays
