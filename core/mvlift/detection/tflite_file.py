"""Networks in TensorFlow Lite's file format (a FlatBuffer): tensors, constants and operators, as plain data.

Constants in 16 bits, and sparse ones, are given in full as 32-bit arrays, so the operators DEQUANTIZE and DENSIFY are
gone from what is returned. Format: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Operator", "TfliteNetwork", "read_tflite"]

_TYPES: Final[dict[int, np.dtype[Any]]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
    4: np.dtype("<i8"),
}
_SPARSE: Final = 1
"""Of the formats of a dimension; 0 is dense."""
_FOLDED: Final = frozenset({"DEQUANTIZE", "DENSIFY"})


@dataclass(frozen=True)
class Operator:
    """A node: name of the operator, numbers of tensors (-1 for an input that is left out), and its options."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True, eq=False)
class TfliteNetwork:
    """A network.

    Attributes:
        shapes: of every tensor; pictures are (1, H, W, C).
        constants: by number of the tensor.
        operators: in order of execution.
        inputs: numbers of tensors.
        outputs: numbers of tensors.
    """

    shapes: list[tuple[int, ...]]
    constants: dict[int, NDArray[Any]]
    operators: list[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def _numbers(array: Any) -> list[int]:
    return [] if isinstance(array, int) else [int(n) for n in array]  # an absent vector is read as 0


def _vector(kind: int, table: Any) -> NDArray[np.int64]:
    """A vector of a union: 1, 2, 3 for integers of 32, 16 and 8 bits."""
    import tflite

    vector = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}[kind]()
    vector.Init(table.Bytes, table.Pos)
    return np.asarray(vector.ValuesAsNumpy(), np.int64)


def _dense(values: NDArray[Any], sparsity: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """A sparse constant in full: the levels of its tree are opened one after another."""
    order = _numbers(sparsity.TraversalOrderAsNumpy())
    blocks = _numbers(sparsity.BlockMapAsNumpy())
    rank = len(shape)
    at = np.zeros(1, np.int64)
    index = np.zeros((len(order), 1), np.int64)
    sizes = np.ones(len(order), np.int64)
    for level, dimension in enumerate(order):
        entry = sparsity.DimMetadata(level)
        if entry.Format() == _SPARSE:
            segments = _vector(entry.ArraySegmentsType(), entry.ArraySegments())
            indices = _vector(entry.ArrayIndicesType(), entry.ArrayIndices())
            counts = segments[at + 1] - segments[at]
            first = np.repeat(segments[at] - (np.cumsum(counts) - counts), counts)
            parents, at = np.repeat(np.arange(len(at)), counts), first + np.arange(counts.sum())
            inner = indices[at]
        else:
            size = sizes[dimension] = entry.DenseSize()
            parents = np.repeat(np.arange(len(at)), size)
            inner = np.tile(np.arange(size), len(at))
            at = at[parents] * size + inner
        index = index[:, parents]
        index[dimension] = inner
    place = index[:rank]
    for block, dimension in enumerate(blocks):
        place[dimension] = place[dimension] * sizes[rank + block] + index[rank + block]
    result = np.zeros(shape, values.dtype)
    result[tuple(place)] = values[at]
    return result


def _constants(model: Any, graph: Any, shapes: list[tuple[int, ...]]) -> dict[int, NDArray[Any]]:
    constants: dict[int, NDArray[Any]] = {}
    for number, shape in enumerate(shapes):
        tensor = graph.Tensors(number)
        data = model.Buffers(tensor.Buffer()).DataAsNumpy()
        if isinstance(data, int) or not len(data):
            continue
        values = np.asarray(data).view(_TYPES[tensor.Type()])
        sparsity = tensor.Sparsity()
        array = values.reshape(shape) if sparsity is None else _dense(values, sparsity, shape)
        constants[number] = array.astype(np.float32) if array.dtype.kind == "f" else array
    return constants


def _operator(model: Any, node: Any, names: dict[int, str]) -> Operator:
    import tflite

    code = model.OperatorCodes(node.OpcodeIndex())
    kind = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    table = node.BuiltinOptions()
    union = {v: k for k, v in vars(tflite.BuiltinOptions).items() if not k.startswith("_")}
    options = None
    if table is not None and node.BuiltinOptionsType():
        options = getattr(tflite, union[node.BuiltinOptionsType()])()
        options.Init(table.Bytes, table.Pos)
    return Operator(kind, tuple(_numbers(node.InputsAsNumpy())), tuple(_numbers(node.OutputsAsNumpy())), options)


def read_tflite(path: Path) -> TfliteNetwork:
    """A network of one picture in; the file is one of the lock, whose content is known."""
    import tflite

    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    shapes = [tuple(_numbers(graph.Tensors(i).ShapeAsNumpy())) for i in range(graph.TensorsLength())]
    constants = _constants(model, graph, shapes)
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if not k.startswith("_")}
    operators = []
    for number in range(graph.OperatorsLength()):
        operator = _operator(model, graph.Operators(number), names)
        if operator.kind in _FOLDED and operator.inputs[0] in constants:
            constants[operator.outputs[0]] = constants[operator.inputs[0]]
        else:
            operators.append(operator)
    inputs, outputs = (tuple(_numbers(v)) for v in (graph.InputsAsNumpy(), graph.OutputsAsNumpy()))
    return TfliteNetwork(shapes, constants, operators, inputs, outputs)
