"""What an ONNX file says of itself, read without ONNX Runtime and without the weights being unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["onnx_metadata"]

_METADATA: Final = 14
"""Field of a ModelProto that holds its metadata, pairs of a key and a value (onnx.proto3)."""
_LARGEST_VARINT: Final = 10


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number, and where the next one begins.

    Raises:
        ValueError: the data end before, or it is none.
    """
    value = 0
    for i, byte in enumerate(data[at : at + _LARGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("a number does not end")


def _parts(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Numbers and contents of a message's fields; what holds no bytes is passed over.

    Raises:
        ValueError: it is no message of protocol buffers.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            size, at = _varint(data, at)
            if size > len(data) - at:
                raise ValueError("the file ends too early")
            yield tag >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"fields of kind {kind} are not known")


def onnx_metadata(path: Path) -> dict[str, str]:
    """Key -> value of an ONNX model's metadata.

    Raises:
        ValueError: it is not an ONNX model.
        OSError: it cannot be read.
    """
    pairs = {}
    for field, entry in _parts(memoryview(path.read_bytes())):
        if field == _METADATA:
            texts = {n: bytes(value).decode("utf-8") for n, value in _parts(entry)}
            pairs[texts.get(1, "")] = texts.get(2, "")
    return pairs
