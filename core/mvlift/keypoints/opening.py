"""From a path to a `Source`: which files of a folder or zip belong to the clip. Sizes are bounded."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from mvlift.errors import KeypointError
from mvlift.keypoints.sources import PICKLES, Source
from mvlift.safe_reading import TEXT_FACTOR, MemoryBudget, list_zip, memory_limit, unpack_gzip

__all__ = ["SUFFIXES", "open_source"]

_BESIDE: Final = (*PICKLES, ".yml", ".yaml")
"""What also lies beside keypoints, as facts about the model: read where nothing else is there."""
SUFFIXES: Final = (
    *(".json", ".jsonl", ".npz", ".npy", ".h5", ".hdf5", ".slp", ".csv", ".tsv", ".trc", ".txt", ".xml", ".nk"),
    *_BESIDE,
)
_IGNORED: Final = re.compile(
    r"^(\.|__MACOSX)|^(readme|classes|labels|licen[cs]e|requirements)[^/]*\.txt$", re.IGNORECASE
)
_GZIP: Final = b"\x1f\x8b"
_TEXTS: Final = (".json", ".jsonl", ".csv", ".tsv", ".trc", ".txt", ".xml", ".nk", ".yml", ".yaml")


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
    MemoryBudget(path.name).spend(size, "the file read")
    with path.open("rb") as stream:
        head = stream.read(64)
    if head[:2] == _GZIP:
        return _open_gzip(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        suffix = _by_content(head)
    if suffix == ".zip":
        source = _choose(path, list_zip(path))
        return Source(path, source[0], source[1], archive=path)
    return Source(path, suffix, [str(path)])


def _open_gzip(path: Path) -> Source:
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    suffix = inner.suffix.lower()
    content = unpack_gzip(path, TEXT_FACTOR if suffix in _TEXTS else 1)
    if content[:2] == _GZIP:
        raise KeypointError(f"{path.name} was packed twice.", "Unpack it once.")
    return Source(path, suffix if suffix in SUFFIXES else _by_content(content[:64]), [str(inner)], content=content)


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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _unusable(entry: os.DirEntry[str]) -> str | None:
    """Why an entry of a folder cannot be read as a file, None when it can."""
    try:
        facts = entry.stat()
    except OSError:
        return "a link that leads nowhere" if entry.is_symlink() else "cannot be looked at"
    if not stat.S_ISREG(facts.st_mode):
        return "a pipe or a device, not a file"
    if facts.st_size > memory_limit():
        return f"{facts.st_size >> 20} MB, more than the limit of {memory_limit() >> 20} MB"
    return None


def _open_folder(path: Path) -> Source:
    with os.scandir(path) as entries:
        listed = [(e, _is_folder(e)) for e in entries if not e.name.startswith(".")]
    known = [e for e, is_dir in listed if not is_dir and Path(e.name).suffix.lower() in (*SUFFIXES, ".zip", ".gz")]
    left_out = [(e.path, why) for e in known if (why := _unusable(e)) is not None]
    unusable = {p for p, _ in left_out}
    usable = [e.path for e in known if e.path not in unusable]
    files = [p for p in usable if Path(p).suffix.lower() in SUFFIXES]
    if files:
        suffix, names = _choose(path, files)
        return Source(path, suffix, names, left_out=[(p, w) for p, w in left_out if Path(p).suffix.lower() == suffix])
    packed = [Path(p) for p in usable]
    folders = [Path(e.path) for e, is_dir in listed if is_dir]
    if len(folders) == 1 and not packed:
        return _open_folder(folders[0])
    if len(packed) == 1 and not folders:
        return _open_file(packed[0])
    inside = sorted(p.name for p in (*packed, *folders))
    names_inside = ", ".join(inside[:6]) + (", ..." if len(inside) > 6 else "")
    skipped = "".join(f" {Path(p).name} is {why}." for p, why in left_out[:3])
    raise KeypointError(
        f"{path} holds "
        + (f"no clip itself, but {len(inside)} files or folders: {names_inside}." if inside else "no keypoint files.")
        + skipped,
        "Choose one of them; the command line lifts all of them with --batch."
        if inside
        else "Choose the folder with one file per frame, or the one file with all frames.",
    )


def open_source(path: Path) -> Source:
    """A file, folder or zip, looked at but not yet read.

    Raises:
        KeypointError: it does not exist, is empty, no file, or holds no keypoint files.
        DamagedFileError: it is too large, or a damaged zip or gzip file.
    """
    try:
        if path.is_dir():
            return _open_folder(path)
        if path.is_file():
            return _open_file(path)
        special, dangling = path.exists(), path.is_symlink()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        why = getattr(error, "strerror", None) or error
        raise KeypointError(f"{path} cannot be read ({why}).", "Check that it may be read.") from error
    if special:
        raise KeypointError(f"{path} is a pipe or a device, not a file.", "Save the keypoints in a file.")
    why = "is a link that leads nowhere" if dangling else "does not exist"
    raise KeypointError(f"{path} {why}.", "Check the path.")
