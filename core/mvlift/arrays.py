"""One array interface for NumPy and torch: geometry and sampling are written once, in the array API standard's words.

Lifting computes with NumPy; training and lifting on a graphics card hand torch tensors to the same functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

__all__ = ["Array", "Generator", "array_like", "array_namespace", "device", "is_torch_array", "normal_noise",
           "to_numpy", "without_gradients"]  # fmt: skip

Array: TypeAlias = Any
"""A NumPy array or a torch tensor; all arrays of one call are of one kind, on one device."""
Generator: TypeAlias = Any
"""Of random numbers: a NumPy generator (the same numbers whatever computes), or a torch generator."""


def array_like(values: object, other: Array) -> Array:
    """Values as an array of the kind, type and device of another."""
    xp = array_namespace(other)
    return xp.asarray(values, dtype=other.dtype, device=device(other))


def to_numpy(array: Array) -> Any:
    """A NumPy array of the values."""
    return array.detach().cpu().numpy() if is_torch_array(array) else np.asarray(array)


def normal_noise(shape: tuple[int, ...], generator: Generator, like: Array) -> Callable[[], Array]:
    """Independent standard normal noise of a shape, as arrays of the kind of another.

    Args:
        shape: of each array.
        generator: randomness; torch's may live on another device.
        like: gives kind, type and device.
    """
    if isinstance(generator, np.random.Generator):
        return lambda: array_like(generator.standard_normal(shape, dtype=np.float32), like)
    torch = sys.modules["torch"]
    return lambda: torch.randn(shape, generator=generator, device=generator.device).to(like)


def without_gradients(array: Array) -> AbstractContextManager[Any]:
    """Within: torch, if the array is one of its tensors, records nothing for gradients."""
    return sys.modules["torch"].inference_mode() if is_torch_array(array) else nullcontext()
