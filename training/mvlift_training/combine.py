"""`mvlift-train combine`: one data set from several, or from a part of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mvlift.errors import KeypointError
from mvlift.files import whole_file
from numpy.typing import NDArray

from mvlift_training.arrays import read_arrays

__all__ = ["combine"]

_PER_SEQUENCE = ("image_size", "set", "clip", "category", "licence")
_NEEDED = ("names", "fps", "start", "length")


def _rows(data: dict[str, NDArray[Any]], sets: tuple[str, ...], stride: int) -> list[int]:
    names = data.get("set", np.full(len(data["start"]), ""))
    chosen = [i for i in range(len(data["start"])) if not sets or str(names[i]) in sets]
    return chosen[::stride]


def _chosen(text: str) -> tuple[str, tuple[str, ...], int]:
    """File, sets and stride of an input such as ``FILE:SET,SET@3``."""
    rest, _, stride = text.partition("@")
    name, _, sets = rest.partition(":")
    if stride and not (stride.isdigit() and int(stride) > 0):
        raise KeypointError(f"{text}: {stride!r} is not a number of sequences.", "Write FILE@3 for every third.")
    return name, tuple(filter(None, sets.split(","))), int(stride or 1)


def _keypoints(data: dict[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """What a file holds of each frame: 2D keypoints with their confidence, or the 3D ones of motion capture."""
    if "points3d" in data and "xy" not in data:
        return {"points3d": data["points3d"].astype(np.float32)}
    if "xy" not in data or "image_size" not in data:
        raise KeypointError(
            f"{name}: neither 2D keypoints (xy, image_size) nor 3D ones (points3d).",
            "Make a 2D data set with `mvlift-train prepare`.",
        )
    seen = np.isfinite(data["xy"]).all(-1).astype(np.float32)
    return {"xy": data["xy"].astype(np.float32), "confidence": data.get("confidence", seen)}


def combine(inputs: list[str], output: Path) -> int:
    """Write the sequences of several data sets, all of 2D or all of 3D keypoints, into one.

    Args:
        inputs: ``FILE``, ``FILE:SET,SET`` for some of its sets only, ``FILE@3`` for every third of them.
        output: .npz to write; atomically.

    Returns:
        The number of sequences.

    Raises:
        KeypointError: a file is missing or damaged, keypoints or rates differ, or nothing was chosen.
    """
    parts: dict[str, list[Any]] = {}
    first: dict[str, NDArray[Any]] | None = None
    per_frame: list[str] = []
    per_sequence: list[str] = []
    for text in inputs:
        name, sets, stride = _chosen(text)
        data = read_arrays(Path(name), _NEEDED, "data set", "Make it with `mvlift-train prepare`.")
        keypoints = _keypoints(data, name)
        if first is None:
            first, per_frame = data, list(keypoints)
            per_sequence = [key for key in _PER_SEQUENCE if key in data]
        same = list(data["names"]) == list(first["names"]) and float(data["fps"]) == float(first["fps"])
        if not same or list(keypoints) != per_frame:
            raise KeypointError(
                f"{name}: other keypoints or another rate than {inputs[0]}.", "Combine alike sets only."
            )
        for i in _rows(data, sets, stride):
            rows = slice(int(data["start"][i]), int(data["start"][i]) + int(data["length"][i]))
            parts.setdefault("length", []).append(rows.stop - rows.start)
            for key, values in keypoints.items():
                parts.setdefault(key, []).append(values[rows])
            for key in per_sequence:
                parts.setdefault(key, []).append(data[key][i] if key in data else "")
    if first is None or not parts:
        raise KeypointError(f"{', '.join(inputs)}: no sequences were chosen.", "Check the names of the sets.")
    length = np.array(parts["length"])
    arrays = {key: np.concatenate(parts[key]) for key in per_frame} | {
        key: np.array(parts[key]) for key in per_sequence
    }
    arrays |= {"names": first["names"], "fps": first["fps"], "length": length}
    arrays["start"] = np.concatenate([[0], np.cumsum(length)[:-1]])
    with whole_file(output) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return len(length)
