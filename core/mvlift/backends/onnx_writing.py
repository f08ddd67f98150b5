"""Writing ONNX models: the few messages of the format's protocol buffers (onnx.proto3) that a network of ours needs.

The package ``onnx`` would do it too, and is as large as everything else in the extension; the format is a stable,
published one (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3, from which the field numbers are).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["GraphWriter"]

OPSET: Final = 20
"""Version of the operators: the first that has GELU."""
_IR: Final = 9
_TYPES: Final = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.bool_): 9, np.dtype(np.float16): 10}


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name: str, values: NDArray[Any]) -> bytes:
    """A TensorProto."""
    array = np.ascontiguousarray(values)
    dims = b"".join(_number(1, n) for n in values.shape)
    return dims + _number(2, _TYPES[array.dtype]) + _bytes(8, name) + _bytes(9, array.tobytes())


def _attribute(name: str, value: float | str | Sequence[int]) -> bytes:
    """An AttributeProto."""
    if isinstance(value, bool | int):
        return _bytes(1, name) + _number(3, int(value)) + _number(20, 2)
    if isinstance(value, float):
        return _bytes(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, str):
        return _bytes(1, name) + _bytes(4, value) + _number(20, 3)
    return _bytes(1, name) + b"".join(_number(8, int(n)) for n in value) + _number(20, 7)


def _value(name: str, kind: type, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto; text names a dimension that may be of any size."""
    dims = b"".join(_bytes(1, _bytes(2, n) if isinstance(n, str) else _number(1, n)) for n in shape)
    tensor = _number(1, _TYPES[np.dtype(kind)]) + _bytes(2, dims)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


class GraphWriter:
    """Collects the nodes and constants of a graph.

    Values are named; every method gives the name of what it makes.
    """

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: dict[str, bytes] = {}
        self._count = 0

    def constant(self, values: object, kind: type = np.float32, name: str = "") -> str:
        """A constant array."""
        array: NDArray[Any] = np.asarray(values, dtype=kind)
        name = name or f"constant_{len(self._constants)}"
        self._constants[name] = _tensor(name, array)
        return name

    def half(self, values: object, name: str = "") -> str:
        """A constant array of 16-bit numbers, as float32."""
        stored = self.constant(values, np.float16, f"{name or f'constant_{len(self._constants)}'}.half")
        return self.node("Cast", stored, to=_TYPES[np.dtype(np.float32)])

    def ints(self, *values: int) -> str:
        """A constant list of integers: shapes, axes."""
        return self.constant(values, np.int64)

    def several(
        self, kind: str, inputs: Sequence[str], outputs: int, **attributes: float | str | list[int]
    ) -> list[str]:
        """A node with several outputs."""
        names = [f"{kind}_{self._count}_{i}" for i in range(outputs)]
        self._count += 1
        node = b"".join(_bytes(1, name) for name in inputs) + b"".join(_bytes(2, name) for name in names)
        node += _bytes(4, kind) + b"".join(_bytes(5, _attribute(k, v)) for k, v in attributes.items())
        self._nodes.append(node)
        return names

    def node(self, kind: str, *inputs: str, **attributes: float | str | list[int]) -> str:
        """A node with one output."""
        return self.several(kind, inputs, 1, **attributes)[0]

    def model(
        self,
        name: str,
        inputs: Mapping[str, tuple[type, Sequence[int | str]]],
        outputs: Mapping[str, tuple[str, Sequence[int | str]]],
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """The ModelProto.

        Args:
            name: of the graph.
            inputs: name -> type and shape.
            outputs: name -> the value of that name, and its shape; all of float32.
            metadata: texts that the file holds beside the graph.
        """
        for public, (value, _) in outputs.items():
            node = _bytes(1, value) + _bytes(2, public) + _bytes(4, "Identity")
            self._nodes.append(node)
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _bytes(2, name)
        graph += b"".join(_bytes(5, constant) for constant in self._constants.values())
        graph += b"".join(_bytes(11, _value(n, kind, shape)) for n, (kind, shape) in inputs.items())
        graph += b"".join(_bytes(12, _value(n, np.float32, shape)) for n, (_, shape) in outputs.items())
        texts = b"".join(_bytes(14, _bytes(1, k) + _bytes(2, v)) for k, v in (metadata or {}).items())
        return _number(1, _IR) + _bytes(2, "MVLift") + _bytes(7, graph) + _bytes(8, _number(2, OPSET)) + texts
