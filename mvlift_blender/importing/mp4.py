"""Whether the frames of an MP4 or MOV file last equally long, and the shape of its pixels, from its own tables.

Phones record with a variable rate. Blender shows such a file at its mean rate, so keypoints and picture drift apart.
ISO/IEC 14496-12: a file is boxes of a 32-bit size and a four-letter name; the time-to-sample box ``stts`` of a track
lists runs of frames with their duration. In the sample description ``stsd`` the pixel aspect box ``pasp`` follows the
fields of the picture (12.1.3 and 12.1.4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["has_variable_rate", "pixel_aspect"]

_SUFFIXES: Final = frozenset({".mp4", ".mov", ".m4v"})
_INSIDE: Final = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_PICTURE_FIELDS: Final = 86
"""Bytes of a picture's sample entry, its own size and name with them, before the boxes in it."""
_EDGES: Final = 32
"""Where in a sample entry the width and height of the picture are."""
_MOST_RUNS: Final = 1 << 20
_SAME: Final = 0.02
"""Relative difference of two frames' durations that rounding to the file's clock explains."""


def has_variable_rate(path: Path) -> bool:
    """True where more than one frame in a hundred lasts longer or shorter than the others; False for other files."""
    if path.suffix.lower() not in _SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            runs = _video_runs(file, path.stat().st_size)
    except (OSError, struct.error):
        return False
    total = sum(count for count, _ in runs[:-1]) + (runs[-1][0] - 1 if runs else 0)  # the last frame's is arbitrary
    if total < 2:
        return False
    usual = max(runs, key=lambda run: run[0])[1]
    # a clock that the rate does not divide alternates between neighbouring whole numbers
    odd = sum(count for count, duration in runs if abs(duration - usual) > max(1, _SAME * usual))
    return odd > 0.01 * total


def pixel_aspect(path: Path, size: tuple[int, int]) -> float:
    """Width of a pixel by its height; 1 for other files and where the file does not say it.

    Args:
        path: of the video.
        size: (width, height) as it is shown; where it lies on its side in the file, so do the pixels.
    """
    if path.suffix.lower() not in _SUFFIXES:
        return 1.0
    try:
        with path.open("rb") as file:
            width, height, stored = _stored_pixels(file, path.stat().st_size)
    except (OSError, struct.error):
        return 1.0
    return 1 / stored if (width, height) == size[::-1] != size else stored


def _stored_pixels(file: BinaryIO, end: int) -> tuple[int, int, float]:
    """Width, height and pixel aspect of the first video track."""
    content = _of_video(file, end, b"stsd")
    if content is None:
        return 0, 0, 1.0
    entry = content[0] + 8  # after version and count
    file.seek(entry)
    (length,) = struct.unpack(">I", file.read(4))
    file.seek(entry + _EDGES)
    width, height = struct.unpack(">HH", file.read(4))
    for name, start, stop in _boxes(file, entry + _PICTURE_FIELDS, min(entry + length, content[1])):
        if name == b"pasp" and stop - start >= 8:
            file.seek(start)
            across, down = struct.unpack(">II", file.read(8))
            return width, height, across / down if across and down else 1.0
    return width, height, 1.0


def _video_runs(file: BinaryIO, end: int) -> list[tuple[int, int]]:
    """(count, duration) of the runs of the first video track."""
    content = _of_video(file, end, b"stts")
    if content is None:
        return []
    start, stop = content
    file.seek(start + 4)
    (count,) = struct.unpack(">I", file.read(4))
    count = min(count, _MOST_RUNS, (stop - start - 8) // 8)
    numbers = struct.unpack(f">{2 * count}I", file.read(8 * count))
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _of_video(file: BinaryIO, end: int, wanted: bytes) -> tuple[int, int] | None:
    """Begin and end of the content of a box of the first video track."""
    is_video = False
    for name, start, stop in _boxes(file, 0, end):
        if name == b"trak":
            is_video = False
        elif name == b"hdlr":
            file.seek(start + 8)
            is_video = is_video or file.read(4) == b"vide"  # QuickTime has a second handler, of the data
        elif name == wanted and is_video:
            return start, stop
    return None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each box, outer before inner."""
    while start + 8 <= end:
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            head = 16
        stop = end if size == 0 else start + size
        if (size != 0 and size < head) or stop > end:
            return
        yield name, start + head, stop
        if name in _INSIDE:
            yield from _boxes(file, start + head, stop)
        start = stop
