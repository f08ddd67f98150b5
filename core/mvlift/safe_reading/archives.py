"""Zip and gzip files: what they unpack to is bounded before it is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mvlift.errors import DamagedFileError
from mvlift.safe_reading.limits import MemoryBudget

__all__ = ["list_zip", "read_zip", "unpack_gzip"]

_MOST_FILES: Final = 500_000
_MOST_RATIO: Final = 400
"""Unpacked by packed size; json of keypoints reaches about 10."""
_STEP: Final = 1 << 24
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError, EOFError, ValueError)


def list_zip(path: Path) -> list[str]:
    """Names of the files in a zip.

    Raises:
        DamagedFileError: it is damaged, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if i.filename and not i.is_dir()]
    except _DAMAGE as error:
        raise DamagedFileError(
            f"{path.name} is not a readable zip ({error}).", "Unpack it and choose the folder."
        ) from error
    total, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if len(infos) > _MOST_FILES or total > _MOST_RATIO * max(packed, 1 << 16):
        raise DamagedFileError(
            f"{path.name} would unpack to {len(infos)} files and {total >> 20} MB.", "Unpack it and choose the folder."
        )
    MemoryBudget(path.name).spend(total, f"{len(infos)} files unpacked")
    return [i.filename for i in infos]


def read_zip(
    path: Path, names: Sequence[str], leave_out: Callable[[str, str], None]
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """(name, content) of some files of a zip, in the order given.

    Args:
        path: of the zip.
        names: of the files.
        leave_out: called with the name of a file that cannot be unpacked, and the reason.

    Raises:
        DamagedFileError: the zip itself cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                try:
                    data = archive.read(name)
                except (*_DAMAGE, KeyError) as error:
                    leave_out(name, f"cannot be unpacked: {error}")
                    continue
                yield name, data
    except _DAMAGE as error:
        raise DamagedFileError(f"{path.name}: cannot be unpacked ({error}).", "Unpack it yourself.") from error


def unpack_gzip(path: Path, factor: int = 1) -> bytes:
    """Content of a gzip file.

    Args:
        path: of the file.
        factor: bytes of memory that each byte of the content will take.

    Raises:
        DamagedFileError: it is damaged, cut off, or unpacks to too much.
    """
    unpack, budget, parts = zlib.decompressobj(wbits=31), MemoryBudget(path.name, factor), list[bytes]()
    try:
        data = path.read_bytes()
        while not unpack.eof:
            part = unpack.decompress(data, _STEP)
            budget.spend(len(part), "its content unpacked")
            parts.append(part)
            if not part and not unpack.unconsumed_tail:
                break
            data = unpack.unconsumed_tail
    except zlib.error as error:
        raise DamagedFileError(f"{path.name} cannot be unpacked ({error}).", "Unpack it yourself.") from error
    if not unpack.eof or not any(parts):
        raise DamagedFileError(f"{path.name} is cut off.", "Pack it again, or unpack it.")
    return b"".join(parts)
