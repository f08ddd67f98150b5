"""What the user pointed at: a file, or a folder or zip of one file per frame. Sizes are bounded."""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.pickles import named_arrays, plain_document
from mvlift.keypoints.safe import Hdf5, load_npy, load_npz, unpickle

try:
    import msgspec
except ImportError:  # the standard library reads the same files, more slowly
    msgspec = None  # type: ignore[assignment]

__all__ = ["Source", "decoded", "last_number", "number_files", "open_source", "parse_json"]

PICKLES: Final = (".pkl", ".pickle")
_BESIDE: Final = (*PICKLES, ".yml", ".yaml")
"""What also lies beside keypoints, as facts about the model: read where nothing else is there."""
SUFFIXES: Final = (
    *(".json", ".jsonl", ".npz", ".npy", ".h5", ".hdf5", ".slp", ".csv", ".tsv", ".txt", ".xml", ".nk"),
    *_BESIDE,
)
_IGNORED: Final = re.compile(
    r"^(\.|__MACOSX)|^(readme|classes|labels|licen[cs]e|requirements)[^/]*\.txt$", re.IGNORECASE
)
_MAX_FILE: Final = 1 << 30
_MAX_TOTAL: Final = 2 << 30
_MAX_FILES: Final = 500_000
_MAX_RATIO: Final = 400  # uncompressed / compressed; json of keypoints reaches about 10
_SNIFFED: Final = 8


_EXTENSION: Final = re.compile(r"\.(?=\w*[A-Za-z])\w{1,5}$")
_ROBOFLOW: Final = re.compile(r"(_[a-z]{3,4})?\.rf\.\w{8,40}$")
_DIGITS: Final = re.compile(r"\d{1,15}")


def _stem(name: str) -> str:
    """A file name without extension and without the ``_jpg.rf.<hash>`` that Roboflow appends."""
    return _ROBOFLOW.sub("", _EXTENSION.sub("", name)) if "." in name else name


@lru_cache(maxsize=1 << 16)
def last_number(name: str) -> int | None:
    """The last group of digits in a file name without folder and extension, as detectors number frames."""
    found = _DIGITS.findall(_stem(name[max(name.rfind("/"), name.rfind("\\")) + 1 :]))
    return int(found[-1]) if found else None


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d{1,15})", name) if p]


