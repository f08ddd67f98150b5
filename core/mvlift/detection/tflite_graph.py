"""TensorFlow Lite networks as ONNX graphs, so that one runtime serves detection and lifting.

Pictures are (1, H, W, C) in TensorFlow Lite and (1, C, H, W) in ONNX: every value of four dimensions inside the graph
is in ONNX's order, and inputs and outputs are turned at the border. Known are the operators of the bundled networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mvlift.backends.onnx_writing import GraphWriter
from mvlift.detection.tflite_file import Operator, TfliteNetwork

__all__ = ["INPUT", "onnx_graph"]

INPUT: Final = "picture"
_ORDER: Final = (0, 3, 1, 2)
"""From (1, H, W, C) to (1, C, H, W)."""
_BACK: Final = (0, 2, 3, 1)
_AXIS: Final = (0, 2, 3, 1)
"""Axis of (1, H, W, C) -> axis of (1, C, H, W)."""
_RELU, _RELU6 = 1, 3
_PADDING: Final = ("SAME_UPPER", "VALID")


class _Converter:
    """Adds operators to a graph; ``names`` holds what tensors are called in it."""

    def __init__(self, network: TfliteNetwork) -> None:
        self.network = network
        self.graph = GraphWriter()
        self.names: dict[int, str] = {}

    def convert(self, operator: Operator) -> None:
        """Add an operator and its activation."""
        method = getattr(self, f"_{operator.kind.lower()}", None)
        if method is None:
            raise ValueError(f"the operator {operator.kind} is not known")
        made = method(operator)
        activation = getattr(operator.options, "FusedActivationFunction", int)()
        if activation == _RELU:
            made = self.graph.node("Relu", made)
        elif activation == _RELU6:
            made = self.graph.node("Clip", made, self.graph.constant(0.0), self.graph.constant(6.0))
        elif activation:
            raise ValueError(f"activation {activation} is not known")
        self.names[operator.outputs[0]] = made

    def value(self, number: int) -> str:
        """Name of a tensor, constants in ONNX's order."""
        if number not in self.names:
            array = self.network.constants[number]
            self.names[number] = self.graph.constant(array.transpose(_ORDER) if array.ndim == 4 else array)
        return self.names[number]

    def picture_order(self, number: int) -> str:
        """A tensor in TensorFlow Lite's order."""
        name = self.value(number)
        four = len(self.network.shapes[number]) == 4
        return self.graph.node("Transpose", name, perm=list(_BACK)) if four else name

    def _in_order(self, name: str, number: int) -> str:
        """A value in TensorFlow Lite's order as tensor ``number``, brought into ONNX's."""
        four = len(self.network.shapes[number]) == 4
        return self.graph.node("Transpose", name, perm=list(_ORDER)) if four else name

    def _convolution(self, operator: Operator, weights: str, groups: int) -> str:
        options = operator.options
        inputs = [self.value(operator.inputs[0]), weights]
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            inputs.append(self.value(operator.inputs[2]))
        return self.graph.node(
            "Conv",
            *inputs,
            auto_pad=_PADDING[options.Padding()],
            strides=[options.StrideH(), options.StrideW()],
            dilations=[options.DilationHFactor(), options.DilationWFactor()],
            group=groups,
        )

    def _conv_2d(self, operator: Operator) -> str:
        weights = self.network.constants[operator.inputs[1]].transpose(0, 3, 1, 2)  # (out, H, W, in)
        return self._convolution(operator, self.graph.constant(weights), 1)

    def _depthwise_conv_2d(self, operator: Operator) -> str:
        weights = self.network.constants[operator.inputs[1]].transpose(3, 0, 1, 2)  # (1, H, W, out)
        return self._convolution(operator, self.graph.constant(weights), self.network.shapes[operator.inputs[0]][3])

    def _add(self, operator: Operator) -> str:
        return self.graph.node("Add", *(self.value(n) for n in operator.inputs))

    def _pad(self, operator: Operator) -> str:
        pads = self.network.constants[operator.inputs[1]]  # (4, 2)
        ordered = pads[list(_ORDER)].T.reshape(-1)
        return self.graph.node("Pad", self.value(operator.inputs[0]), self.graph.ints(*map(int, ordered)))

    def _max_pool_2d(self, operator: Operator) -> str:
        options = operator.options
        return self.graph.node(
            "MaxPool",
            self.value(operator.inputs[0]),
            kernel_shape=[options.FilterHeight(), options.FilterWidth()],
            strides=[options.StrideH(), options.StrideW()],
            auto_pad=_PADDING[options.Padding()],
        )

    def _resize_bilinear(self, operator: Operator) -> str:
        options = operator.options
        mode = (
            "align_corners" if options.AlignCorners() else "half_pixel" if options.HalfPixelCenters() else "asymmetric"
        )
        batch, height, width, channels = self.network.shapes[operator.outputs[0]]
        sizes = self.graph.ints(batch, channels, height, width)
        picture = self.value(operator.inputs[0])
        return self.graph.node("Resize", picture, "", "", sizes, mode="linear", coordinate_transformation_mode=mode)

    def _reshape(self, operator: Operator) -> str:
        shape = self.graph.ints(*self.network.shapes[operator.outputs[0]])
        made = self.graph.node("Reshape", self.picture_order(operator.inputs[0]), shape)
        return self._in_order(made, operator.outputs[0])

    def _concatenation(self, operator: Operator) -> str:
        rank = len(self.network.shapes[operator.outputs[0]])
        axis = operator.options.Axis() % rank
        return self.graph.node(
            "Concat", *(self.value(n) for n in operator.inputs), axis=_AXIS[axis] if rank == 4 else axis
        )

    def _depth_to_space(self, operator: Operator) -> str:
        return self.graph.node("DepthToSpace", self.value(operator.inputs[0]), blocksize=operator.options.BlockSize())

    def _logistic(self, operator: Operator) -> str:
        return self.graph.node("Sigmoid", self.value(operator.inputs[0]))

    def _prelu(self, operator: Operator) -> str:
        slope = self.network.constants[operator.inputs[1]].transpose(2, 0, 1)  # (1, 1, C)
        return self.graph.node("PRelu", self.value(operator.inputs[0]), self.graph.constant(slope))

    def _mean(self, operator: Operator) -> str:
        axes = self.graph.ints(*(int(a) for a in np.atleast_1d(self.network.constants[operator.inputs[1]])))
        keep = int(operator.options.KeepDims())
        made = self.graph.node("ReduceMean", self.picture_order(operator.inputs[0]), axes, keepdims=keep)
        return self._in_order(made, operator.outputs[0])

    def _fully_connected(self, operator: Operator) -> str:
        weights = self.network.constants[operator.inputs[1]]  # (out, in)
        rows = self.graph.node("Reshape", self.picture_order(operator.inputs[0]), self.graph.ints(-1, weights.shape[1]))
        inputs = [rows, self.graph.constant(weights)]
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            inputs.append(self.value(operator.inputs[2]))
        return self.graph.node("Gemm", *inputs, transB=1)


def _needed(network: TfliteNetwork, outputs: Sequence[int]) -> list[Operator]:
    """The operators that lead to some outputs."""
    wanted, kept = set(outputs), []
    for operator in reversed(network.operators):
        if wanted & set(operator.outputs):
            wanted |= set(operator.inputs)
            kept.append(operator)
    return kept[::-1]


def onnx_graph(network: TfliteNetwork, outputs: Sequence[int]) -> bytes:
    """The ONNX model of a network, without what only other outputs need.

    Args:
        network: of one input ``INPUT`` (1, H, W, C).
        outputs: numbers of the network's outputs, counted from 0; output n is called "output_n".

    Raises:
        ValueError: the network has an operator that is not known.
    """
    tensors = [network.outputs[n] for n in outputs]
    converter = _Converter(network)
    (input_tensor,) = network.inputs
    converter.names[input_tensor] = converter.graph.node("Transpose", INPUT, perm=list(_ORDER))
    for operator in _needed(network, tensors):
        converter.convert(operator)
    results = {
        f"output_{n}": (converter.picture_order(t), network.shapes[t]) for n, t in zip(outputs, tensors, strict=True)
    }
    return converter.graph.model("detector", {INPUT: (np.float32, network.shapes[input_tensor])}, results)
