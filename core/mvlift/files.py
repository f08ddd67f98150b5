"""Writing files so that a failure leaves the older file whole and nothing half-written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["DISK_ERRORS", "check_written", "is_running", "temporary_folder", "whole_file", "whole_folder"]

DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR,
                                errno.EFBIG})  # fmt: skip
"""What writing says of a disk that is full or may not be written."""
_COUNT: Final = itertools.count()
_HOST: Final = hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()
_PART: Final = re.compile(r"\.mvlift-([0-9a-f]{8})-(\d{1,10})-\d+(\..*)?")
_FOLDER: Final = re.compile(r"mvlift-([0-9a-f]{8})-(\d{1,10})-.*")
_YOUNG: Final = 60.0
"""Age in seconds from which temporary files of other processes may be removed."""
_HEADS: Final[dict[str, tuple[bytes, ...]]] = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".npy": (b"\x93NUMPY",),
    ".bvh": (b"HIERARCHY",),
    ".glb": (b"glTF",),
    ".fbx": (b"Kaydara FBX Binary", b"; FBX"),
    ".usd": (b"PXR-USDC", b"#usda"),
    ".usdc": (b"PXR-USDC",),
    ".usda": (b"#usda",),
    ".blend": (b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"),
}
_ENDS: Final[dict[str, bytes]] = {".png": b"IEND\xaeB`\x82"}
_ZIPS: Final = (".npz", ".zip", ".usdz")


def check_written(path: Path, suffix: str = "") -> None:
    """Whether a file just written is whole, as far as its kind shows it.

    Args:
        path: the file.
        suffix: its kind, where the name does not say it.

    Raises:
        OSError: it is missing, empty, cut off, or not of its kind.
    """
    kind = (suffix or path.suffix).lower()
    if not path.is_file():
        raise OSError(errno.EIO, "nothing was written")
    size = path.stat().st_size
    if not size:
        raise OSError(errno.EIO, "only an empty file was written")
    with path.open("rb") as stream:
        head = stream.read(32)
        stream.seek(max(size - 16, 0))
        tail = stream.read()
    complete = head.startswith(_HEADS.get(kind, (b"",))) and tail.endswith(_ENDS.get(kind, b""))
    if kind == ".glb":
        complete = complete and int.from_bytes(head[8:12], "little") == size
    if kind in (".mp4", ".mov"):
        complete = head[4:8] == b"ftyp" and _boxes_are_whole(path, size)
    if kind in _ZIPS:
        complete = False
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            complete = archive.testzip() is None and bool(archive.namelist())
    if not complete:
        raise OSError(errno.EIO, "the file is not whole; the disk may be full")


def _boxes_are_whole(path: Path, size: int) -> bool:
    """Whether the boxes of an MP4 (ISO/IEC 14496-12, 4.2) end where the file does, the index among them."""
    names, at = set(), 0
    with path.open("rb") as stream:
        while at < size:
            stream.seek(at)
            head = stream.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:16], "big") if length == 1 else length or size - at
            if length < 8:
                return False
            names.add(head[4:8])
            at += length
    return at == size and b"moov" in names


def is_running(process: int) -> bool:
    """Whether a process of this machine is running."""
    if process == os.getpid() or sys.platform == "win32":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # the process belongs to another user, or the system does not say
        return True
    return True


def _abandoned(path: Path, pattern: re.Pattern[str]) -> bool:
    """Whether a part or folder was left by a process of this machine that is gone."""
    match = pattern.fullmatch(path.name)
    if match is None or match[1] != _HOST or is_running(int(match[2])):
        return False
    try:
        return time.time() - path.lstat().st_mtime > _YOUNG
    except OSError:
        return False


def _sweep(folder: Path, pattern: re.Pattern[str], start: str) -> None:
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{start}*"):
            if _abandoned(path, pattern):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, checked and renamed onto it when the block ends without an error.

    The temporary name keeps the extension, because many writers go by it. What processes left there that were killed
    is removed.

    Raises:
        OSError: the folder cannot be made or written, or what was written is not whole; the older file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, _PART, ".mvlift-")
    part = path.with_name(f".mvlift-{_HOST}-{os.getpid()}-{next(_COUNT)}{path.suffix}")
    try:
        part.touch()  # a folder that may not be written says so here, and not in the words of each writer
        part.unlink()
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())  # a full disk may say so only now
        check_written(part, path.suffix)
        part.replace(path)
    except OSError as error:  # the temporary name would not help the user
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path``, which becomes it when the block ends without an error.

    Raises:
        OSError: it cannot be made, or ``path`` is there and not empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, _PART, ".mvlift-")
    part = path.with_name(f".mvlift-{_HOST}-{os.getpid()}-{next(_COUNT)}")
    part.mkdir()
    try:
        yield part
        if path.is_dir():
            path.rmdir()
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def temporary_folder() -> Path:
    """A new folder among the system's temporary files. It is for its maker to remove; where a maker was killed, the
    next call on that machine removes it."""
    place = Path(tempfile.gettempdir())
    _sweep(place, _FOLDER, "mvlift-")
    return Path(tempfile.mkdtemp(prefix=f"mvlift-{_HOST}-{os.getpid()}-", dir=place))