def number_files(names: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """Frame numbers of the files of a folder, from the last digits of their names.

    Files outside the numbered series (``del_000001_0.json`` among ``cam01.0000.json``) are left out; where the names
    are no series at all, the files are counted in natural order.

    Returns:
        (file name, frame number) in order of frames, and sentences that say what was decided.
    """
    series: dict[str, dict[int, str]] = {}
    for name in sorted(names, key=_natural):
        number = last_number(name)
        prefix = re.sub(r"\d{1,15}(?!.*\d)", "#", _stem(name), count=1)
        if number is not None:
            series.setdefault(prefix, {}).setdefault(number, name)
    best = max(series.values(), key=len, default={})
    if len(names) > 1 and (len(best) < 2 or len(series) > max(4, len(names) // 4)):
        note = "The file names are not a numbered series; frames are counted in the order of the names."
        return [(n, i) for i, n in enumerate(sorted(names, key=_natural))], [note]
    if not best:
        return [(n, 0) for n in names], []
    left_out = len(names) - len(best)
    notes = []
    if left_out:
        example = next(n for n in sorted(names, key=_natural) if n not in set(best.values()))
        notes.append(f"{left_out} files do not belong to the numbered series and were left out, such as {example}.")
    return sorted(((n, i) for i, n in best.items()), key=lambda pair: pair[1]), notes


def decoded(data: bytes) -> str:
    """UTF-8 or, where its mark says so, UTF-16, which PowerShell writes."""
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def parse_json(data: bytes, name: str) -> object:
    """Any JSON that detectors write: with bare NaN, a byte-order mark, or one document per line.

    Raises:
        KeypointError: it is not JSON.
    """
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
    except (ValueError, RecursionError) as error:
        raise KeypointError(
            f"{name} is not valid JSON ({error}).", "The program that wrote it may have been stopped: export it again."
        ) from error


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
    ) -> None:
        self.path = path
        self.suffix = suffix
        self.names = tuple(sorted(names, key=_natural))
        self._archive = archive
        self._content = content

    @property
    def is_series(self) -> bool:
        """True for a folder or zip with several files."""
        return len(self.names) > 1

    def items(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """(name, content) of some of the files, in the order given."""
        if self._content is not None:
            yield from ((name, self._content) for name in names)
            return
        if self._archive is None:
            for name in names:
                with open(name, "rb", buffering=0) as stream:  # noqa: PTH123 (three times faster than Path.read_bytes)
                    yield name, stream.read()
            return
        try:
            with zipfile.ZipFile(self._archive) as archive:
                for name in names:
                    yield name, archive.read(name)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            NotImplementedError,
            RuntimeError,
            EOFError,
            ValueError,
        ) as error:
            raise KeypointError(
                f"{self._archive.name}: cannot be unpacked ({error}).", "Unpack it yourself."
            ) from error

    @cached_property
    def data(self) -> bytes:
        """Content of the single file."""
        return next(self.items(self.names[:1]))[1]

    @cached_property
    def text(self) -> str:
        """The single file as text."""
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
        return parse_json(next(self.items(self.names[:1]))[1], self.path.name)

    @cached_property
    def unpickled(self) -> object:
        """What the single file holds when it is a pickle, else None."""
        return unpickle(self.data, self.path.name) if self.suffix in PICKLES and not self.is_series else None

    @cached_property
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The single file's arrays by name when it is an npz or a pickle of such, else none."""
        if self.is_series or self.suffix not in (".npz", *PICKLES):
            return {}
        return named_arrays(self.unpickled) if self.suffix in PICKLES else load_npz(self.data, self.path.name)

    def arrays_of(self, name: str, data: bytes) -> dict[str, NDArray[np.generic]]:
        """The arrays of one of the files by name; npz and pickles have some."""
        if self.suffix in PICKLES:
            return named_arrays(unpickle(data, name))
        return load_npz(data, name) if self.suffix == ".npz" else {}

    @cached_property
    def array(self) -> NDArray[np.generic] | None:
        """The single file's array when it is an npy or a pickled array, else None."""
        if isinstance(self.unpickled, np.ndarray):
            return self.unpickled
        return load_npy(self.data, self.path.name) if self.suffix == ".npy" and not self.is_series else None

    @cached_property
    def first_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of the first file of a series of npz files, to recognise the format; empty for other files."""
        return self.arrays_of(*next(self.items(self.names[:1]))) if self.is_series else {}

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
        return [parse_json(data, name) for name, data in self.items(self.names[::step][:_SNIFFED])]

    @cached_property
    def numbered(self) -> tuple[list[tuple[str, int]], list[str]]:
        """The series with frame numbers, and what was decided (see `number_files`)."""
        return number_files(self.names)

    def documents(self) -> Iterator[tuple[int, object]]:
        """(frame number, JSON) of every file of the series."""
        numbered = self.numbered[0]
        for (_, frame), (name, data) in zip(numbered, self.items([n for n, _ in numbered]), strict=True):
            yield frame, parse_json(data, name)


def _by_content(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head[:4] == b"PK\x03\x04":
        return ".zip"
    if head[:4] == b"\x89HDF":
        return ".h5"
    if head[:6] == b"\x93NUMPY":
        return ".npy"
    return ".json" if start in (b"[", b"{") else ".xml" if start == b"<" else ".csv"


def _open_file(path: Path) -> Source:
    size = path.stat().st_size
    if size == 0:
        raise KeypointError(
            f"{path.name} is empty.", "The program that wrote it may have been stopped: export it again."
        )
    if size > _MAX_FILE:
        raise KeypointError(
            f"{path.name} has {size >> 20} MB; the limit is 1024 MB.", "Cut the clip into shorter ones."
        )
    with path.open("rb") as stream:
        head = stream.read(64)
    if head[:2] == b"\x1f\x8b":
        return _open_gzip(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        suffix = _by_content(head)
    return _open_zip(path) if suffix == ".zip" else Source(path, suffix, [str(path)])


def _open_gzip(path: Path) -> Source:
    unpack = zlib.decompressobj(wbits=31)
    try:
        content = unpack.decompress(path.read_bytes(), _MAX_FILE)
    except zlib.error as error:
        raise KeypointError(f"{path.name} cannot be unpacked ({error}).", "Unpack it yourself.") from error
    if not unpack.eof or not content:
        raise KeypointError(
            f"{path.name} is cut off, or unpacks to more than {_MAX_FILE >> 20} MB.", "Unpack it, and cut the clip."
        )
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    suffix = inner.suffix.lower()
    return Source(path, suffix if suffix in SUFFIXES else _by_content(content[:64]), [str(inner)], content=content)


def _open_zip(path: Path) -> Source:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if i.filename and not i.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise KeypointError(
            f"{path.name} is not a readable zip ({error}).", "Unpack it and choose the folder."
        ) from error
    total = sum(i.file_size for i in infos)
    packed = sum(i.compress_size for i in infos)
    if len(infos) > _MAX_FILES or total > _MAX_TOTAL or total > _MAX_RATIO * max(packed, 1 << 16):
        raise KeypointError(
            f"{path.name} would unpack to {len(infos)} files and {total >> 20} MB.", "Unpack it and choose the folder."
        )
    source = _choose(path, [i.filename for i in infos])
    return Source(path, source[0], source[1], archive=path)


def _choose(path: Path, names: Sequence[str]) -> tuple[str, list[str]]:
    """The extension to read and the files that have it, all from the folder that holds most of them."""
    usable = [n for n in names if not _IGNORED.match(PurePosixPath(n.replace("\\", "/")).name) and "__MACOSX" not in n]
    kinds = Counter((str(PurePosixPath(n).parent), PurePosixPath(n).suffix.lower()) for n in usable)
    kinds = Counter({k: v for k, v in kinds.items() if k[1] in SUFFIXES})
    if not kinds:
        raise KeypointError(
            f"{path.name} holds no keypoint files.", f"Choose a file or a folder of {', '.join(SUFFIXES)} files."
        )
    (folder, suffix), _ = max(
        kinds.items(), key=lambda item: (item[0][1] not in _BESIDE, item[1], -SUFFIXES.index(item[0][1]))
    )
    return suffix, [
        n for n in usable if PurePosixPath(n).suffix.lower() == suffix and str(PurePosixPath(n).parent) == folder
    ]


def _open_folder(path: Path) -> Source:
    with os.scandir(path) as entries:
        listed = [(e.path, e.is_dir()) for e in entries]
    files = [p for p, is_dir in listed if not is_dir and Path(p).suffix.lower() in SUFFIXES]
    if files:
        suffix, names = _choose(path, files)
        return Source(path, suffix, names)
    packed = [Path(p) for p, is_dir in listed if not is_dir and Path(p).suffix.lower() in (".zip", ".gz")]
    folders = [Path(p) for p, is_dir in listed if is_dir and not Path(p).name.startswith(".")]
    if len(folders) == 1 and not packed:
        return _open_folder(folders[0])
    if len(packed) == 1 and not folders:
        return _open_file(packed[0])
    found = ", ".join(sorted(f.name for f in folders)[:6])
    raise KeypointError(
        f"{path} holds no keypoint files" + (f", but the folders {found}." if folders else "."),
        "Choose the folder with one file per frame, or the one file with all frames.",
    )


def open_source(path: Path) -> Source:
    """A file, folder or zip, looked at but not yet read.

    Raises:
        KeypointError: it does not exist, is empty, too large or holds no keypoint files.
    """
    try:
        if path.is_dir():
            return _open_folder(path)
        if path.is_file():
            return _open_file(path)
    except OSError as error:
        raise KeypointError(
            f"{path} cannot be read ({error.strerror or error}).", "Check that it may be read."
        ) from error
    raise KeypointError(f"{path} does not exist.", "Check the path.")
