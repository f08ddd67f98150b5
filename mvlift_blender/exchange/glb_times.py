"""Exact times and names of animations in a glTF binary, also at fractional frame rates."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["exact_times"]

_HEADER: Final = struct.Struct("<4sII")
_CHUNK: Final = struct.Struct("<I4s")


def exact_times(path: Path, name: str, frames: int, fps: Fraction) -> None:
    """Set the times of a file's keys to frames / fps, the first to 0, and call its animations after the motion.

    Args:
        path: of the .glb, which is written anew.
        name: of the motion.
        frames: how many the animation has; its last key is at (frames - 1) / fps.
        fps: frames per second.
    """
    data = path.read_bytes()
    magic, version, _ = _HEADER.unpack_from(data)
    size, kind = _CHUNK.unpack_from(data, _HEADER.size)
    if magic != b"glTF" or kind != b"JSON":
        return
    start = _HEADER.size + _CHUNK.size
    document: dict[str, Any] = json.loads(data[start : start + size])
    rest = bytearray(data[start + size :])
    animations = document.get("animations", [])
    inputs = sorted({sampler["input"] for animation in animations for sampler in animation["samplers"]})
    for i in inputs:
        _retime(document, i, rest, frames, fps)
    for animation in animations:
        animation["name"] = name
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = start + len(text) + len(rest)
    path.write_bytes(_HEADER.pack(magic, version, total) + _CHUNK.pack(len(text), kind) + text + rest)


def _retime(document: dict[str, Any], i: int, rest: bytearray, frames: int, fps: Fraction) -> None:
    """Set one accessor of times; ``rest`` begins with the header of the binary chunk."""
    accessor = document["accessors"][i]
    view = document["bufferViews"][accessor["bufferView"]]
    at = _CHUNK.size + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    count = accessor["count"]
    times = np.frombuffer(rest, dtype="<f4", count=count, offset=at).astype(np.float64)
    times = times - times[0]
    if count > 1:
        # keys may be fewer than frames; what a second is follows from the whole
        times = times * (float((frames - 1) / fps) / times[-1])
        steps = np.round(times * float(fps))
        times = np.where(np.abs(steps - times * float(fps)) < 1e-2, steps / float(fps), times)
    exact = times.astype("<f4")
    rest[at : at + 4 * count] = exact.tobytes()
    accessor["min"], accessor["max"] = [float(exact.min())], [float(exact.max())]
