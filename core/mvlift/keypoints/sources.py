"""An input path, opened: a file, or the files of a folder or zip, as text, JSON, arrays or HDF5."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError
from mvlift.keypoints.numbering import natural_key, number_files
from mvlift.safe_reading import (
    TEXT_FACTOR,
    Hdf5,
    MemoryBudget,
    load_npy,
    load_npz,
    load_torch,
    named_arrays,
    plain_document,
    read_zip,
    unpickle,
)

try:
    import msgspec
except ImportError:  # the standard library reads the same files, more slowly
    msgspec = None  # type: ignore[assignment]

__all__ = ["PICKLES", "Source", "decoded", "parse_json"]

PICKLES: Final = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
_SNIFFED: Final = 8
_PAIRS: Final = 64
"""Bytes at the beginning of a text that say which encoding it has."""
_NAMED: Final = 6
"""Files that a note names one by one."""
_CUT_OFF: Final = "The program that wrote it may have been stopped: export it again."
T = TypeVar("T")


def decoded(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 (which PowerShell writes) where a byte-order mark or every second byte says so."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    even, odd = data[:_PAIRS:2], data[1:_PAIRS:2]
    if even and odd and not any(odd) and all(even):
        return data.decode("utf-16-le")
    if even and odd and not any(even) and all(odd):
        return data.decode("utf-16-be")
    return data.decode("utf-8-sig")


def parse_json(data: bytes, name: str) -> object:
    """Any JSON that detectors write: with bare NaN, a byte-order mark, or one document per line.

    Raises:
        DamagedFileError: it is not JSON, or too large.
    """
    MemoryBudget(name, TEXT_FACTOR).spend(len(data), "its text parsed")
    if msgspec is not None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return msgspec.json.decode(data)
    try:
        text = decoded(data)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            lines = [line for line in text.splitlines() if line.strip()]
            if len(lines) < 2 or error.msg != "Extra data":
                raise
            return [json.loads(line) for line in lines]
    except RecursionError as error:
        raise DamagedFileError(f"{name} is not valid JSON of keypoints (nested too deeply).", _CUT_OFF) from error
    except ValueError as error:
        reason = "a number has thousands of digits" if "integer string" in str(error) else error
        raise DamagedFileError(f"{name} is not valid JSON ({reason}).", _CUT_OFF) from error


class Source:
    """A file, or the files of a folder or zip.

    Attributes:
        path: what the user named.
        suffix: extension of the file or files, lower case.
        names: the files, in natural order; one for a single file.
        content: of the single file, where it is not as it lies on the disk.
    """

    def __init__(
        self,
        path: Path,
        suffix: str,
        names: Sequence[str],
        archive: Path | None = None,
        content: bytes | None = None,
        left_out: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.path = path
        self.suffix = suffix
        self.names = tuple(sorted(names, key=natural_key))
        self._archive = archive
        self._content = content
        self._left_out = dict(left_out)

    @property
    def is_series(self) -> bool:
        """True for a folder or zip with several files."""
        return len(self.names) > 1

    def leave_out(self, name: str, why: str) -> None:
        """Notes that a file of the series cannot be read.

        Raises:
            DamagedFileError: it is the only file, or most of the series' files cannot be read.
        """
        self._left_out[name] = why
        if 2 * len(self._left_out) > len(self.names):
            raise DamagedFileError(f"{PurePath(name).name} {why}.", _CUT_OFF)

    @property
    def notes(self) -> list[str]:
        """A sentence that names the files which were left out, if any were."""
        if not self._left_out:
            return []
        count = len(self._left_out)
        named = [f"{PurePath(n).name} ({why})" for n, why in sorted(self._left_out.items())[:_NAMED]]
        more = f" and {count - _NAMED} more" if count > _NAMED else ""
        what = "1 file cannot be read and was" if count == 1 else f"{count} files cannot be read and were"
        return [f"{what} left out: {', '.join(named)}{more}."]

    def items(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """(name, content) of some of the files, in the order given; damaged ones of a series are left out.

        Raises:
            DamagedFileError: the files need too much memory together, or most of them cannot be read.
        """
        if self._content is not None:
            yield from ((name, self._content) for name in names)
            return
        if self._archive is not None:
            yield from read_zip(self._archive, names, self.leave_out)
            return
        budget = MemoryBudget(self.path.name)
        for name in names:
            try:
                with open(name, "rb", buffering=0) as stream:  # noqa: PTH123 (three times faster than Path.read_bytes)
                    data = stream.read()
            except OSError as error:
                self.leave_out(name, error.strerror or "cannot be read")
                continue
            budget.spend(len(data), "all of its files")
            yield name, data

    def parsed(self, names: Sequence[str], parse: Callable[[bytes, str], T]) -> Iterator[tuple[str, T]]:
        """(name, what ``parse`` makes of content and name) of some of the files; damaged ones are left out."""
        for name, data in self.items(names):
            try:
                parsed = parse(data, PurePath(name).name)
            except DamagedFileError as error:
                why = error.message.removeprefix(PurePath(name).name).strip().rstrip(".")
                self.leave_out(name, why if data else "is empty")
                continue
            yield name, parsed

    @cached_property
    def data(self) -> bytes:
        """Content of the single file."""
        return next((data for _, data in self.items(self.names[:1])), b"")

    @cached_property
    def text(self) -> str:
        """The single file as text."""
        MemoryBudget(self.path.name, TEXT_FACTOR).spend(len(self.data), "its text")
        try:
            return decoded(self.data)
        except UnicodeDecodeError:
            return self.data.decode("latin1")

    @cached_property
    def document(self) -> object:
        """The single file as JSON (or a pickle as such), None when it is neither or when there are several."""
        if self.is_series or self.suffix not in (".json", ".jsonl", *PICKLES):
            return None
        if self.suffix in PICKLES:
            is_numpy = bool(self.arrays) or self.array is not None
            return None if is_numpy else plain_document(self.unpickled, self.path.name)
        return parse_json(self.data, self.path.name)

    @cached_property
    def unpickled(self) -> Any:
        """What the single file holds when it is a pickle or a file of torch.save, else None."""
        if self.suffix not in PICKLES or self.is_series:
            return None
        return _unpickled(self.data, self.path.name)

    @cached_property
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The single file's arrays by name when it is an npz or a pickle of such, else none."""
        if self.is_series or self.suffix not in (".npz", *PICKLES):
            return {}
        return named_arrays(self.unpickled) if self.suffix in PICKLES else load_npz(self.data, self.path.name)

    def arrays_of(self, name: str, data: bytes) -> dict[str, NDArray[np.generic]]:
        """The arrays of one of the files by name; npz and pickles have some."""
        if self.suffix in PICKLES:
            return named_arrays(_unpickled(data, name))
        return load_npz(data, name) if self.suffix == ".npz" else {}

    @cached_property
    def array(self) -> NDArray[np.generic] | None:
        """The single file's array when it is an npy or a pickled array, else None."""
        if isinstance(self.unpickled, np.ndarray):
            return self.unpickled
        return load_npy(self.data, self.path.name) if self.suffix == ".npy" and not self.is_series else None

    @cached_property
    def first_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of the first whole file of a series of npz files, to recognise the format; else empty."""
        if not self.is_series or self.suffix not in (".npz", *PICKLES):
            return {}
        parsed = self.parsed(self.names[:_SNIFFED], lambda data, name: self.arrays_of(name, data))
        return next((arrays for _, arrays in parsed), {})

    @cached_property
    def hdf5(self) -> Hdf5 | None:
        """The single file when it is HDF5 (h5, slp), else None."""
        is_hdf5 = self.suffix in (".h5", ".hdf5", ".slp") and not self.is_series
        return Hdf5(self.data, self.path.name) if is_hdf5 else None

    @cached_property
    def first_documents(self) -> list[object]:
        """A few of a series' JSON files, to recognise the format; empty for other files."""
        if not self.is_series or self.suffix != ".json":
            return []
        step = max(1, len(self.names) // _SNIFFED)
        return [document for _, document in self.parsed(self.names[::step][:_SNIFFED], parse_json)]

    @cached_property
    def numbered(self) -> tuple[list[tuple[str, int]], list[str]]:
        """The series with frame numbers, and what was decided (see `number_files`)."""
        return number_files(self.names)

    def documents(self) -> Iterator[tuple[int, object]]:
        """(frame number, JSON) of every whole file of the series."""
        frames = dict(self.numbered[0])
        for name, document in self.parsed([n for n, _ in self.numbered[0]], parse_json):
            yield frames[name], document

    def frames_of_arrays(self) -> Iterator[tuple[int, str, dict[str, NDArray[np.generic]]]]:
        """(frame number, name, arrays by name) of every whole file of a series of npz files or pickles."""
        frames = dict(self.numbered[0])
        read = self.parsed([n for n, _ in self.numbered[0]], lambda data, name: self.arrays_of(name, data))
        yield from ((frames[name], name, arrays) for name, arrays in read)


def _unpickled(data: bytes, name: str) -> Any:
    """A pickle, or a file of torch.save, which is a zip with one in it."""
    return load_torch(data, name) if data[:4] == b"PK\x03\x04" else unpickle(data, name)
