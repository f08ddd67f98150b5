"""The denoiser of ``diffusion/network.py`` as an ONNX graph: the same names of weights, the same formulas.

A test holds the two together to a few millionths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvlift.backends.onnx_writing import GraphWriter
from mvlift.diffusion.denoiser import DenoiserConfig
from mvlift.typing import F32

__all__ = ["denoiser_graph"]


class _Denoiser:
    """Writes the graph of one network.

    Args:
        config: its shape.
        weights: name -> values, as in ``MotionDenoiser.state_dict``.
        half: matrices are stored as 16-bit numbers.
    """

    def __init__(self, config: DenoiserConfig, weights: Mapping[str, F32], half: bool) -> None:
        self.g, self.config, self.weights = GraphWriter(), config, weights
        self.streams = 1 + len(config.azimuths) if config.cross_view else 1
        self.parts = 3 if config.cross_view else 2
        self.head_width = config.width // config.heads
        self.half = half
        self._used: set[str] = set()

    def weight(self, name: str) -> F32:
        self._used.add(name)
        return self.weights[name]

    @property
    def unused(self) -> set[str]:
        """Weights that the graph does not hold."""
        return set(self.weights) - self._used

    def linear(self, x: str, name: str) -> str:
        values, stored = self.weight(f"{name}.weight").T, f"{name}.weight"
        w = self.g.half(values, stored) if self.half else self.g.constant(values, name=stored)
        return self.g.node("Add", self.g.node("MatMul", x, w), self.g.constant(self.weight(f"{name}.bias")))

    def silu(self, x: str) -> str:
        return self.g.node("Mul", x, self.g.node("Sigmoid", x))

    def normed(self, x: str, scale: NDArray[Any] | None = None, bias: NDArray[Any] | None = None) -> str:
        ones, zeros = np.ones(self.config.width), np.zeros(self.config.width)
        a = self.g.constant(ones if scale is None else scale)
        b = self.g.constant(zeros if bias is None else bias)
        return self.g.node("LayerNormalization", x, a, b, axis=-1, epsilon=1e-5)

    def shapes(self) -> None:
        """Sizes that depend on the input: B, T, S tokens, B V."""
        g = self.g
        shape = g.node("Shape", "features")
        self.batch = g.node("Gather", shape, g.ints(0))
        self.frames = g.node("Gather", shape, g.ints(2))
        self.tokens = g.node("Div", self.frames, g.ints(self.config.patch))
        self.rows = g.node("Mul", self.batch, g.ints(self.streams))

    def shaped(self, x: str, *sizes: str | int) -> str:
        parts = [size if isinstance(size, str) else self.g.ints(size) for size in sizes]
        return self.g.node("Reshape", x, self.g.node("Concat", *parts, axis=0))

    def conditions(self) -> tuple[str, list[str]]:
        """The condition (B V, 1, d) of timestep and view, and its modulation of every block, parts of (B V, 1, d)."""
        g, d = self.g, self.config.width
        frequency = np.exp(-math.log(10_000.0) * np.arange(128) / 128).astype(np.float32)
        time = g.node("Unsqueeze", g.node("Cast", "timestep", to=1), g.ints(1))
        angle = g.node("Mul", time, g.constant(frequency[None]))
        wave = g.node("Concat", g.node("Cos", angle), g.node("Sin", angle), axis=-1)
        level = self.linear(self.silu(self.linear(wave, "level.0")), "level.2")
        both = g.node("Add", g.node("Unsqueeze", level, g.ints(1)), self.linear("views", "view"))  # (B, V, d)
        condition = self.shaped(both, self.rows, 1, d)
        modulation = self.linear(self.silu(condition), "modulate.1")
        return condition, g.several("Split", [modulation], 3 * self.parts, axis=-1, num_outputs=3 * self.parts)

    def keys(self) -> tuple[str, str]:
        """1 where a token holds a frame of the clip, (B, S); what is added to attention scores, (B V, 1, 1, S)."""
        g = self.g
        inside = g.node("Cast", self.shaped("frames", self.batch, self.tokens, self.config.patch), to=1)
        share = g.node("ReduceMax", inside, g.ints(-1), keepdims=0)
        penalty = g.node("Mul", g.node("Sub", share, g.constant(1.0)), g.constant(1e9))
        wide = g.node("Concat", self.batch, g.ints(self.streams), self.tokens, axis=0)
        each = g.node("Expand", g.node("Unsqueeze", penalty, g.ints(1)), wide)
        return share, self.shaped(each, self.rows, 1, 1, self.tokens)

    def rotary(self) -> tuple[str, str]:
        """Cosines and sines (S, D / 2) of the rotary positions."""
        g = self.g
        zero, one = g.constant(0, np.int64), g.constant(1, np.int64)
        count = g.node("Squeeze", self.tokens, g.ints(0))
        place = g.node("Unsqueeze", g.node("Cast", g.node("Range", zero, count, one), to=1), g.ints(1))
        frequency = (1_000.0 ** (-np.arange(0, self.head_width, 2) / self.head_width)).astype(np.float32)
        angle = g.node("Mul", place, g.constant(frequency[None]))
        return g.node("Cos", angle), g.node("Sin", angle)

    def turned(self, x: str, wave: tuple[str, str]) -> str:
        g, (cos, sin) = self.g, wave
        a, b = g.several("Split", [x], 2, axis=-1, num_outputs=2)
        first = g.node("Sub", g.node("Mul", a, cos), g.node("Mul", b, sin))
        second = g.node("Add", g.node("Mul", a, sin), g.node("Mul", b, cos))
        return g.node("Concat", first, second, axis=-1)

    def attention(self, x: str, name: str, wave: tuple[str, str] | None, penalty: str | None) -> str:
        g, heads = self.g, self.config.heads
        qkv = g.several("Split", [self.linear(x, f"{name}.qkv")], 3, axis=-1, num_outputs=3)
        split = g.ints(0, 0, heads, self.head_width)
        q, k, v = (g.node("Transpose", g.node("Reshape", part, split), perm=[0, 2, 1, 3]) for part in qkv)
        if wave is not None:
            q, k = self.turned(q, wave), self.turned(k, wave)
        q = g.node("Mul", q, g.constant(self.head_width**-0.5))
        scores = g.node("MatMul", q, g.node("Transpose", k, perm=[0, 1, 3, 2]))
        if penalty is not None:
            scores = g.node("Add", scores, penalty)
        mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), v)
        joined = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(0, 0, self.config.width))
        return self.linear(joined, f"{name}.out")

    def across_views(self, x: str, name: str) -> str:
        g, d = self.g, self.config.width
        apart = g.node("Transpose", self.shaped(x, self.batch, self.streams, self.tokens, d), perm=[0, 2, 1, 3])
        mixed = self.attention(self.shaped(apart, -1, self.streams, d), name, None, None)
        back = g.node("Transpose", self.shaped(mixed, self.batch, self.tokens, self.streams, d), perm=[0, 2, 1, 3])
        return self.shaped(back, self.rows, self.tokens, d)

    def feed(self, x: str, name: str) -> str:
        wide = self.g.node("Gelu", self.linear(x, f"{name}.0"), approximate="tanh")
        return self.linear(wide, f"{name}.3")

    def block(self, x: str, name: str, modulation: list[str], wave: tuple[str, str], penalty: str) -> str:
        """As ``_Block``: x (B V, S, d)."""
        g, parts, table = self.g, self.parts, self.weight(f"{name}.table")
        one = g.constant(1.0)
        modulations = [g.node("Add", m, g.constant(table[i])) for i, m in enumerate(modulation)]
        steps = [lambda y: self.attention(y, f"{name}.time", wave, penalty), lambda y: self.feed(y, f"{name}.feed")]
        if self.config.cross_view:
            steps.insert(1, lambda y: self.across_views(y, f"{name}.views"))
        for part, step in enumerate(steps):
            shift, scale, gate = modulations[part], modulations[parts + part], modulations[2 * parts + part]
            y = g.node("Add", g.node("Mul", self.normed(x), g.node("Add", scale, one)), shift)
            x = g.node("Add", x, g.node("Mul", g.node("Add", gate, one), step(y)))
        return x

    def camera(self, x: str, share: str) -> str:
        """What the camera head says of the input view's stream (B, 6)."""
        g = self.g
        streams = self.shaped(x, self.batch, self.streams, self.tokens, self.config.width)
        tokens = g.node("Gather", streams, g.constant(0, np.int64), axis=1)  # (B, S, d)
        total = g.node("ReduceSum", g.node("Mul", tokens, g.node("Unsqueeze", share, g.ints(2))), g.ints(1), keepdims=0)
        count = g.node("Max", g.node("ReduceSum", share, g.ints(1), keepdims=1), g.constant(1.0))
        return self.linear(g.node("Div", total, count), "camera")

    def write(self, metadata: Mapping[str, str] | None) -> bytes:
        c, g = self.config, self.g
        self.shapes()
        condition, modulation = self.conditions()
        (share, penalty), wave = self.keys(), self.rotary()
        x = self.linear(self.shaped("features", self.rows, self.tokens, c.patch * c.points * c.features), "embed")
        x = g.node("Add", x, condition)
        for i in range(c.layers):
            x = self.block(x, f"blocks.{i}", modulation, wave, penalty)
        x = self.normed(x, self.weight("norm.weight"), self.weight("norm.bias"))
        clean = self.shaped(self.linear(x, "head"), self.batch, self.streams, self.frames, c.points, 2)
        outputs: dict[str, Any] = {"clean": (clean, ["batch", self.streams, "frames", c.points, 2])}
        if c.camera_head:
            outputs["camera"] = (self.camera(x, share), ["batch", 6])
        inputs: dict[str, Any] = {
            "features": (np.float32, ["batch", self.streams, "frames", c.points, c.features]),
            "timestep": (np.int64, ["batch"]),
            "views": (np.float32, ["batch", self.streams, 8]),
            "frames": (np.bool_, ["batch", "frames"]),
        }
        return g.model("denoiser", inputs, outputs, metadata)


def denoiser_graph(
    config: DenoiserConfig, weights: Mapping[str, F32], half: bool = False, metadata: Mapping[str, str] | None = None
) -> bytes:
    """An ONNX model: features, timestep, views, frames -> clean (and camera); see ``MotionDenoiser.forward``.

    Batch and length are free; the number of views is the network's.

    Args:
        config: shape of the network.
        weights: name -> values, as in ``MotionDenoiser.state_dict``.
        half: matrices are stored as 16-bit numbers, which halves the model; it computes in float32 all the same.
        metadata: texts that the model holds beside the graph.

    Raises:
        KeyError: a weight is missing.
        ValueError: there are weights that the network does not have.
    """
    network = _Denoiser(config, weights, half)
    model = network.write(metadata)
    if network.unused:
        raise ValueError(f"unknown weights {sorted(network.unused)[:3]}")
    return model
