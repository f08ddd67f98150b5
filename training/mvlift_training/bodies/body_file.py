"""Body files (.npz) under SMPL's keys, and the command that makes a default body."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from mvlift.files import whole_file
from numpy.typing import NDArray

__all__ = ["body_arrays", "body_command", "save_body"]

_NO_PARENT: Final = 2**32 - 1
"""Parent of the root in SMPL's files."""
_GRAIN: Final = 2.0**-20
"""Metres to which coordinates are rounded, so that the file compresses well."""


def body_arrays(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    regressor: NDArray[np.float64],
    weights: NDArray[np.float64],
    parents: tuple[int, ...],
    shapes: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """A body under the keys of an SMPL or SMAL file, rounded so that it packs well."""
    return {
        "v_template": _packed(vertices),
        "f": faces.astype(np.uint32),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.array([[p % (_NO_PARENT + 1) for p in parents], range(len(parents))], np.uint32),
        "shapedirs": _packed(shapes),
    }


def _packed(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (np.round(values / _GRAIN) * _GRAIN).astype(np.float32)


def save_body(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    """Writes an SMPL body file (.npz), whole or not at all."""
    with whole_file(path) as part:
        np.savez_compressed(part, allow_pickle=False, **arrays)


def body_command(
    name: str,
    make: Callable[[float, int], dict[str, NDArray[Any]]],
    output: Path,
    spacing: float,
    vertices: int,
    arguments: Sequence[str] | None,
) -> None:
    """Make a default body and write it, with options from the command line.

    Args:
        name: of the module in this package that is run.
        make: the body's arrays from the grid's spacing and the number of vertices.
        output, spacing, vertices: defaults.
        arguments: as typed; None takes the process's.
    """
    description = f"Makes the default {name}."
    parser = argparse.ArgumentParser(prog=f"python -m mvlift_training.bodies.{name}", description=description)
    parser.add_argument("-o", "--output", type=Path, default=output, help="body file (default: %(default)s)")
    parser.add_argument("--spacing", type=float, default=spacing, help="grid spacing in metres (default: %(default)s)")
    parser.add_argument("--vertices", type=int, default=vertices, help="after decimation (default: %(default)s)")
    options = parser.parse_args(arguments)
    body = make(options.spacing, options.vertices)
    save_body(body, options.output)
    size = options.output.stat().st_size
    print(f"{options.output}: {len(body['v_template'])} vertices, {len(body['f'])} triangles, {size / 1000:.0f} kB")
