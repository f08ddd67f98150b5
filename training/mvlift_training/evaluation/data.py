"""Validation sequences: 2D input, clean and noisy, with 3D truth or without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.keypoints.naming import layout_of_names
from mvlift.keypoints.rates import checked_rate
from mvlift.typing import F64
from numpy.typing import NDArray

from mvlift_training.arrays import read_arrays

__all__ = ["Sequence", "in_layout", "load_validation"]

_KEYS = {"names", "fps", "start", "length", "image_size", "xy"}
_NOISY = ("noisy_xy", "noisy_confidence")
_TRUTH = ("points3d", "K", "R", "t")


@dataclass(frozen=True, eq=False)
class Sequence:
    """One camera's view of one motion.

    Attributes:
        name: clip and camera.
        category: kind of motion.
        set: collection that the motion is from.
        clean: keypoints without noise, (T, K, 2), NaN where outside the picture.
        noisy: as a detector gives them.
        noisy_confidence: (T, K).
        truth: (T, K, 3) world, metres, z up; NaN where there is no 3D truth.
        K, R, t: true camera; no method is told K. NaN likewise.
        image_size: (width, height).
        names: (K,) keypoint names.
        fps: frames a second.
    """

    name: str
    category: str
    clean: F64
    noisy: F64
    noisy_confidence: F64
    truth: F64
    K: F64
    R: F64
    t: F64
    image_size: tuple[int, int]
    names: tuple[str, ...]
    fps: Fraction
    set: str = ""

    @property
    def has_truth(self) -> bool:
        """Whether 3D truth is known; otherwise only the picture is measured."""
        return bool(np.isfinite(self.R).all())

    def clip(self, noisy: bool, layout: Layout | str = "openpose24") -> KeypointClip:
        """The input of a method; the layout is the subject's, whose names the file has."""
        points = self.noisy if noisy else self.clean
        confidence = self.noisy_confidence if noisy else np.isfinite(self.clean).all(-1).astype(np.float64)
        return KeypointClip(
            points=np.nan_to_num(points).astype(np.float32),
            confidence=np.where(np.isfinite(points).all(-1), confidence, 0).astype(np.float32),
            layout=get_layout(layout) if isinstance(layout, str) else layout,
            fps=self.fps,
            image_size=self.image_size,
            source_format="validation",
        )


def _columns(values: F64, columns: list[int | None], missing: float) -> F64:
    """(T, K, ...) values of other columns; those without one are missing."""
    out = np.full((len(values), len(columns), *values.shape[2:]), missing)
    have = [i for i, c in enumerate(columns) if c is not None]
    out[:, have] = values[:, [c for c in columns if c is not None]]
    return out


def in_layout(sequences: list[Sequence], layout: Layout, needed: tuple[str, ...] | None = None) -> list[Sequence]:
    """The same sequences with their keypoints named and ordered as in a layout ("left_front_paw" is "l_front_paw").

    Args:
        sequences: of one file.
        layout: wanted.
        needed: keypoints that must be there, None for all; the others are NaN where the file lacks them.

    Raises:
        KeypointError: they lack some of the needed keypoints.
    """
    names = sequences[0].names
    if names == layout.names:
        return sequences
    known = layout_of_names(names).names
    missing = [n for n in (layout.names if needed is None else needed) if n not in known]
    if missing:
        raise KeypointError(
            f"The data's keypoints {names} lack {missing} of {layout.name}.",
            "Choose the subject of the data with --subject.",
        )
    columns = [known.index(n) if n in known else None for n in layout.names]
    return [
        replace(
            s,
            names=layout.names,
            clean=_columns(s.clean, columns, np.nan),
            noisy=_columns(s.noisy, columns, np.nan),
            noisy_confidence=_columns(s.noisy_confidence, columns, 0.0),
            truth=_columns(s.truth, columns, np.nan),
        )
        for s in sequences
    ]


def load_validation(path: Path, frames: int | None = None, stride: int = 1) -> list[Sequence]:
    """Sequences of a validation file.

    Args:
        path: npz, see docs/training.md for its keys.
        frames: only the first so many frames of each.
        stride: use only each n-th sequence.

    Returns:
        The sequences. A file without ``points3d K R t`` has no 3D truth, one without ``noisy_xy noisy_confidence`` no
        noisy input.

    Raises:
        KeypointError: there is no such file, it is damaged, a key is missing, or it holds no sequence.
    """
    remedy = "Give a data set of the common layout, see docs/training.md."
    data = read_arrays(path, _KEYS, "validation set", remedy)
    if not len(data["start"]):
        raise KeypointError(f"{path} holds no sequence.", remedy)
    for keys in (_NOISY, _TRUTH):
        missing = sorted(k for k in keys if k not in data)
        if missing and len(missing) < len(keys):
            raise KeypointError(f"{path}: keys {missing} are missing in this validation set.", remedy)
    names = tuple(str(n) for n in data["names"])
    fps = checked_rate(float(data["fps"])) or Fraction(30)
    out = []
    for i in range(0, len(data["start"]), stride):
        first, length = int(data["start"][i]), int(data["length"][i])
        out.append(_sequence(data, i, slice(first, first + min(length, frames or length)), names, fps))
    return out


def _sequence(data: dict[str, NDArray[Any]], i: int, rows: slice, names: tuple[str, ...], fps: Fraction) -> Sequence:
    """Sequence ``i`` of a file; what the file lacks is NaN, and never seen."""
    clean = data["xy"][rows].astype(np.float64)
    unknown = np.full(clean.shape, np.nan)

    def text(key: str) -> str:
        return str(data[key][i]) if key in data else ""

    def camera(key: str, *shape: int) -> F64:
        return np.asarray(data[key][i], dtype=np.float64) if key in data else np.full(shape, np.nan)

    return Sequence(
        name=f"{data['clip'][i]}#{i}" if "clip" in data else str(i),
        category=text("category"),
        clean=clean,
        noisy=data["noisy_xy"][rows].astype(np.float64) if "noisy_xy" in data else unknown,
        noisy_confidence=(
            data["noisy_confidence"][rows].astype(np.float64) if "noisy_confidence" in data else 0 * unknown[..., 0]
        ),
        truth=(
            data["points3d"][rows].astype(np.float64) if "points3d" in data else np.full((*clean.shape[:2], 3), np.nan)
        ),
        K=camera("K", 3, 3),
        R=camera("R", 3, 3),
        t=camera("t", 3),
        image_size=(int(data["image_size"][i][0]), int(data["image_size"][i][1])),
        names=names,
        fps=fps,
        set=text("set"),
    )
