"""Array types of the whole project."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["F32", "F64", "BoolArray"]

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
